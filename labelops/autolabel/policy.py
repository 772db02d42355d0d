"""When a model's proposals may become labels: `[accept]` in labelops.toml."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SettingsError

__all__ = ["AcceptancePolicy"]

RULES = ("joint", "selective", "never")


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """The acceptance rule and its promise.

    Parameters
    ----------
    rule : {"joint", "selective", "never"}
        `joint` bounds wrong accepted labels as a share of the whole set, `selective` as a
        share of the accepted ones; `never` leaves every label to people.
    error : float in (0, 1)
        ε, the share tolerated.
    risk : float in (0, 1)
        δ over all attempts: the j-th labeler version tried gets 6δ/(π²j²).
    growth : float > 1
        A labeler is fitted anew when its training votes grew by this factor.

    Raises
    ------
    SettingsError
        If a value is out of its range.
    """

    rule: str = "joint"
    error: float = 0.02
    risk: float = 0.05
    growth: float = 2.0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise SettingsError(f"accept.rule is {self.rule!r}, expected one of {', '.join(RULES)}")
        for name in ("error", "risk"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise SettingsError(
                    f"accept.{name} is {getattr(self, name)}, expected a number between 0 and 1"
                )
        if not self.growth > 1.0:
            raise SettingsError(f"accept.growth is {self.growth}, expected more than 1")
