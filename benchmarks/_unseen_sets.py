"""Label sets of kinds the detector was not developed beside: few items, few errors, poor evidence.

Each name says what is hard about it. Items, intents and draws are others than those of
`_noisy_sets`, but for digits and the crowds, of which only the draws are new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB

from ._crowds import Regime, draw
from ._label_sets import data_folder, measured_skills
from ._noisy_sets import Array, Case, crowd_case, verified_mnist, with_noise

__all__ = ["unseen_sets"]

_Make = Callable[[int], Case]

_COPIES = 5
"""Near-copies that an item has at most."""


def _intents(part: str, which: range, items: int) -> tuple[list[str], Array]:
    """Draw bank customers' questions of some intents, the same each time."""
    frame = pd.read_csv(data_folder() / "banking77" / f"{part}.csv")
    frame = frame.assign(code=pd.factorize(frame["category"], sort=True)[0])
    some = frame[frame["code"].isin(which)].sample(frac=1, random_state=0)[:items]
    return some["text"].tolist(), pd.factorize(some["code"], sort=True)[0]


def _words(texts: list[str]) -> Any:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(texts)


def _bayes(make: _Make, folds: int = 5) -> _Make:
    """Give naive Bayes's out-of-fold probabilities, which are far too sure, and nothing else."""

    def made(seed: int) -> Case:
        case = make(seed)
        X, codes = case.features, case.codes
        probs = np.zeros((len(codes), case.n_classes))
        there = np.unique(codes)
        model = GaussianNB(var_smoothing=1e-3)
        probs[:, there] = cross_val_predict(model, X, codes, cv=folds, method="predict_proba")
        return replace(case, features=None, probs=probs / probs.sum(axis=1, keepdims=True))

    return made


def _network(kind: str, rate: float, power: float, items: int = 600) -> _Make:
    """Draw from MNIST's test set with the probabilities of its network raised to a power."""
    whole = verified_mnist()
    assert whole.probs is not None
    sound = np.flatnonzero(~whole.wrong)
    probs = np.maximum(whole.probs[sound], 1e-12) ** power
    probs /= probs.sum(axis=1, keepdims=True)
    make = with_noise(whole.probs[sound], whole.codes[sound], kind, rate, items, numbered=True)

    def made(seed: int) -> Case:
        case = make(seed)
        return replace(case, features=None, probs=probs[case.features.ravel()])

    return made


def _near_copies(texts: list[str], truth: Array, kind: str, rate: float, alike: bool) -> _Make:
    """Give each text up to five copies that lack a word; `alike`: one label each, and groups."""
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(len(texts)), rng.integers(1, _COPIES + 1, len(texts)))
    rows = _words([_without_a_word(texts[i], rng) for i in of])
    if not alike:
        return with_noise(rows, truth[of], kind, rate)
    single = with_noise(_words(texts), truth, kind, rate)

    def made(seed: int) -> Case:
        one = single(seed)
        return Case(one.codes[of], one.wrong[of], one.n_classes, rows, groups=of)

    return made


def _without_a_word(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    if len(words) > 3:
        del words[int(rng.integers(len(words)))]
    return " ".join(words)


def _with_team(features: Array, truth: Array, votes: int, people: int = 12) -> _Make:
    """Let workers as able as RTE's label two classes; each item's first vote is its label."""
    skills = measured_skills()

    def made(seed: int) -> Case:
        rng = np.random.default_rng(seed)
        team = skills[rng.choice(len(skills), people, replace=False)]
        who = rng.random((len(truth), people)).argsort(axis=1)[:, :votes]
        right = rng.random(who.shape) < team[who, truth[:, None]]
        said = np.where(right, truth[:, None], 1 - truth[:, None])
        item = np.repeat(np.arange(len(truth)), votes)
        return Case(
            said[:, 0], said[:, 0] != truth, 2, features, votes=(item, who.ravel(), said.ravel())
        )

    return made


def _made_up(votes: int, shares: tuple[float, float], items: int = 500) -> _Make:
    """Draw a crowd of two classes, and one of each item's votes as its label."""
    regime = Regime(items, 25, votes, shares, skill=2.0, hard=0.5)

    def made(seed: int) -> Case:
        rng = np.random.default_rng(seed)
        drawn = draw(regime, rng)
        item, who, said = drawn.votes.items, drawn.votes.annotators, drawn.votes.codes
        first = rng.permutation(len(item))
        codes = np.empty(items, dtype=np.int64)
        codes[item[first]] = said[first]
        return Case(codes, codes != drawn.truth, 2, votes=(item, who, said))

    return made


def unseen_sets() -> Iterator[tuple[str, _Make]]:
    """Yield each set's name, and what makes it from a seed."""
    digits, cancer, wine = (
        f(return_X_y=True) for f in (load_digits, load_breast_cancer, load_wine)
    )
    yield "569 tumours, uniform 1 %", with_noise(*cancer, "uniform", 0.01)
    yield "569 tumours, hard 3 %", with_noise(*cancer, "hard", 0.03)
    yield "300 tumours 9 : 1, pairs 3 %", with_noise(*cancer, "pairs", 0.03, 300, skew=True)
    yield "178 wines, uniform 3 %", with_noise(*wine, "uniform", 0.03)
    yield "600 digits, uniform .3 %", with_noise(*digits, "uniform", 0.003, 600)
    yield "300 digits, pairs 3 %", with_noise(*digits, "pairs", 0.03, 300)
    yield "300 digits, hard 3 %", with_noise(*digits, "hard", 0.03, 300)
    yield (
        "naive Bayes alone, 569 tumours, uniform 3 %",
        _bayes(with_noise(*cancer, "uniform", 0.03)),
    )
    yield "naive Bayes alone, 400 digits, hard 3 %", _bayes(with_noise(*digits, "hard", 0.03, 400))
    for votes in (2, 3):
        yield f"569 tumours, {votes} votes", _with_team(*cancer, votes)
        yield f"made-up crowd, 2 classes, {votes} votes", _made_up(votes, (0.5, 0.5))
        yield f"made-up crowd 9 : 1, {votes} votes", _made_up(votes, (0.9, 0.1))
    if not data_folder().is_dir():
        return
    every = _intents("test", range(77), 1_000)
    rows = _words(every[0]), every[1]
    yield "77 intents, 1,000 texts, uniform 3 %", with_noise(*rows, "uniform", 0.03)
    yield "77 intents, 1,000 texts, pairs 3 %", with_noise(*rows, "pairs", 0.03)
    yield "77 intents, 1,000 texts, hard 1 %", with_noise(*rows, "hard", 0.01)
    some = _intents("train", range(20, 40), 2_000)
    rows = _words(some[0]), some[1]
    yield "20 intents, 400 texts, uniform 1 %", with_noise(*rows, "uniform", 0.01, 400)
    yield "20 intents, 400 texts, hard 3 %", with_noise(*rows, "hard", 0.03, 400)
    some = _intents("train", range(40, 60), 2_000)
    rows = _words(some[0]), some[1]
    yield (
        "20 uneven intents, 600 texts, uniform 3 %",
        with_noise(*rows, "uniform", 0.03, 600, skew=True),
    )
    yield "20 uneven intents, 600 texts, hard 3 %", with_noise(*rows, "hard", 0.03, 600, skew=True)
    some = _intents("train", range(60, 77), 200)
    yield (
        "near-copies, each label by itself, uniform 3 %",
        _near_copies(*some, "uniform", 0.03, False),
    )
    yield "near-copies, grouped, one label, hard 5 %", _near_copies(*some, "hard", 0.05, True)
    yield "too sure network, uniform 1 %", _network("uniform", 0.01, 4.0)
    yield "too sure network, hard 3 %", _network("hard", 0.03, 4.0)
    yield "too unsure network, uniform .3 %", _network("uniform", 0.003, 0.3)
    for name in ("RTE", "SP_amt"):
        yield f"{name}, 2 votes", crowd_case(name, 1)
    yield (
        "RTE without texts, 3 votes",
        lambda seed: replace(crowd_case("RTE", 2)(seed), features=None),
    )
