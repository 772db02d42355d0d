"""Projects of a real Label Studio that people edit, delete or double, and schemas that change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labelops.adapters.label_studio.config import asks
from labelops.adapters.label_studio_server import LabelStudioServer
from labelops.errors import SchemaError
from labelops.schema import Schema
from labelops.tables import VOTES, newest
from labelops.testing.queues import PETS, Ends, Wish, items_for, plan_for

from .sets import ANN1, admin, projects, send, tasks_of

pytestmark = pytest.mark.server


def test_an_empty_second_project_is_cleared_away(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """A slower sender that could not take its own project back leaves no trace in the end."""
    queue, hands = ends
    assert send(queue, [Wish("a")]) == (1, 0)
    first = projects(label_studio, label_set)[0]
    same = {k: first[k] for k in ("title", "label_config", "maximum_annotations")}
    with admin(label_studio) as client:
        for _ in range(2):
            client.post("/api/projects/", json=same).raise_for_status()
        extra = client.post("/api/projects/", json=same).json()["id"]
        task = {"data": tasks_of(label_studio, label_set)[0]["data"]}
        client.post(f"/api/projects/{extra}/import", json=[task]).raise_for_status()
    assert len(projects(label_studio, label_set)) == 4
    assert send(queue, [Wish("a"), Wish("b")]) == (1, 1)
    left = {p["id"]: p["task_number"] for p in projects(label_studio, label_set)}
    assert left[first["id"]] == 2, "the oldest is added to"
    assert set(left) == {first["id"], extra}, "one that holds a task is never deleted"
    assert sorted(o.item_id for o in hands.offers(ANN1)) == ["a", "b"]


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
    send(queue, [Wish("a"), Wish("b", purpose="audit")])
    hands.answer(ANN1, next(o for o in hands.offers(ANN1) if o.item_id == "b"), '"cat"')
    (project,) = (p for p in projects(label_studio, label_set) if "blind" in p["title"])
    config = project["label_config"]
    assert old in config
    with admin(label_studio) as client:
        edited = {"label_config": config.replace(old, new)}
        client.patch(f"/api/projects/{project['id']}/", json=edited).raise_for_status()
    received = queue.receive()
    (line,) = received.broken
    assert says in line and "Settings" in line and project["title"] in line
    assert received.votes["item_id"].tolist() == ["b"]
    wishes = [Wish("c"), Wish("d", purpose="audit")]
    sent = queue.send(plan_for(wishes), items_for(wishes), PETS, payloads=None)
    assert (sent.offered, sent.known, sent.broken) == (1, 0, (line,))
    with admin(label_studio) as client:
        client.patch(f"/api/projects/{project['id']}/", json={"label_config": config})
    hands.answer(ANN1, next(o for o in hands.offers(ANN1) if o.item_id == "a"), '"dog"')
    assert "a" in queue.receive(received.cursor).votes["item_id"].tolist()
    assert send(queue, wishes) == (1, 1)


def test_a_deleted_project_is_made_again(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """After somebody deleted the project, the next send offers again; old votes stay."""
    queue, hands = ends
    send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    first = queue.receive()
    with admin(label_studio) as client:
        path = f"/api/projects/{projects(label_studio, label_set)[0]['id']}/"
        client.delete(path).raise_for_status()
    second = queue.receive(first.cursor)
    assert len(second.votes) == 0
    assert send(queue, [Wish("b")]) == (1, 0)
    assert [o.item_id for o in hands.offers(ANN1)] == ["b"]


def test_a_renamed_class_stays_readable(ends: Ends, label_studio: LabelStudioServer) -> None:
    """A rename keeps the old answers; a class that is just gone is refused, with the remedy."""
    queue, hands = ends
    send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    with pytest.raises(SchemaError, match=r"schema\.renames"):
        send(queue, [Wish("c")], Schema("pets", ("feline", "dog", "eel")))
    renamed = Schema("pets", ("feline", "dog", "eel"), renames={"cat": "feline"})
    send(queue, [Wish("c")], renamed)
    hands.answer(ANN1, hands.offers(ANN1)[0], '"feline"')
    votes = newest(VOTES, queue.receive().votes)
    found = zip(votes["value"], votes["schema_digest"], strict=True)
    assert sorted(found) == sorted([('"cat"', PETS.digest), ('"feline"', renamed.digest)])


def test_a_question_that_is_reworded_is_asked(
    ends: Ends, label_studio: LabelStudioServer, label_set: str
) -> None:
    """People read it from the next `send` on; answers from before stay under the same schema."""
    queue, hands = ends
    send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    reworded = Schema("pets", PETS.classes, question="Who barks & who purrs?")
    described = replace(reworded, descriptions={"dog": "Barks, & > 'woof'.", "cat": 'Says "$5".'})
    for schema in (reworded, reworded, described, described):
        assert send(queue, [Wish("a"), Wish("b")], schema) == (0, 2)
        configs = [project["label_config"] for project in projects(label_studio, label_set)]
        assert [asks(config, schema) for config in configs] == [True]
    hands.answer(ANN1, hands.offers(ANN1)[0], '"dog"')
    votes = newest(VOTES, queue.receive().votes)
    assert sorted(votes["value"]) == ['"cat"', '"dog"']
    assert set(votes["schema_digest"]) == {PETS.digest}


def test_a_class_that_no_answer_names_may_go(ends: Ends, label_studio: LabelStudioServer) -> None:
    """The project stops offering it, and answers that are there are read as before."""
    queue, hands = ends
    send(queue, [Wish("a"), Wish("b")])
    hands.answer(ANN1, hands.offers(ANN1)[0], '"cat"')
    smaller = Schema("pets", ("cat", "dog"))
    send(queue, [Wish("c")], smaller)
    hands.answer(ANN1, hands.offers(ANN1)[0], '"dog"')
    assert sorted(newest(VOTES, queue.receive().votes)["value"]) == ['"cat"', '"dog"']
    with pytest.raises(SchemaError, match=r"'dog'.*1 answer"):
        send(queue, [Wish("d")], Schema("pets", ("cat", "eel")))
