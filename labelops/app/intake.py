"""How a source of the settings is read, and under which rights."""

from __future__ import annotations

from collections.abc import Mapping

from ..adapters.source_files import Signature
from ..adapters.sources import SourceSpec, open_source
from ..ingest import Rights
from ..journey import Intake
from ..settings import Settings, SourceSettings

__all__ = ["intake_of"]


def intake_of(
    source: SourceSettings,
    settings: Settings,
    known: Mapping[str, tuple[str, str, str | None]],
    seen: dict[str, tuple[Signature, str]],
) -> Intake:
    """Return a source of the settings as it is taken in.

    Parameters
    ----------
    source : SourceSettings
    settings : Settings
    known : mapping
        Images taken in before by digest, so that they are not decoded again.
    seen : dict
        Files read before, so that they are not read again; filled while reading.
    """
    spec = SourceSpec(
        name=source.name,
        path=settings.root / source.path,
        format=source.format or None,
        key=source.key or None,
        text=source.text or None,
        image=source.image or None,
        group=source.group or None,
        media=settings.schema.media,
        encoding=source.encoding,
        delimiter=source.delimiter or None,
        suffixes=source.suffixes or None,
        known=known,
        seen=seen,
        rights=Rights(
            licence=source.licence or None,
            purposes=source.purposes or None,
            region=source.region or None,
            expires=source.ends,
        ),
    )
    return Intake(open_source(spec), spec.rights, source.gold, source.bad_rows)
