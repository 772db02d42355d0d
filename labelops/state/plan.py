"""What is asked of labels and of the calibration sample, and where the numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

from ..autolabel.policy import AUDITED
from ..errors import counted
from . import State

__all__ = ["LabelingPlan", "labeling_plan"]


@dataclass(frozen=True, slots=True)
class LabelingPlan:
    """What the settings come to for the items there are.

    Parameters
    ----------
    error : float
        The share of wrong labels that acceptance may leave.
    min_posterior : float
        How sure a label has to be.
    calibration : int
        Items in the calibration sample, those of earlier draws included.
    wanted : int
        Looks that show `error` with one wrong answer among them; 0 where nothing is accepted.
    least : int
        Looks that show it with none.
    named : bool
        Whether the settings name the size of the sample.
    audited : float
        Posterior from which a model's label stands until the release's audit; 0 under other rules.
    """

    error: float
    min_posterior: float
    calibration: int
    wanted: int
    least: int
    named: bool
    audited: float = 0.0

    @property
    def in_words(self) -> tuple[str, str]:
        """Say how sure a label has to be, and how large the calibration sample is and why."""
        sure = f"a label is decided once it is right with probability {self.min_posterior:g}"
        return sure, self._sample

    @property
    def _sample(self) -> str:
        sample = f"the calibration sample has {counted(self.calibration, 'item')}"
        if self.audited:
            watched = f"; {counted(self.calibration, 'random item')} watched for drift alone"
            return (
                f"a model's label stands from posterior {self.audited:g} up, judged by the "
                f"release's audit: nothing is calibrated{watched if self.calibration else ''}"
            )
        if self.named:
            return f"{sample}, as [route] calibration says"
        if not self.wanted:
            return "no model's label is accepted, so nothing is calibrated"
        if not self.calibration:
            flawless = f"{counted(self.least, 'item')} without an error that show"
            return (
                f"no model's label is accepted: that would take {flawless} "
                f"at most {100 * self.error:.4g} % wrong; no more than a quarter of all is drawn "
                "([accept] rule = 'audited' needs none)"
            )
        shows = f"at most {100 * self.error:.4g} % wrong with one error among them"
        if self.calibration < self.wanted:
            few = f"{counted(self.wanted)} would show {shows}, but a quarter of all is the most"
            return f"{sample}: {few}"
        if more := self.calibration - self.wanted:
            rest = f"{counted(more)} were drawn before"
            return f"{sample}: {counted(self.wanted)} show {shows}, {rest}"
        return f"{sample}: as many as show {shows}"


def labeling_plan(state: State) -> LabelingPlan:
    """Return what the settings come to for the items there are."""
    policies, classes = state.workspace.policies, len(state.workspace.schema.classes)
    items = len(state.item_ids)
    return LabelingPlan(
        error=policies.accept.error,
        min_posterior=policies.consolidate.min_posterior,
        calibration=len(state.calibration_stream),
        wanted=policies.accept.looks(items, classes),
        least=policies.accept.least_looks(items, classes),
        named=policies.route.calibration > 0,
        audited=policies.accept.min_posterior if policies.accept.rule == AUDITED else 0.0,
    )
