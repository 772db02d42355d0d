"""When votes are enough evidence for a label: `[consolidate]` in labelops.toml."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SettingsError, UsageError

__all__ = ["METHODS", "ConsolidatePolicy", "check_method"]

METHODS = (
    "auto",
    "blend",
    "majority",
    "one_coin",
    "dawid_skene",
    "shrunk",
    "ibcc",
    "ebcc",
    "glad",
)
"""What `method` may be; see `labelops.consolidate.consolidate_codes`."""


@dataclass(frozen=True, slots=True)
class ConsolidatePolicy:
    """How votes become a label.

    Parameters
    ----------
    method : str
        `auto`, `blend`, `majority`, `one_coin`, `dawid_skene`, `shrunk`, `ibcc`, `ebcc` or `glad`.
        `auto` uses the model's out-of-fold probabilities beside the votes where there are any, else
        what the votes support: a blend, or majority where few items have two.
    min_posterior : float in [0, 1)
        Least calibrated posterior of a decided label; 0: one less `[gate] error`, so that a label
        is as sure as the whole set has to be.

    Raises
    ------
    SettingsError
        If a value is out of its range.
    """

    method: str = "auto"
    min_posterior: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SettingsError(
                f"consolidate.method is {self.method!r}, expected one of {', '.join(METHODS)}"
            )
        if not 0.0 <= self.min_posterior < 1.0:
            raise SettingsError(
                f"consolidate.min_posterior is {self.min_posterior}, expected 0 or more, below 1"
            )


def check_method(method: str) -> None:
    """Refuse what is none of `METHODS`.

    Raises
    ------
    UsageError
        It is not.

    Examples
    --------
    >>> check_method("ibcc")
    """
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
