"""Label Studio as a queue, against a real server: the common suite, and what is its own."""

from __future__ import annotations

import secrets
import threading

import pandas as pd
import pytest

from labelops.adapters.label_studio import LabelStudioQueue, offers
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.digest import canonical_json
from labelops.errors import NotFoundError
from labelops.schema import Schema
from labelops.tables import VOTES, newest
from labelops.testing.label_studio import LabelStudioHands
from labelops.testing.memory import MemoryObjects
from labelops.testing.queues import PETS, Ends, QueueTests, Stored, Wish, items_for, plan_for

from .sets import ANN1, ANN2, ANN3, Died, admin, die_after_import, fill_in, projects, send, tasks_of
from .tasks import KEY

pytestmark = pytest.mark.server


class TestLabelStudioQueue(QueueTests):
    """The conformance suite."""

    @pytest.fixture(autouse=True)
    def _server(
        self, label_studio: LabelStudioServer, label_set: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.server, self.label_set, self.patch = label_studio, label_set, monkeypatch

    @pytest.fixture
    def ends(self, ends: Ends) -> Ends:
        return ends  # this folder's

    def stored(self, ends: Ends) -> list[Stored]:
        return fill_in(tasks_of(self.server, self.label_set))

    def reopen(self, ends: Ends) -> Ends:
        return LabelStudioQueue(
            self.server.url, self.server.api_key, self.label_set, key=KEY
        ), ends[1]

    def send_and_die(
        self, ends: Ends, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, after: int
    ) -> None:
        queue, _ = self.reopen(ends)
        assert isinstance(queue, LabelStudioQueue)
        with self.patch.context() as patch:
            patch.setattr(offers, "_BATCH_TASKS", after)
            die_after_import(queue, patch)
            with pytest.raises(Died):
                queue.send(plan, items, schema, payloads=None)


def test_a_death_before_bookkeeping_is_repaired(
    ends: Ends, label_studio: LabelStudioServer, label_set: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overlap and exclusion that were not yet set when the sender died are set by the next."""
    _, hands = ends
    hands.offers(ANN1)  # makes the account, so that it can be excluded
    wishes = [
        Wish("a", purpose="audit"),
        Wish("b", purpose="audit"),
        Wish("c", purpose="audit", annotators=3, exclude=(ANN1,)),
    ]
    dying = LabelStudioQueue(label_studio.url, label_studio.api_key, label_set, key=KEY)
    with monkeypatch.context() as patch, pytest.raises(Died):
        die_after_import(dying, patch)
        send(dying, wishes)
    assert send(ends[0], wishes) == (0, 3)
    overlap = {t["data"]["labelops_item"]: t["overlap"] for t in tasks_of(label_studio, label_set)}
    assert overlap == {"a": 1, "b": 1, "c": 3}
    assert [o.item_id for o in hands.offers(ANN1)] == ["a", "b"]
    assert [o.item_id for o in hands.offers(ANN2)] == ["a", "b", "c"]


def test_two_senders_at_once_end_in_one_offer_each(
    label_studio: LabelStudioServer, label_set: str
) -> None:
    """Two processes that send the same plan at the same time leave one project and one task."""
    wishes = [Wish(f"i{n}") for n in range(20)]
    gate = threading.Barrier(2)
    failed: list[BaseException] = []

    def work() -> None:
        queue = LabelStudioQueue(label_studio.url, label_studio.api_key, label_set, key=KEY)
        try:
            gate.wait()
            send(queue, wishes)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue = LabelStudioQueue(label_studio.url, label_studio.api_key, label_set, key=KEY)
    send(queue, wishes)
    assert not [error for error in failed if not getattr(error, "retryable", False)]
    assert len(projects(label_studio, label_set)) == 1
    items = [t["data"]["labelops_item"] for t in tasks_of(label_studio, label_set)]
    assert sorted(items) == sorted(w.item_id for w in wishes)


def test_two_copies_give_one_vote_a_person(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """A task that got copied with its data does not let anybody vote twice."""
    queue, hands = ends
    send(queue, [Wish("a")])
    task = tasks_of(label_studio, label_set)[0]
    with admin(label_studio) as client:
        path = f"/api/projects/{task['project']}/import"
        client.post(path, json=[{"data": task["data"]}]).raise_for_status()
    first, second = hands.offers(ANN1)
    hands.answer(ANN1, first, '"cat"')
    hands.answer(ANN1, second, '"dog"')
    votes = newest(VOTES, queue.receive().votes)
    assert votes["value"].tolist() == ['"dog"']


def test_the_server_itself_serves_what_the_hands_see(
    ends: Ends, label_studio: LabelStudioServer
) -> None:
    """The label stream gives an annotator the same items in the same order as `offers`."""
    queue, hands = ends
    assert isinstance(hands, LabelStudioHands)
    hands.offers(ANN1)
    wishes = [
        Wish("third", priority=1, annotators=2),
        Wish("first", priority=3),
        Wish("never", priority=9, exclude=(ANN1,)),
        Wish("second", priority=2),
    ]
    send(queue, wishes)
    expected = [o.item_id for o in hands.offers(ANN1)]
    client, _ = hands._session(ANN1)
    served = []
    while True:
        project = projects(label_studio, queue.name.partition("/")[2])[0]["id"]
        answer = client.get(f"/api/projects/{project}/next")
        if answer.status_code == 404:
            break
        served.append(answer.json()["data"]["labelops_item"])
        offer = next(o for o in hands.offers(ANN1) if o.item_id == served[-1])
        hands.answer(ANN1, offer, '"cat"')
    assert served == expected == ["first", "second", "third"]


def test_people_are_told_to_label_in_the_stream(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """Every project's instructions ask for it; words of the owner's own are left alone."""
    queue, _ = ends
    shown = Wish("a", value='"cat"', show_proposal=True)
    send(queue, [shown, Wish("b", "calibrate"), Wish("c", "review"), Wish("d", "audit")])
    found = projects(label_studio, label_set)
    assert len(found) == 4
    for project in found:
        assert not project["show_instruction"], "nothing lies over the first item"
        assert "Label All Tasks" in project["expert_instruction"]
        proposes = project["title"].endswith("· label")
        assert ("a model's proposal" in project["expert_instruction"]) == proposes
    with admin(label_studio) as client:
        path = f"/api/projects/{found[0]['id']}/"
        client.patch(path, json={"expert_instruction": "Ask Ann."}).raise_for_status()
    more = Schema(PETS.name, (*PETS.classes, "owl"))
    send(queue, [Wish("e", purpose) for purpose in ("calibrate", "review", "audit")], more)
    texts = {p["id"]: p["expert_instruction"] for p in projects(label_studio, label_set)}
    assert texts[found[0]["id"]] == "Ask Ann."


def test_several_deletions_and_a_new_answer(ends: Ends) -> None:
    """Deletions are noticed for each person; answering again after that counts again."""
    queue, hands = ends
    send(queue, [Wish("a", annotators=3)])
    offer = hands.offers(ANN1)[0]
    for annotator in (ANN1, ANN2, ANN3):
        hands.answer(annotator, offer, '"cat"')
    first = queue.receive()
    hands.delete(ANN1, offer)
    hands.delete(ANN3, offer)
    second = queue.receive(first.cursor)
    hands.answer(ANN3, offer, '"eel"')
    third = queue.receive(second.cursor)
    votes = newest(VOTES, pd.concat([first.votes, second.votes, third.votes], ignore_index=True))
    rows = zip(votes["annotator"], votes["status"], votes["value"], strict=True)
    assert sorted(rows, key=str) == [
        (ANN1, "deleted", None),
        (ANN2, "given", '"cat"'),
        (ANN3, "given", '"eel"'),
    ]


def test_an_odd_answer_is_reported_and_blocks_nothing(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """Two choices, none, an unknown control or class: each a line, all other votes arrive."""
    queue, hands = ends
    send(queue, [Wish(f"i{n}") for n in range(5)])
    base = {"from_name": "label", "to_name": "item", "type": "choices"}
    odd: list[list[dict[str, object]]] = [
        [],
        [{**base, "value": {"choices": ["cat", "dog"]}}],
        [{**base, "from_name": "other", "value": {"choices": ["cat"]}}],
        [{**base, "value": {"choices": ["unicorn"]}}],
    ]
    with admin(label_studio) as client:
        for offer, result in zip(hands.offers(ANN1), odd, strict=False):
            task = offer.ref.partition(":")[2]
            path = f"/api/tasks/{task}/annotations/"
            client.post(path, json={"result": result}).raise_for_status()
    hands.answer(ANN1, next(o for o in hands.offers(ANN1) if o.item_id == "i4"), '"cat"')
    received = queue.receive()
    assert received.votes["item_id"].tolist() == ["i4"]
    assert len(received.rejected) == 4
    assert "unicorn" in " ".join(received.rejected)


def test_an_item_that_is_not_there_is_named(ends: Ends) -> None:
    """A plan row without its item is refused before anything is sent."""
    queue, _ = ends
    plan = plan_for([Wish("a"), Wish("missing")])
    with pytest.raises(NotFoundError, match="missing"):
        queue.send(plan, items_for([Wish("a")]), PETS, payloads=None)


def test_images_arrive_small_and_large(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """A small image is embedded, a large one uploaded; both are the very bytes."""
    queue, hands = ends
    schema = Schema("pets", ("cat", "dog"), media="image")
    head = b"\x89PNG\r\n\x1a\n"
    files = {"small.png": head + b"s" * 100, "large.png": head + secrets.token_bytes(200_000)}
    wishes = [Wish("small"), Wish("large")]
    items = items_for(wishes, {w.item_id: f"object:{w.item_id}.png" for w in wishes})
    items["media_type"] = "image/png"
    images = MemoryObjects()
    images.kept = files
    sent = queue.send(plan_for(wishes, schema), items, schema, payloads=images)
    assert sent.offered == 2
    tasks = {
        t["data"]["labelops_item"]: t["data"]["image"] for t in tasks_of(label_studio, label_set)
    }
    assert tasks["small"].startswith("data:image/png;base64,")
    with admin(label_studio) as client:
        assert client.get(tasks["large"]).content == files["large.png"]
    hands.answer(ANN1, hands.offers(ANN1)[0], canonical_json("cat"))
    assert len(queue.receive().votes) == 1
