"""What a release must satisfy: the policy of `[gate]` in labelops.toml."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SettingsError

__all__ = ["AUDITS", "MOST_CONFIRMS", "UNIFORM", "WEIGHTED", "GatePolicy"]

UNIFORM, WEIGHTED = "uniform", "weighted"
AUDITS = ("auto", UNIFORM, WEIGHTED)
MOST_CONFIRMS = 3
_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Bounds that a release candidate is held against; all of them are always evaluated.

    Parameters
    ----------
    error : float in (0, 1)
        Most wrong labels tolerated, as a share of the set (ε).
    confidence : float in (0.5, 1)
        How sure that must be (1 − δ).
    agreement : float in [-1, 1]
        Least Krippendorff α between people; the lower end of its interval must reach it. -1 asks
        for none.
    decided : float in [0, 1]
        Least share of items with enough evidence for a label.
    per_class : int
        Least number of labels of each class.
    purpose : str
        What the labels are released for; every item's rights must allow it.
    open_findings : float in [0, 1]
        Most open suspicions, as a share of the set.
    audit : {"auto", "uniform", "weighted"}
        How audited labels are drawn: all alike; or those in doubt more often, which takes fewer
        looks where the true error is near the bound and doubts tell, and more where it is far
        below. `auto` draws by doubt where posteriors and calibration expect more than three
        quarters of the bound to be wrong. Either is as sure.
    confirm : int from 0 to 3
        By how many blind votes a label must lead to be confirmed in an audit; 0: by as few as can
        certify a set of that size, which is one in all but small ones. What looks miss is allowed
        for in any case.
    wait_days : float from 0
        Days that labels wait for items that arrived later and still need people. Once the newest
        item arrived so long after one whose label was not released, all that arrived before the
        first item that waits are frozen without it and the later ones; 0 waits for all.

    Raises
    ------
    SettingsError
        If a bound is out of its range.

    Examples
    --------
    >>> GatePolicy(error=0.02).risk
    0.05
    """

    error: float = 0.02
    confidence: float = 0.95
    agreement: float = 0.6
    decided: float = 0.99
    per_class: int = 1
    purpose: str = "training"
    open_findings: float = 0.01
    audit: str = "auto"
    confirm: int = 0
    wait_days: float = 7.0

    def __post_init__(self) -> None:
        for name, least in (("error", 0.0), ("confidence", 0.5)):
            if not least < getattr(self, name) < 1.0:
                raise SettingsError(
                    f"gate.{name} is {getattr(self, name)}, expected a number between {least:g} "
                    "and 1"
                )
        for name in ("decided", "open_findings"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"gate.{name} is {getattr(self, name)}, expected 0 to 1")
        if not -1.0 <= self.agreement <= 1.0:
            raise SettingsError(f"gate.agreement is {self.agreement}, expected -1 to 1")
        if self.audit not in AUDITS:
            raise SettingsError(
                f"gate.audit is {self.audit!r}, expected one of {', '.join(AUDITS)}"
            )
        if not 0 <= self.confirm <= MOST_CONFIRMS:
            raise SettingsError(f"gate.confirm is {self.confirm}, expected 0 to {MOST_CONFIRMS}")
        if self.per_class < 0:
            raise SettingsError(f"gate.per_class is {self.per_class}, expected 0 or more")
        if not 0 <= self.wait_days <= _MOST_DAYS:
            raise SettingsError(f"gate.wait_days is {self.wait_days}, expected 0 to {_MOST_DAYS:,}")

    @property
    def risk(self) -> float:
        """δ: the risk that a certificate is wrong."""
        return round(1.0 - self.confidence, 12)
