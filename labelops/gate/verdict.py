"""A gate's answer: one status for each check, and the worst of them for all."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..errors import GateNotPassed, UsageError

__all__ = ["FAIL", "INCONCLUSIVE", "PASS", "CheckResult", "Verdict"]

PASS, INCONCLUSIVE, FAIL = "pass", "inconclusive", "fail"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Parameters
    ----------
    name : str
        The check.
    status : {"pass", "inconclusive", "fail"}
    message : str
        What was found against which bound; for `inconclusive`, what is missing.
    value, bound : float or None
        The measured number and what it was held against, where the check has one.
    needed : int
        How many more looks would settle an inconclusive check; 0 if looks are not the matter.
    """

    name: str
    status: str
    message: str
    value: float | None = None
    bound: float | None = None
    needed: int = 0

    def __post_init__(self) -> None:
        if self.status not in (PASS, INCONCLUSIVE, FAIL):
            raise UsageError(f"check {self.name!r}: unknown status {self.status!r}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The checks of one candidate; passes only if there are checks and every one passes.

    Examples
    --------
    >>> Verdict(()).status
    'fail'
    >>> Verdict((CheckResult("a", "pass", ""), CheckResult("b", "inconclusive", "2 more"))).status
    'inconclusive'
    """

    checks: tuple[CheckResult, ...]

    @property
    def status(self) -> str:
        """The worst status; `fail` where nothing was checked, since a gate fails closed."""
        found = {c.status for c in self.checks}
        if not found or FAIL in found:
            return FAIL
        return INCONCLUSIVE if INCONCLUSIVE in found else PASS

    @property
    def passed(self) -> bool:
        """Whether every check passed; inconclusive is not a pass."""
        return self.status == PASS

    @property
    def against(self) -> tuple[str, ...]:
        """Each check that stands in the way, by name and with what it found."""
        return tuple(f"{c.name}: {c.message}" for c in self.checks if c.status != PASS)

    @property
    def summary(self) -> str:
        """One line: the status and what stands in the way."""
        return self.status.upper() + (f" — {'; '.join(self.against)}" if self.against else "")

    def raise_if_failed(self) -> None:
        """Raise unless the gate passed.

        Raises
        ------
        GateNotPassed
            With the checks that stand in the way.
        """
        if not self.passed:
            raise GateNotPassed(f"the gate did not pass: {self.status.upper()}", self.against)

    def to_json(self) -> dict[str, object]:
        """Return the verdict as a JSON object."""
        return {"status": self.status, "checks": [asdict(c) for c in self.checks]}
