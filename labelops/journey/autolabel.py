"""Autolabel: a labeler learns from the votes so far, proposes, and is tried for acceptance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ..autolabel.policy import FIXED
from ..autolabel.proposals import check_answers, proposals_frame
from ..digest import canonical_json, digest
from ..errors import LabelopsError
from ..kinds.choice import codes_of, values_of
from ..measure.chosen import TrainingSet, training_set
from ..measure.codes import among
from ..measure.samples import expect_sample
from ..parts import as_a_part
from ..ports import (
    Labeler,
    LearnsFromEarlierLabels,
    LearnsFromVectors,
    MayNotLearn,
    MayRefuse,
    Metered,
    SemiSupervised,
)
from ..state import State, Unasked, Workspace, last_body, load, refusals_of, say
from ..state.training import training_rows
from ..tables import ITEMS
from .acceptance import close_void, try_to_accept
from .consolidate import up_to_date

__all__ = ["Autolabeled", "autolabel"]


@dataclass(frozen=True, slots=True)
class Autolabeled:
    """What `autolabel` did.

    Parameters
    ----------
    labeler_version : str or None
        The version in force; None while there are too few votes to learn from.
    trained_on, proposed : int
        Items the labeler learned from, and items it proposed for just now.
    accepted : int
        Items whose proposals stand as labels now.
    reason : str
        In words.
    rule_votes : int
        Votes that rules gave just now.
    closed : tuple of str
        Why acceptances were closed just now; what they had accepted goes back to people.
    refused : mapping of item to reason
        Items that the labeler's model refused just now: people label them without a proposal.
    """

    labeler_version: str | None
    trained_on: int
    proposed: int
    accepted: int
    reason: str
    rule_votes: int = 0
    closed: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def autolabel(
    workspace: Workspace,
    labeler: Labeler | None,
    *,
    now: datetime,
    going_on: bool = False,
    made_from: str = "",
) -> Autolabeled:
    """Fit the labeler on the votes so far, let it propose, and try whether it may be accepted.

    Parameters
    ----------
    workspace : Workspace
    labeler : Labeler or None
        None where people label everything.
    now : datetime
    going_on : bool
        Whether people are asked next in any case: then it is said, for whoever is to wait for it,
        that the labeler could not be asked.
    made_from : str
        Digest of the settings that the labeler was made from. Under other settings than those of
        the version in force it is fitted again on what that version learned from: if it is another
        version, all items get its proposals, and it is tried anew.

    Raises
    ------
    LabelopsError
        What went wrong with the labeler, `of_a_part`: nothing of it is proposed or accepted that
        was not before.
    """
    state = up_to_date(workspace, now)
    if labeler is None:
        _say_unasked(state, "", now)
        return Autolabeled(None, 0, 0, 0, "no labeler is configured")
    rows = training_rows(state)
    enough = len(rows) >= state.seed_enough and len(set(rows.codes)) > 1
    if state.fits.empty and not enough:
        return Autolabeled(None, len(rows), 0, 0, "too few votes to learn from")
    rows, is_new = _rows_to_fit(state, rows)
    try:
        proposed = _propose(state, labeler, rows, is_new, made_from, now)
    except LabelopsError as error:
        if error.of_a_part and going_on:
            # What is void closes whether anybody answers or not.
            close_void(workspace, now)
            _say_unasked(load(workspace), str(error), now)
        raise
    _say_unasked(load(workspace), "", now)
    closed = close_void(workspace, now)
    reason = try_to_accept(workspace, len(rows), now)
    state = load(workspace)
    accepted = len(state.accepted)
    version = state.labeler_version
    refused = labeler.refused if proposed and isinstance(labeler, MayRefuse) else {}
    return Autolabeled(
        version, len(rows), proposed, accepted, reason, closed=closed, refused=refused
    )


def _say_unasked(state: State, reason: str, now: datetime) -> None:
    """Say why the labeler could not be asked, or, with no reason, that it could again."""
    before, days = state.unasked, state.workspace.policies.route.settle_days
    since = now if before is None else before.since.to_pydatetime()
    given_up = bool(days) and now - since > timedelta(days=days)
    found = Unasked(reason, pd.Timestamp(since), given_up) if reason else None
    if found != before:
        body = {"reason": reason, "since": since.isoformat(), "given_up": given_up}
        say(state, [state.next_event("unasked", "labeler", body)], now)


def _rows_to_fit(state: State, rows: TrainingSet) -> tuple[TrainingSet, bool]:
    """Return the rows to fit on: the new ones when they grew enough, else those of last time."""
    if state.fits.empty:
        return rows, True
    last = json.loads(state.fits["body"].iloc[-1])
    reached = last["items"] < state.training_enough <= len(rows)
    if reached or len(rows) >= state.workspace.policies.accept.growth * last["items"]:
        return rows, True
    known = json.loads(state.workspace.objects.get(last["object"]))
    # As values: codes of an earlier schema would mean other classes now.
    codes = codes_of(known["values"], state.workspace.schema)
    ids, sample = np.asarray(known["items"], dtype=object), state.calibration_stream
    # The sample of a grown set may hold what was learned from before: that is unlearned, and so
    # is what was withdrawn.
    apart = ~among(ids, sample.ids) & ~among(ids, state.withdrawn_ids)
    unlearned = not apart.all() or _was_read(state, known)
    # An item revised since has no vote on what it says now.
    kept = apart & among(ids, state.votes["item_id"])
    return training_set(ids[kept], codes[kept], apart_from=[sample]), unlearned


def _was_read(state: State, known: dict[str, Any]) -> bool:
    """Say whether the sample of an e-process holds what the version in force has read."""
    if state.workspace.policies.accept.test == FIXED:
        return False
    return not set(known.get("read", {})).isdisjoint(state.calibration_stream.ids)


def _propose(
    state: State,
    labeler: Labeler,
    rows: TrainingSet,
    is_new: bool,
    made_from: str,
    now: datetime,
) -> int:
    """Fit and propose for the items that lack a proposal of this version; count them."""
    workspace, schema = state.workspace, state.workspace.schema
    present = state.present_items
    same = is_new or _made_from(state, made_from) == made_from
    if not is_new and same and present["item_id"].isin(state.current_proposals["item_id"]).all():
        return 0
    by_id = state.items.set_index("item_id", drop=False)
    fitted = by_id.loc[expect_sample(rows, TrainingSet).ids]
    if isinstance(labeler, Metered):
        with as_a_part():
            _refuse_beyond(state, labeler, now)
    read = state.items.iloc[:0]
    if isinstance(labeler, SemiSupervised):
        read = _to_read(state, is_new)
        with as_a_part():
            labeler.read(read, schema)
    with _metered(state, labeler, now), as_a_part():
        version = labeler.fit(
            fitted.reset_index(drop=True), rows.codes.tolist(), fitted["group"].tolist(), schema
        )
    known = state.proposals.loc[state.proposals["labeler_version"] == version, "item_id"]
    lacking = present.loc[~present["item_id"].isin(known)].reset_index(drop=True)
    if len(lacking):
        trained = set(rows.ids) if _learns(labeler) else set()
        with _metered(state, labeler, now):
            with as_a_part():
                answers = check_answers(
                    labeler.propose(lacking, schema), lacking, schema, trained=trained
                )
            _say_refused(state, labeler, version, lacking["item_id"], now)
        frame = proposals_frame(answers, labeler.name, version, schema, now)
        workspace.tables.append("proposals", frame)
    body = _fitted(state, labeler, version, rows, read)
    body |= {"made_from": made_from} if made_from else {}
    if version != state.labeler_version or body != last_body(state.fits):
        number = 0 if state.fits.empty else int(state.fits["revision"].max()) + 1
        say(state, [("fit", version, number, body)], now)
    return len(lacking)


def _refuse_beyond(state: State, labeler: Metered, now: datetime) -> None:
    """Refuse what would cost more than may be spent; first replace a mere guess of that."""
    items, schema = state.present_items, state.workspace.schema
    estimate = labeler.estimate(items, schema)
    if estimate.worth_measuring:
        with _metered(state, labeler, now):
            labeler.measure(items, schema)
        estimate = labeler.estimate(items, schema)
    estimate.refuse_beyond()


def _made_from(state: State, unknown: str) -> str:
    """Return what the version in force was made from; `unknown` if nothing was said of that."""
    found: str = last_body(state.fits).get("made_from", unknown)
    return found


def _say_refused(
    state: State, labeler: Labeler, version: str, asked: pd.Series, now: datetime
) -> None:
    """Say which items the model refused, and why: before what it proposes, which is asked once."""
    if not isinstance(labeler, MayRefuse):
        return
    before = refusals_of(state.latest("refused"), version)
    stay = {item: why for item, why in before.items() if item not in set(asked)}
    reasons: dict[str, list[str]] = {}
    for item, why in sorted({**stay, **labeler.refused}.items()):
        reasons.setdefault(why, []).append(item)
    if reasons or before:
        say(state, [state.next_event("refused", version, {"reasons": reasons})], now)


def _to_read(state: State, is_new: bool) -> pd.DataFrame:
    """Return the items that a labeler reads without their labels, by id, with what it reads.

    A labeler that is not to be another version reads what it read when it was fitted: items that
    came since are not among it, and those revised since are read as they were.
    """
    if is_new:
        present = state.present_items
        return _by_id(present.loc[present["item_id"].isin(state.to_read.ids)])
    known = json.loads(state.workspace.objects.get(last_body(state.fits)["object"]))
    before = pd.Series(known.get("read", {}), dtype=object)

    def found(items: pd.DataFrame) -> pd.DataFrame:
        same = items["item_id"].map(before) == items["payload_digest"]
        return items.loc[same].drop_duplicates("item_id")

    rows = found(state.items)
    if len(rows) < len(before):
        rows = found(state.workspace.tables.read(ITEMS.name))
    return _by_id(rows)


def _by_id(items: pd.DataFrame) -> pd.DataFrame:
    """Sort by id: a labeler that minds the order is still the same version, whoever it read."""
    return items.sort_values("item_id", kind="stable").reset_index(drop=True)


def _fitted(
    state: State, labeler: Labeler, version: str, rows: TrainingSet, read: pd.DataFrame
) -> dict[str, Any]:
    """Return what is said of the version in force: of one that was before, what was said then.

    But for what it has read: a labeler that gains nothing by that is the same version after it has
    read other items.
    """
    values = values_of(rows.codes, state.workspace.schema).tolist()
    texts = dict(zip(read["item_id"], read["payload_digest"], strict=True))
    content = canonical_json({"items": rows.ids.tolist(), "read": texts, "values": values})
    learns = _learns(labeler)
    # One that does not learn is the same version with whatever rows.
    name = f"training/{digest([version, texts] if learns else [version, content])[:32]}.json"
    state.workspace.objects.put_new(name, content.encode())
    before = state.fits.loc[state.fits["subject"] == version]
    if len(before):
        given = {"object": name} if learns else {"object": name, "items": len(rows)}
        return {**last_body(before), **given, **_learned_from(labeler)}
    return {
        **_learned_from(labeler),
        # Before a look at this version: what its acceptance is planned for.
        "calibration": len(state.stream_now),
        "since": state.stream_since,
        "items": len(rows),
        "labeler": labeler.name,
        "object": name,
    }


def _learns(labeler: Labeler) -> bool:
    return not isinstance(labeler, MayNotLearn) or labeler.learns


def _learned_from(labeler: Labeler) -> dict[str, object]:
    """Name what a labeler learned from beside items and votes; its version is a digest.

    An encoder whose vectors, and columns with labels from before.
    """
    encoder = labeler.encoder if isinstance(labeler, LearnsFromVectors) else None
    # What another labeler of that attribute means by it is not known.
    found: dict[str, object] = {"encoder": encoder} if isinstance(encoder, str) else {}
    if isinstance(labeler, LearnsFromEarlierLabels) and labeler.earlier_labels:
        found["earlier_labels"] = list(labeler.earlier_labels)
    return found


@contextmanager
def _metered(state: State, labeler: Labeler | Metered, now: datetime) -> Iterator[None]:
    """Say what asking has cost so far, also where it failed half-way."""
    try:
        yield
    finally:
        if isinstance(labeler, Metered):
            usage = labeler.usage(state.workspace.schema)
            event = ("usage", usage.subject, usage.answers, dataclasses.asdict(usage))
            say(load(state.workspace), [event], now)
