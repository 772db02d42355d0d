"""What is timed of consensus and agreement: each of ours beside its peer, on the same votes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._many_votes import ANNOTATORS, CLASSES, PER_ITEM
from labelops.consolidate.crowdlab import crowdlab
from labelops.consolidate.dawid_skene import dawid_skene
from labelops.consolidate.majority import majority
from labelops.measure.agreement import krippendorff_alpha, measure_agreement
from labelops.measure.votes import compact

STEPS = 10


Case = Callable[[Path], Callable[[], Any]]


def make(items: int, place: Path) -> None:
    """Write five votes on each item by different ones of 200 annotators, and a model's word."""
    rng = np.random.default_rng(items)
    truth = rng.integers(0, CLASSES, items)
    item = np.repeat(np.arange(items, dtype=np.int32), PER_ITEM)
    first = np.repeat(rng.integers(0, ANNOTATORS, items), PER_ITEM)
    who = ((first + 37 * np.tile(np.arange(PER_ITEM), items)) % ANNOTATORS).astype(np.int16)
    accuracy = rng.beta(6, 3, ANNOTATORS)
    right = rng.random(item.size) < accuracy[who]
    code = np.where(right, truth[item], rng.integers(0, CLASSES, item.size)).astype(np.int8)
    probs = rng.dirichlet(np.full(CLASSES, 0.5), items)
    probs[np.arange(items), truth] += 0.5
    probs /= probs.sum(axis=1, keepdims=True)
    for name, array in (("item", item), ("who", who), ("code", code), ("probs", probs)):
        np.save(place / f"{name}.npy", array)


def _votes(place: Path) -> tuple[Any, Any, Any]:
    return tuple(np.load(place / f"{name}.npy") for name in ("item", "who", "code"))  # type: ignore[return-value]


def _size(place: Path) -> dict[str, int]:
    n_items = len(np.load(place / "probs.npy", mmap_mode="r"))
    return {"n_items": n_items, "n_annotators": ANNOTATORS, "n_classes": CLASSES}


def _frame(place: Path, *, strings: bool) -> pd.DataFrame:
    columns = zip(("task", "worker", "label"), "twl", _votes(place), strict=True)
    return pd.DataFrame(
        {n: np.char.add(p, v.astype(str)).astype(object) if strings else v for n, p, v in columns}
    )


def _coded(frame: pd.DataFrame) -> tuple[list[Any], dict[str, int]]:
    found = [compact(frame[name].to_numpy()) for name in ("task", "worker", "label")]
    sizes = dict(zip(("n_items", "n_annotators", "n_classes"), (n for _, n in found), strict=True))
    return [codes for codes, _ in found], sizes


def majority_theirs(place: Path, *, strings: bool = False) -> Callable[[], Any]:
    from crowdkit.aggregation import MajorityVote

    frame = _frame(place, strings=strings)
    return lambda: MajorityVote().fit(frame).probas_.to_numpy()


def majority_theirs_strings(place: Path) -> Callable[[], Any]:
    return majority_theirs(place, strings=True)


def majority_ours(place: Path) -> Callable[[], Any]:
    votes, size = _votes(place), _size(place)
    return lambda: majority(*votes, **size).shares


def majority_ours_frame(place: Path, *, strings: bool = False) -> Callable[[], Any]:
    frame = _frame(place, strings=strings)

    def run() -> Any:
        codes, size = _coded(frame)
        return majority(*codes, **size).shares

    return run


def majority_ours_strings(place: Path) -> Callable[[], Any]:
    return majority_ours_frame(place, strings=True)


def dawid_skene_theirs(place: Path) -> Callable[[], Any]:
    from crowdkit.aggregation import DawidSkene

    frame = _frame(place, strings=False)
    return lambda: (
        DawidSkene(n_iter=STEPS, tol=-np.inf)
        .fit(frame)
        .probas_.sort_index()
        .sort_index(axis=1)
        .to_numpy()
    )


_LIKE_THEIRS: dict[str, Any] = {
    "max_iterations": STEPS,
    "tolerance": -np.inf,
    "compat": "crowd-kit",
}


def dawid_skene_ours(place: Path) -> Callable[[], Any]:
    votes, size = _votes(place), _size(place)
    return lambda: dawid_skene(*votes, **size, **_LIKE_THEIRS).posterior


def dawid_skene_ours_frame(place: Path) -> Callable[[], Any]:
    frame = _frame(place, strings=False)

    def run() -> Any:
        codes, size = _coded(frame)
        return dawid_skene(*codes, **size, **_LIKE_THEIRS).posterior

    return run


def _wide(place: Path) -> Any:
    item, who, code = _votes(place)
    wide = np.full((item.max() + 1, ANNOTATORS), np.nan)
    wide[item, who] = code
    return wide


def crowdlab_theirs(place: Path) -> Callable[[], Any]:
    from cleanlab.multiannotator import get_label_quality_multiannotator

    wide, probs = _wide(place), np.load(place / "probs.npy")

    def run() -> Any:
        found = get_label_quality_multiannotator(wide, probs, verbose=False)
        return found["label_quality"]["consensus_quality_score"].to_numpy()

    return run


def crowdlab_ours(place: Path) -> Callable[[], Any]:
    votes, probs = _votes(place), np.load(place / "probs.npy")
    return lambda: crowdlab(*votes, probs, n_annotators=ANNOTATORS).quality


def alpha_theirs(place: Path) -> Callable[[], Any]:
    """Nominal α from the matrix of annotators × items, as the usual package has it."""
    wide = _wide(place).T

    def run() -> Any:
        domain = np.unique(wide[~np.isnan(wide)])
        counts = (wide.T[..., None] == domain).sum(axis=1)
        pairs = counts[:, :, None] * counts[:, None, :] - counts[:, None, :] * np.eye(domain.size)
        seen = (pairs / (np.maximum(counts.sum(axis=1), 2) - 1)[:, None, None]).sum(axis=0)
        margin = seen.sum(axis=0)
        chance = (np.outer(margin, margin) - np.diag(margin)) / (margin.sum() - 1)
        apart = 1 - np.eye(domain.size)
        return np.array([1 - (seen * apart).sum() / (chance * apart).sum()])

    return run


def alpha_ours(place: Path, *, resamples: int = 0) -> Callable[[], Any]:
    votes, rng = _votes(place), np.random.default_rng(0)

    def run() -> Any:
        return np.array([krippendorff_alpha(*votes, CLASSES, rng=rng, resamples=resamples).alpha])

    return run


def alpha_ours_interval(place: Path) -> Callable[[], Any]:
    return alpha_ours(place, resamples=1000)


def agreement_ours(place: Path) -> Callable[[], Any]:
    votes, rng = _votes(place), np.random.default_rng(0)

    def run() -> Any:
        found = measure_agreement(*votes, CLASSES, rng=rng, resamples=1000)
        return np.array([found.alpha.value])

    return run


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        majority_theirs, majority_theirs_strings, majority_ours, majority_ours_frame,
        majority_ours_strings, dawid_skene_theirs, dawid_skene_ours, dawid_skene_ours_frame,
        crowdlab_theirs, crowdlab_ours, alpha_theirs, alpha_ours, alpha_ours_interval,
        agreement_ours,
    )
}  # fmt: skip


TABLES = (
    ("Majority (shares, labels, accuracies)", "crowd-kit, frame of integers", "majority_theirs",
     {"integer codes": "majority_ours", "frame of integers": "majority_ours_frame"}, 10_000_000),
    ("Majority from strings", "crowd-kit, frame of strings", "majority_theirs_strings",
     {"frame of strings": "majority_ours_strings"}, 100_000),
    (f"Dawid–Skene, {STEPS} EM steps", "crowd-kit, frame of integers", "dawid_skene_theirs",
     {"integer codes": "dawid_skene_ours", "frame of integers": "dawid_skene_ours_frame"},
     10_000_000),
    ("CROWDLAB", "cleanlab, matrix", "crowdlab_theirs", {"integer codes": "crowdlab_ours"},
     100_000),
    ("Krippendorff's α, nominal", "dense matrix, no interval", "alpha_theirs",
     {"integer codes, no interval": "alpha_ours",
      "integer codes, 1000 resamples": "alpha_ours_interval",
      "four coefficients, 1000 resamples": "agreement_ours"}, 100_000),
)  # fmt: skip
