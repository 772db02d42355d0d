"""The people: how accurate each is, what is odd about them, and who is one voice with whom.

Accuracy, haste and steadiness are e-processes, which may be read at any look. Confusions,
copying, swayed and hasty votes are judged by p-values: there the j-th set of votes that labels were
decided from is the j-th look, and has 6δ/(π²j²) of the risk.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..audit.anchoring import Anchoring, find_swayed
from ..audit.annotators import judge_annotators, judged_votes
from ..audit.collusion import find_collusion
from ..audit.directed import directed_confusions
from ..audit.speed import Speed, judge_speed
from ..audit.steadiness import Steadiness, judge_steadiness
from ..collect import current_votes
from ..digest import seed_of
from ..errors import counted, percent
from ..kinds.choice import codes_of
from ..measure.eprocess import hypothesis_risk, log_e_value, log_wanted
from ..tables import VOTES, frame_of
from . import EVIDENCE, State
from .gold import may_be_judged

__all__ = ["Remark", "Tie", "annotator_table", "find_ties", "remarks"]

_RISK = 0.05
_RISK_TIES = 0.01
_TIMED = 30  # Answers before haste alone takes a vote away.


@dataclass(frozen=True, slots=True)
class Remark:
    """Something odd about an annotator that takes no vote away.

    Parameters
    ----------
    kind : str
        rushed, hasty, confuses, swayed, changed, copies or namesake.
    text : str
        In words, with the numbers.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Tie:
    """Annotators who copy each other."""

    annotators: tuple[str, ...]
    reason: str


def annotator_table(state: State) -> pd.DataFrame:
    """Return every annotator's accuracy with interval, and whether their votes should count.

    Beside the columns of `judge_annotators`: `shown` (there is evidence that the accuracy is above
    the floor: an e-process, wrong of somebody below it with probability 5 % at most, at all looks
    together) and `hasty` (flagged for haste alone: too quick to look, and not shown to be right).
    """
    policy = state.workspace.policies.audit
    floor = policy.annotator_floor
    frame = judge_annotators(
        _judged_by(state), state.workspace.schema, gold=state.gold, floor=floor
    )
    votes = _votes(state)
    who, names = pd.factorize(votes["annotator"], sort=True)
    speed = judge_speed(
        who, votes["seconds"], np.full(len(votes), np.nan), quick=policy.quick_seconds,
        items=votes["item_id"],
    )  # fmt: skip
    place = pd.Index(names).get_indexer(frame["annotator"])
    rushed = np.append(speed.rushed & (speed.timed >= _TIMED), False)[place]
    # Haste by itself is no fault: it turns the burden of proof, until that was borne once.
    wrong = frame["judged"] - frame["right"]
    shown = log_e_value(wrong, frame["judged"], 1 - floor) >= log_wanted(_RISK)
    frame["shown"] = shown & ~frame["flagged"].to_numpy()
    unproven = rushed & ~frame["flagged"].to_numpy() & ~shown
    unproven &= ~frame["annotator"].isin(state.cleared).to_numpy()
    reasons = [
        _rush(speed, int(place[row])) + "; nothing shows that the answers are right"
        for row in np.flatnonzero(unproven)
    ]
    frame.loc[unproven, "reason"] = reasons
    frame["hasty"] = unproven
    frame["flagged"] |= unproven
    return frame


def find_ties(state: State) -> list[Tie]:
    """Return groups of annotators who copy each other and are not known as one voice yet."""
    schema, votes = state.workspace.schema, _votes(state)
    votes = votes.loc[(votes["purpose"] != "gold") & ~votes["annotator"].isin(state.flagged)]
    votes = votes.sort_values(["given_at", "vote_id"]).drop_duplicates(
        ["item_id", "annotator"], keep="last"
    )
    who, names = pd.factorize(votes["annotator"], sort=True)
    found = find_collusion(
        pd.factorize(votes["item_id"])[0],
        who,
        codes_of(votes["value"], schema),
        len(schema.classes),
        risk=hypothesis_risk(_look(state), _RISK_TIES),
    )
    ties = []
    for group in found.groups:
        members = tuple(str(names[a]) for a in group)
        if not any(set(members) <= set(known) for known in state.tied):
            pairs = found.pairs.loc[found.pairs["flagged"] & found.pairs["first"].isin(group)]
            same, both = int(pairs["agreeing"].sum()), int(pairs["items"].sum())
            reason = (
                f"said the same in {same} of {both} cases, where some "
                f"{round(pairs['expected'].sum())} are to be expected of people who do not copy"
            )
            ties.append(Tie(members, reason))
    return ties


def remarks(state: State) -> dict[str, tuple[Remark, ...]]:
    """Return what is odd about each annotator; most have nothing."""
    rows = judged_votes(_judged_by(state), state.workspace.schema, gold=state.gold)
    rows = rows.loc[rows["annotator"].str.startswith("human:")]
    # In the order they came: a newcomer takes nobody's place, and so nobody's random numbers.
    who, names = pd.factorize(rows["annotator"])
    A, look = len(names), _look(state)
    risk = hypothesis_risk(look, _RISK)
    found: dict[str, list[Remark]] = {str(name): [] for name in names}
    speed = judge_speed(
        who, rows["seconds"], rows["right"], items=rows["item_id"], n_annotators=A, look_risk=risk,
        quick=state.workspace.policies.audit.quick_seconds,
    )  # fmt: skip
    steady = judge_steadiness(
        who, rows["right"], n_annotators=A, risk=_RISK,
        rng=np.random.default_rng(seed_of(state.workspace.key, "steadiness")),
    )  # fmt: skip
    for a, name in enumerate(names):
        found[name] += [*_of_speed(speed, a), *_of_steadiness(steady, a)]
    for name, text in _confusions(state, rows, who, names, risk):
        found[name].append(Remark("confuses", text))
    for name, swayed in _swayed(state, risk).items():
        found.setdefault(name, []).append(Remark("swayed", _sway(swayed)))
    for group in state.tied:
        for name in group:
            others = ", ".join(other for other in group if other != name)
            found.setdefault(name, []).append(Remark("copies", f"one voice with {others}"))
    for name, alike in _namesakes(state).items():
        text = f"written almost as {', '.join(alike)}; if that is one person, they vote twice"
        found.setdefault(name, []).append(Remark("namesake", text))
    return {name: tuple(said) for name, said in found.items() if said}


def _namesakes(state: State) -> dict[str, list[str]]:
    """Return people whose names differ by case, spaces or forms of letters only, and from whose."""
    by_name: dict[str, list[str]] = {}
    for name in sorted(state.votes["annotator"].unique()):
        plain = "".join(unicodedata.normalize("NFKC", name).casefold().split())
        by_name.setdefault(plain, []).append(str(name))
    return {
        name: [other for other in names if other != name]
        for names in by_name.values()
        for name in names
        if len(names) > 1
    }


def _look(state: State) -> int:
    """Count the sets of votes that labels were decided from: no other look tells anything new."""
    return max(1, state.last_consolidated[0])


def _votes(state: State) -> pd.DataFrame:
    """Return everybody's votes in force that judge items, those of flagged people too."""
    rows = current_votes(state.votes, state.workspace.schema)
    rows = rows.loc[rows["purpose"].isin((*EVIDENCE, "gold"))]
    return rows.loc[rows["annotator"].str.startswith("human:")].reset_index(drop=True)


def _judged_by(state: State) -> pd.DataFrame:
    """Return the votes people are judged by, copies left out, with the model as one more voice."""
    rows = state.votes.loc[state.votes["purpose"].isin((*EVIDENCE, "gold"))]
    rows = state.one_voice(rows, ["item_id"])
    proposed = state.current_proposals
    inside = proposed["item_id"].isin(rows["item_id"]) & proposed["value"].notna()
    rows = pd.concat([rows, _as_votes(proposed.loc[inside])], ignore_index=True)
    return rows.loc[may_be_judged(state, rows)].reset_index(drop=True)


def _as_votes(proposals: pd.DataFrame) -> pd.DataFrame:
    """Write held-out proposals as votes of the model, for judging people by one more voice."""
    return frame_of(
        VOTES,
        {
            "vote_id": "proposal:" + proposals["item_id"],
            "revision": 0,
            "item_id": proposals["item_id"],
            "annotator": proposals["labeler"],
            "value": proposals["value"],
            "status": "given",
            "purpose": "label",
            "round": 1,
            "saw_proposal": False,
            "queue": "labeler",
            "schema_digest": proposals["schema_digest"],
            "given_at": proposals["proposed_at"],
        },
        len(proposals),
    )


def _rush(speed: Speed, a: int) -> str:
    return (
        f"{speed.quick[a]} of {counted(speed.timed[a], 'answer')} within {speed.cut[a]:.1f} seconds"
    )


def _of_speed(speed: Speed, a: int) -> list[Remark]:
    found = [Remark("rushed", _rush(speed, a))] if speed.rushed[a] else []
    if speed.hasty[a]:
        text = f"right in {percent(speed.fast_accuracy[a], 0)} of the quicker half of the answers"
        found.append(
            Remark("hasty", f"{text}, in {percent(speed.slow_accuracy[a], 0)} of the slower")
        )
    return found


def _of_steadiness(steady: Steadiness, a: int) -> list[Remark]:
    if not steady.changed[a]:
        return []
    text = f"right in {percent(steady.latest[a], 0)} of the latest {steady.window[a]} judged votes"
    return [Remark("changed", f"{text}, in {percent(steady.before[a], 0)} before")]


def _confusions(
    state: State, rows: pd.DataFrame, who: npt.NDArray[np.int64], names: pd.Index, risk: float
) -> list[tuple[str, str]]:
    classes = state.workspace.schema.classes
    found = directed_confusions(
        who, rows["code"], rows["reference"], n_classes=len(classes), risk=risk
    )
    return [
        (
            str(names[found.annotators[i]]),
            f"says {classes[found.given[i]]} for {classes[found.true[i]]} in {found.counts[i]} of "
            f"{counted(found.chances[i], 'vote')}, where others do in "
            f"{percent(found.others[i], 0)}",
        )
        for i in np.flatnonzero(found.flagged)
    ]


def _swayed(state: State, risk: float) -> Mapping[str, Anchoring]:
    if state.proposals.empty:
        return {}
    return find_swayed(state.votes, state.plan, state.proposals, risk=risk)


def _sway(found: Anchoring) -> str:
    shown, blind = found.shown_agree / found.shown, found.blind_agree / found.blind
    return (
        f"agrees with the model in {percent(shown, 0)} of {counted(found.shown, 'vote')} that saw "
        f"its proposal, in {percent(blind, 0)} of {found.blind} that did not"
    )
