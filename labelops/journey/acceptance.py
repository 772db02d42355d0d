"""Acceptance: which of a model's labels stand now, and which go back to people.

A labeler is tried on its calibration sample, or its labels stand by their posterior; and what
stood closes by itself when what it rests on is gone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.audited import model_stands, stand_by_posterior
from ..autolabel.hypotheses import REPLACED, Hypothesis, close, pool_digest
from ..autolabel.policy import AUDITED, NEVER
from ..autolabel.trial import look_again, try_labeler
from ..digest import canonical_json, digest_bytes
from ..errors import counted
from ..gate.candidate import ADJUDICATED
from ..kinds.choice import codes_of
from ..measure.adjudication import NO_VOTE, PENDING, WRONG
from ..measure.codes import among
from ..measure.samples import RandomSample
from ..state import Event, State, Workspace, decide
from ..state.audited import (
    audited_before,
    contradicted,
    judged_before,
    kept_by_release,
    why_not_audited,
)
from ..state.needs import calibration_waits
from ..state.watch import closings

__all__ = ["close_void", "try_to_accept"]


def close_void(workspace: Workspace, now: datetime) -> tuple[str, ...]:
    """Close every hypothesis that is void now, with its reason; return the reasons.

    Said before anything is decided or tried: a label rests on a hypothesis only as long as
    that is open, so deciding anew takes back what it had accepted.
    """

    def conclude(state: State) -> tuple[tuple[str, ...], list[Event]]:
        found = closings(state)
        reasons = tuple(f"attempt {h.number}: {h.closed}" for h in found)
        return reasons, [state.hypothesis_event(h) for h in found]

    return decide(workspace, conclude, now)


def try_to_accept(workspace: Workspace, trained_on: int, now: datetime) -> str:
    """Look at the current version on the calibration sample, when people have settled it."""

    def conclude(state: State) -> tuple[str, list[Event]]:
        if state.workspace.policies.accept.rule == AUDITED:
            return _stood_by_posterior(state, trained_on, now)
        found = _looked_at(state, trained_on, now)
        if isinstance(found, str):
            return found, []
        return found.reason, [state.hypothesis_event(found), *state.keep_stream()]

    return decide(workspace, conclude, now)


def _looked_at(state: State, trained_on: int, now: datetime) -> Hypothesis | str:
    """Test the current version, if that is due; else say why not."""
    policy, workspace = state.workspace.policies, state.workspace
    if policy.accept.rule == NEVER:
        return "acceptance is switched off"
    if not len(state.calibration_stream):
        return "there is no random sample to try them on; `labelops status` says why"
    if too_few := _too_few(state, trained_on):
        return too_few
    before, since = state.resumable, state.stream_since
    pool, sample = _spoken_of(state, since)
    if not len(sample):
        return "what comes in has changed, and nothing has come since"
    if state.acceptance_tried:
        return "this labeler version was tried on these items already"
    out = _never_proposed(state, sample)
    if out.any() and policy.accept.per_class:
        return (
            f"{counted(int(out.sum()), 'item')} of the calibration sample were withdrawn before "
            "this version proposed for them: no class may be tested without them"
        )
    if out.any():
        sure = pool["confidence"].where(~pool["item_id"].isin(sample.ids[out]), 1.0)
        pool = pool.assign(confidence=sure)
    looks = state.judged(sample.ids, state.labeler_version)
    waiting = int(np.isin(looks.status, (NO_VOTE, PENDING)).sum())
    if waiting:
        return calibration_waits(waiting)
    wrong = (looks.status == WRONG) | out
    if before is None:
        values = tuple(map(canonical_json, workspace.schema.classes))
        found = try_labeler(
            pool, sample, wrong, state.hypotheses, policy.accept, values,
            planned=state.planned_looks,
        )  # fmt: skip
    else:
        found = look_again(before, pool, sample, wrong)
    found = replace(found, votes=int(looks.votes.sum()))
    return _said_of(state, found, pool, since, now)


def _never_proposed(state: State, sample: RandomSample) -> npt.NDArray[np.bool_]:
    """Say which items of the sample were withdrawn before the current version proposed for them.

    They count as accepted and wrong: whoever withdraws what a model gets wrong must not have that
    model trusted sooner, and what this version would have said of them is not known.
    """
    proposed = state.current_proposals["item_id"].to_numpy(dtype=object)
    out: npt.NDArray[np.bool_] = among(sample.ids, state.withdrawn_ids)
    return out & ~among(sample.ids, proposed)


def _stood_by_posterior(state: State, trained_on: int, now: datetime) -> tuple[str, list[Event]]:
    """Take what the model is sure of as it is: each item once for a version.

    Looks at other versions are closed in the same breath: of what they accepted what is released
    stays, the rest is judged by this one or is people's.
    """
    workspace, accept = state.workspace, state.workspace.policies.accept
    if reason := _too_few(state, trained_on) or why_not_audited(state):
        return reason, []
    pool, _ = _spoken_of(state, "")
    known = pool["probs"].notna().to_numpy()
    consensus = state.decided[0]
    if known.any() and consensus.alone is None:
        return "no vote counts yet: nothing says how far the labeler is to be believed", []
    before = audited_before(state)
    number, looks = (
        (len(state.hypotheses) + 1, 0) if before is None else (before.number, before.looks)
    )
    replaced, kept = _replaced(state, number)
    stands, sure = _sure_of(state, pool, before)
    stands &= known & ~among(pool["item_id"].to_numpy(dtype=object), kept)
    ids = pool["item_id"].to_numpy(dtype=object)
    stood = _keep_stood(workspace, pd.Series(sure[stands], index=ids[stands]))
    version = str(state.labeler_version)
    found = stand_by_posterior(version, ids, stands, number, accept, weighed=consensus.weighed)
    if not known.any():
        found = replace(found, reason=_NO_PROBABILITIES)
    found = _said_of(state, replace(found, stood=stood, looks=looks + 1), pool, "", now)
    return found.reason, [state.hypothesis_event(h) for h in (*replaced, found)]


_PLACES = 6
"""Decimal places that posteriors are kept with."""

_NO_PROBABILITIES = "this labeler gives no probabilities: under 'audited' nothing of it stands"


def _sure_of(
    state: State, pool: pd.DataFrame, before: Hypothesis | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Say which proposals of the pool stand by their posterior where nobody has looked, and it."""
    consensus, ids = state.decided[0], pool["item_id"].to_numpy(dtype=object)
    if consensus.alone is None:
        return np.zeros(len(ids), dtype=np.bool_), np.full(len(ids), np.nan)
    places = pd.Index(consensus.item_ids).get_indexer(ids)
    values = pool["value"].where(pool["value"].notna(), None)
    # Rounded as it is kept: what stands has to reach the threshold when it is read again.
    belief = np.round(consensus.alone[places], _PLACES)
    proposed = codes_of(values, state.workspace.schema)
    stands = model_stands(belief, proposed, state.workspace.policies.accept.min_posterior)
    own = belief[np.arange(len(proposed)), np.maximum(proposed, 0)]
    if before is not None:
        seen, sure = judged_before(state, before, ids)
        # Votes elsewhere move the posterior of all: what was judged is not judged again for that.
        stands, own = np.where(seen, ~np.isnan(sure), stands), np.where(seen, sure, own)
    corrected = state.labels.loc[state.labels["method"] == ADJUDICATED, "item_id"]
    stands &= ~among(ids, corrected.to_numpy(dtype=object)) & (consensus.votes[places] == 0)
    return stands & ~contradicted(state, ids, values), own


def _replaced(state: State, number: int) -> tuple[list[Hypothesis], npt.NDArray[np.object_]]:
    """Close the looks at other versions; return those that change, and the items they keep."""
    changed, kept = list[Hypothesis](), list[str]()
    why = f"attempt {number} took its place"
    for h in state.hypotheses:
        if not h.audited or h.number == number or (h.closed and not h.kept):
            continue
        left = kept_by_release(state, h)
        kept += left.index.tolist()
        if h.closed and len(left) == h.accepted:
            continue
        until = "" if left.empty else state.arrived[left.index].max().isoformat()
        cause, said = (h.cause, f"{h.closed}; {why}") if h.closed else (REPLACED, why)
        if len(left):
            h = replace(h, stood=_keep_stood(state.workspace, left))
        changed.append(close(h, cause, said, until=until, kept=len(left)))
    return changed, np.asarray(kept, dtype=object)


def _keep_stood(workspace: Workspace, posterior: pd.Series) -> str:
    """Keep the posterior of each item that stands as an object; return its name."""
    content = canonical_json(
        {str(i): round(float(p), _PLACES) for i, p in posterior.items()}
    ).encode()
    name = f"stood/{digest_bytes(content)[:32]}.json"
    workspace.objects.put_new(name, content)
    return name


def _too_few(state: State, trained_on: int) -> str:
    """Say that people have labeled too little for a model to be accepted; else empty."""
    if trained_on >= state.training_enough:
        return ""
    return f"{counted(trained_on, 'item is', 'items are')} too few to try acceptance"


def _said_of(
    state: State, found: Hypothesis, pool: pd.DataFrame, since: str, now: datetime
) -> Hypothesis:
    """Write down what a look was at, and keep the items that had a proposal."""
    workspace, ids = state.workspace, sorted(pool.loc[pool["confidence"].notna(), "item_id"])
    tested = pool_digest(ids)
    workspace.objects.put_new(f"pools/{tested}.json", canonical_json(ids).encode())
    return replace(
        found,
        pool=state.pool,
        tested=tested,
        schema=workspace.schema.digest,
        looked_at=now.isoformat(),
        since=since,
    )


def _spoken_of(state: State, since: str) -> tuple[pd.DataFrame, RandomSample]:
    """Return all items that arrived after a time with their proposals, and the sample of them."""
    pool = state.current_proposals
    if len(pool) < len(state.items):
        pool = pool.merge(state.items[["item_id"]], on="item_id", how="right")
        pool["labeler_version"] = state.labeler_version
    if since:
        late = state.arrived > pd.Timestamp(since)
        pool = pool.loc[late.reindex(pool["item_id"]).to_numpy()]
    return pool, state.stream_now
