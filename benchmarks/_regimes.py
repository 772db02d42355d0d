"""Kinds of crowds to hold a consensus against: named ones in the manner of public sets, and any.

The sizes, classes and votes an item are those of public crowds of the kind (surveyed by Zheng, Li,
Li, Shan, Cheng 2017, https://doi.org/10.14778/3055540.3055547), large ones cut down; skills are
chosen so that majority is about as right as it usually is there. None was fitted to a set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ._crowds import Regime

__all__ = ["REGIMES", "any_regime", "any_team"]

_MOST_VOTES = 15_000


def any_regime(rng: np.random.Generator) -> Regime:
    """Draw a kind of crowd, over the whole range of what one may meet; half have even classes."""
    n_classes = int(rng.choice([2, 2, 2, 3, 4, 5, 7, 10]))
    shares: npt.NDArray[np.float64] = np.full(n_classes, 1 / n_classes)
    if rng.random() < 0.5:
        shares = np.maximum(rng.dirichlet(np.ones(n_classes)), 0.02)
        shares /= shares.sum()
    votes = float(np.exp(rng.uniform(np.log(2), np.log(40))))
    items = np.exp(rng.uniform(np.log(100), np.log(3000)))
    return Regime(
        items=int(min(items, _MOST_VOTES / votes)),
        people=int(max(votes + 1, np.exp(rng.uniform(np.log(5), np.log(400))))),
        votes=votes,
        shares=tuple(shares.tolist()),
        skill=rng.uniform(1.4, 3.0) + 0.15 * (n_classes - 2),
        spread=rng.uniform(0.4, 1.2),
        spam=rng.uniform(0, 0.3),
        against=0.1 * float(rng.random() < 0.15),
        liking=rng.uniform(0.2, 0.9),
        lean=rng.uniform(0, 0.6),
        hard=rng.uniform(0.2, 0.8),
        alike=rng.uniform(0, 0.5) if n_classes > 2 else 0.0,
        tail=rng.uniform(0.5, 1.8),
        uneven=bool(rng.random() < 0.3),
        batch=int(rng.choice([1, 1, 20])),
    )


def any_team(rng: np.random.Generator) -> Regime:
    """Draw any kind of at most eight people and five classes or more."""
    while True:
        regime = any_regime(rng)
        if regime.people <= 8 and len(regime.shares) >= 5:
            return regime


def _even(n_classes: int) -> tuple[float, ...]:
    return (1 / n_classes,) * n_classes


REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        # Two classes.
        "birds, everybody sees all": Regime(
            108, 39, 39, (0.55, 0.45), skill=1.3, spread=0.9, liking=1.0, hard=0.5
        ),
        "ducks, shared mistakes": Regime(
            240, 50, 40, (0.6, 0.4), skill=2.0, spread=0.8, liking=0.5, hard=1.0
        ),
        "same product? 12 : 88": Regime(
            2500, 176, 3, (0.88, 0.12), skill=3.0, spread=0.8, liking=0.7, hard=0.4, tail=1.8
        ),
        "entity links 20 : 80": Regime(
            1500,
            80,
            8,
            (0.2, 0.8),
            skill=1.9,
            spread=0.5,
            spam=0.05,
            hard=0.8,
            tail=1.7,
            uneven=True,
        ),
        "opinion, 20 votes": Regime(800, 85, 20, _even(2), skill=2.4, hard=0.5),
        "opinion, 5 votes": Regime(2000, 200, 5, _even(2), skill=2.2, hard=0.5, tail=1.8),
        "entailment, batches": Regime(
            800, 160, 10, _even(2), skill=1.8, spread=0.9, liking=0.6, hard=0.4, batch=20
        ),
        "rare 10 : 90": Regime(1000, 60, 5, (0.9, 0.1), skill=2.6, liking=0.5, hard=0.4),
        "rare 5 : 95": Regime(1000, 40, 5, (0.95, 0.05), skill=3.2, liking=0.6, hard=0.5),
        "rare 5 : 95, hard": Regime(1000, 40, 5, (0.95, 0.05), skill=2.5, liking=0.8, hard=0.8),
        "rare 3 : 97, 3 votes": Regime(2000, 100, 3, (0.97, 0.03), skill=4.0, liking=0.5, hard=0.4),
        "three coders": Regime(1000, 3, 3, (0.7, 0.3), skill=2.2, spam=0, liking=0.6, hard=0.6),
        "two coders": Regime(500, 2, 2, _even(2), skill=2.2, spam=0, liking=0.6, hard=0.5),
        "five coders, imbalanced": Regime(
            600, 5, 5, (0.85, 0.15), skill=2.4, spam=0, liking=0.6, hard=0.5
        ),
        "a third against": Regime(500, 50, 7, _even(2), skill=2.5, spam=0.1, against=0.3),
        "two votes": Regime(1000, 80, 2, (0.6, 0.4), skill=1.8, spread=0.9, hard=0.4, tail=1.6),
        "crowd of clickers": Regime(600, 80, 7, _even(2), skill=2.0, spam=0.6, hard=0.3),
        "hard questions": Regime(400, 60, 10, _even(2), skill=1.0, spread=0.6, hard=1.2),
        # Three to five classes.
        "word senses, easy": Regime(
            177, 34, 10, (0.75, 0.2, 0.05), skill=5.0, spread=1.0, hard=0.2
        ),
        "facts 3 classes, 85 %": Regime(
            576, 57, 20, (0.85, 0.1, 0.05), skill=3.2, liking=0.6, hard=0.5
        ),
        "dogs": Regime(800, 110, 10, _even(4), skill=2.6, alike=0.5, hard=0.35),
        "faces, shared mistakes": Regime(
            580, 27, 9, _even(4), skill=2.3, lean=0.8, hard=0.5, alike=0.3
        ),
        "adult, ordinal": Regime(
            1000, 250, 8, (0.6, 0.15, 0.1, 0.15), skill=2.8, alike=0.5, hard=0.5, tail=1.7
        ),
        "relevance, poor": Regime(
            1500,
            400,
            5,
            (0.3, 0.3, 0.25, 0.15),
            skill=1.3,
            spread=1.0,
            spam=0.25,
            alike=0.4,
            hard=0.6,
            tail=1.7,
            uneven=True,
        ),
        "web pages, ordinal": Regime(
            1500,
            170,
            6,
            (0.15, 0.25, 0.25, 0.2, 0.15),
            skill=2.4,
            spread=1.2,
            spam=0.2,
            alike=0.55,
            hard=0.3,
            tail=1.8,
        ),
        "weather, 20 votes": Regime(
            300, 110, 20, (0.25, 0.2, 0.25, 0.2, 0.1), skill=3.0, spread=0.9, alike=0.2, hard=0.6
        ),
        "weather, 6 votes": Regime(
            300,
            460,
            6,
            (0.25, 0.2, 0.25, 0.2, 0.1),
            skill=3.2,
            spread=0.8,
            alike=0.2,
            hard=0.55,
            tail=0.8,
        ),
        # More classes.
        "age, 7 ordinal": Regime(
            700, 165, 10, (0.05, 0.15, 0.25, 0.25, 0.15, 0.1, 0.05), skill=2.8, alike=0.6, hard=0.5
        ),
        "scenes, 2.5 votes": Regime(
            1000, 59, 2.5, _even(8), skill=3.4, spread=0.8, hard=0.4, alike=0.2, uneven=True
        ),
        "music": Regime(
            700,
            44,
            4.2,
            _even(10),
            skill=3.0,
            spread=1.2,
            spam=0.15,
            alike=0.2,
            hard=0.35,
            tail=1.5,
        ),
        "pictures, 10 classes 3 votes": Regime(
            1000, 150, 3, _even(10), skill=4.2, hard=0.35, alike=0.2, tail=1.5
        ),
        "10 classes, few votes a person": Regime(
            300, 150, 5, _even(10), skill=3.2, hard=0.4, tail=0.8
        ),
        "long tail of 10 classes": Regime(
            800,
            60,
            5,
            (0.4, 0.2, 0.12, 0.08, 0.06, 0.05, 0.04, 0.03, 0.01, 0.01),
            skill=3.2,
            hard=0.45,
            liking=0.5,
        ),
        # Small.
        "tiny": Regime(40, 10, 5, (0.6, 0.4), skill=1.8),
        "tiny, 5 classes": Regime(60, 15, 5, _even(5), skill=2.6, hard=0.4),
    }
)
