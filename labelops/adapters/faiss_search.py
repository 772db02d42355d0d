"""Nearly all nearest neighbours of a million points, by faiss: an inverted file over k-means cells.

Needs the extra `neighbours` (``pip install labelops-pipeline[neighbours]``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SettingsError, UsageError

__all__ = ["FaissSearch"]

_POINTS_A_CELL = 32  # For k-means; faiss warns below 39, but more changed no recall.
_ITERATIONS = 4
_BATCH = 65_536


@dataclass(frozen=True, slots=True)
class FaissSearch:
    """Looks for a point's neighbours in the cells nearest to it; the same answer at every run.

    Points are put into about ``4 √N`` cells by k-means from a fixed seed, and each is compared
    with those in its nearest cells only. Nothing depends on the order in which threads get
    there, unlike in a graph index, whose parallel building does.

    Parameters
    ----------
    probes : int
        Cells looked into; more finds more and takes longer.
    seed : int
        Of the k-means.
    exact_below : int
        Up to so many points all pairs are compared, which is then as quick.

    Raises
    ------
    SettingsError
        faiss is not installed.
    UsageError
        A number is out of range.

    References
    ----------
    Douze et al. 2024, The Faiss library, https://doi.org/10.48550/arXiv.2401.08281
    Jégou, Douze, Schmid 2011, https://doi.org/10.1109/TPAMI.2010.57
    """

    probes: int = 16
    seed: int = 0
    exact_below: int = 5_000
    name: str = "faiss"

    def __post_init__(self) -> None:
        if self.probes < 1 or self.exact_below < 0:
            raise UsageError(
                f"probes {self.probes}, exact_below {self.exact_below}: expected at least 1 and 0"
            )
        if find_spec("faiss") is None:
            raise SettingsError(
                "FaissSearch needs faiss: pip install 'labelops-pipeline[neighbours]'"
            )

    def nearest(self, points: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int32]:
        """Return about the k nearest other rows of each row by Euclidean distance."""
        N = len(points)
        if N < 2 or not points.shape[1]:
            return np.full((N, k), -1, dtype=np.int32)
        wanted = min(k + 1, N)
        found = _all_pairs(points, wanted) if self.exact_below >= N else self._cells(points, wanted)
        return _without_self(found, k)

    def _cells(self, points: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int32]:
        faiss = _faiss()
        N, D = points.shape
        cells = min(math.ceil(4 * math.sqrt(N)), N)
        centres = faiss.IndexFlatL2(D)
        index = faiss.IndexIVFFlat(centres, D, cells, faiss.METRIC_L2)
        index.cp.seed, index.cp.niter, index.cp.min_points_per_centroid = self.seed, _ITERATIONS, 1
        draw = np.random.default_rng(self.seed)
        sample = np.sort(draw.choice(N, min(N, _POINTS_A_CELL * cells), replace=False))
        index.train(points[sample])
        far, near = centres.search(points, min(self.probes, cells))
        home = np.ascontiguousarray(near[:, 0])
        # `add` would look for the nearest cell of every point once more.
        index.add_core(N, faiss.swig_ptr(points), None, faiss.swig_ptr(home))
        index.nprobe = near.shape[1]
        found = np.empty((N, k), dtype=np.int32)
        order = np.argsort(home, kind="stable")
        for start in range(0, N, _BATCH):
            # Points of one cell one after the other: what they are compared with is in the cache.
            rows = order[start : start + _BATCH]
            found[rows] = index.search_preassigned(points[rows], k, near[rows], far[rows])[1]
        return found


def _faiss() -> Any:
    """Import faiss when it is needed: 0.2 s. Its stubs know only the calls with C pointers."""
    return import_module("faiss")


def _all_pairs(points: npt.NDArray[np.float32], k: int) -> npt.NDArray[Any]:
    index = _faiss().IndexFlatL2(points.shape[1])
    index.add(points)
    found: npt.NDArray[np.int64] = index.search(points, k)[1]
    return found


def _without_self(found: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
    """Drop each row's own number, or the farthest where k copies left no place for it."""
    N, width = found.shape
    own = found == np.arange(N)[:, None]
    own[~own.any(axis=1), -1] = True
    others = found[~own].reshape(N, width - 1).astype(np.int32)
    return np.pad(others[:, :k], ((0, 0), (0, max(0, k - width + 1))), constant_values=-1)
