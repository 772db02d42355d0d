"""When a model's proposals may become labels: `[accept]` in labelops.toml."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..measure.from_bound import BORNE, calibration_size, model_posterior

__all__ = ["ANYTIME", "AUDITED", "FIXED", "NEVER", "AcceptancePolicy", "planned"]

AUDITED, NEVER = "audited", "never"
RULES = ("joint", "selective", AUDITED, NEVER)
FIXED, ANYTIME = TESTS = ("fixed", "e-process")


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """The acceptance rule and its promise.

    Parameters
    ----------
    rule : {"joint", "selective", "audited", "never"}
        `joint` bounds wrong accepted labels as a share of the whole set, `selective` as a
        share of the accepted ones; `audited` promises nothing: what reaches `min_posterior`
        stands, on no calibration sample, until the release's audit judges it with all others;
        `never` leaves every label to people.
    test : {"e-process", "fixed"}
        `e-process` may be looked at again whenever items and votes come in, at no further
        risk, and speaks of the stream that items come from. `fixed` is one look at the set
        there is now, and a new hypothesis whenever the set grows.
    per_class : bool
        With the rule `selective`: each class has its own cut-off, tested at an equal share of
        the risk, so that the promise holds within every class. Takes a larger calibration
        sample: each class needs as many looks as all need together without it.
    error : float in [0, 1)
        ε, the share tolerated; 0: as much as `[gate] error`. With the rule `audited` it is what
        random looks at accepted items close it for.
    risk : float in (0, 1)
        δ over all attempts: the j-th labeler version tried gets 6δ/(π²j²). Also the risk of a
        false alarm of each kind (random looks, drift) at an acceptance that keeps its promise.
    growth : float > 1, or 0
        A labeler is fitted anew when its training votes grew by this factor; 0: 1.25 with the
        rule `audited`, where people are asked for no more than that at a time, and else 2.
    spot_share : float in [0, 1]
        Share of the accepted items that people look at, for good and drawn at random; 0 none.
    min_posterior : float in [0, 1)
        With the rule `audited`: how probable the model's label has to be, softened as far as
        people's votes say; at most .98 and a K-th of .02. 0: planned from `[gate] error`.

    Raises
    ------
    SettingsError
        If a value is out of its range, or `per_class` or `min_posterior` is asked of another
        rule.
    """

    rule: str = "joint"
    test: str = ANYTIME
    per_class: bool = False
    error: float = 0.0
    risk: float = 0.05
    growth: float = 0.0
    spot_share: float = 0.02
    min_posterior: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("rule", RULES), ("test", TESTS)):
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"accept.{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )
        if self.per_class and self.rule != "selective":
            raise SettingsError(
                f"accept.per_class is on and accept.rule is {self.rule!r}; set rule to 'selective'"
            )
        if self.min_posterior and self.rule != AUDITED:
            raise SettingsError(
                f"accept.min_posterior is set and accept.rule is {self.rule!r}; it belongs to "
                f"the rule {AUDITED!r}: other rules find their cut-off by calibration"
            )
        if not 0.0 <= self.min_posterior < 1.0:
            raise SettingsError(
                f"accept.min_posterior is {self.min_posterior}, expected 0 or more, below 1"
            )
        if not 0.0 <= self.error < 1.0:
            raise SettingsError(f"accept.error is {self.error}, expected 0 or more, below 1")
        if not 0.0 < self.risk < 1.0:
            raise SettingsError(f"accept.risk is {self.risk}, expected a number between 0 and 1")
        if not (self.growth > 1.0 or self.growth == 0.0):
            raise SettingsError(f"accept.growth is {self.growth}, expected more than 1, or 0")
        if not 0.0 <= self.spot_share <= 1.0:
            raise SettingsError(f"accept.spot_share is {self.spot_share}, expected 0 to 1")

    def looks(self, items: int, classes: int) -> int:
        """Plan the calibration sample: the smallest that shows the promise with one error in it.

        Where the promise is about the accepted labels, half of all are expected to be; where it
        is made of each class, each needs as many looks at its share of the risk.

        Parameters
        ----------
        items, classes : int
            Of the label set.

        Returns
        -------
        int
            0 where nothing is calibrated. It never falls as items come.

        Examples
        --------
        >>> AcceptancePolicy(error=0.02).looks(1797, classes=10)
        289
        >>> AcceptancePolicy(error=0.02, test="fixed").looks(1797, classes=10)
        250
        """
        looks = self._parts(classes) * self._looks(items, classes, BORNE)
        return looks if self.rule == "joint" else 2 * looks

    def least_looks(self, items: int, classes: int) -> int:
        """Return the fewest looks that show the promise of any model, none of them wrong.

        Where it is made of each class: of one class, if all looks are at its items.

        Parameters
        ----------
        items, classes : int
            Of the label set.

        Examples
        --------
        >>> AcceptancePolicy(error=0.02).least_looks(613, classes=8)
        193
        """
        return self._looks(items, classes, 0)

    def _parts(self, classes: int) -> int:
        return classes if self.per_class else 1

    def _looks(self, items: int, classes: int, borne: int) -> int:
        """Plan the looks at whatever is tested by itself: one class, or all."""
        if self.rule in (AUDITED, NEVER):
            return 0
        size = max(items, 1) if self.rule == "joint" and self.test == FIXED else None
        return calibration_size(self.error, self.risk / self._parts(classes), size, borne)


def planned(policy: AcceptancePolicy, bound: float) -> AcceptancePolicy:
    """Name what a policy leaves open: the error by the bound of the gate, the rest by the rule.

    Under `audited` a new fit costs no risk, and each spares people what the one before left.

    Parameters
    ----------
    policy : AcceptancePolicy
    bound : float
        `[gate] error`.

    Examples
    --------
    >>> found = planned(AcceptancePolicy("audited"), 0.02)
    >>> found.error, found.growth, found.min_posterior
    (0.02, 1.25, 0.85)
    >>> planned(AcceptancePolicy(), 0.02).growth
    2.0
    """
    audited = policy.rule == AUDITED
    return replace(
        policy,
        error=policy.error or bound,
        growth=policy.growth or (1.25 if audited else 2.0),
        min_posterior=policy.min_posterior or (model_posterior(bound) if audited else 0.0),
    )
