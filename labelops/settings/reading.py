"""Reads labelops.toml, finds it, and puts the environment beside it."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ..audit.policy import AuditPolicy
from ..autolabel.policy import AcceptancePolicy
from ..consolidate.policy import ConsolidatePolicy
from ..errors import SchemaError, SettingsError, shown
from ..gate.policy import GatePolicy
from ..route.policy import RoutePolicy
from ..schema import Schema
from .labelers import ChatSettings, LabelerSettings, RuleSettings
from .secret import Secret
from .sections import QueueSettings, ScheduleSettings, SourceSettings, SplitSettings
from .settings import FILE, Settings
from .values import known_only, named_sections, section_of

__all__ = ["find_settings", "read_settings"]

T = TypeVar("T")

_SECTIONS = (
    "labeler",
    "chat",
    "accept",
    "route",
    "consolidate",
    "audit",
    "gate",
    "split",
    "queue",
    "schedule",
)
_TOP = ("workspace", "schema", "source", "rule", *_SECTIONS)
_SCHEMA_KEYS = (
    "name", "kind", "media", "classes", "question", "renames", "splits", "descriptions"
)  # fmt: skip


def find_settings(start: Path) -> Path:
    """Return the nearest labelops.toml in `start` or a folder above it.

    Raises
    ------
    SettingsError
        If there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    raise SettingsError(
        f"no {FILE} in {here} or above; run `labelops init` to write one, or name it with --config"
    )


def read_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check a labelops.toml, with overrides from the environment.

    Parameters
    ----------
    path : Path
        The file.
    environ : mapping, optional
        Instead of the process's environment.

    Raises
    ------
    SettingsError
        Naming the file, the key, the value and what was expected.
    """
    env = os.environ if environ is None else environ
    raw = _toml(path)
    known_only(raw, _TOP, str(path))
    try:
        found = _settings(raw, path.resolve().parent, env)
        return dataclasses.replace(found, file=str(path))
    except (SettingsError, SchemaError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _settings(raw: Mapping[str, object], root: Path, env: Mapping[str, str]) -> Settings:
    def section(cls: type[T], name: str) -> T:
        return section_of(cls, raw.get(name, {}), name, env)

    queue = section(QueueSettings, "queue")
    labeler = section(LabelerSettings, "labeler")
    token = labeler.token_env or ("OPENAI_API_KEY" if labeler.type == "chat" else "")
    schema = _schema(raw.get("schema"))
    return Settings(
        root=root,
        workspace=_workspace(
            env.get("LABELOPS_WORKSPACE") or raw.get("workspace", "workspace"), root
        ),
        schema=schema,
        sources=named_sections(SourceSettings, raw.get("source", {}), "source", env),
        rules=_rules(raw.get("rule", {}), schema, env),
        labeler=labeler,
        accept=section(AcceptancePolicy, "accept"),
        route=section(RoutePolicy, "route"),
        consolidate=section(ConsolidatePolicy, "consolidate"),
        audit=section(AuditPolicy, "audit"),
        gate=section(GatePolicy, "gate"),
        split=section(SplitSettings, "split"),
        queue=dataclasses.replace(queue, url=env.get("LABEL_STUDIO_URL") or queue.url),
        schedule=section(ScheduleSettings, "schedule"),
        label_studio_key=Secret(env.get("LABEL_STUDIO_API_KEY", "")),
        key=Secret(env.get("LABELOPS_KEY", "")),
        labeler_token=Secret(env.get(token, "") if token else ""),
        chat=section(ChatSettings, "chat"),
    )


def _workspace(value: object, root: Path) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"workspace is {shown(value)}, expected a folder or s3://…")
    return value if "://" in value else str(root / value)


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; `labelops init` writes one") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); mend that") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _schema(raw: object) -> Schema:
    if not isinstance(raw, Mapping):
        raise SettingsError("[schema] is missing; it needs `name` and `classes`")
    known_only(raw, _SCHEMA_KEYS, "[schema]")
    for key in ("name", "classes"):
        if key not in raw:
            raise SettingsError(f"[schema] needs `{key}`")
    if not isinstance(raw["classes"], list):
        raise SettingsError(f"schema.classes is {shown(raw['classes'])}, expected a list of names")
    return Schema.from_json(dict(raw))


def _rules(raw: object, schema: Schema, env: Mapping[str, str]) -> tuple[RuleSettings, ...]:
    rules = named_sections(RuleSettings, raw, "rule", env)
    for rule in rules:
        if schema.media != "text" and not rule.function:
            raise SettingsError(
                f"rule.{rule.name}: words and pattern look at texts, and the items are "
                f"{schema.media}s; give it a function"
            )
        if rule.label and rule.label not in (*schema.classes, *schema.renames):
            raise SettingsError(
                f"rule.{rule.name}.label is {shown(rule.label)}, expected one of the classes: "
                f"{', '.join(schema.classes)}"
            )
    return rules
