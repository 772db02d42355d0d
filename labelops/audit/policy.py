"""How suspicious a label must be to go back to people: `[audit]` in labelops.toml."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SettingsError

__all__ = ["VIEWS", "AuditPolicy"]

VIEWS = ("outliers", "ambiguity", "slices", "attributes", "leakage", "poison")
"""What `views` may hold."""


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """Settings of the search for label errors.

    Parameters
    ----------
    planted : float in [0, 1]
        Share of labels in which known errors are planted, in memory only, to measure recall.
    suspects : float in [0, 1]
        Largest share of the set that one audit may suspect.
    repeats : int
        Random partitions that every learner is held out over; more is steadier and slower.
    rounds : int
        Most audits before a release; one follows another only if labels changed in between.
    annotator_floor : float in (0, 1)
        An annotator whose accuracy interval lies below it is flagged; their votes stop counting.
    gold_risk : float in [0, 1)
        Probability that anybody who is right on at least `annotator_floor` of gold is ever paused
        for their gold answers; 0 pauses nobody for them.
    quick_seconds : float
        Time in which nobody looks at an item; a quarter of what the others take counts as well. Who
        mostly answers within it is flagged, unless their answers are shown to be right.
    drift : float in [0, 1)
        Probability that a stream of items that does not change ever gives a drift alarm; 0 does
        not watch.
    drift_within : str
        Within what the items of a stream are compared: "weekday" (of their arrival, UTC) where
        weekends are meant to differ; empty compares all with all.
    views : list of str
        What each audit shows beside suspected labels, without asking anybody: outliers, ambiguity
        (items people really disagree on), slices, attributes, leakage, poison. All by default.
    shown : int
        Findings kept of each view, the worst first.

    Raises
    ------
    SettingsError
        If a value is out of its range.
    """

    planted: float = 0.02
    suspects: float = 0.05
    repeats: int = 2
    rounds: int = 2
    annotator_floor: float = 0.7
    gold_risk: float = 0.05
    quick_seconds: float = 1.0
    drift: float = 0.05
    drift_within: str = ""
    views: tuple[str, ...] = VIEWS
    shown: int = 50

    def __post_init__(self) -> None:
        for name in ("planted", "suspects"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"audit.{name} is {getattr(self, name)}, expected 0 to 1")
        if not 0.0 < self.annotator_floor < 1.0:
            raise SettingsError(
                f"audit.annotator_floor is {self.annotator_floor}, expected more than 0, below 1; "
                "the lower it is, the fewer people are flagged"
            )
        if not 0.0 <= self.quick_seconds < float("inf"):
            raise SettingsError(
                f"audit.quick_seconds is {self.quick_seconds}, expected 0 seconds or more"
            )
        for name in ("gold_risk", "drift"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise SettingsError(f"audit.{name} is {getattr(self, name)}, expected 0 to below 1")
        if self.drift_within not in ("", "weekday"):
            raise SettingsError(
                f"audit.drift_within is {self.drift_within!r}, expected 'weekday' or ''"
            )
        for view in self.views:
            if view not in VIEWS:
                raise SettingsError(
                    f"audit.views holds {view!r}, expected some of {', '.join(VIEWS)}"
                )
        for name in ("repeats", "rounds", "shown"):
            if getattr(self, name) < 1:
                raise SettingsError(f"audit.{name} is {getattr(self, name)}, expected 1 or more")
