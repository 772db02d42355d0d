"""One fitted classifier with the map from raw features to its own, and how it is made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..errors import SettingsError, shown
from ._sklearn_estimator import built, class_named
from .image_features import KernelMap
from .text_features import LatentMap, TextMap

__all__ = ["Model", "Recipe"]

_Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted classifier; `mapped` makes its features from raw ones."""

    mapped: Callable[[Any], Any]
    classifier: Any

    def probs(self, features: Any, classes: int) -> npt.NDArray[np.float64]:
        """Return (N, K) probabilities in the schema's order; classes never seen get 0."""
        mapped = self.mapped(features)
        result = np.zeros((mapped.shape[0], classes))
        result[:, self.classifier.classes_] = self.classifier.predict_proba(mapped)
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

    def learned(self, features: Any, codes: _Codes, latent: LatentMap | None) -> Model | None:
        """Learn from N rows of raw features and their codes; None where all are of one class.

        Raises
        ------
        SettingsError
            If the classifier refuses the data, with its own words.
        """
        if len(np.unique(codes)) < 2:
            return None
        classifier = self.classifier()
        with warnings.catch_warnings():
            # A model that stopped early is still judged by its held-out answers.
            warnings.simplefilter("ignore", ConvergenceWarning)
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
        return Model(mapped, classifier)

    def _map(self, features: Any, latent: LatentMap | None) -> Callable[[Any], Any]:
        if self.media == "text":
            return TextMap.learned(features, latent)
        if self.estimator is None:
            return KernelMap.learned(features, self.seed)
        return _same


def _same(features: Any) -> Any:
    return features
