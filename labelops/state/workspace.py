"""Where a label set lives, and by which rules it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..audit.policy import AuditPolicy
from ..autolabel.policy import AUDITED, AcceptancePolicy, planned
from ..consolidate.policy import ConsolidatePolicy
from ..consolidate.with_model import surest_model
from ..digest import uniforms
from ..errors import SettingsError, counted
from ..gate.policy import GatePolicy
from ..measure.from_bound import least_posterior
from ..measure.samples import RandomSample, draw_growing, draw_sample
from ..ports import Objects, Tables
from ..route.policy import RoutePolicy
from ..schema import Schema

__all__ = ["Policies", "Workspace"]


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules a label set is made by, one object a stage.

    What the others leave open, with a 0, follows from the bound of the gate, and from the rule.

    Raises
    ------
    SettingsError
        If models' labels stand by a posterior that has no model in it.

    Examples
    --------
    >>> open_ = (AcceptancePolicy(), RoutePolicy(), ConsolidatePolicy(), AuditPolicy())
    >>> planned = Policies(*open_, GatePolicy(error=0.05))
    >>> planned.accept.error, planned.consolidate.min_posterior, planned.calibration(1797, 10)
    (0.05, 0.95, 114)
    """

    accept: AcceptancePolicy
    route: RoutePolicy
    consolidate: ConsolidatePolicy
    audit: AuditPolicy
    gate: GatePolicy

    def __post_init__(self) -> None:
        bound = self.gate.error
        if self.accept.rule == AUDITED and self.consolidate.method != "auto":
            raise SettingsError(
                f"accept.rule is {AUDITED!r} and consolidate.method is "
                f"{self.consolidate.method!r}: only the method 'auto' knows how sure a model is"
            )
        sure = self.consolidate.min_posterior or least_posterior(bound)
        object.__setattr__(self, "accept", planned(self.accept, bound))
        object.__setattr__(self, "consolidate", replace(self.consolidate, min_posterior=sure))

    def calibration(self, items: int, classes: int) -> int:
        """Return on how many of so many items acceptance is calibrated: a quarter at most.

        None where a quarter is too few to accept even a model without an error: people would look
        in vain. A set that grows is calibrated from where it is large enough.
        """
        most, looks = items // 4, self.looks(items, classes)
        vain = not self.route.calibration and most < self.accept.least_looks(items, classes)
        return 0 if vain else min(looks, most)

    def looks(self, items: int, classes: int) -> int:
        """Return how many looks acceptance is planned for, named or from the bound."""
        return self.route.calibration or self.accept.looks(items, classes)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a label set lives and by which rules it is made.

    Parameters
    ----------
    tables, objects : ends
    schema : Schema
    key : bytes
        Keys item digests and random draws.
    policies : Policies
    cache : dict
        What was read last, by table version; never needed for a right answer.

    Raises
    ------
    SettingsError
        If a model's label is to stand from a posterior that none can reach with these classes.
    """

    tables: Tables
    objects: Objects
    schema: Schema
    key: bytes
    policies: Policies
    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        accept, most = self.policies.accept, surest_model(len(self.schema.classes))
        if accept.rule == AUDITED and accept.min_posterior > most:
            raise SettingsError(
                f"accept.min_posterior is {accept.min_posterior:g}: with "
                f"{counted(len(self.schema.classes), 'class', 'classes')} no model is taken to be "
                f"surer than {most:.4g}; expected that at most"
            )

    def draws(self, stream: str, item_ids: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return each item's permanent random number in a stream."""
        return uniforms(self.key, stream, (str(i) for i in np.asarray(item_ids, dtype=object)))

    def sample(self, stream: str, item_ids: npt.ArrayLike, size: int | None = None) -> RandomSample:
        """Draw items by their permanent random numbers in a stream; all of them without a size."""
        return draw_sample(self.key, stream, item_ids, size)

    def growing_sample(
        self,
        stream: str,
        item_ids: npt.ArrayLike,
        arrived: npt.ArrayLike,
        size: Callable[[int], int],
        *,
        anew: object = None,
        read: npt.ArrayLike = (),
    ) -> RandomSample:
        """Draw items anew at each arrival; what was `read` and ever drawn stays, in that order."""
        return draw_growing(self.key, stream, item_ids, arrived, size, anew=anew, read=read)
