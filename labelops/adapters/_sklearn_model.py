"""One fitted classifier with the map from raw features to its own, and how it is made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..errors import SettingsError, shown
from ._sklearn_estimator import built, class_named
from .class_names import ClassNames
from .image_features import KernelMap
from .text_features import LatentMap, TextMap
from .text_graph import TextGraph

__all__ = ["Learner", "Model", "Recipe"]

_Codes = npt.NDArray[np.int64]

_OF_CLASSIFIER, _OF_NEIGHBOURS = 0.5, 0.7
"""Powers that the classifier's probabilities and what labels spread to are multiplied with."""


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted classifier; `mapped` makes its features from raw ones.

    Parameters
    ----------
    mapped : callable
    classifier : fitted classifier
    beliefs : (n, k) float array or None
        What labels spread to, of each text that was read, a column for each of its classes.
    """

    mapped: Callable[[Any], Any]
    classifier: Any
    beliefs: npt.NDArray[np.float64] | None = None

    def probs(self, features: Any, classes: int) -> npt.NDArray[np.float64]:
        """Return (N, K) probabilities in the schema's order; classes never seen get 0."""
        mapped = self.mapped(features)
        found = self.classifier.predict_proba(mapped)
        if self.beliefs is not None:
            found = self._blended(found, features.near)
        result = np.zeros((mapped.shape[0], classes))
        result[:, self.classifier.classes_] = found
        return result

    def _blended(self, found: npt.NDArray[np.float64], near: Any) -> npt.NDArray[np.float64]:
        """Multiply both opinions; of a text that stands nowhere there is only the classifier's."""
        some = np.diff(near.indptr) > 0
        # Never quite 0, which nothing could outweigh.
        logs = _OF_CLASSIFIER * np.log(np.maximum(found[some], 1e-9))
        logs += _OF_NEIGHBOURS * np.log(near[some] @ self.beliefs)
        result = found.copy()
        result[some] = softmax(logs, axis=1)
        return result


@dataclass(frozen=True, slots=True)
class Recipe:
    """How each fold's classifier is made, and the one of all rows.

    Parameters
    ----------
    media : {"text", "image"}
    estimator : str or None
        Dotted name of a classifier class; None for the built-in one.
    params : mapping
        Its keyword arguments.
    seed : int
    """

    media: str
    estimator: str | None
    params: Mapping[str, object]
    seed: int

    def classifier(self) -> Any:
        """Return a new classifier.

        Raises
        ------
        SettingsError
            If it is not there, lacks a method, or refuses a parameter.
        """
        if self.estimator is not None:
            return built(class_named(self.estimator), self.params, self.seed)
        image = self.media == "image"
        defaults = {
            "C": 30.0 if image else 10.0,
            "tol": 1e-3 if image else 5e-4,
            "max_iter": 300,
        }
        return built(LogisticRegression, {**defaults, **self.params}, self.seed)

    def learned(
        self,
        features: Any,
        codes: _Codes,
        latent: LatentMap | None = None,
        graph: TextGraph | None = None,
        names: ClassNames | None = None,
    ) -> Model | None:
        """Learn from N rows of raw features and their codes; None where all are of one class.

        The names of classes are learned from as well, where these rows do not speak against it.

        Raises
        ------
        SettingsError
            If the classifier refuses the data, with its own words.
        """
        if len(np.unique(codes)) < 2:
            return None
        if names is not None:
            told = names.that_tell(features, codes)
            features = features.followed_by(names.rows[told])
            codes = np.concatenate([codes, told])
        classifier = self.classifier()
        with warnings.catch_warnings():
            # A model that stopped early is still judged by its held-out answers.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Few labels of many classes are no regression.
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            mapped = self._map(features, latent)
            try:
                classifier.fit(mapped(features), codes)
            except (TypeError, ValueError) as error:
                with_vectors = getattr(features, "vectors", None) is not None
                raise SettingsError(
                    f"labeler: {type(classifier).__name__} cannot learn from {len(codes)} rows of "
                    f"{self.media}: {shown(str(error), 200)}; change `estimator` or `params`"
                    + (", or go without `vectors`" if with_vectors else "")
                ) from error
        if graph is None:
            return Model(mapped, classifier)
        places = np.searchsorted(classifier.classes_, codes)
        beliefs = graph.spread(features.near, places, len(classifier.classes_))
        return Model(mapped, classifier, beliefs)

    def _map(self, features: Any, latent: LatentMap | None) -> Callable[[Any], Any]:
        if self.media == "text":
            return TextMap.learned(features, latent)
        if self.estimator is None:
            return KernelMap.learned(features, self.seed)
        return _same


class Learner:
    """Learns from all rows, or without those of some folds; each of these once.

    Parameters
    ----------
    recipe : Recipe
    features : raw features of N rows
    codes, folds : (N,) int arrays
    read : tuple
        What was read beforehand, as `Recipe.learned` takes it.
    """

    def __init__(
        self, recipe: Recipe, features: Any, codes: _Codes, folds: _Codes, read: tuple[Any, ...]
    ) -> None:
        self.codes, self.folds = codes, folds
        self._recipe, self._features, self._read = recipe, features, read
        self._models: dict[tuple[int, ...], Model | None] = {}

    def without(self, out: tuple[int, ...] = ()) -> Model | None:
        """Return the model that learned nothing of these folds; None where one class is left."""
        if out not in self._models:
            rest = ~np.isin(self.folds, out)
            model = self._recipe.learned(self._features[rest], self.codes[rest], *self._read)
            self._models[out] = model
        return self._models[out]

    def opinion(self, out: tuple[int, ...], rows: _Codes, n_classes: int) -> Any:
        """Return (n, K) probabilities of some rows by the model without these folds, or None."""
        model = self.without(out)
        return None if model is None else model.probs(self._features[rows], n_classes)


def _same(features: Any) -> Any:
    return features
