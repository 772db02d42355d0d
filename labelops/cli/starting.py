"""`labelops init`: a commented labelops.toml for somebody's own data."""

from __future__ import annotations

import inspect
import json
import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path

import click

from ..errors import SettingsError, UsageError, counted, shown
from .base import Session, command, listed, writing
from .looking import Guess, classes_in, look_at
from .words import safe

__all__ = ["init", "settings_text"]

_FILE = "labelops.toml"
_LINE = 96


@command(
    "labelops init mails.csv --classes billing,delivery,other",
    "labelops init photos/ --name pets --classes cat,dog",
    "labelops init tickets.jsonl --text body --key ticket_id",
    "labelops init labeled.csv --labels intent",
    "labelops init photos/ --labels folder",
)
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@click.option("--name", help="Name of the label set; by default that of DATA.")
@click.option(
    "--classes", callback=listed, metavar="NAMES",
    help="The answers people choose from, with commas between them; a name with a comma in it "
    "stands in double quotes.",
)  # fmt: skip
@click.option("--text", metavar="COLUMN", help="Column with the text.")
@click.option("--image", metavar="COLUMN", help="Column with an image file's path.")
@click.option("--key", metavar="COLUMN", help="Column that identifies a row.")
@click.option(
    "--labels", metavar="COLUMN",
    help="Column with labels from before, right or not (`folder`: the names of subfolders): the "
    "model weighs them, and without --classes they name the classes.",
)  # fmt: skip
@click.option("--encoding", metavar="NAME", help="Of texts, such as cp1252; by default UTF-8.")
def init(
    session: Session,
    data: Path,
    name: str | None,
    classes: tuple[str, ...],
    text: str | None,
    image: str | None,
    key: str | None,
    labels: str | None,
    encoding: str | None,
) -> None:
    """Write a commented labelops.toml for your data.

    DATA is a CSV, JSONL or Parquet file, or a folder of images or texts. Guesses the format,
    the media and the columns from the first rows, and asks nothing. A file that is there
    already is never overwritten.
    """
    target = _target(session.config)
    guess = look_at(data, text=text, image=image, key=key, labels=labels, encoding=encoding)
    _check_contents(data, guess)
    _check_labels(data, guess)
    guess = guess if classes else replace(guess, classes=classes_in(data, guess))
    name = name or _name_of(data)
    _check(name, classes, guess)
    source = _relative(data, target.parent)
    content = settings_text(name, classes or guess.classes, source, guess)
    _write_new(target, content)
    facts = {"file": target, "name": name, "classes": classes or guess.classes, "guess": guess}
    session.show(facts, _said(target, name, classes, guess))


def _target(config: str | None) -> Path:
    path = Path(config or _FILE)
    return path / _FILE if path.is_dir() else path


def _name_of(data: Path) -> str:
    """Return a label set's name made from a file's."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", data.resolve().stem).strip("-").lower()[:64]
    return plain or "labels"


def _check_contents(data: Path, guess: Guess) -> None:
    """Refuse a file without a column that may be shown to people."""
    if guess.format != "folder" and not (guess.text or guess.image):
        there = ", ".join(shown(column) for column in guess.columns[:20])
        raise UsageError(
            f"{data}: no column seems to hold texts or image files; name it with --text or "
            f"--image; there are {there}"
        )


def _check_labels(data: Path, guess: Guess) -> None:
    """Refuse a column for labels from before that is something else already."""
    for what, option in (("text", "--text"), ("image", "--image"), ("key", "--key")):
        if guess.earlier and getattr(guess, what) == guess.earlier:
            raise UsageError(
                f"{data}: column {shown(guess.earlier)} is the {what} of the rows; name the column "
                f"of labels with --labels, or another with {option}"
            )


def _check(name: str, classes: Sequence[str], guess: Guess) -> None:
    """Refuse what the settings would refuse, before anything is written."""
    from ..schema import Schema

    Schema(name, tuple(classes) or ("a", "b"), media=guess.media)


def _relative(data: Path, folder: Path) -> str:
    """Return the data's path as seen from the settings; absolute only on another drive."""
    try:
        return Path(os.path.relpath(data.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return data.resolve().as_posix()


def _write_new(target: Path, content: str) -> None:
    try:
        with writing(target), target.open("x", encoding="utf-8") as file:
            file.write(content)
    except UsageError as error:
        if target.exists() and not isinstance(error.__cause__, FileExistsError):
            raise SettingsError(
                f"{target} is there already and is never overwritten; edit it, or name another "
                "folder with --config"
            ) from None
        raise


def _said(target: Path, name: str, classes: Sequence[str], guess: Guess) -> str:
    found = f"{guess.format}, {'images' if guess.media == 'image' else 'texts'}"
    column = guess.text or guess.image
    found += f", {'image' if guess.image else 'text'} column {column!r}" if column else ""
    found += f", key {guess.key!r}" if guess.key else ""
    lines = [f"Wrote {safe(target)} for the label set {safe(name)} ({safe(found)}).", "", "Next:"]
    if classes:
        names = counted(len(classes), "class", "classes")
        lines.insert(1, f"It has {names}: {' · '.join(map(safe, classes))}")
    elif guess.classes:
        classes_found = counted(len(guess.classes), "class", "classes")
        lines.append(f"  · check the {classes_found}, found in column {safe(guess.known)!r}")
    else:
        lines.append("  · name the classes under [schema]")
    if guess.no_key:
        named = "image" if guess.media == "image" else "text"
        lines += [f"  · {safe(guess.no_key)}; items are named by their {named}.", _KEY_ADVICE]
    elif guess.maybe_key:
        lines.append(
            f"  · column {safe(guess.maybe_key)!r} has another value in each row: name it as key "
            "in labelops.toml,\n    if it identifies a row; else a row is its content"
        )
    elif not guess.key and guess.format != "folder":
        lines.append("  · name the column that identifies a row (key); else a row is its content")
    if guess.earlier:
        lines.append(
            f"  · the labels in {safe(guess.earlier)!r} are evidence for the model, and no votes: "
            "people's\n    votes tell what they are worth (earlier_labels under [labeler])"
        )
    elif guess.known:
        lines.append(
            f"  · if column {safe(guess.known)!r} holds labels from before, name it as "
            "earlier_labels under [labeler]"
        )
    lines += [
        f"  · say under [source.{safe(name)}] what the items may be used for (purposes)",
        "  · labelops run send       takes the items in and asks people for the first labels",
        "  · labelops status         says where it stands and what comes next",
    ]
    return "\n".join(lines)


_KEY_ADVICE = "    If a column identifies a row, name it as key in labelops.toml before you go on"


# --- the file ----------------------------------------------------------------------------


def settings_text(name: str, classes: Sequence[str], path: str, guess: Guess) -> str:
    """Return the text of a labelops.toml, every setting explained where it stands.

    Settings that have a default stand there as comments, from the one place that defines them.
    """
    from ..audit.policy import AuditPolicy
    from ..autolabel.policy import AcceptancePolicy
    from ..consolidate.policy import ConsolidatePolicy
    from ..gate.policy import GatePolicy
    from ..route.policy import RoutePolicy
    from ..settings import (
        ChatSettings,
        LabelerSettings,
        QueueSettings,
        ScheduleSettings,
        SourceSettings,
        SplitSettings,
    )

    sections = {
        "gate": GatePolicy,
        "accept": AcceptancePolicy,
        "route": RoutePolicy,
        "consolidate": ConsolidatePolicy,
        "audit": AuditPolicy,
        "labeler": LabelerSettings,
        "chat": ChatSettings,
        "queue": QueueSettings,
        "split": SplitSettings,
        "schedule": ScheduleSettings,
    }
    source = {"path": path, "format": guess.format} | {
        column: value
        for column in ("key", "text", "image", "delimiter", "encoding")
        if (value := str(getattr(guess, column)))
    }
    lines = [*_top(name, classes, guess), "", f"[source.{_toml_key(name)}]"]
    lines += _section(SourceSettings, source, leave_out=("name",))
    if guess.known and not guess.earlier:
        lines.append(f"# Column {_toml(guess.known)} holds answers. If they are known to be right,")
        lines.append("# to judge people by them; if not, see earlier_labels under [labeler]:")
        lines.append(f"# gold = {_toml(guess.known)}")
    given = {"labeler": {"earlier_labels": (guess.earlier,)}} if guess.earlier else {}
    for section, cls in sections.items():
        lines += ["", f"[{section}]", *_section(cls, given.get(section, {}))]
        if section == "labeler":
            lines += ["", *_RULE]
    return "\n".join(lines) + "\n"


_RULE = (
    "# Labeling functions vote beside people: a section [rule.NAME] each, with the class as label",
    "# and one of words, pattern and function. `labelops rules` says what they are worth.",
)


def _top(name: str, classes: Sequence[str], guess: Guess) -> list[str]:
    listed = ", ".join(map(_toml, classes))
    if len(listed) > _LINE - 12:
        listed = "\n" + "".join(f"    {_toml(c)},\n" for c in classes)
    return [
        "# A label set of labelops. Lines that start with `# name =` show a default; remove the",
        "# mark to change it. LABELOPS_SECTION_NAME in the environment goes before this file,",
        "# and secrets come from the environment only: LABEL_STUDIO_API_KEY,",
        "# OPENAI_API_KEY, LABELOPS_KEY.",
        "",
        "# Folder (or s3://bucket/prefix) where everything is kept.",
        'workspace = "workspace"',
        "",
        "[schema]",
        f"name = {_toml(name)}",
        'kind = "choice"',
        f"media = {_toml(guess.media)}",
        "# The answers people choose from, two or more. Their order is part of the meaning.",
        f"classes = [{listed}]",
        'question = "Which class fits best?"',
        "",
        "# What belongs in a class, shown to people where the pointer rests on it, and to models:",
        "# [schema.descriptions]",
        '# "class" = "One sentence, perhaps with an example."',
        "# A class may get another name later; say so here, and earlier votes count for it:",
        "# [schema.renames]",
        '# "old name" = "new name"',
        "# And classes may be cut out of one; people are asked again about what it was said of:",
        "# [schema.splits]",
        '# "class" = ["cut out of it"]',
    ]


def _section(cls: type, values: Mapping[str, object], leave_out: Sequence[str] = ()) -> list[str]:
    """Write a settings dataclass: what is set, and everything else as a comment."""
    meanings, lines, said = _meanings(cls), [], ""
    for field in fields(cls):
        if field.name in leave_out:
            continue
        meaning = meanings.get(field.name, "")
        if meaning and meaning != said:
            lines += textwrap.wrap(
                meaning, _LINE, initial_indent="# ", subsequent_indent="# ", break_long_words=False
            )
        said = meaning
        if field.name in values:
            lines.append(f"{field.name} = {_toml(values[field.name])}")
        else:
            lines.append(f"# {field.name} = {_toml(_default(field))}")
    return lines


def _default(field: object) -> object:
    default, factory = getattr(field, "default", MISSING), getattr(field, "default_factory", dict)
    return factory() if default is MISSING else default


def _meanings(cls: type) -> dict[str, str]:
    """Return field → explanation, from the docstring that documents the settings.

    Examples
    --------
    >>> from labelops.gate.policy import GatePolicy
    >>> _meanings(GatePolicy)["error"]
    'Most wrong labels tolerated, as a share of the set (ε). (float in (0, 1))'
    """
    found: dict[str, str] = {}
    for names, kind, text in _parameters(cls.__doc__ or ""):
        meaning = " ".join(text.split()).replace("`", "")
        allowed = f" ({kind})" if re.search(r" in |[{<>]", kind) else ""
        found |= dict.fromkeys(re.split(r",\s*", names), meaning + allowed)
    return found


def _parameters(doc: str) -> Iterator[tuple[str, str, str]]:
    """Yield names, type and explanation of each entry under numpydoc's Parameters."""
    body = inspect.cleandoc(doc).partition("Parameters\n")[2]
    body = re.split(r"\n\n(?:Raises|Examples|References)\n", body)[0]
    pattern = r"^(\w[\w, ]*?) : (.+)\n((?: {4,}.+\n?|\n)*)"
    yield from re.findall(pattern, body, flags=re.MULTILINE)


def _toml(value: object) -> str:
    """Write a value as TOML; its basic strings, lists and numbers look like JSON's."""
    if isinstance(value, tuple):
        value = list(value)
    if value == {}:
        return "{}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(name: str) -> str:
    """Return a key as TOML writes it; one with a dot needs quotes."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
