"""The built-in labeler: a scikit-learn classifier that never judges what it learned from.

Every item is proposed by a model that saw neither the item nor anything of its leakage
group: training items and their groups by the model of the fold that held them out, all
others by the model of all training rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..digest import digest
from ..errors import SettingsError, TableError, UsageError, shown
from ..kinds.choice import values_of
from ..schema import MEDIA, Schema
from ._sklearn_estimator import built, class_named
from .sklearn_features import Grey, KernelMap, LatentMap, TextMap, TfidfMap, pixels, word_counts

__all__ = ["SklearnLabeler", "assign_folds"]

_FEATURES = "hash18-word12-char35-tfidf-lsa64 | grey16-nystroem300"
"""Names the features in the version digest; change it together with them."""

_BLOCK = 4096
_Codes = npt.NDArray[np.int64]


def assign_folds(codes: _Codes, groups: Sequence[str], folds: int, seed: int) -> _Codes:
    """Deal rows to folds: a group stays in one fold, classes are spread evenly.

    There are fewer folds when there are fewer groups or when no class has that many rows.

    Parameters
    ----------
    codes : (N,) class codes
    groups : (N,) leakage groups
    folds : int
        At most this many folds.
    seed : int
        Fixes the deal.

    Returns
    -------
    (N,) int64 array of folds from 0; all 0 when there is nothing to hold out against.

    Examples
    --------
    >>> f = assign_folds(np.array([0, 1, 0, 1]), ["a", "a", "b", "c"], 2, seed=0)
    >>> bool(f[0] == f[1]), len(set(f.tolist()))
    (True, 2)
    """
    result = np.zeros(len(codes), dtype=np.int64)
    names = np.asarray(groups, dtype=object).astype(str)
    count = min(folds, len(set(names)))
    if count < 2:
        return result
    largest = int(np.bincount(codes).max())
    together: npt.NDArray[np.str_] | None = names
    if largest < 2:
        splitter = GroupKFold(count)
    elif len(set(names)) == len(names):
        # The same deal without groups to keep together, in a hundredth of the time.
        splitter = StratifiedKFold(min(count, largest), shuffle=True, random_state=seed)
        together = None
    else:
        splitter = StratifiedGroupKFold(min(count, largest), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is expected while labels are few.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, held_out) in enumerate(splitter.split(codes[:, None], codes, together)):
            result[held_out] = fold
    return result


@dataclass(frozen=True, slots=True)
class _Model:
    """One fitted classifier with the map from raw features to its own."""

    mapped: Callable[[Any], Any]
    classifier: Any

    def probs(self, features: Any, classes: int) -> npt.NDArray[np.float64]:
        """Return (N, K) probabilities in the schema's order; classes never seen get 0."""
        result = np.zeros((features.shape[0], classes))
        result[:, self.classifier.classes_] = self.classifier.predict_proba(self.mapped(features))
        return result


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What `fit` leaves for `propose`; a model is None where only one class was left to learn."""

    whole: _Model | None
    held_out: Mapping[int, _Model | None]
    fold_of_item: Mapping[str, int]
    fold_of_group: Mapping[str, int]
    why_silent: str | None


_UNFITTED = _Fitted(None, {}, {}, {}, "no labels to learn from yet")


class SklearnLabeler:
    """A scikit-learn classifier on texts or images, trained with grouped cross-validation.

    Parameters
    ----------
    estimator : str, optional
        Dotted name of a classifier class with `fit` and `predict_proba`, such as
        ``"sklearn.ensemble.RandomForestClassifier"``. It is imported: name only what you trust.
        It gets tf-idf rows (sparse) or grey pixels. Without it: logistic regression, on a Nyström
        map of the pixels for images, and for texts on tf-idf and the latent directions of all texts
        that were read (`read`), labeled or not.
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
    name : str
        What its proposals are signed with.

    Raises
    ------
    SettingsError
        If a setting is out of range, or the estimator is not there or lacks a method.

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
        name: str = "model:sklearn",
    ) -> None:
        if media not in MEDIA:
            raise SettingsError(f"media {shown(media)} is not one of {', '.join(MEDIA)}")
        if folds < 2:
            raise SettingsError(f"folds = {folds}: cross-validation needs at least 2")
        self.name = name
        self._estimator, self._params = estimator, dict(params or {})
        self._media, self._folds, self._seed = media, folds, seed
        self._load, self._kept = load, kept
        self._fitted = _UNFITTED
        self._read = digest([])
        self._latent: LatentMap | None = None
        self._new_classifier()

    @property
    def why_silent(self) -> str | None:
        """Why it abstains on everything now, in words; None if it does not."""
        return self._fitted.why_silent

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
        """
        self._check_media(schema)
        rows = _training_rows(items, codes, groups, schema)
        # One thread: faster at this size, and sums do not depend on how threads split them.
        with threadpool_limits(1):
            self._fitted = _UNFITTED if rows.empty else self._learn(rows, schema)
        return self._version(rows, schema)

    def read(self, items: pd.DataFrame, schema: Schema) -> None:
        """Learn what texts have in common, from texts alone (see `ports.SemiSupervised.read`).

        Other media, and estimators of one's own, gain nothing by it and are left as they are.
        """
        self._check_media(schema)
        if self._media != "text" or self._estimator is not None:
            return
        items = items.sort_values("item_id", kind="stable").reset_index(drop=True)
        said = digest(list(map(list, zip(items["item_id"], items["payload_digest"], strict=True))))
        if said == self._read:
            return
        with threadpool_limits(1):
            self._latent = LatentMap.learned(self._raw(items)) if len(items) else None
        self._read = said

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, sorted by item_id (see `ports.Labeler.propose`).

        An item that shares a leakage group with a training item is proposed by the fold
        that held that group out, and says so, even when it was not trained on itself.
        """
        self._check_media(schema)
        fitted = self._fitted
        # Sorted, so that the order asked in cannot change a sum's last bit.
        items = items.sort_values("item_id", kind="stable").reset_index(drop=True)
        by_group = items["group"].map(fitted.fold_of_group)
        folds = items["item_id"].map(fitted.fold_of_item).fillna(by_group).astype("Int64")
        with threadpool_limits(1):
            probs = self._probs(items, folds, schema)
        return _answers(items["item_id"], probs, folds, schema)

    def _check_media(self, schema: Schema) -> None:
        if schema.media != self._media:
            raise SettingsError(
                f"labeler {self.name!r} is set up for {self._media}, but schema {schema.name!r} "
                f"is about {schema.media}; set the labeler's media to {schema.media!r}"
            )

    def _raw(self, items: pd.DataFrame) -> Any:
        if self._media == "image":
            return pixels(items, self._load, self._kept)
        return word_counts(items["payload"].tolist())

    def _learn(self, rows: pd.DataFrame, schema: Schema) -> _Fitted:
        codes = rows["code"].to_numpy()
        folds = assign_folds(codes, rows["group"], self._folds, self._seed)
        fold_of_item = dict(zip(rows["item_id"], folds.tolist(), strict=True))
        fold_of_group = dict(zip(rows["group"], folds.tolist(), strict=True))
        only = np.unique(codes)
        if len(only) < 2:
            why = f"all labels so far say {schema.classes[only[0]]!r}; it needs two classes"
            return _Fitted(None, {}, fold_of_item, fold_of_group, why)
        features = self._raw(rows)
        held_out = {
            int(fold): self._model(features[folds != fold], codes[folds != fold])
            for fold in np.unique(folds)
        }
        whole = self._model(features, codes)
        return _Fitted(whole, held_out, fold_of_item, fold_of_group, None)

    def _model(self, features: Any, codes: _Codes) -> _Model | None:
        if len(np.unique(codes)) < 2:
            return None
        classifier = self._new_classifier()
        with warnings.catch_warnings():
            # A model that stopped early is still judged by its held-out answers.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mapped = self._learned_map(features)
            try:
                classifier.fit(mapped(features), codes)
            except (TypeError, ValueError) as error:
                raise SettingsError(
                    f"labeler {self.name!r}: {type(classifier).__name__} cannot learn from "
                    f"{len(codes)} rows of {self._media}: {shown(str(error), 200)}; "
                    "change `estimator` or `params`"
                ) from error
        return _Model(mapped, classifier)

    def _learned_map(self, features: Any) -> Callable[[Any], Any]:
        if self._media == "text":
            return TextMap(TfidfMap.learned(features), self._latent)
        if self._estimator is None:
            return KernelMap.learned(features, self._seed)
        return _same

    def _new_classifier(self) -> Any:
        if self._estimator is None:
            image = self._media == "image"
            defaults = {
                "C": 30.0 if image else 10.0,
                "tol": 1e-3 if image else 5e-4,
                "max_iter": 300,
            }
            return built(LogisticRegression, {**defaults, **self._params}, self._seed)
        return built(class_named(self._estimator), self._params, self._seed)

    def _probs(
        self, items: pd.DataFrame, folds: pd.Series, schema: Schema
    ) -> npt.NDArray[np.float64]:
        """Return (N, K); a row of NaN where the labeler abstains."""
        K, result = len(schema.classes), np.full((len(items), len(schema.classes)), np.nan)
        if self._fitted.whole is None:
            return result
        which = folds.fillna(-1).to_numpy(dtype=np.int64)
        models = {**self._fitted.held_out, -1: self._fitted.whole}
        for start in range(0, len(items), _BLOCK):
            features = self._raw(items.iloc[start : start + _BLOCK])
            for fold in np.unique(which[start : start + _BLOCK]):
                rows, model = np.flatnonzero(which[start : start + _BLOCK] == fold), models[fold]
                if model is not None:
                    result[start + rows] = model.probs(features[rows], K)
        return result

    def _version(self, rows: pd.DataFrame, schema: Schema) -> str:
        columns = [rows[c].tolist() for c in ("item_id", "payload_digest", "code", "group")]
        return digest(
            {
                "estimator": self._estimator,
                "features": _FEATURES,
                "folds": self._folds,
                "labeler": self.name,
                "media": self._media,
                "params": self._params,
                "read": self._read,
                "rows": list(map(list, zip(*columns, strict=True))),
                "schema": schema.digest,
                "seed": self._seed,
                "sklearn": sklearn.__version__,
            }
        )


def _same(features: Any) -> Any:
    return features


def _training_rows(
    items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
) -> pd.DataFrame:
    """Return item_id, payload, payload_digest, group, code sorted by item_id, checked."""
    if not len(items) == len(codes) == len(groups):
        raise UsageError(
            f"fit got {len(items)} items, {len(codes)} codes and {len(groups)} groups; "
            "give one code and one group an item"
        )
    rows = items[["item_id", "payload", "payload_digest"]].assign(
        group=list(groups), code=np.asarray(codes, dtype=np.int64)
    )
    wrong = (rows["code"] < 0) | (rows["code"] >= len(schema.classes))
    if wrong.any():
        bad = rows[wrong].iloc[0]
        raise UsageError(
            f"item {shown(bad['item_id'])}: code {bad['code']} is not one of schema "
            f"{schema.name!r}'s 0 to {len(schema.classes) - 1}; leave unlabeled items out"
        )
    twice = rows["item_id"].duplicated()
    if twice.any():
        found = shown(rows.loc[twice, "item_id"].iloc[0])
        raise TableError("items", [f"item {found} is given twice to learn from; give it once"])
    return rows.sort_values("item_id", kind="stable").reset_index(drop=True)


def _answers(
    ids: pd.Series, probs: npt.NDArray[np.float64], folds: pd.Series, schema: Schema
) -> pd.DataFrame:
    silent: npt.NDArray[np.bool_] = np.isnan(probs[:, 0])
    best = np.where(silent, -1, np.nan_to_num(probs, nan=-1.0).argmax(axis=1))
    cells = pd.Series(np.empty(len(ids), dtype=object))
    cells[:] = [None if s else row for s, row in zip(silent, probs, strict=True)]
    return pd.DataFrame(
        {
            "item_id": ids,
            "value": values_of(best, schema),
            "confidence": np.where(silent, np.nan, probs.max(axis=1)),
            "probs": cells,
            "fold": folds,
        }
    )
