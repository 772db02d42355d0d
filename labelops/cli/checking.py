"""`labelops check`: which labels of a file are wrong, without a label set."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError, counted, percent
from .base import Session, command, listed, refuse_unwritable, write_whole
from .checked_file import Asked, column_of_contents, column_of_labels, votes_in
from .looking import look_at
from .progress import Told
from .words import cut, cut_name, safe, section

if TYPE_CHECKING:
    import pandas as pd

    from ..checking import LabelCheck
    from ..ports import NeighbourSearch

__all__ = ["check"]

_ROWS, _VIEWS = 15, 8

_OPTIONS = {
    "pass check_memorised=False": "give --trust-probs",
    "identifies a row (key)": "identifies a row, --key COLUMN",
    "list all classes (classes)": "list all classes, --classes NAMES",
    "in their order (classes)": "in their order, --classes NAMES",
}
"""What errors call an argument, and the option that it is."""


@command(
    "labelops check mails.csv --label intent",
    "labelops check mails.csv --label intent --text body --report wrong.html --output checked.csv",
    "labelops check scores.csv --label kind --probs p_ --fold fold",
    "labelops check embedded.parquet --label kind --features 'x*'",
    "labelops check mails.csv --label intent --features emb.npy --probs probs.npy --out-of-sample",
    "labelops check crowd.csv --label final --votes ann,ben,cem",
    "labelops check mails.csv --label intent --key id --votes votes.csv",
)
@click.argument("data", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--label", metavar="COLUMN", help="Column with the labels.")
@click.option("--text", metavar="COLUMN", help="Column with the text.")
@click.option("--image", metavar="COLUMN", help="Column with an image file's path.")
@click.option(
    "--features", callback=listed, metavar="COLUMNS|FILES",
    help="Columns with numbers not learned from these labels, commas between them; 'x*': all that "
    "begin with x; or files with arrays, .npy, .npz or FILE.npz:NAME, rows as in FILE.",
)  # fmt: skip
@click.option(
    "--probs", callback=listed, metavar="PREFIX|FILES",
    help="Columns with a model's probabilities: what stands before the class in their names; or "
    "files as for --features, columns as the classes. Of several models with commas between them.",
)  # fmt: skip
@click.option("--fold", metavar="COLUMN", help="The fold each row was held out in for --probs.")
@click.option(
    "--out-of-sample", is_flag=True, help="The model behind --probs never saw these rows."
)
@click.option(
    "--trust-probs", is_flag=True, help="Believe --probs even where they repeat every label."
)
@click.option(
    "--votes", callback=listed, metavar="COLUMNS|FILE",
    help="One column an annotator, commas between them; or a file with one row a vote.",
)  # fmt: skip
@click.option("--group", metavar="COLUMN", help="Rows of one user or document.")
@click.option("--key", metavar="COLUMN", help="Column that identifies a row.")
@click.option(
    "--classes", callback=listed, metavar="NAMES",
    help="All classes; by default what the labels say.",
)  # fmt: skip
@click.option("--encoding", metavar="NAME", help="Of texts, such as cp1252; by default UTF-8.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write an HTML report here.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write all rows as CSV here, with what was found beside them.",
)  # fmt: skip
def check(
    session: Session,
    data: Path,
    label: str | None,
    text: str | None,
    image: str | None,
    probs: tuple[str, ...],
    votes: tuple[str, ...],
    features: tuple[str, ...],
    key: str | None,
    classes: tuple[str, ...],
    encoding: str | None,
    trust_probs: bool,
    report: Path | None,
    output: Path | None,
    **held_out: Any,  # parts of `Evidence`, handed on as they are
) -> None:
    """Say which labels of a file are wrong. Needs no label set.

    FILE is CSV, TSV, JSON Lines or Parquet, one row an item. Labels are judged by the columns
    that are named, in any combination: texts or images, numbers, a model's probabilities, votes.
    Where none is named, the text column is guessed. Nothing is stored but the files you ask for.
    """
    from ..checking.result import refuse_taken

    if data.is_dir():
        raise UsageError(f"{data}: a folder; name a file with one row an item")
    _check_targets(data, report, output)
    guess = look_at(data, text=text, image=image, key=key, encoding=encoding)
    label = label if label is not None else column_of_labels(data, guess)
    if not (text or image or probs or votes or features):
        text, image = column_of_contents(data, guess, label)
    asked = Asked(
        data, guess, label, key or guess.key or None, encoding or "utf-8", probs,
        votes_in(data, guess, votes, encoding), tuple(classes), not trust_probs,
        {"text": text, "image": image, "features": features, **held_out},
    )  # fmt: skip
    with _in_words_of_the_command():
        asked.check_first_rows()
        session.note(f"check: reading {safe(data)}")
        told = Told(session.note, "check")
        question = asked.read(told)
        if output is not None:
            refuse_taken(question.frame)
        rows = len(question.frame)
        session.note(f"check: judging {counted(rows, 'row')}")
        found = question.answer(search=_search(rows), progress=told)
    if report is not None:
        html = found.to_html(data.name)
        write_whole(report, lambda to: to.write_text(html, encoding="utf-8"))
    if output is not None:
        table = found.annotated()
        write_whole(output, lambda to: table.to_csv(to, index=False))
    session.show(
        found, _said(found, report, output, _goes_on(data, label) if text or image else "")
    )


def _check_targets(data: Path, report: Path | None, output: Path | None) -> None:
    """Refuse, before the work, to write where nothing can be, over the labels or one another."""
    for path in (report, output):
        if path is not None:
            refuse_unwritable(path)
    named = [path.resolve() for path in (data, report, output) if path is not None]
    if len(set(named)) < len(named):
        raise UsageError("FILE, --report and --output have to be different files; name another one")


@contextmanager
def _in_words_of_the_command() -> Iterator[None]:
    """Name an option of the command where the function names its argument."""
    try:
        yield
    except UsageError as error:
        said = str(error)
        for argument, option in _OPTIONS.items():
            if argument in said:
                raise UsageError(said.replace(argument, option)) from None
        raise


def _search(rows: int) -> NeighbourSearch | None:
    """Return how neighbours are found among very many rows, where that is installed."""
    if rows <= 50_000 or find_spec("faiss") is None:
        return None
    from ..adapters.faiss_search import FaissSearch

    return FaissSearch()


def _said(found: LabelCheck, report: Path | None, output: Path | None, goes_on: str) -> str:
    from ..checking.words import counted_errors, left_out, meaning

    worst = found.worst()
    first = [click.style(safe(alert.text), bold=True, fg="yellow") for alert in found.alerts]
    number = click.style(counted_errors(found), bold=True)
    parts = [
        "\n".join((*first, number, *meaning(found), *left_out(found))),
        _table(found, worst.head(_ROWS), len(worst)),
        _seen(found),
        *_judged(found),
        "\n".join(filter(None, [_written(report, output), goes_on])),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _seen(found: LabelCheck) -> str:
    """Say what else is odd about many rows at once, but for what was said first."""
    from ..report.views import view_rows
    from ..report.words import VIEW_NAMES

    facts = {view: said for view, said in found.looked.facts.items() if view != "leakage"}
    facts["words"] = [row for row in facts["words"] if row not in found.planted]
    rows = [
        [VIEW_NAMES[row.view], cut_name(row.subject, 40), cut(row.text, 120)]
        for row in view_rows(facts)
    ]
    some = f", {_VIEWS} of {len(rows)}" if len(rows) > _VIEWS else ""
    return section(f"Views of the data{some}", rows[:_VIEWS], [])


def _judged(found: LabelCheck) -> tuple[str, ...]:
    """Say what was found of each class, and who judged; nothing where no label was."""
    from ..checking.words import judged_by

    if not found.any_judged:
        return ()
    columns = ["class", "labels", "called wrong", "expected wrong"]
    if found.by_one_model:
        columns = ["class", "labels", "contradict the model"]
    classes = _classes(found)
    some = f", {len(classes)} of {len(found.schema.classes)}"
    title = f"Classes{some if len(classes) < len(found.schema.classes) else ''}"
    return (
        section(title, classes, columns, right=range(1, len(columns))),
        section("Judged by", [[what, safe(how)] for what, how in judged_by(found)], []),
    )


def _table(found: LabelCheck, worst: pd.DataFrame, total: int) -> str:
    if worst.empty:
        told = found.by_one_model or not found.any_judged
        return "" if told else "No label looks wrong."
    rows = []
    for place, row in zip(
        found.rows.index.get_indexer(worst.index), worst.itertuples(), strict=True
    ):
        text = found.text_of(place) or ""
        rows.append([
            cut_name(found.name_of(place), 24),
            percent(row.given) if found.by_one_model else percent(row.wrong, 0),
            cut_name(row.label, 24), cut_name(row.better, 24), cut(text, 60),
        ])  # fmt: skip
    title = f"Labels to look at, {len(rows)} of {total:,}"
    if found.by_one_model:
        title += '; under "model" its probability of the label'
    said = "model" if found.by_one_model else "wrong"
    return section(title, rows, ["", said, "label", "likeliest other", ""], right=[1])


def _classes(found: LabelCheck) -> list[list[str]]:
    by = found.by_class().sort_values(["expected", "suspected"], ascending=False, kind="stable")
    if found.by_one_model:
        return [
            [cut_name(name, 40), counted(labels), counted(against)]
            for name, labels, against in zip(by.index, by["labels"], by["suspected"], strict=True)
        ][:_ROWS]
    return [
        [cut_name(name, 40), counted(labels), counted(called), f"{expected:.1f}"]
        for name, labels, called, expected in zip(
            by.index, by["labels"], by["called"], by["expected"], strict=True
        )
    ][:_ROWS]


def _written(report: Path | None, output: Path | None) -> str:
    lines = [f"Wrote {safe(path)}" for path in (report, output) if path is not None]
    if not lines:
        return "With --report FILE.html you see all of them, with --output FILE.csv every row's."
    return "\n".join(f"{line}." for line in lines)


def _goes_on(data: Path, label: str) -> str:
    """Say what begins a label set of these rows and labels."""
    names = f"{shlex.quote(str(data))} --labels {shlex.quote(label)}"
    return f"To have people mend and certify these labels: labelops init {safe(names)}"
