"""A classifier from its dotted name and parameters, checked before anything is fitted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import SettingsError, shown
from .own_code import imported

__all__ = ["built", "class_named"]


def class_named(dotted: str) -> Callable[..., Any]:
    """Import a class by its dotted name.

    Raises
    ------
    SettingsError
        If there is no such class, or its module fails while it is imported.
    LabelopsError
        Whatever of it the module raises itself.

    Examples
    --------
    >>> class_named("sklearn.svm.SVC").__name__
    'SVC'
    """
    module, _, attribute = dotted.rpartition(".")
    found = imported(
        module,
        attribute,
        f"estimator {shown(dotted)}",
        "give the dotted name of an installed classifier, such as "
        "'sklearn.linear_model.LogisticRegression'",
    )
    if not isinstance(found, type):
        raise SettingsError(f"estimator {shown(dotted)} is not a class; name a classifier class")
    return found


def built(maker: Callable[..., Any], params: Mapping[str, object], seed: int) -> Any:
    """Make the classifier, seeded if it can be, and check that it gives probabilities.

    Raises
    ------
    SettingsError
        If it refuses a parameter, or cannot be fitted or give probabilities.

    Examples
    --------
    >>> built(class_named("sklearn.linear_model.LogisticRegression"), {"C": 2.0}, seed=0).C
    2.0
    """
    name = getattr(maker, "__name__", repr(maker))
    takes = inspect.signature(maker).parameters
    seeded = {"random_state": seed, **params} if "random_state" in takes else dict(params)
    try:
        classifier = maker(**seeded)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"params of {name}: {error}; it takes {', '.join(takes)}") from None
    missing = [m for m in ("fit", "predict_proba") if not hasattr(classifier, m)]
    if missing:
        raise SettingsError(
            f"estimator {name} has no {missing[0]} with these params; take a classifier that "
            "gives probabilities (for a support vector machine: params = {probability = true})"
        )
    return classifier
