"""What the looks of an audit are worth to the search for label errors that comes after it.

``python -m benchmarks.quality_looks [--quick] [--seeds 5] [--first 100] [--only NAME]`` prints a
Markdown table. As in the journey: the worst findings are reviewed (those of probability .2 and
more, 5 % of the labels at most), then labels are looked at blind, by even chances or by doubt; what
either found wrong is corrected, and the labels are searched again. Who looks is right 9 times in
10, errs half the time as the label would, and the votes are adjudicated as an audit's. Judged on
all labels that nobody looked at.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score

from labelops.audit import LabelErrorReport, detect_label_errors
from labelops.audit.review_model import Reviews
from labelops.measure.adjudication import PENDING, WRONG, adjudicate
from labelops.measure.weighted import audit_chances, weighted_order

from ._label_sets import label_set
from ._noise_tables import ece
from ._noisy_sets import Array, Case, noisy_sets, with_noise

_NAMES = (
    "digits uniform", "digits hard", "banking77 hard", "MNIST verified", "dog, all other votes",
    *(f"{crowd}, 2 other votes" for crowd in ("dog", "face", "MS", "SP_amt")),
)  # fmt: skip
_LOOKS = 300
_FLAGGED, _MOST = 0.2, 0.05
_RIGHT, _VOTES = 0.9, 7


def _sets() -> Iterator[tuple[str, Callable[[int], Case]]]:
    tickets = label_set("tickets")
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    texts = words.fit_transform(tickets.payloads)
    digits = load_digits(return_X_y=True)
    for rate in (0.03, 0.1):
        yield f"tickets hard {rate:.0%}", with_noise(texts, tickets.truth, "hard", rate)
    yield "digits hard 3%", with_noise(*digits, "hard", 0.03)
    known = dict(noisy_sets())
    yield from ((name, known[name]) for name in _NAMES if name in known)


def _search(case: Case, seed: int, reviews: Reviews | None = None) -> LabelErrorReport:
    return detect_label_errors(
        case.codes, n_classes=case.n_classes, features=case.features, votes=case.votes,
        probs=case.probs, out_of_sample=case.probs is not None, reviews=reviews,
        rng=np.random.default_rng(seed),
    )  # fmt: skip


def _drawn(chance: Array, looks: int, by_doubt: bool, rng: np.random.Generator) -> Array:
    """Draw rows to look at, by even chances or as a weighted audit does."""
    odds = audit_chances(chance if by_doubt else np.ones(len(chance)))
    return weighted_order(rng.random(len(chance)), odds)[:looks]


def _said(case: Case, rows: Array, rng: np.random.Generator) -> Array:
    """Have people look, one vote after the other, until each label is settled."""
    n, K = len(rows), case.n_classes
    # Only whether a vote names the label matters, or the truth: 0 is the label, 1 the rival.
    truth = case.wrong[rows].astype(np.int64)[:, None]
    shape = (n, _VOTES)
    alike = (rng.random(shape) < 0.5) | (K == 2)
    err = np.where(alike, 1 - truth, rng.integers(2, max(K, 3), shape))
    votes = np.where(rng.random(shape) < _RIGHT, truth, err)
    status = np.full(n, PENDING)
    for given in range(1, _VOTES + 1):
        left = np.flatnonzero(status == PENDING)
        some = votes[left, :given]
        items = np.repeat(np.arange(len(left)), given)
        status[left] = adjudicate(
            np.zeros(len(left), np.int64), items, some.ravel(), K, max_votes=_VOTES
        ).status
    return status == WRONG


def _measured(case: Case, seed: int, first: LabelErrorReport, by_doubt: bool) -> list[float]:
    """AP, ECE and errors counted on the rest: without looks and with; then the true number."""
    rng = np.random.default_rng([seed, by_doubt])
    known = first.ranking
    looks = min(_LOOKS, len(known) // 2)
    size = min(int(first.flagged.sum()), int(np.ceil(_MOST * len(known))))
    found = known[:size]
    drawn = known[_drawn(first.probability[known], looks, by_doubt, rng)]
    # What was reviewed is looked at again where the draw hits it; it has one verdict, the look's.
    reviewed = np.setdiff1d(found, drawn)
    rows = np.concatenate([drawn, reviewed])
    wrong = _said(case, rows, rng)
    verdicts = Reviews(rows, wrong, case.codes[rows], (np.arange(len(rows)) < looks) & ~by_doubt)
    alone = Reviews(reviewed, wrong[looks:], case.codes[reviewed])
    best = first.probs[rows].copy()
    best[np.arange(len(rows)), case.codes[rows]] = -1
    codes = case.codes.copy()
    codes[rows[wrong]] = best.argmax(axis=1)[wrong]
    mended = replace(case, codes=codes)
    rest = np.setdiff1d(known, rows)
    truth, cells = case.wrong[rest], []
    for reviews in (alone, verdicts):
        chance = _search(mended, seed, reviews).probability[rest]
        ap = average_precision_score(truth, chance) if truth.any() else np.nan
        cells += [float(ap), ece(chance, truth), float(chance.sum())]
    return [*cells, float(truth.sum())]


def _line(name: str, draw: str, rows: list[list[float]]) -> str:
    table = np.array(rows)
    mean = np.nanmean(table, axis=0)
    spread = [np.nanstd(table[:, k + 3] - table[:, k]) / np.sqrt(len(rows)) for k in range(3)]
    off = np.abs(table[:, [2, 5]] - table[:, [6]]).mean(axis=0)
    gain = np.abs(table[:, 5] - table[:, 6]) - np.abs(table[:, 2] - table[:, 6])
    cells = [
        f"{mean[0]:.3f} → {mean[3]:.3f} ({mean[3] - mean[0]:+.3f} ± {spread[0]:.3f})",
        f"{mean[1]:.4f} → {mean[4]:.4f} ({mean[4] - mean[1]:+.4f} ± {spread[1]:.4f})",
        f"{mean[2]:.1f} → {mean[5]:.1f} of {mean[6]:.1f}",
        f"{off[0]:.1f} → {off[1]:.1f} ({gain.mean():+.1f} ± {gain.std() / np.sqrt(len(rows)):.1f})",
    ]
    return f"| {name} | {draw} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--quick", action="store_true", help="two seeds")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--first", type=int, default=100, help="the first seed")
    options.add_argument("--only", default="", help="only sets whose name begins so")
    asked = options.parse_args()
    warnings.simplefilter("ignore")
    seeds = range(asked.first, asked.first + (2 if asked.quick else asked.seeds))
    print(f"{_LOOKS} looks, seeds {seeds[0]} to {seeds[-1]}; ± is one standard error\n")
    print("| set | looks | AP | ECE | errors said | off by |\n|---|---|---|---|---|---|")
    for name, make in _sets():
        if not name.startswith(asked.only):
            continue
        found = [(make(seed), seed) for seed in seeds]
        first = [_search(*of) for of in found]
        for draw in ("even", "by doubt"):
            rows = [
                _measured(*of, one, draw == "by doubt")
                for of, one in zip(found, first, strict=True)
            ]
            print(_line(name, draw, rows), flush=True)


if __name__ == "__main__":
    main()
