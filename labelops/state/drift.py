"""Has what comes in changed? The watch over the random stream, one event a run.

The stream is the random calibration sample: drawn before anybody knew a label, never trained
on, never chosen by a model. Each run's evidence is stored when it is seen and never computed
anew, so a later labeler or a corrected label changes no bet that was made. An alarm ends a
watch, and the next one begins with what comes after it: the run that gave the alarm is unusual for
having given it, and would make what is usual look changed. The watches share the risk as attempts
to accept do: the j-th has 6δ/(π²j²) of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..audit.drift import Drift, accumulate, class_indicators, run_places
from ..digest import seed_of
from ..measure.eprocess import hypothesis_risk
from . import State
from .votes import majority_codes

__all__ = ["Alarm", "DriftWatch", "arrivals", "drift_watch", "next_drift_look", "stream_items"]

_ELSEWHERE = "from another source"
_CONFIDENCE = "the model's confidence"

Look = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Alarm:
    """The stream changed: what was accepted before then has to be certified anew.

    Parameters
    ----------
    number : int
        Counted from 1.
    run : int
        The look at the stream that gave it, from 0.
    at : timestamp
    reason : str
        In words.
    good_until : str
        Arrival, as ISO 8601, up to which there was no evidence of a change.
    until : str
        Arrival, as ISO 8601, of the last items that the alarm was given for.
    """

    number: int
    run: int
    at: pd.Timestamp
    reason: str
    good_until: str
    until: str


@dataclass(frozen=True, slots=True)
class DriftWatch:
    """Where the watch over the random stream stands.

    Parameters
    ----------
    looks, items : int
        Runs that were looked at, and items of the stream in them.
    e_value, wanted : float
        Evidence of a change since the reference, and from how much on it is an alarm.
    families : mapping of str to float
        The evidence of each family of statistics: labels, scores, sources.
    risk : float
        Probability that an unchanged stream ever gives an alarm, at most.
    alarms : tuple of Alarm
        All there ever were.
    """

    looks: int
    items: int
    e_value: float
    wanted: float
    families: Mapping[str, float]
    risk: float
    alarms: tuple[Alarm, ...]


def drift_watch(state: State) -> DriftWatch:
    """Return where the watch stands, from what was stored."""
    risk = state.workspace.policies.audit.drift
    looks = _looks(state)
    alarms: list[Alarm] = []
    for run, (at, look) in enumerate(looks):
        if look["alarm"]:
            begun = alarms[-1].run + 1 if alarms else 0
            good, until = _good_until([look for _, look in looks[begun:run]]), str(look["until"])
            alarms.append(Alarm(len(alarms) + 1, run, at, str(look["alarm"]), good, until))
    now: Look = {"e_value": 1.0, "families": {}}
    if looks and not looks[-1][1]["alarm"]:
        now = looks[-1][1]
    return DriftWatch(
        looks=len(looks),
        items=sum(int(look["items"]) for _, look in looks),
        e_value=float(now["e_value"]),
        wanted=1 / hypothesis_risk(len(alarms) + 1, risk) if risk else float("inf"),
        families=now["families"],
        risk=risk,
        alarms=tuple(alarms),
    )


def _good_until(watch: list[Look]) -> str:
    """Return when the last look ended that saw no evidence of a change.

    The first look of a watch is its reference, and no evidence of anything.
    """
    clean = [watch[0], *(look for look in watch[1:] if float(look["e_value"]) <= 1.0)]
    return str(clean[-1]["until"])


def arrivals(state: State) -> pd.Series:
    """Return the run with which each item arrived that has been looked at, by item id."""
    looks = [look for _, look in _looks(state)]
    since = pd.DatetimeIndex([pd.Timestamp(look["until"]) for look in looks], tz="UTC")
    run = since.searchsorted(pd.DatetimeIndex(state.arrived), side="left")
    found = pd.Series(run, index=state.arrived.index, dtype=np.int64)
    return found.loc[found < len(looks)]


def stream_items(state: State) -> pd.DataFrame:
    """Return the items of the stream so far, with the `run` that brought each, in order."""
    looks = [look for _, look in _looks(state)]
    rows = state.items[["item_id", "source"]]
    run = arrivals(state).reindex(rows["item_id"])
    rows = rows.loc[run.notna().to_numpy()].assign(run=run.dropna().to_numpy(dtype=np.int64))
    draws = state.workspace.draws("calibrate", rows["item_id"])
    limits = np.array([float(look["draw"]) for look in looks])
    inside = draws <= limits[rows["run"]] if len(looks) else np.zeros(0, dtype=bool)
    return _in_order(rows.assign(draw=draws).loc[inside])


def next_drift_look(state: State) -> tuple[int, Look] | None:
    """Return the number and body of the look that is due; None while there is none.

    A look is due when items of the calibration sample came since the last one and people have
    answered for all of them.
    """
    risk = state.workspace.policies.audit.drift
    looks = [look for _, look in _looks(state)]
    fresh = _fresh(state, looks)
    if not risk or fresh.empty or _waiting(state, fresh):
        return None
    run = len(looks)
    begun = max((r + 1 for r, look in enumerate(looks) if look["alarm"]), default=0)
    earlier = stream_items(state)
    every = pd.concat([earlier.loc[earlier["run"] >= begun], fresh.assign(run=run)])
    first = looks[begun] if begun < run else None
    sources = sorted(set(fresh["source"])) if first is None else first["sources"]
    families = _families(state, sources) if first is None else first["statistics"]
    statistics = {n: v for n, v in _statistics(state, every, sources).items() if n in families}
    rng = np.random.default_rng(seed_of(state.workspace.key, "drift", str(run)))
    places = run_places(statistics, every["run"] == run, rng, strata=_strata(state, every))
    number = 1 + sum(bool(look["alarm"]) for look in looks)
    found = accumulate(
        [*(look["places"] for look in looks[begun:]), places],
        risk=hypothesis_risk(number, risk),
        statistics=tuple(families),
        families=families,
    )
    workspace = state.workspace
    return run, {
        "alarm": _alarm(found, statistics, (every["run"] == run).to_numpy()),
        # Should it be one: what the stream is planned to be read to that comes after it.
        "planned": workspace.policies.looks(len(state.items), len(workspace.schema.classes)),
        "draw": float(fresh["draw"].max()),
        "e_value": float(found.e_values[-1]),
        "families": _by_family(found, families),
        "items": len(fresh),
        "places": places,
        "sources": sources,
        "statistics": families,
        "until": state.arrived.max().isoformat(),
    }


def _looks(state: State) -> list[tuple[pd.Timestamp, Look]]:
    rows = state.latest("drift")
    found = sorted(zip(rows["subject"].astype(int), rows["at"], rows["body"], strict=True))
    return [(at, json.loads(body)) for _, at, body in found]


def _fresh(state: State, looks: list[Look]) -> pd.DataFrame:
    """Return the calibration sample's items that came after the last look."""
    rows = state.items.loc[state.items["item_id"].isin(state.calibration_sample.ids)]
    if looks:
        came = state.arrived.reindex(rows["item_id"])
        rows = rows.loc[(came > pd.Timestamp(looks[-1]["until"])).to_numpy()]
    rows = rows[["item_id", "source"]]
    return _in_order(rows.assign(draw=state.workspace.draws("calibrate", rows["item_id"])))


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["draw", "item_id"], kind="stable", ignore_index=True)


def _waiting(state: State, fresh: pd.DataFrame) -> bool:
    rows = state.current.loc[state.current["purpose"] == "calibrate", "item_id"]
    done = fresh["item_id"].isin(rows) | fresh["item_id"].isin(state.nobody_left)
    return not bool(done.all())


def _families(state: State, sources: list[str]) -> dict[str, str]:
    """Name the statistics of a watch: all of them before the first bet."""
    labels = class_indicators([], state.workspace.schema.classes)
    return {
        **dict.fromkeys(labels, "labels"),
        _CONFIDENCE: "scores",
        **dict.fromkeys([f"from {name}" for name in sources], "sources"),
        _ELSEWHERE: "sources",
    }


def _statistics(
    state: State, every: pd.DataFrame, sources: list[str]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return every statistic's value for the items of the stream; NaN where unknown."""
    schema, ids = state.workspace.schema, every["item_id"]
    votes = state.current.loc[state.current["purpose"] == "calibrate"]
    codes = majority_codes(votes, schema).reindex(ids).fillna(-1).to_numpy(dtype=np.int64)
    sure = state.current_proposals.set_index("item_id")["confidence"].reindex(ids)
    came = every["source"].to_numpy(dtype=object)
    known = np.isin(came, sources)
    return {
        **class_indicators(codes, schema.classes),
        _CONFIDENCE: sure.to_numpy(dtype=np.float64),
        **{f"from {name}": (came == name).astype(np.float64) for name in sources},
        _ELSEWHERE: (~known).astype(np.float64),
    }


def _strata(state: State, every: pd.DataFrame) -> npt.NDArray[np.int64] | None:
    """Return the weekday of each item's arrival where items are compared within those."""
    if not state.workspace.policies.audit.drift_within:
        return None
    came = pd.DatetimeIndex(state.arrived.reindex(every["item_id"]))
    return np.asarray(came.weekday, dtype=np.int64)


def _by_family(found: Drift, families: Mapping[str, str]) -> dict[str, float]:
    purses: dict[str, list[float]] = {}
    for name, owned in found.by_statistic.items():
        purses.setdefault(families[name], []).append(float(owned[-1]))
    return {family: float(np.mean(purse)) for family, purse in purses.items()}


def _alarm(
    found: Drift, statistics: Mapping[str, npt.NDArray[np.float64]], new: npt.NDArray[np.bool_]
) -> str:
    """Say what moved; empty if nothing did."""
    if not found.drifting:
        return ""
    values = statistics[found.suspect]
    before, after = (float(np.nanmean(values[rows])) for rows in (~new, new))
    return (
        f"what comes in has changed: {found.suspect} is {after:.3g} in the latest "
        f"{int(new.sum())} random items, {before:.3g} in the {int((~new).sum())} before "
        f"(evidence {found.e_values[-1]:.3g}, an alarm from {1 / found.risk:.3g})"
    )
