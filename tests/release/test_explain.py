from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from labelops.errors import NotFoundError
from labelops.release import Explanation, explain
from labelops.tables import EVENTS, FINDINGS, PLAN, empty, frame_of

from .world import MODEL, NOW, PEOPLE, items, labels, planted, proposals, votes

PLANNED = {
    "item_id": ["a"],
    "round": 1,
    "purpose": "label",
    "annotators": 1,
    "reason": "close call",
    "priority": 1.0,
    "show_proposal": False,
    "exclude": "[]",
    "schema_digest": "s",
    "planned_at": NOW,
}


def told(item_id: str, **changes: Any) -> Explanation:
    given = {
        "labels": labels(PEOPLE, MODEL),
        "votes": votes(PEOPLE),
        "proposals": proposals(MODEL),
        "plan": frame_of(PLAN, PLANNED, 1),
        "findings": empty(FINDINGS),
    }
    return explain(item_id, **(given | changes))


def test_a_label_of_people() -> None:
    """Who voted what when, on whose request, and that the label rests on it."""
    found = told("a")
    assert found.decided is not None
    assert (found.decided["value"], found.decided["method"]) == ("cat", "majority")
    (vote,) = found.votes
    assert (vote["annotator"], vote["value"], vote["counted"]) == ("human:ann", "cat", True)
    assert vote["given_at"] == NOW.isoformat()
    assert vote["seconds"] is None
    assert found.looks[0]["reason"] == "close call"
    assert found.proposals == ()


@pytest.mark.parametrize(("days", "earlier"), [(-1, False), (0, False), (1, True)])
def test_a_vote_on_earlier_content_is_marked(days: int, earlier: bool) -> None:
    """What was said before the content was revised is about another text."""
    revised = pd.Timestamp(NOW) + timedelta(days)
    (vote,) = told("a", revised=revised).votes
    assert (vote["earlier"], told("a").votes[0]["earlier"]) == (earlier, False)


@pytest.mark.parametrize(("planned", "earlier"), [(-2, True), (-1, False)])
def test_a_late_vote_on_earlier_content_is_marked(planned: int, earlier: bool) -> None:
    """It was asked before the content was revised, so that is what the annotator saw."""
    days = timedelta(1)
    plan = frame_of(PLAN, PLANNED | {"planned_at": NOW + planned * days}, 1)
    (vote,) = told("a", revised=pd.Timestamp(NOW) - days, plan=plan).votes
    assert vote["earlier"] == earlier


def test_a_vote_from_before_a_split_is_marked() -> None:
    """What was said of a class before it was split counts no more."""
    (vote,) = told("a").votes
    assert not vote["split"]
    assert told("a", split=[vote["vote_id"]]).votes[0]["split"]


def test_a_label_of_the_model() -> None:
    """Which model proposed it, with what probabilities, and which of two was accepted."""
    both = pd.concat([proposals(MODEL), proposals(MODEL, "m2", proposed_at=NOW + timedelta(1))])
    found = told("c", proposals=both)
    assert [(p["labeler_version"], p["accepted"]) for p in found.proposals] == [
        ("m1", True),
        ("m2", False),
    ]
    assert found.proposals[0]["probs"] == [0.9, 0.1]
    assert found.proposals[0]["fold"] is None
    assert found.decided is not None
    assert found.decided["evidence"] == {"hypothesis": 1, "labeler_version": "m1", "votes": []}


def test_a_proposal_names_the_encoder_of_its_labeler() -> None:
    """The version of a labeler is a digest: what its vectors came from is said beside it."""
    rows = {"event_id": "f1", "revision": 0, "kind": "fit", "subject": "m1", "at": NOW}
    fits = frame_of(EVENTS, {**rows, "body": '{"encoder": "vowels 1"}'}, 1)
    assert [p["encoder"] for p in told("c", fits=fits).proposals] == ["vowels 1"]
    assert [p["encoder"] for p in told("c").proposals] == [None]


def test_edits_history_reviews_findings_events() -> None:
    """Every revision counts once; earlier labels, later looks, suspicions and events are told."""
    edits = pd.concat(
        [
            votes({"a": "dog"}, revision=0),
            votes(PEOPLE),
            votes(PEOPLE),
            votes({"a": "dog"}, "human:bob", vote_id=["r"], purpose="review"),
        ]
    )
    events = frame_of(
        EVENTS,
        {
            "event_id": ["e1", "e2"],
            "kind": "forgotten",
            "subject": ["a", "b"],
            "revision": 0,
            "body": '{"by":"ann"}',
            "at": NOW,
        },
        2,
    )
    found = explain(
        "a",
        pd.concat([labels(PEOPLE, revision=2), labels({"a": "dog"}, revision=1)]),
        edits,
        proposals(MODEL),
        frame_of(PLAN, PLANNED, 1),
        planted("a", "dog"),
        events,
    )
    assert [(v["vote_id"], v["value"], v["revisions"]) for v in found.votes] == [
        ("r", "dog", 1),
        ("v-a", "cat", 2),
    ]
    assert [v["annotator"] for v in found.reviews] == ["human:bob"]
    assert found.reviews[0]["counted"] is False
    assert [h["value"] for h in found.history] == ["dog"]
    assert found.findings[0]["planted"] is True
    assert found.events == (
        {"event_id": "e1", "kind": "forgotten", "body": {"by": "ann"}, "at": NOW.isoformat()},
    )


def test_an_explanation_is_json() -> None:
    """Everything in it can be written as strict JSON."""
    for item in "abc":
        text = json.dumps(told(item, findings=planted("a", "dog")).to_json(), allow_nan=False)
        assert json.loads(text)["item_id"] == item


def test_an_item_nobody_voted_on_yet() -> None:
    """An item that is only planned has looks and no label."""
    found = told("a", labels=labels({}), votes=votes({}))
    assert found.decided is None
    assert (found.history, found.votes) == ((), ())
    assert len(found.looks) == 1


def test_an_unknown_item_is_not_found() -> None:
    """An item in no table is an error that names it."""
    with pytest.raises(NotFoundError, match="zzz"):
        told("zzz")


def test_contents_and_known_answer() -> None:
    """What the item said before and since when, and what its owner knows of it now."""
    later = NOW + timedelta(2)
    first = items(["a", "b"], ingested_at=NOW)
    licensed = items(["a"], revision=1, licence="MIT", ingested_at=NOW + timedelta(1))
    revised = items(
        ["a"], revision=2, payload="dogs", payload_digest="d2", source="late", ingested_at=later
    )
    rows = {"subject": "a", "kind": "gold", "event_id": ["g1", "g2"], "revision": [0, 1]}
    bodies = ['{"value":"\\"cat\\""}', '{"value":"\\"dog\\""}']
    gold = frame_of(EVENTS, {**rows, "body": bodies, "at": [NOW, later]}, 2)
    found = told("a", items=pd.concat([revised, first, licensed]), events=gold)
    assert [(c["source"], c["since"]) for c in found.contents] == [
        (first["source"].iloc[0], NOW.isoformat()),
        ("late", later.isoformat()),
    ], "another licence is no other content"
    assert found.contents[-1]["payload"] == "dogs"
    assert (found.known_answer, told("a").known_answer) == ("dog", None)
    taken_back = frame_of(EVENTS, {**rows, "body": [bodies[0], '{"value":null}'], "at": NOW}, 2)
    assert told("a", events=taken_back).known_answer is None
    assert told("new", items=items(["new"])).decided is None, "known, and nothing happened yet"
