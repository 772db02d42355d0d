"""A year of daily runs, many times: false certificates, and days until an event is found.

python -m benchmarks.year [--years 400] [--quick]

Every day brings new items and ten blind looks at random ones. Three things happen: a new model on
day 120, another mix of classes on day 182, and one of eight annotators turns bad on day 240. What
judges are the core's own functions (`log_e_value`, `rise_evidence`, `hypothesis_risk`,
`find_drift`); beside them are the rules that a script would use.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc
from scipy.stats import chi2

from labelops.audit.drift import class_indicators, find_drift
from labelops.measure.changes import rise_evidence
from labelops.measure.eprocess import hypothesis_risk, log_e_value, log_e_value_above
from labelops.measure.intervals import clopper_pearson

__all__ = ["World", "days_of_certificates", "days_of_closing", "main", "weeks_of_drift"]

DAYS, WEEKS, LOOKS = 365, 52, 10
ERROR, RISK = 0.05, 0.05
UPDATE, SHIFT, BAD = 120, 182, 240
MODELS = 5
"""Models tried in a year of the first table, one every 73 days."""

ANNOTATORS, JUDGED = 8, 10
"""People, and votes a week of each that gold or others judge."""

BEFORE = np.array([0.40, 0.35, 0.20, 0.05])
AFTER = np.array([0.15, 0.20, 0.20, 0.45])
SLIGHT = np.array([0.35, 0.35, 0.20, 0.10])
WRONG = np.array([0.005, 0.01, 0.01, 0.20])
"""Classes' shares before and after the event (or a slight one), and the model's errors in each."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NEVER = -1


@dataclass(frozen=True)
class World:
    """What random looks show in each year: classes and errors, (years, days, looks).

    Parameters
    ----------
    classes : int array
    wrong : bool array
        Whether the model's accepted label is wrong.
    right : (years, annotators, weeks, votes) bool array
        Whether a judged vote of an annotator is right.
    """

    classes: Ints
    wrong: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]

    @classmethod
    def drawn(
        cls, years: int, rng: np.random.Generator, *, eventful: bool, after: Floats = AFTER
    ) -> World:
        """Draw years with the three events or without any."""
        shares = np.tile(BEFORE, (DAYS, 1))
        better, skill = np.ones(DAYS), np.full((ANNOTATORS, WEEKS), 0.93)
        if eventful:
            shares[SHIFT:] = after
            better[UPDATE:SHIFT] = 0.7
            skill[0, BAD // 7 :] = 0.6
        draws = rng.random((years, DAYS, LOOKS))
        classes = (draws[..., None] >= shares.cumsum(axis=1)[:, None, :]).sum(axis=-1)
        classes = np.minimum(classes, len(BEFORE) - 1)
        wrong = rng.random(classes.shape) < WRONG[classes] * better[:, None]
        right = rng.random((years, ANNOTATORS, WEEKS, JUDGED)) < skill[..., None]
        return cls(classes, wrong, right)


def _first(reached: npt.NDArray[np.bool_]) -> Ints:
    """Return the first place that is true in each row; NEVER where none is."""
    return np.where(reached.any(axis=1), reached.argmax(axis=1), NEVER)


def _counts(wrong: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return errors and looks up to each day, (years, days)."""
    errors = wrong.sum(axis=2).cumsum(axis=1)
    looks = np.broadcast_to(np.arange(1, wrong.shape[1] + 1) * wrong.shape[2], errors.shape)
    return errors, looks


def days_of_certificates(wrong: npt.NDArray[np.bool_], risk: float) -> Ints:
    """Return the day on which "at most 5 % wrong" is certified in each year, read every day."""
    errors, looks = _counts(wrong)
    return _first(log_e_value(errors, looks, ERROR) >= np.log(1 / risk))


def days_of_naive_certificates(wrong: npt.NDArray[np.bool_], risk: float) -> Ints:
    """Return the same by one fixed test that is read again every day."""
    errors, looks = _counts(wrong)
    return _first(bdtr(errors, looks, ERROR) <= risk)


def days_of_closing(wrong: npt.NDArray[np.bool_], start: int, risk: float) -> Ints:
    """Return the day on which looks since `start` prove that more than 5 % is or became wrong."""
    since = wrong[:, start:]
    days = np.repeat(np.arange(since.shape[1]), since.shape[2])
    evidence = np.stack([rise_evidence(year.ravel(), days, ERROR) for year in since])
    found = _first(evidence >= np.log(1 / risk))
    return np.where(found == NEVER, NEVER, start + found // since.shape[2])


def days_of_closing_from_start(wrong: npt.NDArray[np.bool_], start: int, risk: float) -> Ints:
    """Return the same by all looks since `start` together, in which good ones weigh as bad."""
    errors, looks = _counts(wrong[:, start:])
    found = _first(log_e_value_above(errors, looks, ERROR) >= np.log(1 / risk))
    return np.where(found == NEVER, NEVER, start + found)


def days_of_naive_closing(wrong: npt.NDArray[np.bool_], start: int, risk: float) -> Ints:
    """Return the day of the first month whose errors are too many by a test of its own."""
    errors = wrong[:, start:].sum(axis=2)
    months = errors.shape[1] // 30
    by_month = errors[:, : months * 30].reshape(len(errors), months, 30).sum(axis=2)
    n = 30 * wrong.shape[2]
    found = _first(bdtrc(by_month - 1, n, ERROR) <= risk)
    return np.where(found == NEVER, NEVER, start + 30 * (found + 1) - 1)


def weeks_of_drift(classes: Ints, seed: int) -> Ints:
    """Return the week in which `find_drift` gives its alarm, each year by itself; 0 is reference.

    The first four weeks are the reference.
    """
    names = tuple("abcd")
    weeks = np.maximum(np.arange(DAYS) // 7 - 3, 0).clip(max=WEEKS - 4)
    found = []
    for n, year in enumerate(classes):
        run = np.repeat(weeks, year.shape[1])
        drift = find_drift(
            class_indicators(year.ravel(), names), run, rng=np.random.default_rng([seed, n]),
            risk=RISK,
        )  # fmt: skip
        found.append(NEVER if drift.alarm is None else drift.alarm + 3)
    return np.array(found)


def weeks_of_naive_drift(classes: Ints) -> Ints:
    """Return the first week whose χ² against the first four weeks is beyond 5 %."""
    K, per = len(BEFORE), 7 * classes.shape[2]
    whole = classes[:, : WEEKS * 7].reshape(len(classes), WEEKS, per)
    counts = np.stack([(whole == k).sum(axis=2) for k in range(K)], axis=2).astype(float)
    reference = counts[:, :4].sum(axis=1, keepdims=True) + 0.5
    later = counts[:, 4:] + 0.5
    both = reference + later
    rest = (both.sum(axis=2, keepdims=True)) ** -1.0
    statistic = sum(
        ((part - both * part.sum(axis=2, keepdims=True) * rest) ** 2
         / (both * part.sum(axis=2, keepdims=True) * rest)).sum(axis=2)
        for part in (reference, later)
    )  # fmt: skip
    found = _first(statistic >= chi2.ppf(0.95, K - 1))
    return np.where(found == NEVER, NEVER, found + 4)


def weeks_of_bad(right: npt.NDArray[np.bool_], seed: int) -> tuple[Ints, Ints]:
    """Return the week in which annotator 0, and anybody else, is found to have changed.

    Eight people are watched, so each must show eight times the evidence (e-BH's first step).
    """
    runs = np.repeat(np.maximum(np.arange(WEEKS) - 3, 0), right.shape[3])
    found = np.full(right.shape[:2], NEVER)
    for year in range(len(right)):
        for a in range(right.shape[1]):
            rng = np.random.default_rng([seed, year, a])
            values = right[year, a].ravel().astype(float)
            evidence = find_drift({"right": values}, runs, rng=rng).e_values
            reached = np.flatnonzero(evidence >= right.shape[1] / RISK)
            found[year, a] = reached[0] + 3 if reached.size else NEVER
    others = np.where(found[:, 1:] == NEVER, 10**6, found[:, 1:]).min(axis=1)
    return found[:, 0], np.where(others == 10**6, NEVER, others)


def weeks_of_naive_bad(right: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the same by a test at 5 % of each week's votes against the usual 93 %."""
    errors = (~right).sum(axis=3)
    bad = bdtrc(errors - 1, right.shape[3], 0.07) <= RISK
    return _first(bad[:, 0]), _first(bad[:, 1:].any(axis=1))


# --- the tables -------------------------------------------------------------------------


def false_certificates(years: int, rng: np.random.Generator) -> list[str]:
    """Try five models a year, each wrong on 1.05 × the bound: any certificate is false."""
    length = DAYS // MODELS
    wrong = rng.random((MODELS, years, length, LOOKS)) < 1.05 * ERROR
    lines = [
        "| model | allowed | false certificates | 95 % interval | one test read daily |",
        "|---|---:|---:|---:|---:|",
    ]
    any_ours, any_naive = np.zeros(years, dtype=bool), np.zeros(years, dtype=bool)
    for j in range(1, MODELS + 1):
        risk = hypothesis_risk(j, RISK)
        ours = days_of_certificates(wrong[j - 1], risk) != NEVER
        naive = days_of_naive_certificates(wrong[j - 1], RISK) != NEVER
        any_ours |= ours
        any_naive |= naive
        lines.append(_rate(str(j), risk, ours, naive))
    return [*lines, _rate("any, a year", RISK, any_ours, any_naive)]


def _rate(
    name: str, allowed: float, ours: npt.NDArray[np.bool_], naive: npt.NDArray[np.bool_]
) -> str:
    between = clopper_pearson(int(ours.sum()), len(ours), 0.95)
    return (
        f"| {name} | {allowed:.2%} | {ours.mean():.2%} | {between.low:.2%} to {between.high:.2%} "
        f"| {naive.mean():.1%} |"
    )


def _detected(name: str, days: Ints, event: int) -> str:
    """Describe the alarms from the event on; those before it are false ones."""
    false = (days != NEVER) & (days < event)
    found = days[days >= event] - event
    share = len(found) / max((~false).sum(), 1)
    quantiles = [f"{np.quantile(found, q):.0f}" if len(found) else "–" for q in (0.5, 0.9)]
    return f"| {name} | {share:.1%} | {quantiles[0]} | {quantiles[1]} | {false.mean():.1%} |"


def events(years: int, rng: np.random.Generator, drift_years: int) -> list[str]:
    """Measure how soon each event is found, and how often it is seen where nothing was."""
    world = World.drawn(years, rng, eventful=True)
    slight = World.drawn(drift_years, rng, eventful=True, after=SLIGHT)
    lines = [
        "| event, and what finds it | found | median days | 90 % of them | alarm before it |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, certify in (("", days_of_certificates), (" (one test)", days_of_naive_certificates)):
        risks = [hypothesis_risk(j, RISK) if not name else RISK for j in (1, 2)]
        first = certify(world.wrong[:, :SHIFT], risks[0])
        second = certify(world.wrong[:, UPDATE:SHIFT], risks[1])
        lines.append(_detected(f"first model: certified{name}", first, 0))
        lines.append(_detected(f"new model: certified{name}", second, 0))
    closing: tuple[tuple[str, Callable[..., Ints]], ...] = (
        ("shift: acceptance closed by random looks", days_of_closing),
        ("… by all looks together", days_of_closing_from_start),
        ("… by a test a month", days_of_naive_closing),
    )
    for name, close in closing:
        lines.append(_detected(name, close(world.wrong, 60, RISK), SHIFT))
    for name, seen in (("40 points", world.classes[:drift_years]), ("5 points", slight.classes)):
        ours, naive = weeks_of_drift(seen, 1), weeks_of_naive_drift(seen)
        lines.append(_detected(f"shift of {name}: drift alarm", _as_days(ours), SHIFT))
        lines.append(_detected("… by χ² a week", _as_days(naive), SHIFT))
    some = world.right[:drift_years]
    for name, (bad, _) in (
        ("annotator turns bad: evidence", weeks_of_bad(some, 2)),
        ("… by a test a week", weeks_of_naive_bad(some)),
    ):
        lines.append(_detected(name, _as_days(bad), BAD))
    return lines


def _as_days(weeks: Ints) -> Ints:
    """Return the last day of each week, when its run is read."""
    return np.where(weeks == NEVER, NEVER, 7 * weeks + 6)


def false_alarms(years: int, rng: np.random.Generator, drift_years: int) -> list[str]:
    """Count years without any event in which there is an alarm all the same."""
    calm = World.drawn(years, rng, eventful=False)
    classes, right = calm.classes[:drift_years], calm.right[:drift_years]
    people = [np.stack(found) for found in (weeks_of_bad(right, 3), weeks_of_naive_bad(right))]
    at_bound = rng.random(calm.wrong.shape) < ERROR
    pairs = {
        "acceptance closed, 5 % wrong": (
            days_of_closing(at_bound, 60, RISK), days_of_naive_closing(at_bound, 60, RISK),
        ),
        "drift": (weeks_of_drift(classes, 4), weeks_of_naive_drift(classes)),
        "any of eight annotators": (people[0].max(axis=0), people[1].max(axis=0)),
    }  # fmt: skip
    lines = [
        "| alarm in a year without events | allowed | share of years | 95 % interval | naive |",
        "|---|---:|---:|---:|---:|",
    ]
    return lines + [
        _rate(name, RISK, ours != NEVER, naive != NEVER) for name, (ours, naive) in pairs.items()
    ]


def main() -> None:
    """Print the three tables."""
    options = argparse.ArgumentParser(description="A year of daily runs, many times.")
    options.add_argument("--years", type=int, default=2000, help="simulated years")
    options.add_argument("--drift-years", type=int, default=200, help="of them for drift")
    options.add_argument("--quick", action="store_true", help="twenty years")
    asked = options.parse_args()
    years, drift_years = (20, 4) if asked.quick else (asked.years, asked.drift_years)
    rng, began = np.random.default_rng(20261126), time.process_time()
    print(f"{years:,} years, {min(years, drift_years):,} of them for drift and people\n")
    for lines in (
        false_certificates(years, rng),
        events(years, rng, drift_years),
        false_alarms(years, rng, drift_years),
    ):
        print("\n".join(lines) + "\n", flush=True)
    print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
