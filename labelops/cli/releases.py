"""The commands about releases: listing, comparing, checking, naming, exporting them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import click

from ..errors import DeprecatedRelease, UsageError, counted
from .base import DEPRECATED, Session, command
from .said import said_verdict
from .words import columns, cut, emphasised, safe, short

if TYPE_CHECKING:
    from ..app.verifying import Verified
    from ..deprecating import News
    from ..release import Diff, Manifest

__all__ = ["RELEASES"]

_SHOWN = 20
FORMATS = ("csv", "jsonl", "parquet", "hugging-face", "label-studio")
WEIGHTS = ("hard", "soft", "weighted")


def _number(counts: Mapping[str, Any], name: str) -> str:
    found = counts.get(name)
    return counted(found) if isinstance(found, int | float) else "–"


@command("labelops log", "labelops log --json")
def log(session: Session) -> None:
    """List all releases, newest first."""
    app = session.app
    manifests, names, deprecated = app.manifests()[::-1], app.names, app.deprecated
    table = [
        [emphasised("released", safe(m.reference)), safe(m.created_at)[:16].replace("T", " ")]
        + [_number(m.counts, "items"), safe(m.change.get("level", ""))]
        + [_number(m.change, k) for k in ("added", "changed", "removed")]
        + [short(m.digest), ", ".join(safe(a) for a, r in names.items() if r == m.reference)]
        + [_warning(deprecated.get(m.reference, ""))]
        for m in manifests
    ]
    head = ["release", "written", "labels", "level", "added", "changed", "removed", "digest"]
    text = columns(table, [*head, "", ""], right=[2, 4, 5, 6])
    facts = [
        {
            **m.to_json(),
            "names": sorted(a for a, r in names.items() if r == m.reference),
            "deprecated": deprecated.get(m.reference, ""),
        }
        for m in manifests
    ]
    session.show(facts, text or "Nothing was released yet.")


def _warning(why: str) -> str:
    return emphasised("fail", f"deprecated: {safe(why)}") if why else ""


def _said_manifest(found: Manifest, news: News) -> str:
    parents = ", ".join(f"{safe(p.name)}@{safe(p.version)}" for p in found.parents)
    about: list[list[str]] = [["digest", found.digest], ["written", safe(found.created_at)]]
    about += [["parent", parents]] if parents else []
    about += [["newer", safe(news.newer)]] if news.newer else []
    for title, facts in (("counts", found.counts), ("change", found.change)):
        about += [[title, _facts({k: v for k, v in facts.items() if not _nested(v)})]]
        about += [
            [safe(k), _facts(v, owned=k == "classes")] for k, v in facts.items() if _nested(v)
        ]
    about += [["rights", _facts(found.rights)], ["made with", _facts(found.tools)]]
    title, table = emphasised("released", safe(found.reference)), columns(about, indent=2)
    parts = [
        [safe(p.role), counted(p.bytes), "" if p.rows is None else counted(p.rows), safe(p.file)]
        for p in found.parts
    ]
    return "\n\n".join(
        [
            "\n".join(part for part in (title, _warning(news.deprecated), table) if part),
            columns(parts, ["part", "bytes", "rows", "file"], right=[1, 2], indent=2),
            said_verdict(found.verdict, "when it was released"),
        ]
    )


def _nested(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _facts(facts: Mapping[str, Any], *, owned: bool = False) -> str:
    """Write facts in a line; names of ours as words, those that the owner gave as they are."""
    named = {k if owned else k.replace("_", " "): v for k, v in facts.items()}
    return " · ".join(f"{safe(k)} {_fact(v)}" for k, v in named.items())


def _fact(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return counted(value)
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{safe(k) or 'none'} {_fact(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list):
        return ", ".join(map(_fact, value)) or "none"
    return safe(value)


@command("labelops show", "labelops show digits@1.0.0 --json")
@click.argument("reference", metavar="[REF]", required=False)
def show(session: Session, reference: str | None) -> None:
    """Show what a release says of itself.

    Its parts, counts, rights, verdict and tools, and which release is newer. REF is name@version,
    name@latest or another name; by default the latest release.
    """
    app = session.app
    found = app.manifest(reference)
    news = app.news(found)
    facts = {**found.to_json(), "deprecated": news.deprecated, "newer": news.newer}
    session.show(facts, _said_manifest(found, news))


def _why(row: Mapping[str, Any]) -> str:
    """Say why a label is what it is now, its method in words."""
    method, why = str(row["method_after"]), str(row["why"])
    given = why.removeprefix(f"{method}: ")
    return why if given == why else f"{method.replace('_', ' ')}: {given}"


def _plain(value: object) -> str:
    """Return a canonical JSON value as a person would write it."""
    found = json.loads(value) if isinstance(value, str) else value
    return safe(found if isinstance(found, str) else json.dumps(found))


def _said_diff(found: Diff, before: str, after: str) -> str:
    if found.is_empty:
        return f"{safe(before)} and {safe(after)} have the same labels."
    numbers = found.counts()
    parts = [
        f"{safe(before)} → {safe(after)}: "
        + ", ".join(f"{counted(n)} {what}" for what, n in numbers.items())
    ]
    if found.schema is not None:
        parts.append(f"The schema changed: {_facts(found.schema.to_json())}")
    pairs = [
        [_plain(r["before"]), "→", _plain(r["after"]), counted(r["items"])]
        for r in found.pairs.head(_SHOWN).to_dict("records")
    ]
    changed = [
        [safe(r["item_id"]), _plain(r["before"]), "→", _plain(r["after"]), cut(_why(r))]
        for r in found.changed.head(_SHOWN).to_dict("records")
    ]
    parts += [columns(pairs, ["before", "", "after", "labels"], right=[3], indent=2)]
    parts += [columns(changed, ["item", "before", "", "after", "why"], indent=2)]
    if len(found.changed) > _SHOWN:
        parts.append(f"  … and {counted(len(found.changed) - _SHOWN)} more (--json has all)")
    return "\n\n".join(part for part in parts if part)


@command("labelops diff digits@1.0.0 digits@latest")
@click.argument("before")
@click.argument("after")
def diff(session: Session, before: str, after: str) -> None:
    """Show what changed from one release to another."""
    found = session.app.diff(before, after)
    session.show(found, _said_diff(found, before, after))


@command(
    "labelops verify",
    "labelops verify digits@1.0.0 && echo untouched",
    "labelops verify ./train --json",
)
@click.argument("what", metavar="[REF|FOLDER]", required=False)
def verify(session: Session, what: str | None) -> int:
    """Compare every byte with what was released, or exported.

    FOLDER is one that was exported, wherever it was copied to; it needs no label set, but only
    one says whether its release was deprecated since, and which one is newer. Needs no server.
    Exits 1 if anything harmful is found, else 4 if the release is deprecated.
    """
    from ..app.verifying import verify

    found = verify(what, session.config)
    harmful = [p for p in found.problems if p.harmful]
    facts = {
        "release": found.release if found.export else found.what,
        "ok": found.ok,
        "problems": found.problems,
        "deprecated": found.deprecated,
        "newer": found.newer,
        **({"folder": found.what} if found.export else {}),
    }
    session.show(facts, _said_verified(found))
    return 1 if harmful else DEPRECATED if found.deprecated else 0


def _said_verified(found: Verified) -> str:
    harmful = [p for p in found.problems if p.harmful]
    good = "every byte is as it was released"
    if found.export:
        good = f"every byte is as it was exported from {safe(found.release or 'no release')}"
    said = f"{counted(len(harmful), 'problem')} found" if harmful else good
    status = emphasised("fail" if harmful else "pass", "DAMAGED" if harmful else "OK")
    styles = ["fail" if p.harmful else "inconclusive" for p in found.problems]
    rows = [
        [emphasised(style, safe(p.kind)), safe(p.file), safe(p.message)]
        for style, p in zip(styles, found.problems, strict=True)
    ]
    news = [["newer", safe(found.newer)]] if found.newer else []
    if found.export and found.newer is None and found.release:
        unknown = "not known here: name the label set with --config; the above is as exported"
        news = [["newer", unknown]]
    parts = [f"{status}  {safe(found.what)}: {said}", columns(rows, indent=2)]
    parts += [_warning(found.deprecated), columns(news, indent=2)]
    return "\n".join(part for part in parts if part)


@command("labelops name prod digits@1.2.0")
@click.argument("alias")
@click.argument("reference", metavar="REF")
def name(session: Session, alias: str, reference: str) -> None:
    """Let a name such as `prod` mean a release from now on.

    It is read as `digits@prod`, wherever a release is named.
    """
    app = session.app
    found = app.name(alias, reference)
    why = app.deprecated.get(found)
    if why:
        click.echo(f"labelops: warning: {safe(found)} is deprecated: {safe(why)}", err=True)
    reference = f"{found.partition('@')[0]}@{alias}"
    said = f"{safe(reference)} now means {safe(found)}."
    session.show({"name": alias, "release": found}, said)


@command(
    'labelops deprecate digits@1.0.0 --because "3 and 8 were swapped by one annotator"',
    "labelops deprecate digits@1.0.0 --undo",
)
@click.argument("reference", metavar="REF")
@click.option("--because", metavar="TEXT", help="Why; whoever reads it is shown this.")
@click.option("--undo", is_flag=True, help="Take an earlier warning back.")
def deprecate(session: Session, reference: str, because: str | None, undo: bool) -> None:
    """Warn everybody who reads a release not to use it.

    Nothing of it changes: it can still be read, and names that mean it still do. `log`, `show` and
    `verify` say so, and loading and exporting warn.
    """
    if undo == bool(because and because.strip()):
        raise UsageError("say why with --because TEXT, or take it back with --undo: one of the two")
    found = session.app.deprecate(reference, because or "")
    said = "is deprecated: who reads it is warned"
    if undo:
        said = "is not deprecated any more" if found.new else "was not deprecated"
    text = f"{safe(found.release)} {said}."
    if found.deprecated and found.names:
        text += f" Still named so: {', '.join(map(safe, found.names))}."
    session.show(found, text)


@command(
    "labelops export train/",
    "labelops export train-csv digits@1.0.0 --format csv --weights soft",
)
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.argument("reference", metavar="[REF]", required=False)
@click.option(
    "--format",
    "layout",
    type=click.Choice(FORMATS),
    default="parquet",
    show_default=True,
    help="Layout of the files.",
)
@click.option(
    "--weights",
    type=click.Choice(WEIGHTS),
    default="hard",
    show_default=True,
    help="One class, probabilities, or one class weighted by its posterior.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export in TARGET.")
def export(
    session: Session,
    target: Path,
    reference: str | None,
    layout: str,
    weights: str,
    overwrite: bool,
) -> None:
    """Write a release's training frame into the folder TARGET.

    Item contents joined, with splits that keep leakage groups together.
    """
    app = session.app
    app.check_export(target, reference, overwrite=overwrite)
    session.note("export: reading the release")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DeprecatedRelease)
        written = app.export(target, reference, format=layout, weights=weights, overwrite=overwrite)
    for warning in said:
        click.echo(f"labelops: warning: {safe(warning.message)}", err=True)
    files = sorted(p.relative_to(written).as_posix() for p in written.rglob("*") if p.is_file())
    facts = {"folder": written, "format": layout, "weights": weights, "files": files}
    session.show(facts, f"Wrote {counted(len(files), 'file')} into {safe(written)}.")


RELEASES = (log, show, diff, verify, name, deprecate, export)
