"""Real crowds replayed: nearly as good labels from some two fifths fewer votes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from labelops.consolidate import consolidate_codes
from labelops.route import Voters, vote_worth

from ..crowds import accuracy, read_crowd

pytestmark = pytest.mark.slow

SEEDS = 10


@dataclass(frozen=True)
class Crowd:
    """All votes of a crowd, and the truth where it is known (else -1)."""

    items: npt.NDArray[np.int64]
    annotators: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    classes: int

    @classmethod
    def read(cls, folder: Path, name: str) -> Crowd:
        items, who, codes, truth, size = read_crowd(folder, name)
        return cls(items, who, codes, truth, size["n_classes"])

    def belief(self, use: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], float]:
        """Return the calibrated posterior from some votes, and how often a vote is right."""
        size, K = len(self.truth), self.classes
        cells = (self.items[use], self.annotators[use], self.codes[use])
        found = consolidate_codes(*cells, size, K, method="one_coin")
        return found.posterior, float(found.posterior[cells[0], cells[2]].mean())

    def replay(
        self, seed: int, *, budget: float, tau: float = 1.0, by_worth: bool = True
    ) -> tuple[float, float]:
        """Ask one more vote at a time, in a random order of those given; return share and accuracy.

        It stops at the budget (a share of all votes) or where no posterior is below tau.
        """
        rng, size = np.random.default_rng(seed), len(self.truth)
        order = np.lexsort((rng.random(self.items.size), self.items))
        items = self.items[order]
        rank = np.arange(items.size) - np.searchsorted(items, np.arange(size))[items]
        have = np.bincount(items, minlength=size)
        asked = np.minimum(2, have)
        while True:
            belief, right = self.belief(order[rank < asked[items]])
            doubtful = (asked < have) & (belief.max(axis=1) < tau)
            room = min(int(budget * items.size) - int(asked.sum()), int(doubtful.sum()))
            if room <= 0:
                return float(asked.sum() / items.size), accuracy(belief, self.truth)
            left = np.where(doubtful, have - asked, 0)[:, None]
            worth = vote_worth(belief, [Voters("crowd", right)], left, most=3)
            value = worth.per_cost if by_worth else rng.random(size) - asked
            value = np.where(doubtful, value, -np.inf)
            asked[np.argsort(-value, kind="stable")[: min(room, items.size // 40)]] += 1

    def mean(
        self, *, budget: float, tau: float = 1.0, by_worth: bool = True
    ) -> tuple[float, float]:
        runs = [self.replay(s, budget=budget, tau=tau, by_worth=by_worth) for s in range(SEEDS)]
        used, right = np.mean(runs, axis=0)
        return float(used), float(right)


def test_dog(shared_data: Path) -> None:
    """With 39 % fewer votes .828 is reached where all reach .831; spread evenly it is not."""
    crowd = Crowd.read(shared_data, "dog")
    everything = accuracy(crowd.belief(np.arange(crowd.items.size))[0], crowd.truth)
    used, mine = crowd.mean(budget=0.61)
    _, evenly = crowd.mean(budget=0.61, by_worth=False)
    assert everything == pytest.approx(0.831, abs=0.002)
    assert used <= 0.61 and mine >= 0.826
    assert evenly <= mine - 0.01, "the same votes asked blindly would do as well"


def test_face(shared_data: Path) -> None:
    """With 45 % fewer votes, asking until .99, accuracy falls by less than .005."""
    crowd = Crowd.read(shared_data, "face")
    everything = accuracy(crowd.belief(np.arange(crowd.items.size))[0], crowd.truth)
    used, mine = crowd.mean(budget=1.0, tau=0.99)
    _, evenly = crowd.mean(budget=used, by_worth=False)
    assert used <= 0.56 and mine >= everything - 0.005
    assert evenly <= mine - 0.005
