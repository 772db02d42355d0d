"""Attempts to accept a model's labels, kept as events: each is a hypothesis with its own risk.

With a fixed test one labeler version tried on one pool of items is one hypothesis, tested once.
With an e-process one labeler version is one hypothesis: it is looked at again whenever items
and votes came in, and its cut-off moves with the evidence at no further risk. The j-th
hypothesis gets the risk 6δ/(π²j²), which sums to δ over all that will ever be tried, so
re-running the pipeline for a year with ever new models stays within δ. Each look is written
down, and so is why a hypothesis was closed; no cut-off moves silently.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json, digest_bytes
from ..errors import percent
from ..measure.eprocess import hypothesis_risk
from ..measure.intervals import binomial_upper
from .policy import AUDITED, FIXED, AcceptancePolicy

__all__ = [
    "AUDIT",
    "DRIFT",
    "REPLACED",
    "SCHEMA",
    "SETTINGS",
    "SPOT",
    "VOTES",
    "ClassCount",
    "Hypothesis",
    "accepted_items",
    "best",
    "close",
    "pool_digest",
    "read_hypotheses",
    "standing",
]

REPLACED, VOTES, SETTINGS, SCHEMA, DRIFT, SPOT, AUDIT = (
    "replaced",
    "votes",
    "settings",
    "schema",
    "drift",
    "spot audit",
    "release audit",
)
"""Causes of closing."""

_REFUTED = (SPOT, AUDIT, "")
"""Causes that speak against the labeler version itself; "" is of before causes were kept."""


class ClassCount(NamedTuple):
    """The calibration items of one proposed class, and what is accepted of it.

    Where nothing is accepted at all, `n` and `errors` are those at any confidence.
    """

    value: str
    n: int
    errors: int
    accepted: int = 0
    threshold: float | None = None

    @property
    def at_most(self) -> float:
        """The share of errors that 95 % confidence allows for, taken for itself."""
        return binomial_upper(self.errors, self.n, 0.05) if self.n else 1.0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One attempt to accept a labeler version's proposals, as of its last look.

    Parameters
    ----------
    number : int
        j, from 1.
    labeler_version : str
    pool : str
        Digest of the ids of the items there were.
    pool_size, sample : int
        Items it speaks of, and calibration items that were looked at.
    rule : str
        The acceptance rule.
    error, risk : float
        ε and this hypothesis's share of δ.
    threshold : float or None
        Confidence from which proposals are accepted, the loosest of all classes; None accepts
        nothing. Under the rule `audited`: the posterior.
    accepted, errors, critical : int
        Items accepted; wrong calibration items among them; how many were tolerable.
    reason : str
        In words. Under the rule `audited`: how its labels stand.
    closed : str
        Why it accepts no more; empty while it stands.
    tested : str
        Digest of the ids of the items that had a proposal when it was tested: only those may be
        accepted, since an answer that came later was not tested.
    by_class : tuple of ClassCount
        The calibration items by proposed class. A bound for all classes together says nothing
        of one that is much worse: that shows here only.
    test : str
        `fixed` or `e-process`.
    looks : int
        How often it was tested.
    votes : int
        Calibration votes it rests on.
    schema : str
        Digest of the schema it was tested under.
    classes : tuple of str
        Values with a cut-off of their own; empty when one cut-off is for all.
    cutoffs : tuple of tuple of float
        Cut-offs chosen before the first look, for each of `classes` or once for all.
    thresholds : tuple of (value, threshold)
        The cut-offs of the accepted ones of `classes`.
    cause : str
        Of closing, in one word: votes, settings, schema, drift, spot audit, release audit, or
        replaced (rule `audited`: by a look at a newer version, or from another posterior up).
    looked_at : str
        When it was tested last, as ISO 8601.
    since, until : str
        It speaks of items that arrived after `since` and, once closed, still accepts those that
        arrived up to `until`; ISO 8601. An empty `since` is from the first, an empty `until`
        of a closed one is nothing.
    planned : int
        Calibration looks that were planned when the labeler version was fitted: an e-process is
        sharpest there. 0 is no plan.
    stood : str
        Under the rule `audited`: the object with the items accepted and the posterior of each.
    """

    number: int
    labeler_version: str
    pool: str
    pool_size: int
    sample: int
    rule: str
    error: float
    risk: float
    threshold: float | None
    accepted: int
    errors: int
    critical: int
    reason: str
    closed: str = ""
    tested: str = ""
    by_class: tuple[ClassCount, ...] = ()
    test: str = FIXED
    looks: int = 1
    votes: int = 0
    schema: str = ""
    classes: tuple[str, ...] = ()
    cutoffs: tuple[tuple[float, ...], ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()
    cause: str = ""
    looked_at: str = ""
    since: str = ""
    until: str = ""
    planned: int = 0
    stood: str = ""

    @property
    def key(self) -> str:
        """What makes two attempts the same one."""
        return f"{self.labeler_version}/{self.pool}"

    @property
    def accepts_some(self) -> bool:
        """Whether any label may rest on it now."""
        return self.threshold is not None and self.accepted > 0 and (not self.closed or self.kept)

    @property
    def kept(self) -> bool:
        """Whether it is closed, but not for what arrived before the trouble began."""
        return bool(self.closed and self.until)

    @property
    def watched(self) -> bool:
        """Whether random looks at what it accepts go on: what a release keeps of it is no less so.

        What evidence of errors left of it was judged by that evidence.
        """
        return not self.closed or (self.kept and self.cause == REPLACED)

    @property
    def refuted(self) -> bool:
        """Whether its closing speaks against the labeler version itself."""
        return bool(self.closed) and self.cause in _REFUTED

    @property
    def audited(self) -> bool:
        """Whether its labels stand by their posterior, and a release's audit alone judges them."""
        return self.rule == AUDITED

    @property
    def stands_as(self) -> str:
        """Say as what a label stands that rests on it."""
        if self.audited:
            return (
                f"accepted at posterior ≥ {self.threshold:g}, judged by the release's audit "
                f"(attempt {self.number})"
            )
        return f"proposal accepted by attempt {self.number}"

    @property
    def classes_in_words(self) -> str:
        """Return each class's errors with what 95 % confidence allows for it; empty if unknown."""
        return "; ".join(
            f"{json.loads(c.value)}: {c.errors} of {c.n} wrong, at most {percent(c.at_most)}"
            for c in self.by_class
            if c.n
        )

    def promises(self, policy: AcceptancePolicy) -> bool:
        """Say whether it promises what the policy asks for, by whatever test.

        Under the rule `audited`: whether its labels are as sure as is asked for.
        """
        if self.audited:
            sure = (self.threshold or 0.0) >= policy.min_posterior
            return policy.rule == AUDITED and sure and self.error <= policy.error
        same = self.rule == policy.rule and bool(self.classes) == policy.per_class
        share = hypothesis_risk(self.number, policy.risk)
        return same and self.error <= policy.error and self.risk <= share * (1 + 1e-9)

    def asks(self, policy: AcceptancePolicy) -> bool:
        """Say whether it is what the policy asks for: no more, and by the same test."""
        if self.audited:
            same = self.threshold == policy.min_posterior and self.error == policy.error
            return same and self.promises(policy)
        share = hypothesis_risk(self.number, policy.risk)
        same = self.test == policy.test and self.error == policy.error
        return same and self.promises(policy) and self.risk >= share * (1 - 1e-9)

    def to_body(self) -> str:
        """Return the hypothesis as the body of an event."""
        return canonical_json(asdict(self))


def pool_digest(item_ids: npt.ArrayLike) -> str:
    """Return a digest of a set of item ids, whatever their order.

    Examples
    --------
    >>> pool_digest(["b", "a"]) == pool_digest(["a", "b"])
    True
    """
    ids = sorted(str(i) for i in np.asarray(item_ids, dtype=object))
    return digest_bytes("\x00".join(ids).encode("utf-8", "surrogatepass"))[:32]


def read_hypotheses(bodies: pd.Series) -> list[Hypothesis]:
    """Read hypotheses from the bodies of their newest events, by number."""
    found = []
    for body in bodies:
        raw = {name: _tuples(value) for name, value in json.loads(body).items()}
        rows = tuple(ClassCount(*row) for row in raw.get("by_class", ()))
        found.append(Hypothesis(**{**raw, "by_class": rows}))
    return sorted(found, key=lambda h: h.number)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def close(
    hypothesis: Hypothesis, cause: str, why: str, *, until: str = "", kept: int = 0
) -> Hypothesis:
    """Close a hypothesis; what arrived up to `until`, `kept` items, stays accepted under it.

    Examples
    --------
    >>> h = Hypothesis(1, "v1", "p", 9, 3, "joint", 0.1, 0.05, 0.5, 6, 0, 1, "passed")
    >>> closed = close(h, "schema", "a class was added")
    >>> closed.accepts_some, closed.closed
    (False, 'a class was added')
    """
    return replace(hypothesis, cause=cause, closed=why, until=until, accepted=kept)


def best(hypotheses: list[Hypothesis]) -> Hypothesis | None:
    """Return the open hypothesis that accepts most; all of them hold together with 1 − δ."""
    open_ = [h for h in hypotheses if h.accepts_some and not h.closed]
    return max(open_, key=lambda h: (h.accepted, h.number), default=None)


def standing(hypotheses: list[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Return those under which labels are accepted: the best open one, and what others kept.

    A closed one counts only for items that arrived before those the open one speaks of, so
    that no two bounds are spent on the same items. Under the rule `audited` no bound is spent, and
    a version judges nothing that another one keeps: there all that was kept counts.
    """
    open_ = best(hypotheses)
    kept = [h for h in hypotheses if h.accepts_some and h.kept]
    audited = [h for h in kept if h.audited]
    kept = [h for h in kept if not h.audited]
    if open_ is not None:
        kept = [h for h in kept if h.until <= open_.since]
    before = max(kept, key=lambda h: (h.accepted, h.number), default=None)
    return tuple(h for h in (open_, before, *audited) if h is not None)


def accepted_items(
    hypothesis: Hypothesis | None, proposals: pd.DataFrame, pool_ids: npt.ArrayLike
) -> pd.DataFrame:
    """Return the proposals that the hypothesis accepts.

    Parameters
    ----------
    hypothesis : Hypothesis or None
    proposals : PROPOSALS rows
    pool_ids : item ids
        The pool of the hypothesis.

    Returns
    -------
    The accepted PROPOSALS rows; none without a hypothesis.
    """
    if hypothesis is None or hypothesis.threshold is None:
        return proposals.iloc[:0]
    rows = proposals.loc[proposals["labeler_version"] == hypothesis.labeler_version]
    inside = rows["item_id"].isin(np.asarray(pool_ids, dtype=object))
    cut: pd.Series | float = hypothesis.threshold
    if hypothesis.classes:
        cut = rows["value"].map(dict(hypothesis.thresholds)).astype(np.float64)
    # NaN >= t is False: a missing confidence is never accepted, nor a class without a cut-off.
    return rows.loc[inside & (rows["confidence"] >= cut) & rows["value"].notna()]
