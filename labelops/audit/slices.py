"""Slices that are labeled worse than the rest.

Many values of many attributes are looked at, so flags are corrected for looking often, and need
an effect as well: with a million rows every difference is significant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.attributes import bin_attribute, worse_than_rest
from labelops.audit.inputs import check_verdicts
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.given import check_named, check_share

__all__ = ["Slices", "underperforming_slices"]


@dataclass(frozen=True, slots=True)
class Slices:
    """One row a value of an attribute, the worst first.

    Attributes
    ----------
    attributes, values : (S,) object
        What the slice is: ``source`` = ``scanner 2``; numbers as ranges, ``[3, 8)``.
    sizes, errors : (S,) int
        Judged items in the slice, and errors among them.
    rates, rest : (S,) float
        Share of errors in the slice and outside of it; NaN where nobody is.
    p_values, q_values : (S,) float
        Of "no worse than the rest" (Fisher's exact test), and corrected for all slices.
    flagged : (S,) bool
    """

    attributes: NDArray[np.object_]
    values: NDArray[np.object_]
    sizes: IntArray
    errors: IntArray
    rates: FloatArray
    rest: FloatArray
    p_values: FloatArray
    q_values: FloatArray
    flagged: BoolArray


def underperforming_slices(
    wrong: ArrayLike,
    attributes: Mapping[str, ArrayLike],
    *,
    least: float = 0.05,
    risk: float = 0.05,
) -> Slices:
    """Find values of attributes among which more is wrong than among the rest.

    Parameters
    ----------
    wrong : (N,) array-like of bool or of 0 and 1
        Confirmed errors, or disagreements with a model or among annotators; NaN or None where
        nobody judged.
    attributes : mapping of name to (N,) array-like
        Facts about the items: source, annotator, length, a cluster of the features. Numbers
        with more than ten values are cut at their deciles; what is missing is a value too, and
        so are all values after the 200 commonest together.
    least : float
        A slice is flagged only if its rate is above the rest by this much, in [0, 1].
    risk : float
        Tolerated share of false flags (Benjamini–Hochberg over all slices), in (0, 1).

    Raises
    ------
    UsageError
        A length differs, or `wrong` holds something else than 0, 1 and missing.

    References
    ----------
    Fisher 1922, https://doi.org/10.2307/2340521
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> wrong = [1] * 8 + [0] * 2 + [0] * 40
    >>> found = underperforming_slices(wrong, {"source": ["a"] * 10 + ["b"] * 40})
    >>> found.values.tolist(), found.rates.tolist(), found.flagged.tolist()
    (['a', 'b'], [0.8, 0.0], [True, False])
    """
    check_share("least", least)
    check_share("risk", risk, inside=True)
    outcome = check_verdicts("wrong", wrong)
    judged = ~np.isnan(outcome)
    total, bad = int(judged.sum()), int((outcome == 1).sum())
    names: list[str] = []
    values: list[str] = []
    sizes: list[IntArray] = []
    errors: list[IntArray] = []
    for name, given in check_named("attributes", attributes).items():
        binned = bin_attribute(name, given, len(outcome))
        S = len(binned.names)
        names += [name] * S
        values += binned.names
        sizes.append(np.bincount(binned.codes[judged], minlength=S))
        errors.append(np.bincount(binned.codes[outcome == 1], minlength=S))
    n, x = (np.concatenate([*parts, np.zeros(0, dtype=np.int64)]) for parts in (sizes, errors))
    rates, rest, p_values, q_values, flagged = worse_than_rest(
        n, x, total, bad, least=least, risk=risk
    )
    order = np.lexsort((-np.nan_to_num(rates), p_values, ~flagged))
    return Slices(
        np.array(names, dtype=object)[order],
        np.array(values, dtype=object)[order],
        *(part[order] for part in (n, x, rates, rest, p_values, q_values, flagged)),
    )
