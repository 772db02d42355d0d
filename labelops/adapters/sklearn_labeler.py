"""The built-in labeler: a scikit-learn classifier that never judges what it learned from.

Every item is proposed by a model that saw neither the item nor anything of its leakage
group: training items and their groups by the model of the fold that held them out, all
others by the model of all training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..autolabel.earlier import Earlier
from ..autolabel.earlier_cells import EarlierCells, check_there, texts_of
from ..digest import digest
from ..errors import ConflictError, SettingsError, shown
from ..ports import TextEncoder
from ..schema import MEDIA, Schema
from ._sklearn_earlier import WHOLE, learn_earlier
from ._sklearn_folds import assign_folds
from ._sklearn_model import Learner, Model, Recipe
from ._sklearn_rows import answer_rows, training_rows
from .class_names import ClassNames, spoken_apart
from .image_features import Grey, pixels
from .text_features import VECTOR_WEIGHT, LatentMap, text_rows
from .text_graph import TextGraph
from .text_vectors import TextVectors

__all__ = ["SklearnLabeler"]

_FEATURES = "hash18-word12-char35-tfidf-lsa64-spread10-names | grey16-nystroem300"
"""Names the features in the version digest; change it together with them."""

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What `fit` leaves for `propose`; a model is None where only one class was left to learn."""

    whole: Model | None
    held_out: Mapping[int, Model | None]
    fold_of_item: Mapping[str, int]
    fold_of_group: Mapping[str, int]
    why_silent: str | None
    encoder: str | None = None
    """Version of the encoder whose vectors were learned from."""
    cells: EarlierCells | None = None
    earlier: Mapping[int, Earlier] = field(default_factory=dict)
    """What labels from before say beside the model of each fold, and of all rows."""


_UNFITTED = _Fitted(None, {}, {}, {}, "no labels to learn from yet")


class SklearnLabeler:
    """A scikit-learn classifier on texts or images, trained with grouped cross-validation.

    Parameters
    ----------
    estimator : str, optional
        Dotted name of a classifier class with `fit` and `predict_proba`, such as
        ``"sklearn.ensemble.RandomForestClassifier"``. It is imported: name only what you trust.
        It gets tf-idf rows (sparse; with `vectors`, those beside them) or grey pixels. Without it:
        logistic regression, on a Nyström map of the pixels for images, and for texts on tf-idf and
        the latent directions of all texts that were read (`read`), labeled or not, together with
        labels that spread from text to text (`TextGraph`).
    params : mapping, optional
        Keyword arguments of the classifier.
    media : {"text", "image"}
        What payloads are.
    folds : int
        At most this many folds, at least 2.
    seed : int
        Fixes the folds and everything random in the model.
    load : callable, optional
        Payload URI → bytes; needed for images.
    kept : mapping of payload digest to square, optional
        Images decoded before; new ones are added.
    vectors : TextEncoder or TextVectors, optional
        For texts: gives a vector a text, which is learned from beside the words. Labelers that
        share a `TextVectors` encode each text once.
    earlier_labels : sequence of str
        Columns of items' `attributes` that hold labels from before, right or not. What they are
        worth beside the model is learned from the labels given to `fit`.
    name : str
        What its proposals are signed with.

    Raises
    ------
    SettingsError
        If a setting is out of range or does not fit the media, or the estimator is not there or
        lacks a method.

    Notes
    -----
    Time and memory grow linearly with items, and with classes. Probabilities are the
    classifier's own; they are not calibrated here.

    Examples
    --------
    >>> items = pd.DataFrame({"item_id": list("abcd"), "group": list("abcd"),
    ...     "payload": ["red cat", "blue dog", "red cats", "blue dogs"],
    ...     "payload_digest": list("wxyz")})
    >>> schema, labeler = Schema("pets", ("cat", "dog")), SklearnLabeler(folds=2)
    >>> version = labeler.fit(items, [0, 1, 0, 1], items["group"], schema)
    >>> answers = labeler.propose(items, schema)
    >>> answers["value"].tolist(), bool(answers["fold"].notna().all())
    (['"cat"', '"dog"', '"cat"', '"dog"'], True)
    """

    def __init__(
        self,
        estimator: str | None = None,
        *,
        params: Mapping[str, object] | None = None,
        media: str = "text",
        folds: int = 5,
        seed: int = 0,
        load: Callable[[str], bytes] | None = None,
        kept: MutableMapping[str, Grey] | None = None,
        vectors: TextEncoder | TextVectors | None = None,
        earlier_labels: Sequence[str] = (),
        name: str = "model:sklearn",
    ) -> None:
        if media not in MEDIA:
            raise SettingsError(f"media {shown(media)} is not one of {', '.join(MEDIA)}")
        if folds < 2:
            raise SettingsError(f"folds = {folds}: cross-validation needs at least 2")
        if vectors is not None and media != "text":
            raise SettingsError(f"vectors are of texts, and media is {media!r}; leave them out")
        if vectors is not None and not isinstance(vectors, TextVectors):
            vectors = TextVectors(vectors)
        self.name = name
        self._recipe, self._folds = Recipe(media, estimator, dict(params or {}), seed), folds
        self._load, self._kept, self._vectors = load, kept, vectors
        self.earlier_labels = tuple(earlier_labels)
        """Columns of items' attributes with labels from before, which it learns from."""
        self._fitted = _UNFITTED
        self._read, self._read_by = digest([]), self.encoder
        self._latent: LatentMap | None = None
        self._graph: TextGraph | None = None
        self._recipe.classifier()  # refuses what cannot serve before anybody waits

    @property
    def _more(self) -> tuple[str, ...]:
        return ("attributes",) if self.earlier_labels else ()

    @property
    def why_silent(self) -> str | None:
        """Why it abstains on everything now, in words; None if it does not."""
        return self._fitted.why_silent

    @property
    def encoder(self) -> str | None:
        """Version of the encoder whose vectors it learns from; None without any."""
        return self._vectors.version if self._vectors else None

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        """Learn from labeled items; return the version (see `ports.Labeler.fit`).

        With no rows, or rows of one class only, it learns nothing and will abstain.

        Raises
        ------
        UsageError
            If lengths differ, an item comes twice, or a code is not one of the schema's.
        SettingsError
            If the classifier refuses the data, with its own words.
        SourceError
            If an image cannot be read.
        EndError
            If the encoder of `vectors` fails.
        ConflictError
            If the encoder's version changes meanwhile; retryable.
        """
        self._check_media(schema)
        rows = training_rows(items, codes, groups, schema, more=self._more)
        self._fitted = _UNFITTED if rows.empty else self._learn(rows, schema)
        return self._version(rows, schema)

    def read(self, items: pd.DataFrame, schema: Schema) -> None:
        """Learn what texts have in common, from texts alone (see `ports.SemiSupervised.read`).

        Other media, and estimators of one's own, gain nothing by it and are left as they are.
        """
        self._check_media(schema)
        if self._recipe.media != "text" or self._recipe.estimator is not None:
            return
        items = items.sort_values("item_id", kind="stable").reset_index(drop=True)
        said = digest(list(map(list, zip(items["item_id"], items["payload_digest"], strict=True))))
        if (said, self.encoder) == (self._read, self._read_by):
            return
        rows, self._graph = self._raw(items), None
        with threadpool_limits(1):
            self._latent = LatentMap.learned(rows.counts)
            if self._latent is not None:
                self._graph = TextGraph.learned(
                    items["payload_digest"].tolist(), rows, self._latent
                )
        self._read, self._read_by = said, self.encoder

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, sorted by item_id (see `ports.Labeler.propose`).

        An item that shares a leakage group with a training item is proposed by the fold
        that held that group out, and says so, even when it was not trained on itself.

        Raises
        ------
        SourceError
            If an image cannot be read.
        EndError
            If the encoder of `vectors` fails.
        ConflictError
            If the encoder's version has changed since `fit`; retryable.
        """
        self._check_media(schema)
        fitted = self._fitted
        # Sorted, so that the order asked in cannot change a sum's last bit.
        items = items.sort_values("item_id", kind="stable").reset_index(drop=True)
        by_group = items["group"].map(fitted.fold_of_group)
        folds = items["item_id"].map(fitted.fold_of_item).fillna(by_group).astype("Int64")
        probs = self._probs(items, folds, schema)
        return answer_rows(items["item_id"], probs, folds, schema)

    def _check_media(self, schema: Schema) -> None:
        media = self._recipe.media
        if schema.media != media:
            raise SettingsError(
                f"labeler {self.name!r} is set up for {media}, but schema {schema.name!r} "
                f"is about {schema.media}; set the labeler's media to {schema.media!r}"
            )

    def _rows(self, items: pd.DataFrame) -> Any:
        """Return raw features, with where texts stand among those that were read."""
        rows = self._raw(items)
        if self._graph is None:
            return rows
        with threadpool_limits(1):
            return replace(rows, near=self._graph.near(items["payload_digest"].tolist(), rows))

    def _names(self, schema: Schema) -> ClassNames | None:
        """Read what the classes are called as texts; None where no texts were read."""
        if self._graph is None:
            return None
        ids = [f"class {name}" for name in schema.classes]
        texts = pd.DataFrame({"item_id": ids, "payload": spoken_apart(schema.classes)})
        rows = text_rows(texts, self._vectors)
        with threadpool_limits(1):
            # No digest of a payload: a name stands near texts, also where one says just that.
            rows = replace(rows, near=self._graph.near(ids, rows))
            return ClassNames.read(self._graph, rows)

    def _raw(self, items: pd.DataFrame) -> Any:
        if self._recipe.media == "image":
            return pixels(items, self._load, self._kept)
        return text_rows(items, self._vectors)

    def _learn(self, rows: pd.DataFrame, schema: Schema) -> _Fitted:
        codes = rows["code"].to_numpy()
        folds = assign_folds(codes, rows["group"], self._folds, self._recipe.seed)
        fold_of_item = dict(zip(rows["item_id"], folds.tolist(), strict=True))
        fold_of_group = dict(zip(rows["group"], folds.tolist(), strict=True))
        only = np.unique(codes)
        if len(only) < 2:
            why = f"all labels so far say {schema.classes[only[0]]!r}; it needs two classes"
            return _Fitted(None, {}, fold_of_item, fold_of_group, why)
        read = self._latent, self._graph, self._names(schema)
        # One thread: faster at this size, and sums do not depend on how threads split them. An
        # encoder of vectors is no part of that, and may have all of them.
        learner = Learner(self._recipe, self._rows(rows), codes, folds, read)
        with threadpool_limits(1):
            held_out = {int(fold): learner.without((int(fold),)) for fold in np.unique(folds)}
            whole = learner.without()
            fitted = _Fitted(whole, held_out, fold_of_item, fold_of_group, None, self.encoder)
            if not self.earlier_labels:
                return fitted
            check_there(self.earlier_labels, rows)
            cells = EarlierCells.learned(self.earlier_labels, rows, schema)
            return replace(fitted, cells=cells, earlier=learn_earlier(cells, rows, learner))

    def _probs(
        self, items: pd.DataFrame, folds: pd.Series, schema: Schema
    ) -> npt.NDArray[np.float64]:
        """Return (N, K); a row of NaN where the labeler abstains."""
        K, result = len(schema.classes), np.full((len(items), len(schema.classes)), np.nan)
        if self._fitted.whole is None:
            return result
        which = folds.fillna(WHOLE).to_numpy(dtype=np.int64)
        models = {**self._fitted.held_out, WHOLE: self._fitted.whole}
        if self.encoder != self._fitted.encoder:
            raise ConflictError(
                f"labeler {self.name!r} was fitted on vectors by {shown(self._fitted.encoder)}, "
                f"which is now {shown(self.encoder)}; fit and propose again"
            )
        for start in range(0, len(items), _BLOCK):
            block = items.iloc[start : start + _BLOCK]
            features, cells = self._rows(block), self._fitted.cells
            read = None if cells is None else cells.of(block)
            with threadpool_limits(1):
                for fold in np.unique(which[start : start + _BLOCK]):
                    rows = np.flatnonzero(which[start : start + _BLOCK] == fold)
                    if (model := models[fold]) is not None:
                        found = model.probs(features[rows], K)
                        if read is not None:
                            found = self._fitted.earlier[int(fold)].joined(found, read[rows])
                        result[start + rows] = found
        return result

    def _version(self, rows: pd.DataFrame, schema: Schema) -> str:
        columns = [rows[c].tolist() for c in ("item_id", "payload_digest", "code", "group")]
        # Without these the version is what it was before there were any.
        vectors = {"vectors": [self._vectors.version, VECTOR_WEIGHT]} if self._vectors else {}
        said = (
            {"earlier": [self.earlier_labels, texts_of(self.earlier_labels, rows)]}
            if self.earlier_labels
            else {}
        )
        return digest(
            {
                **vectors,
                **said,
                "estimator": self._recipe.estimator,
                "features": _FEATURES,
                "folds": self._folds,
                "labeler": self.name,
                "media": self._recipe.media,
                "params": self._recipe.params,
                "read": self._read,
                "rows": list(map(list, zip(*columns, strict=True))),
                "schema": schema.digest,
                "seed": self._recipe.seed,
                "sklearn": sklearn.__version__,
            }
        )
