"""Whether what somebody holds is still what was released, and still fit to be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import released
from ..adapters.exported import Exported, is_export, read_export
from ..errors import NotFoundError, SettingsError
from ..release import Manifest, Problem, manifest_name, parse_reference
from ..settings import find_settings
from ..state import load_events
from . import App, open_app

__all__ = ["Verified", "verify"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What is known of a release, or of an export of one.

    Parameters
    ----------
    what : str
        The release, or the folder, as it was named.
    release : str
        `name@version`; empty of an export whose labels come from no release, or that is damaged.
    problems : tuple of Problem
        What is not as it was released, or exported.
    deprecated : str
        Why the release should not be used any more; empty where nobody said so. Without the label
        set at hand: what was known when the export was made.
    newer : str or None
        The newest later release that may be used, as `name@version`; empty if there is none.
        None where the label set is not at hand, so that nobody knows.
    export : bool
        Whether this is an exported folder.
    """

    what: str
    release: str
    problems: tuple[Problem, ...]
    deprecated: str
    newer: str | None
    export: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is as it was released; deprecated releases are, too."""
        return not any(p.harmful for p in self.problems)


def verify(what: str | Path | None = None, config: str | Path | None = None) -> Verified:
    """Verify a release of a label set, or a folder that was exported; see `labelops.verify`."""
    if what is not None and _is_folder(what):
        return _verify_export(what, config)
    return _verify_release(open_app(config), None if what is None else str(what))


def _is_folder(what: str | Path) -> bool:
    """Tell a folder from the name of a release: no name has a slash."""
    return isinstance(what, Path) or "/" in what or is_export(what)


def _verify_release(app: App, reference: str | None) -> Verified:
    manifest = app.manifest(reference)
    problems, news = app.verify(manifest.reference), app.news(manifest)
    what = reference or f"{manifest.name}@latest"
    return Verified(what, manifest.reference, tuple(problems), news.deprecated, news.newer)


def _verify_export(folder: str | Path, config: str | Path | None) -> Verified:
    found = read_export(folder)
    problems, deprecated, newer = found.problems, found.deprecated, None
    app = _label_set(config) if found.release else None
    manifest = None if app is None else _manifest(app, found, named=config is not None)
    if app is not None and manifest is not None:
        noted = released.noted_digests(load_events(app.as_it_is)).get(found.release)
        if found.manifest_digest != (noted or manifest.digest):
            problems += (_another(found),)
        else:
            news = app.news(manifest)
            deprecated, newer = news.deprecated, news.newer
    return Verified(str(folder), found.release, problems, deprecated, newer, export=True)


def _label_set(config: str | Path | None) -> App | None:
    """Open the label set that was named, or the nearest; who holds a copy may have none."""
    if config is None:
        try:
            config = find_settings(Path.cwd())
        except SettingsError:
            return None
    return open_app(config)


def _manifest(app: App, found: Exported, *, named: bool) -> Manifest | None:
    """Return the manifest of an export's release; None in a label set that is another."""
    reference, listed = parse_reference(found.release), app.objects.list
    if reference.version is not None and app.begun:
        place = manifest_name(reference.name, reference.version)
        if place in listed(f"releases/{reference.name}/"):
            return released.resolve(app.objects, reference, {})
    if named:
        raise NotFoundError(
            f"{app.settings.root} has no release {found.release}; name the label set of the "
            "export with --config, or none"
        )
    return None


def _another(found: Exported) -> Problem:
    said = (
        f"the label set has another release {found.release} (the export names the digest "
        f"{found.manifest_digest}): one of the two was made anew; export again"
    )
    return Problem("manifest", "_labelops.json", said)
