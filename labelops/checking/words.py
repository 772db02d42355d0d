"""What a check found, in plain words: the same sentences on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import counted, percent, shown
from .columns import Model, row_of
from .result import LabelCheck
from .suspicion import SUSPECTED

__all__ = ["counted_errors", "headline", "judged_by", "left_out", "meaning"]

_SHARED = 0.1
_FEW = 0.5
_NAMED = 12
_TIMID = 3
_MISSES_MOST = (
    "Most of them would not have been: where classes overlap, or rows are few, there may be many "
    "more wrong labels than that."
)
_ONE_MODEL = (
    "How many labels are wrong cannot be told from one model alone: its own mistakes look like "
    "wrong labels, and errors that it shares with the labels do not show."
)
_TELLS = (
    "It can be told with texts, images, numbers or votes beside the model, or when labels drawn at "
    "random are looked at."
)
_NONE_JUDGED = "That says nothing of the labels: there was too little to judge them by."
_NO_LABEL = {"n/a", "#n/a", "na", "<na>", "nan", "null", "-", "?"}
_DIFFERENT = {"copies": "copies of the row", "vote": "the one vote on it"}
_BASIS = {
    "noise model": "how often each class is said for another, learned from all labels",
    "votes": "how well votes foretell each other",
    "reviews": "people's verdicts",
}


def headline(found: LabelCheck) -> str:
    """Say how many labels are wrong; before that, what this number does not show."""
    return "\n".join((*(alert.text for alert in found.alerts), counted_errors(found)))


def counted_errors(found: LabelCheck) -> str:
    """Say how many labels are wrong, in one sentence."""
    if not found.any_judged:
        return "No label could be judged."
    if found.by_one_model:
        against = _against(found)
        share = percent(against / int(found.rows["wrong"].notna().sum()))
        return f"The model contradicts {against:,} of {_judged(found)} ({share})."
    without = " or ".join(shown(row["word"]) for row in found.planted)
    start = f"Judged without the word {without}, about" if without else "About"
    number = max(round(float(found.rows["wrong"].sum())), 0)
    rate, seems = _rate(found), "is" if number == 1 else "are"
    if number < found.at_least:
        start, number, seems = "At least", found.at_least, "is" if found.at_least == 1 else "are"
        rate = percent(number / int(found.rows["wrong"].notna().sum()))
    said = f"{start} {number:,} of {_judged(found)} {seems} wrong ({rate})"
    return f"{said}, by a search that misses most errors." if _misses_most(found) else f"{said}."


def _misses_most(found: LabelCheck) -> bool:
    planted = found.recall
    return planted is not None and bool(planted.planted) and planted.share < _FEW


def _judged(found: LabelCheck) -> str:
    return counted(int(found.rows["wrong"].notna().sum()), "label")


def _rate(found: LabelCheck) -> str:
    return percent(found.report.error_rate)


def meaning(found: LabelCheck) -> tuple[str, ...]:
    """Say what that rests on, how much would be found, and what it is not."""
    if not found.any_judged:
        return (_NONE_JUDGED,)
    if found.by_one_model:
        return _by_one_model(found)
    calls = found.rows["call"].value_counts()
    wrong, look = (int(calls.get(call, 0)) for call in ("wrong", "look"))
    lines = [
        f"{counted(wrong, 'label is', 'labels are')} more probably wrong than right. "
        f"{counted(look, 'more is', 'more are')} worth a look: wrong with a probability of 20 % "
        f"or more{_or_else(found)}.",
    ]
    planted = found.recall
    if planted is None:
        lines.append(
            "An error that the votes share with the label is not found by votes: how many there "
            "are of these, votes alone cannot say."
        )
    elif planted.planted:
        low, high = planted.interval.low, planted.interval.high
        lines.append(
            f"Of {counted(planted.planted, 'error')} planted in memory to test this, "
            f"{percent(planted.share, 0)} would have been called wrong ({percent(low, 0)} to "
            f"{percent(high, 0)})."
        )
        if _misses_most(found):
            lines.append(_MISSES_MOST)
    if found.report.dependence > _SHARED:
        lines.append(
            "The annotators seem to make the same mistakes: what they agree on may be wrong, and "
            "these probabilities may be too low until others have looked."
        )
    lines.append("This is an estimate, not a promise: have a random sample looked at to be sure.")
    return tuple(lines)


def _or_else(found: LabelCheck) -> str:
    """Say for what else labels are worth a look; nothing where none is for anything else."""
    said = [_DIFFERENT[name] for name in ("copies", "vote") if name in found.beside]
    labeled = [f"labeled differently from {' or from '.join(said)}"] if said else []
    held = [f"a {name}" for name in ("word", "pattern") if name in found.beside]
    holding = [f"holding {' or '.join(held)} that seems planted"] if held else []
    return "".join(f", or {reason}" for reason in (*labeled, *holding))


def _against(found: LabelCheck) -> int:
    contradicted = found.report.contradicted
    return 0 if contradicted is None else int(contradicted.sum())


def _by_one_model(found: LabelCheck) -> tuple[str, ...]:
    """Say what a ranking by one model is worth, and what it is not."""
    rows, against = found.rows, _against(found)
    lines = [_ONE_MODEL]
    wrong = int((rows["call"] == "wrong").sum())
    if wrong:
        lines.append(
            f"{counted(wrong, 'label is', 'labels are')} more probably wrong than right if the "
            "model seldom misreads what it is sure of; that is a guess."
        )
    agreed = rows["wrong"].notna() & ~rows["call"].isin(SUSPECTED)
    doubts = round(float((1 - rows.loc[agreed, "given"]).sum()))
    if doubts > _TIMID * max(against, _TIMID):
        lines.append(
            f"By its own probabilities it would contradict {doubts:,} more: it is less sure than "
            "it could be, or it learned these labels and hides their errors."
        )
    return (*lines, _TELLS)


def judged_by(found: LabelCheck) -> tuple[tuple[str, str], ...]:
    """Say which columns judged the labels, and what the probabilities rest on; none if none did."""
    if not found.any_judged:
        return ()
    e = found.evidence
    said = [
        ("Texts", e.text, "models that did not see the row, and the nearest other rows"),
        ("Images", e.image, "models that did not see the row, and the nearest other rows"),
        (
            "Numbers",
            _listed((*e.vectors, *e.features)),
            "models that did not see the row, and nearest rows",
        ),
        *(("Probabilities", *_model(found, name, m)) for name, m in e.opinions.items()),
        (
            "Votes",
            e.voted or _listed(e.votes),
            "no row has two, so they only show what to look at"
            if found.lone_votes
            else "how far each annotator is to be believed",
        ),
        ("Groups", e.group, "never split between learning and judging"),
    ]
    rows = [(what, f"{columns}: {how}") for what, columns, how in said if columns]
    if found.by_one_model:
        return (*rows, ("Order", "by how model and labels differ elsewhere"))
    basis = _BASIS.get(found.report.calibration, found.report.calibration)
    return (*rows, ("Probabilities of errors", f"from {basis}"))


def _listed(columns: Sequence[str]) -> str:
    """Name columns; of very many the first and the last."""
    if len(columns) <= _NAMED:
        return ", ".join(columns)
    return f"{columns[0]} … {columns[-1]} ({len(columns):,} columns)"


def _model(found: LabelCheck, name: str, model: Model) -> tuple[str, str]:
    """Say which columns a model's probabilities are, and how they were held out."""
    if isinstance(model, Mapping):
        return _listed(tuple(model.values())), _held(found)
    return name, f"{_held(found)}; its columns are {_listed(found.schema.classes)}"


def _held(found: LabelCheck) -> str:
    fold = found.evidence.fold
    return f"held out as {fold} says" if fold else "of a model that never saw these rows"


def left_out(found: LabelCheck) -> tuple[str, ...]:
    """Say what was not judged, and why; what repeats, rows or classes; nothing where none does."""
    lines = [
        f"{counted(rows, 'row is', 'rows are')} not judged: {why}."
        for why, rows in found.not_judged().items()
    ]
    if found.copies.repeats:
        repeats = counted(found.copies.repeats, "row repeats", "rows repeat")
        lines.append(f"{repeats} the content of another.")
    if found.apart:
        lines.append(
            f"{counted(found.apart, 'row lies', 'rows lie')} in another fold than a copy or the "
            "rest of a group: what your model says there was learned, and does not count."
        )
    lines += [*_double_keys(found), *_unused(found)]
    for name in found.schema.classes:
        if name.lower() in _NO_LABEL:
            lines.append(
                f"{shown(name)} is taken for a class: empty its cells if it means that there is "
                "no label."
            )
    return tuple(lines)


def _double_keys(found: LabelCheck) -> list[str]:
    """Say that the key names several rows; nothing where it does not."""
    if found.key is None:
        return []
    keys = found.frame[found.key]
    again = keys.duplicated() & keys.notna()
    if not again.any():
        return []
    second = int(again.to_numpy().argmax())
    first = int((keys == keys.iloc[second]).to_numpy().argmax())
    return [
        f"{counted(int(again.sum()), 'row has', 'rows have')} the key of another in column "
        f"{shown(found.key)}, such as {shown(keys.iloc[second])} of the rows "
        f"{row_of(found.frame, first)} and {row_of(found.frame, second)}."
    ]


def _unused(found: LabelCheck) -> list[str]:
    """Say which classes no row has, such as a slip in a vote; nothing where there are none."""
    labels = found.by_class()["labels"]
    none = [shown(name) for name in labels.index[labels == 0]]
    if not none:
        return []
    more = f" and {counted(len(none) - _NAMED)} more" if len(none) > _NAMED else ""
    return [f"No row is labeled {', '.join(none[:_NAMED])}{more}: see whether that is a class."]
