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
from ..audit.in_sample import check_folds, check_not_memorised
from ..audit.label_error_report import LabelErrorReport
from ..audit.views import LookedAt, look_at_views
from ..audit.words import holding, without_words
from ..errors import shown
from ..measure.codes import BoolArray, FloatArray, IntArray
from ..measure.given import check_flag
from ..measure.progress import Progress, untold
from ..ports import NeighbourSearch
from ..schema import Schema
from .columns import Evidence, classes_of, filled, labels_of
from .known import NO_TIME, Known, readable
from .numbers import array_probs, as_by_chance, check_shapes, probs_of
from .patterns import patterns_in
from .refused import check_columns, parted, refuse_hopeless
from .result import ANNOTATED, LabelCheck
from .rows import looked_at_beside, said_of_rows
from .suspicion import LOOK
from .vote_table import VoteTable

__all__ = ["Question"]

_VIEWS = ("outliers", "ambiguity", "slices", "leakage")
_SHOWN = 50
_NOTHING: Mapping[str, str] = {}
_PLANTED = 12  # Words that seem planted, after which labels are not judged once more.


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
        progress: Progress = untold,
    ) -> Question:
        """Read everything that is asked about; parameters as of `check_labels`, and fields.

        Parameters
        ----------
        votes : frame, optional
            Votes in a table of their own.
        progress : callable
            Is told of texts and images that are read.

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
        refuse_hopeless(codes[place], label)
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
            known = Known.of(
                rows, evidence, label, named, Path(folder), place, ballots, progress=progress
            )
        apart: BoolArray = np.zeros(len(place), dtype=np.bool_)
        if folds is not None:
            apart = parted(rows, str(evidence.fold), folds, known.groups)
        if probs and known.features is None and check_memorised:
            held = np.repeat(~apart[None], len(probs), axis=0)
            check_not_memorised(probs, codes[place], None, held)
        schema = Schema("rows", named, media="text" if evidence.image is None else "image")
        return cls(
            frame, label, key, evidence, schema, codes, place, known, probs, folds, apart,
            check_memorised, Path(folder), shown,
        )  # fmt: skip

    def answer(
        self,
        rng: np.random.Generator | None = None,
        search: NeighbourSearch | None = None,
        progress: Progress = untold,
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
            found, looked = self._judge(known, rng, search, progress)
            while (words := _planted(looked, planted)) and len(planted) < _PLANTED:
                planted += words
                gone = [row["word"] for row in planted]
                progress(f"judging once more, without {' and '.join(map(shown, gone))}", 0, 1)
                known = self.known.reading(without_words(self.known.surroundings.texts or (), gone))
                found, looked = self._judge(known, rng, search, progress)
        lone, copies = self.known.lone_votes(), known.disagree(labels)
        differs = (lone >= 0) & (labels >= 0) & (lone != labels)
        turned = {f"the word {shown(row['word'])}": self._turned(row) for row in planted}
        patterns = patterns_in(
            self.known, labels, self.schema.classes, self.frame, self.place, self.evidence, rng
        )
        values = {pattern.what: held for pattern, held in patterns}
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
                turned | values,
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
            patterns=tuple(pattern for pattern, _ in patterns),
            lone_votes=bool((lone >= 0).any()),
            beside=looked_at_beside(
                found.probability,
                {
                    "copies": copies.flagged,
                    "vote": differs,
                    "word": _any_of(turned, labels),
                    "pattern": _any_of(values, labels),
                },
            ),
            by_chance=tuple(
                name
                for name, model in self.evidence.opinions.items()
                if not isinstance(model, Mapping) and as_by_chance(self.probs[name], labels)
            ),
        )

    def _judge(
        self,
        known: Known,
        rng: np.random.Generator,
        search: NeighbourSearch | None,
        progress: Progress,
    ) -> tuple[LabelErrorReport, LookedAt]:
        """Judge labels, and look at what else is odd, by what is known."""
        labels = self.codes[self.place]
        several = known.features is not None and len(known.features) > 1
        progress("looking for the nearest rows", 0, 1)
        graph = graph_if_quick(known.features, search) if several else None
        found = detect_label_errors(
            labels, n_classes=len(self.schema.classes), votes=known.votes,
            features=known.features if known.words is None else known.words,
            embeddings=None if known.words is None else known.features,
            probs=self.probs or None, folds=self.folds,
            out_of_sample=self.evidence.out_of_sample, groups=known.groups, graph=graph,
            check_memorised=self.check_memorised, rng=rng, progress=progress,
        )  # fmt: skip
        progress("looking at words, slices and outliers", 0, 1)
        looked = look_at_views(
            self.place.astype(str).astype(object), labels, found.probability >= LOOK,
            replace(known.surroundings, graph=graph), self.schema, rng=rng, round=1,
            now=NO_TIME, views=_VIEWS, shown=_SHOWN, better=found.likeliest_other(labels),
        )  # fmt: skip
        return found, looked

    def _turned(self, planted: Mapping[str, Any]) -> BoolArray:
        """Say which labels are of the class that a planted word stands for, and hold it."""
        labels, texts = self.codes[self.place], self.known.surroundings.texts or ()
        held: BoolArray = np.zeros(len(labels), dtype=np.bool_)
        held[holding(texts, planted["word"], np.arange(len(labels)))] = True
        held &= labels == self.schema.classes.index(planted["class"])
        return held


def _any_of(turned: Mapping[str, BoolArray], labels: IntArray) -> BoolArray:
    """Say which labels any of the planted words or patterns turned."""
    none: BoolArray = np.zeros(len(labels), dtype=np.bool_)
    return np.asarray(np.logical_or.reduce([none, *turned.values()]))


def _planted(looked: LookedAt, before: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the words that seem planted, but for those known before."""
    known = {row["word"] for row in before}
    return [row for row in looked.facts["words"] if row["planted"] and row["word"] not in known]
