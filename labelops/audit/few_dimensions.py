"""Few dimensions from many, for audits that compare items with their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

__all__ = ["few_dimensions"]


def few_dimensions(features: Any, dimensions: int = 64) -> npt.NDArray[np.float64]:
    """Project features on their main directions, so that audits over many rows stay quick.

    Parameters
    ----------
    features : (N, D) array or sparse matrix
    dimensions : int
        At most so many are kept.

    Returns
    -------
    (N, d) float64 array; the features themselves, dense, where D is small already.

    Examples
    --------
    >>> few_dimensions(np.eye(100), 8).shape
    (100, 8)
    """
    size = min(dimensions, min(features.shape) - 1)
    if size < 1 or features.shape[1] <= dimensions:
        dense = features.toarray() if sparse.issparse(features) else features
        return np.asarray(dense, dtype=np.float64)
    from sklearn.decomposition import TruncatedSVD

    # One thread: matrices this narrow gain nothing by more, and threads that spin lose much
    # when other work is on the machine.
    with threadpool_limits(1):
        projected: npt.NDArray[np.float64] = TruncatedSVD(size, random_state=0).fit_transform(
            features
        )
    return projected
