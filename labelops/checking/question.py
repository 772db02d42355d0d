"""What a check is asked: a frame with labels and what judges them, read whole and found sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..audit.class_order import check_class_order
from ..audit.detect import detect_label_errors
from ..audit.graph import graph_if_quick
from ..audit.in_sample import check_folds, check_not_memorised, split_rows, too_many_split
from ..audit.label_error_report import LabelErrorReport
from ..audit.views import LookedAt, look_at_views
from ..audit.words import holding, without_words
from ..errors import SourceError, UsageError, counted, shown
from ..measure.codes import BoolArray, FloatArray, IntArray
from ..measure.given import check_flag
from ..ports import NeighbourSearch
from ..schema import Schema
from .columns import Evidence, classes_of, filled, find_column, labels_of, row_of
from .known import NO_TIME, Known, readable
from .numbers import array_probs, as_by_chance, check_shapes, probs_of
from .result import ANNOTATED, LabelCheck
from .rows import looked_at_beside, said_of_rows
from .suspicion import LOOK
from .vote_table import VoteTable

__all__ = ["Question", "check_columns"]

_VIEWS = ("outliers", "ambiguity", "slices", "leakage")
_SHOWN = 50
_NOTHING: Mapping[str, str] = {}
_PLANTED = 12  # Words that seem planted, after which labels are not judged once more.
_FEW = 10  # Classes that a frame of hardly any rows may have.


def check_columns(frame: pd.DataFrame, label: str, key: str | None, evidence: Evidence) -> None:
    """Refuse what the names of the columns show that no check can be made of; reads no cell.

    Raises
    ------
    UsageError
        As `Evidence.check`, or labels that would judge themselves.
    SourceError
        A column that is not there.

    Examples
    --------
    >>> header = pd.DataFrame(columns=["text", "kind"])
    >>> check_columns(header, "kind", None, Evidence(text="text"))
    """
    find_column(frame, label)
    evidence.check(frame)
    if label in evidence.columns:
        raise UsageError(f"column {shown(label)} holds the labels; they cannot judge themselves")
    if key is not None:
        find_column(frame, key)


@dataclass(frozen=True, slots=True)
class Question:
    """N rows with labels, of which M can be judged, and all that is known of these.

    What is wrong with the data was refused when it was made; `answer` refuses only probabilities
    that repeat what neighbours contradict, since that takes finding neighbours.

    Parameters
    ----------
    frame : (N,) frame
    label : str
    key : str or None
    evidence : Evidence
    schema : Schema
    codes : (N,) int
        Labels; -1 is none.
    place : (M,) int
        The rows that can be judged.
    known : Known
        Of these M rows.
    probs : mapping of model to (M, K) float
    folds : (M,) array or None
    apart : (M,) bool
        Whether copies of the row, or its group, lie in another fold: `probs` have no say there.
    check_memorised : bool
    folder : Path
        Where paths of images begin.
    shown : mapping of {"text", "image"} to str
        The column that shows a reader what a row is, where neither texts nor images judge.
    """

    frame: pd.DataFrame
    label: str
    key: str | None
    evidence: Evidence
    schema: Schema
    codes: IntArray
    place: IntArray
    known: Known
    probs: Mapping[str, FloatArray]
    folds: Any
    apart: BoolArray
    check_memorised: bool
    folder: Path
    shown: Mapping[str, str]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        label: str,
        evidence: Evidence,
        *,
        votes: pd.DataFrame | None = None,
        key: str | None = None,
        classes: Sequence[str] = (),
        folder: Path | str = ".",
        check_memorised: bool = True,
        shown: Mapping[str, str] = _NOTHING,
    ) -> Question:
        """Read everything that is asked about; parameters as of `check_labels`, and fields.

        Parameters
        ----------
        votes : frame, optional
            Votes in a table of their own.

        Raises
        ------
        UsageError, SourceError
            As `check_labels`.

        Examples
        --------
        >>> rows = [(f"{a} {n}", a) for a in ("pear", "saw") for n in range(5)]
        >>> frame = pd.DataFrame(rows, columns=["text", "kind"])
        >>> Question.of(frame, "kind", Evidence(text="text")).schema.classes
        ('pear', 'saw')
        """
        check_flag("check_memorised", check_memorised)
        table = None
        if votes is not None:
            table = VoteTable.of(votes, frame, key, label)
            evidence = replace(evidence, voted=table.said)
        check_columns(frame, label, key, evidence)
        # An earlier check's words on these rows are no evidence, and are written anew.
        ours = {label, key, *evidence.columns}
        frame = frame.drop(columns=[c for c in ANNOTATED if c in frame.columns and c not in ours])
        voted = () if table is None else table.classes
        named = classes_of(frame, label, evidence.votes, classes, voted)
        codes = labels_of(frame, label, named)
        place = np.flatnonzero(readable(frame, evidence))
        _refuse_hopeless(codes[place], label)
        rows = frame.iloc[place]
        check_shapes(evidence, len(frame), named)
        probs = {
            name: probs_of(rows, model, named)
            if isinstance(model, Mapping)
            else array_probs(name, model, place)
            for name, model in evidence.opinions.items()
        }
        folds = None if evidence.fold is None else filled(rows, evidence.fold).astype(str)
        if probs:
            check_folds(folds, evidence.out_of_sample, len(rows), None)
            check_class_order(probs, codes[place], named)
        # Matrices this narrow gain nothing by threads, which spin while others want the cores.
        with threadpool_limits(1):
            ballots = None if table is None else table.within(place).codes(named)
            known = Known.of(rows, evidence, label, named, Path(folder), place, ballots)
        apart: BoolArray = np.zeros(len(place), dtype=np.bool_)
        if folds is not None:
            apart = _apart(rows, str(evidence.fold), folds, known.groups)
        if probs and known.features is None and check_memorised:
            held = np.repeat(~apart[None], len(probs), axis=0)
            check_not_memorised(probs, codes[place], None, held)
        schema = Schema("rows", named, media="text" if evidence.image is None else "image")
        return cls(
            frame, label, key, evidence, schema, codes, place, known, probs, folds, apart,
            check_memorised, Path(folder), shown,
        )  # fmt: skip

    def answer(
        self, rng: np.random.Generator | None = None, search: NeighbourSearch | None = None
    ) -> LabelCheck:
        """Judge the labels; parameters as of `check_labels`.

        Raises
        ------
        UsageError
            Probabilities that repeat labels which their neighbours contradict.

        Examples
        --------
        >>> said = [["cat"] * 4, ["dog"] * 4] * 20 + [["cat", "dog", "dog", "dog"]]
        >>> frame = pd.DataFrame(said, columns=["final", "ann", "ben", "eve"])
        >>> question = Question.of(frame, "final", Evidence(votes=["ann", "ben", "eve"]))
        >>> question.answer().worst(1).index.tolist()
        [40]
        """
        rng = np.random.default_rng(0) if rng is None else rng
        known, labels = self.known, self.codes[self.place]
        planted: list[Mapping[str, Any]] = []
        with threadpool_limits(1):
            found, looked = self._judge(known, rng, search)
            while (words := _planted(looked, planted)) and len(planted) < _PLANTED:
                planted += words
                known = self._without(planted)
                found, looked = self._judge(known, rng, search)
        lone, copies = self.known.lone_votes(), known.disagree(labels)
        differs = (lone >= 0) & (labels >= 0) & (lone != labels)
        turned = {row["word"]: self._turned(row) for row in planted}
        others = [row for row in looked.facts["words"] if row not in planted]
        return LabelCheck(
            rows=said_of_rows(
                self.frame.index,
                self.codes,
                self.place,
                found,
                copies,
                lone,
                differs,
                turned,
                self.schema,
                self.evidence,
                self.apart,
            ),
            frame=self.frame,
            label=self.label,
            key=self.key,
            evidence=self.evidence,
            schema=self.schema,
            report=found,
            looked=replace(looked, facts={**looked.facts, "words": [*planted, *others]}),
            copies=self.known.copies(labels),
            folder=self.folder,
            apart=int(self.apart.sum()),
            shown=self.shown,
            planted=tuple(planted),
            lone_votes=bool((lone >= 0).any()),
            beside=looked_at_beside(
                found.probability,
                {"copies": copies.flagged, "vote": differs, "word": _any_of(turned, labels)},
            ),
            by_chance=tuple(
                name
                for name, model in self.evidence.opinions.items()
                if not isinstance(model, Mapping) and as_by_chance(self.probs[name], labels)
            ),
        )

    def _judge(
        self, known: Known, rng: np.random.Generator, search: NeighbourSearch | None
    ) -> tuple[LabelErrorReport, LookedAt]:
        """Judge labels, and look at what else is odd, by what is known."""
        labels = self.codes[self.place]
        several = known.features is not None and len(known.features) > 1
        graph = graph_if_quick(known.features, search) if several else None
        found = detect_label_errors(
            labels, n_classes=len(self.schema.classes), votes=known.votes,
            features=known.features if known.words is None else known.words,
            embeddings=None if known.words is None else known.features,
            probs=self.probs or None, folds=self.folds,
            out_of_sample=self.evidence.out_of_sample, groups=known.groups, graph=graph,
            check_memorised=self.check_memorised, rng=rng,
        )  # fmt: skip
        looked = look_at_views(
            self.place.astype(str).astype(object), labels, found.probability >= LOOK,
            replace(known.surroundings, graph=graph), self.schema, rng=rng, round=1,
            now=NO_TIME, views=_VIEWS, shown=_SHOWN, better=found.likeliest_other(labels),
        )  # fmt: skip
        return found, looked

    def _without(self, planted: Sequence[Mapping[str, Any]]) -> Known:
        """Read the rows as if some words stood in none of their texts."""
        rows, text = self.frame.iloc[self.place], str(self.evidence.text)
        texts = without_words(list(rows[text]), [row["word"] for row in planted])
        read = Known.of(
            rows.assign(**{text: texts}), self.evidence, self.label, self.schema.classes,
            self.folder, self.place, self.known.votes,
        )  # fmt: skip
        return self.known.reading(read)

    def _turned(self, planted: Mapping[str, Any]) -> BoolArray:
        """Say which labels are of the class that a planted word stands for, and hold it."""
        labels, texts = self.codes[self.place], self.known.surroundings.texts or ()
        held: BoolArray = np.zeros(len(labels), dtype=np.bool_)
        held[holding(texts, planted["word"], np.arange(len(labels)))] = True
        held &= labels == self.schema.classes.index(planted["class"])
        return held


def _any_of(turned: Mapping[str, BoolArray], labels: IntArray) -> BoolArray:
    """Say which labels any of the planted words turned."""
    none: BoolArray = np.zeros(len(labels), dtype=np.bool_)
    return np.logical_or.reduce([none, *turned.values()])


def _planted(looked: LookedAt, before: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the words that seem planted, but for those known before."""
    known = {row["word"] for row in before}
    return [row for row in looked.facts["words"] if row["planted"] and row["word"] not in known]


def _refuse_hopeless(codes: IntArray, label: str) -> None:
    """Refuse labels of which no model can learn anything: none, or nearly each of its own."""
    given = codes[codes >= 0]
    if not given.size:
        raise UsageError("no row has both a label and something to judge it by")
    different = len(np.unique(given))
    if different > max(given.size / 2, _FEW):
        raise UsageError(
            f"column {shown(label)} holds {counted(different)} different labels in "
            f"{counted(given.size, 'row')}; is it the column of labels?"
        )


def _apart(rows: pd.DataFrame, column: str, folds: Any, groups: Any) -> BoolArray:
    """Say which rows lie in another fold than a copy: their probabilities were learned from it.

    Raises
    ------
    SourceError
        They are many: then folds were drawn without a look at copies.
    """
    split = split_rows(folds, groups)
    if too_many_split(split):
        first = pd.Series(folds).groupby(pd.Series(groups)).transform("first")
        row = int(np.flatnonzero(first.to_numpy() != folds)[0])
        other = int(np.flatnonzero(groups == groups[row])[0])
        raise SourceError(
            f"row {row_of(rows, other)} is its copy or of its group and lies in another fold, so "
            "the model behind this row's probabilities had seen it, and so it is with "
            f"{int(split.sum()):,} of {counted(len(split), 'row')}; keep copies in one fold and "
            "predict anew, or judge without these probabilities",
            file=rows.attrs.get("file"),
            row=row_of(rows, row),
            column=column,
            value=folds[row],
            header=int(rows.attrs.get("header", 0)),
        )
    return split
