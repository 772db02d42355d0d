"""Label Studio as a queue, against a real server: the common suite, and what is its own."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pandas as pd
import pytest

from labelops.adapters.label_studio import LabelStudioQueue, offers
from labelops.adapters.label_studio.config import asks
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.digest import canonical_json
from labelops.errors import (
    EndRefused,
    EndTimeout,
    EndUnavailable,
    NotFoundError,
    SchemaError,
)
from labelops.ports import Queue
from labelops.schema import Schema
from labelops.tables import PURPOSES, VOTES, newest
from labelops.testing.label_studio import LabelStudioHands
from labelops.testing.queues import PETS, Ends, QueueTests, Stored, Wish, items_for, plan_for

pytestmark = pytest.mark.server

KEY = b"secret"
ANN1, ANN2, ANN3 = "human:ann1", "human:ann2", "human:ann3"


class _Died(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


def _admin(server: LabelStudioServer) -> httpx.Client:
    headers = {"Authorization": f"Token {server.api_key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=300)


def _projects(server: LabelStudioServer, label_set: str) -> list[dict[str, Any]]:
    with _admin(server) as client:
        found = client.get("/api/projects/", params={"title": f"labelops {label_set} "}).json()
    return list(found["results"])


def _tasks(server: LabelStudioServer, label_set: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    with _admin(server) as client:
        for project in _projects(server, label_set):
            params = {"project": project["id"], "page_size": 1000, "fields": "all"}
            for task in client.get("/api/tasks/", params=params).json()["tasks"]:
                tasks.append({**task, "kind": project["title"].rpartition(" ")[2]})
    return tasks


def _plan_row(data: dict[str, Any]) -> tuple[str, str, int]:
    item, number = data["labelops_item"], data["labelops_round"]
    by_key = {offers.key_of(KEY, item, number, p): p for p in PURPOSES}
    return item, by_key[data["labelops_key"]], number


def _fill_in(tasks: list[dict[str, Any]]) -> list[Stored]:
    return [
        Stored(
            *_plan_row(task["data"]),
            task["data"]["text"],
            next(
                (json.dumps(p["result"][0]["value"]["choices"][0]) for p in task["predictions"]),
                None,
            ),
        )
        for task in tasks
    ]


@pytest.fixture
def label_set() -> str:
    """Return a label set nobody used yet."""
    return f"pets-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def people(label_studio: LabelStudioServer) -> Iterator[LabelStudioHands]:
    """Log everybody in once: checking a password is meant to be slow."""
    hands = LabelStudioHands(label_studio.url, label_studio.api_key, "nothing", key=KEY)
    for annotator in (ANN1, ANN2, ANN3):
        hands.offers(annotator)
    yield hands
    hands.close()


@pytest.fixture
def ends(label_studio: LabelStudioServer, people: LabelStudioHands, label_set: str) -> Ends:
    hands = LabelStudioHands(label_studio.url, label_studio.api_key, label_set, key=KEY)
    hands._admin, hands._sessions = people._admin, people._sessions
    return LabelStudioQueue(label_studio.url, label_studio.api_key, label_set, key=KEY), hands


def _die_after_import(queue: LabelStudioQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the queue's next import reach the server, and nothing after it."""
    real = queue._api.send

    def send(
        method: str, path: str, body: object, params: Mapping[str, object] | None = None
    ) -> object:
        answer = real(method, path, body, params)
        if path.endswith("/import"):
            raise _Died
        return answer

    monkeypatch.setattr(queue._api, "send", send)


class TestLabelStudioQueue(QueueTests):
    """The conformance suite."""

    @pytest.fixture(autouse=True)
    def _server(
        self, label_studio: LabelStudioServer, label_set: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.server, self.label_set, self.patch = label_studio, label_set, monkeypatch

    @pytest.fixture
    def ends(self, ends: Ends) -> Ends:
        return ends  # the module's

    def stored(self, ends: Ends) -> list[Stored]:
        return _fill_in(_tasks(self.server, self.label_set))

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
            _die_after_import(queue, patch)
            with pytest.raises(_Died):
                queue.send(plan, items, schema, payloads=None)


def _send(queue: Queue, wishes: list[Wish], schema: Schema = PETS) -> tuple[int, int]:
    sent = queue.send(plan_for(wishes, schema), items_for(wishes), schema, payloads=None)
    return sent.offered, sent.known


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
    with monkeypatch.context() as patch, pytest.raises(_Died):
        _die_after_import(dying, patch)
        _send(dying, wishes)
    assert _send(ends[0], wishes) == (0, 3)
    assert {t["data"]["labelops_item"]: t["overlap"] for t in _tasks(label_studio, label_set)} == {
        "a": 1,
        "b": 1,
        "c": 3,
    }
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
            _send(queue, wishes)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue = LabelStudioQueue(label_studio.url, label_studio.api_key, label_set, key=KEY)
    _send(queue, wishes)
    assert not [error for error in failed if not getattr(error, "retryable", False)]
    assert len(_projects(label_studio, label_set)) == 1
    items = [t["data"]["labelops_item"] for t in _tasks(label_studio, label_set)]
    assert sorted(items) == sorted(w.item_id for w in wishes)


def test_an_empty_second_project_is_cleared_away(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """A slower sender that could not take its own project back leaves no trace in the end."""
    queue, hands = ends
    assert _send(queue, [Wish("a")]) == (1, 0)
    first = _projects(label_studio, label_set)[0]
    same = {k: first[k] for k in ("title", "label_config", "maximum_annotations")}
    with _admin(label_studio) as client:
        for _ in range(2):
            client.post("/api/projects/", json=same).raise_for_status()
        extra = client.post("/api/projects/", json=same).json()["id"]
        task = {"data": _tasks(label_studio, label_set)[0]["data"]}
        client.post(f"/api/projects/{extra}/import", json=[task]).raise_for_status()
    assert len(_projects(label_studio, label_set)) == 4
    assert _send(queue, [Wish("a"), Wish("b")]) == (1, 1)
    left = {p["id"]: p["task_number"] for p in _projects(label_studio, label_set)}
    assert left[first["id"]] == 2, "the oldest is added to"
    assert set(left) == {first["id"], extra}, "one that holds a task is never deleted"
    assert sorted(o.item_id for o in hands.offers(ANN1)) == ["a", "b"]


def test_two_copies_give_one_vote_a_person(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """A task that got copied with its data does not let anybody vote twice."""
    queue, hands = ends
    _send(queue, [Wish("a")])
    task = _tasks(label_studio, label_set)[0]
    with _admin(label_studio) as client:
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
    _send(queue, wishes)
    expected = [o.item_id for o in hands.offers(ANN1)]
    client, _ = hands._session(ANN1)
    served = []
    while True:
        project = _projects(label_studio, queue.name.partition("/")[2])[0]["id"]
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
    _send(queue, [shown, Wish("b", "calibrate"), Wish("c", "review"), Wish("d", "audit")])
    found = _projects(label_studio, label_set)
    assert len(found) == 4
    for project in found:
        assert not project["show_instruction"], "nothing lies over the first item"
        assert "Label All Tasks" in project["expert_instruction"]
        proposes = project["title"].endswith("· label")
        assert ("a model's proposal" in project["expert_instruction"]) == proposes
    with _admin(label_studio) as client:
        path = f"/api/projects/{found[0]['id']}/"
        client.patch(path, json={"expert_instruction": "Ask Ann."}).raise_for_status()
    more = Schema(PETS.name, (*PETS.classes, "owl"))
    _send(queue, [Wish("e", purpose) for purpose in ("calibrate", "review", "audit")], more)
    texts = {p["id"]: p["expert_instruction"] for p in _projects(label_studio, label_set)}
    assert texts[found[0]["id"]] == "Ask Ann."


def test_several_deletions_and_a_new_answer(ends: Ends) -> None:
    """Deletions are noticed for each person; answering again after that counts again."""
    queue, hands = ends
    _send(queue, [Wish("a", annotators=3)])
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
    _send(queue, [Wish(f"i{n}") for n in range(5)])
    base = {"from_name": "label", "to_name": "item", "type": "choices"}
    odd: list[list[dict[str, object]]] = [
        [],
        [{**base, "value": {"choices": ["cat", "dog"]}}],
        [{**base, "from_name": "other", "value": {"choices": ["cat"]}}],
        [{**base, "value": {"choices": ["unicorn"]}}],
    ]
    with _admin(label_studio) as client:
        for offer, result in zip(hands.offers(ANN1), odd, strict=False):
            task = offer.ref.partition(":")[2]
            path = f"/api/tasks/{task}/annotations/"
            client.post(path, json={"result": result}).raise_for_status()
    hands.answer(ANN1, next(o for o in hands.offers(ANN1) if o.item_id == "i4"), '"cat"')
    received = queue.receive()
    assert received.votes["item_id"].tolist() == ["i4"]
    assert len(received.rejected) == 4
    assert "unicorn" in " ".join(received.rejected)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('value="dog"', 'value="Dog"', "'dog' is gone"),
        ('name="label"', 'name="choice"', "choices named 'label' are gone"),
        ('<Choice value="eel" hotkey="3"/>', "", "'eel' is gone"),
    ],
)
def test_a_project_edited_by_hand_is_left_alone(
    ends: Ends, label_studio: LabelStudioServer, label_set: str, old: str, new: str, says: str
) -> None:
    """A renamed or missing class or control: nothing is sent to it or read from it, with a remedy.

    The label set's other projects go on, and so does this one once the change is undone.
    """
    queue, hands = ends
    _send(queue, [Wish("a"), Wish("b", purpose="audit")])
    hands.answer(ANN1, next(o for o in hands.offers(ANN1) if o.item_id == "b"), '"cat"')
    (project,) = (p for p in _projects(label_studio, label_set) if "blind" in p["title"])
    config = project["label_config"]
    assert old in config
    with _admin(label_studio) as client:
        edited = {"label_config": config.replace(old, new)}
        client.patch(f"/api/projects/{project['id']}/", json=edited).raise_for_status()
    received = queue.receive()
    (line,) = received.broken
    assert says in line and "Settings" in line and project["title"] in line
    assert received.votes["item_id"].tolist() == ["b"]
    wishes = [Wish("c"), Wish("d", purpose="audit")]
    sent = queue.send(plan_for(wishes), items_for(wishes), PETS, payloads=None)
    assert (sent.offered, sent.known, sent.broken) == (1, 0, (line,))
    with _admin(label_studio) as client:
        client.patch(f"/api/projects/{project['id']}/", json={"label_config": config})
    hands.answer(ANN1, next(o for o in hands.offers(ANN1) if o.item_id == "a"), '"dog"')
    assert "a" in queue.receive(received.cursor).votes["item_id"].tolist()
    assert _send(queue, wishes) == (1, 1)


def test_a_deleted_project_is_made_again(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """After somebody deleted the project, the next send offers again; old votes stay."""
    queue, hands = ends
    _send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    first = queue.receive()
    with _admin(label_studio) as client:
        path = f"/api/projects/{_projects(label_studio, label_set)[0]['id']}/"
        client.delete(path).raise_for_status()
    second = queue.receive(first.cursor)
    assert len(second.votes) == 0
    assert _send(queue, [Wish("b")]) == (1, 0)
    assert [o.item_id for o in hands.offers(ANN1)] == ["b"]


def test_a_renamed_class_stays_readable(ends: Ends, label_studio: LabelStudioServer) -> None:
    """A rename keeps the old answers; a class that is just gone is refused, with the remedy."""
    queue, hands = ends
    _send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    with pytest.raises(SchemaError, match=r"schema\.renames"):
        _send(queue, [Wish("c")], Schema("pets", ("feline", "dog", "eel")))
    renamed = Schema("pets", ("feline", "dog", "eel"), renames={"cat": "feline"})
    _send(queue, [Wish("c")], renamed)
    hands.answer(ANN1, hands.offers(ANN1)[0], '"feline"')
    votes = newest(VOTES, queue.receive().votes)
    found = zip(votes["value"], votes["schema_digest"], strict=True)
    assert sorted(found) == sorted([('"cat"', PETS.digest), ('"feline"', renamed.digest)])


def test_a_question_that_is_reworded_is_asked(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """People read it from the next `send` on; answers from before stay under the same schema."""
    queue, hands = ends
    _send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    reworded = Schema("pets", PETS.classes, question="Who barks & who purrs?")
    described = replace(reworded, descriptions={"dog": "Barks, & > 'woof'.", "cat": 'Says "$5".'})
    for schema in (reworded, reworded, described, described):
        assert _send(queue, [Wish("a"), Wish("b")], schema) == (0, 2)
        configs = [project["label_config"] for project in _projects(label_studio, label_set)]
        assert [asks(config, schema) for config in configs] == [True]
    hands.answer(ANN1, hands.offers(ANN1)[0], '"dog"')
    votes = newest(VOTES, queue.receive().votes)
    assert sorted(votes["value"]) == ['"cat"', '"dog"']
    assert set(votes["schema_digest"]) == {PETS.digest}


def test_a_class_that_no_answer_names_may_go(ends: Ends, label_studio: LabelStudioServer) -> None:
    """The project stops offering it, and answers that are there are read as before."""
    queue, hands = ends
    _send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    smaller = Schema("pets", ("cat", "dog"))
    _send(queue, [Wish("c")], smaller)
    hands.answer(ANN1, hands.offers(ANN1)[0], '"dog"')
    assert sorted(newest(VOTES, queue.receive().votes)["value"]) == ['"cat"', '"dog"']
    with pytest.raises(SchemaError, match=r"'dog'.*1 answer"):
        _send(queue, [Wish("d")], Schema("pets", ("cat", "eel")))


def test_a_wrong_token_is_refused_without_showing_it(label_studio: LabelStudioServer) -> None:
    """A token the server does not know is EndRefused, and no message holds it."""
    token = secrets.token_hex(20)
    queue = LabelStudioQueue(label_studio.url, token, "pets", key=KEY)
    with pytest.raises(EndRefused, match="LABEL_STUDIO_API_KEY") as failure:
        queue.receive()
    assert not failure.value.retryable
    assert token not in str(failure.value) + repr(queue) + repr(failure.value.__cause__)


# The SDK renews such tokens through a deprecated method of pydantic.
@pytest.mark.filterwarnings("ignore:.*parse_obj.*:DeprecationWarning")
def test_a_personal_access_token_works(label_studio: LabelStudioServer, label_set: str) -> None:
    """The newer kind of token, which has to be renewed every few minutes, works as well."""
    with _admin(label_studio) as client:
        client.post("/api/jwt/settings", json={"api_tokens_enabled": True}).raise_for_status()
        token = client.post("/api/token/", json={}).raise_for_status().json()["token"]
    queue = LabelStudioQueue(label_studio.url, token, label_set, key=KEY)
    assert _send(queue, [Wish("a")]) == (1, 0)
    wrong = LabelStudioQueue(label_studio.url, token[:-6] + "AAAAAA", label_set, key=KEY)
    with pytest.raises(EndRefused) as failure:
        wrong.receive()
    assert token[:20] not in str(failure.value)


def test_a_server_that_is_down_is_unavailable() -> None:
    """Nobody listens: a retryable error that names the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        queue = LabelStudioQueue(url, "x" * 40, "pets", key=KEY, timeout=5)
        with pytest.raises(EndUnavailable, match=url) as failure:
            queue.receive()
    assert failure.value.retryable


def test_a_server_that_stalls_times_out() -> None:
    """A server that takes the request and never answers: a retryable timeout."""
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        url = f"http://127.0.0.1:{stalled.getsockname()[1]}"
        queue = LabelStudioQueue(url, "x" * 40, "pets", key=KEY, timeout=1)
        with pytest.raises(EndTimeout, match="within 1 s") as failure:
            queue.receive()
    assert failure.value.retryable


def test_an_item_that_is_not_there_is_named(ends: Ends) -> None:
    """A plan row without its item is refused before anything is sent."""
    queue, _ = ends
    plan = plan_for([Wish("a"), Wish("missing")])
    with pytest.raises(NotFoundError, match="missing"):
        queue.send(plan, items_for([Wish("a")]), PETS, payloads=None)


class _Images:
    """Objects that hold two images, a small and a large one."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def get(self, name: str) -> bytes:
        return self.files[name]

    def put_new(self, name: str, content: bytes) -> bool:
        raise NotImplementedError

    def list(self, prefix: str = "") -> list[str]:
        return sorted(self.files)


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
    sent = queue.send(plan_for(wishes, schema), items, schema, payloads=_Images(files))
    assert sent.offered == 2
    tasks = {
        t["data"]["labelops_item"]: t["data"]["image"] for t in _tasks(label_studio, label_set)
    }
    assert tasks["small"].startswith("data:image/png;base64,")
    with _admin(label_studio) as client:
        assert client.get(tasks["large"]).content == files["large.png"]
    hands.answer(ANN1, hands.offers(ANN1)[0], canonical_json("cat"))
    assert len(queue.receive().votes) == 1
