"""Label Studio's adapter without a server: configuration, answers, cursor, errors, requests."""

from __future__ import annotations

import inspect
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.adapters.label_studio import LabelStudioQueue, answers, api, offers
from labelops.adapters.label_studio.answers import votes_frame, votes_of
from labelops.adapters.label_studio.config import Known, config_for, read_config, widened
from labelops.adapters.label_studio.cursor import Place, Where, read_cursor, write_cursor
from labelops.errors import (
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SchemaError,
    SettingsError,
    UsageError,
)
from labelops.schema import Schema
from labelops.tables import PURPOSES, VOTES, check
from labelops.testing.queues import PETS, Wish, items_for, plan_for

ODD = Schema(
    "odd",
    (
        'he said "hi"',
        "it's",
        "<script>alert(1)</script>",
        "a & b &amp; c",
        "--><x>",
        "$5 ☕ 日本語",
    ),
    question='Which "one"? <b>$text</b> --> ]]>',
)
PETS_KNOWN = (Known(PETS.digest, PETS.classes),)


# --- configuration ---------------------------------------------------------------------------


def _choices(config: str) -> list[str]:
    root = ET.fromstring(config)
    return [c.get("alias") or c.get("value") or "" for c in root.iter("Choice")]


def test_odd_class_names_survive_the_configuration() -> None:
    """Quotes, markup, comment ends and dollars in classes and question come back unharmed."""
    config = config_for(ODD)
    assert _choices(config) == list(ODD.classes)
    assert read_config(config, "project") == (Known(ODD.digest, ODD.classes),)
    assert {e.tag for e in ET.fromstring(config).iter() if isinstance(e.tag, str)} == {
        "View",
        "Header",
        "Text",
        "Choices",
        "Choice",
    }


@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=9
        ),
        min_size=2,
        max_size=12,
        unique=True,
    )
)
def test_any_classes_survive_the_configuration(classes: list[str]) -> None:
    """Whatever a schema may hold, the configuration says the same classes in the same order."""
    schema = Schema("s", tuple(classes))
    config = config_for(schema)
    assert read_config(config, "p")[-1].classes == schema.classes
    # `$` is replaced in what is shown, never in what is answered.
    assert _choices(config) == classes
    assert all("$" not in (c.get("value") or "") for c in ET.fromstring(config).iter("Choice"))


def test_a_text_is_shown_as_text_and_an_image_as_image() -> None:
    """The object matches the media, and a text is never taken for an address to open."""
    shown = ET.fromstring(config_for(PETS)).find(".//Text")
    assert shown is not None
    assert (shown.get("value"), shown.get("valueType")) == ("$text", "text")
    pictures = Schema("p", ("a", "b"), media="image")
    assert ET.fromstring(config_for(pictures)).find(".//Image") is not None


def test_digits_are_answered_with_their_own_keys() -> None:
    """Classes named by one character get that key; a few others get 1, 2, 3."""
    digits = Schema("d", tuple("0123456789"))
    keys = [c.get("hotkey") for c in ET.fromstring(config_for(digits)).iter("Choice")]
    assert keys == list("0123456789")
    assert [c.get("hotkey") for c in ET.fromstring(config_for(PETS)).iter("Choice")] == list("123")


def test_history_and_old_names_stay_in_the_configuration() -> None:
    """After a rename the old class is remembered and kept, hidden, at the end."""
    renamed = Schema("pets", ("feline", "dog", "eel"), renames={"cat": "feline"})
    config = config_for(renamed, PETS_KNOWN)
    assert [k.digest for k in read_config(config, "p")] == [PETS.digest, renamed.digest]
    assert _choices(config) == ["feline", "dog", "eel", "cat"]
    hidden = ET.fromstring(config).find(".//Choices/View")
    assert hidden is not None
    assert hidden.get("style") == "display:none"


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda c: c.replace('value="dog"', 'value="hund"'), "'dog' is gone"),
        (lambda c: c.replace("</Choices>", '<Choice value="x"/></Choices>'), "'x' is new"),
        (lambda c: c.replace('name="label"', 'name="other"'), "'label' are gone"),
        (lambda c: c.replace('toName="item"', 'toName="text"'), "'label' are gone"),
        (lambda c: c.replace("labelops:", "note:"), "schemas"),
        (lambda c: c[:-10], "not XML"),
        (lambda c: '<!DOCTYPE x [<!ENTITY e "e">]>' + c, "not XML"),
        (lambda c: "<View/>", "'label' are gone"),
    ],
)
def test_an_edited_configuration_is_refused(edit: Callable[[str], str], says: str) -> None:
    """Each edit that makes answers unreadable is named, with what to do."""
    edited = edit(config_for(PETS))
    with pytest.raises(EndProtocolError, match=says) as failure:
        read_config(edited, "project 'x'")
    assert "rename that project" in str(failure.value)


def test_a_harmless_edit_is_left_alone() -> None:
    """Another heading, another order of the classes: nothing that answers depend on."""
    config = config_for(PETS).replace('size="4"', 'size="2"').replace("18px", "22px")
    assert read_config(config, "p") == PETS_KNOWN


def test_a_class_with_answers_does_not_vanish() -> None:
    """Dropping a class needs a rename, or that no answer names it."""
    smaller = Schema("pets", ("cat", "dog"))
    widened(PETS_KNOWN, smaller, {}, "p")
    widened(PETS_KNOWN, smaller, {"cat": 5, "eel": 0}, "p")
    renamed = Schema("pets", ("cat", "dog", "x"), renames={"eel": "x"})
    widened(PETS_KNOWN, renamed, {"eel": 5}, "p")
    with pytest.raises(SchemaError, match=r"'eel'.*5 answers"):
        widened(PETS_KNOWN, smaller, {"eel": 5}, "p")


# --- answers -----------------------------------------------------------------------------------


def _annotation(choice: object = "cat", **changes: Any) -> dict[str, Any]:
    region = {"from_name": "label", "to_name": "item", "type": "choices"}
    return {
        "id": 7,
        "completed_by": 2,
        "result": [{**region, "value": {"choices": [choice]}}],
        "was_cancelled": False,
        "updated_at": "2026-01-05T12:00:00.000123Z",
        "lead_time": 2.5,
        "parent_prediction": None,
        **changes,
    }


def _task(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    said = {"item": "a", "round": 3, "purpose": "audit"} | data
    row = offers.key_of(KEY, said["item"], said["round"], said["purpose"])
    return {
        "id": 11,
        "updated_at": "2026-01-06T00:00:00Z",
        "total_predictions": 0,
        "annotations": list(annotations),
        "data": {
            "labelops_key": row,
            "labelops_item": said["item"],
            "labelops_round": said["round"],
            "labelops_schema": PETS.digest,
            "labelops_exclude": [offers.person_of(KEY, row, "human:away")],
        },
    }


KEY = b"secret"
NAMES = {1: "human:away", 2: "human:ann", 3: "human:bob"}


def _read(
    task: dict[str, Any],
    seen: answers.Seen = frozenset(),
    known: tuple[Known, ...] = PETS_KNOWN,
) -> tuple[list[answers.VoteRow], list[str]]:
    rejected: list[str] = []
    found = list(votes_of(task, "q", known, NAMES.__getitem__, seen, rejected, KEY))
    check(VOTES, votes_frame([row for _, row in found], "q"))
    return [row for _, row in found], rejected


def test_an_annotation_is_a_vote() -> None:
    """Every column of a vote comes from where it should."""
    (vote,), rejected = _read(_task(_annotation()))
    assert not rejected
    when = datetime(2026, 1, 5, 12, 0, 0, 123, tzinfo=UTC)
    assert (vote.item_id, vote.round, vote.purpose) == ("a", 3, "audit")
    assert (vote.annotator, vote.value, vote.status) == ("human:ann", '"cat"', "given")
    assert (vote.seconds, vote.saw_proposal, vote.given_at) == (2.5, False, when)
    assert vote.revision == round(when.timestamp() * 1e6)
    assert vote.schema_digest == PETS.digest


def test_whoever_could_see_a_pre_label_saw_it() -> None:
    """A prediction on the task, or one the answer was made from, counts as seen."""
    (vote,), _ = _read({**_task(_annotation()), "total_predictions": 1})
    assert vote.saw_proposal
    (vote,), _ = _read(_task(_annotation(parent_prediction=5)))
    assert vote.saw_proposal


@pytest.mark.parametrize("lead_time", [None, -1, float("nan"), "2", True])
def test_an_unknown_time_is_missing(lead_time: object) -> None:
    """A lead time that is none is NaN, never 0."""
    (vote,), _ = _read(_task(_annotation(lead_time=lead_time)))
    assert vote.seconds != vote.seconds


def test_a_person_has_one_vote_the_newest() -> None:
    """Of two annotations of one person the newest counts, in whatever order they come."""
    old = _annotation("dog", id=9, updated_at="2026-01-05T11:00:00Z")
    for task in (_task(old, _annotation()), _task(_annotation(), old)):
        votes, _ = _read(task)
        assert [v.value for v in votes] == ['"cat"']


def test_a_skip_that_keeps_somebody_away_is_no_vote() -> None:
    """Our own skips in the name of excluded people are not reported; other skips are."""
    away = _annotation(completed_by=1, was_cancelled=True, result=[])
    skip = _annotation(completed_by=3, was_cancelled=True, result=[])
    votes, _ = _read(_task(away, skip))
    assert [(v.annotator, v.status, v.value) for v in votes] == [("human:bob", "skipped", None)]
    came_anyway, _ = _read(_task(_annotation(completed_by=1)))
    assert [v.annotator for v in came_anyway] == ["human:away"]


@pytest.mark.parametrize(
    "edit",
    [
        {"labelops_item": "b"},
        {"labelops_round": 4},
        {"labelops_round": "3"},
        {"labelops_key": offers.key_of(b"another", "a", 3, "audit")},
        {"labelops_key": None},
        {"labelops_schema": 5},
        {"labelops_exclude": "human:away"},
    ],
)
def test_a_task_whose_data_was_edited_gives_no_votes(edit: dict[str, object]) -> None:
    """An answer is never moved to another item, round or purpose by who edits the task's data."""
    task = _task(_annotation())
    task["data"] |= edit
    votes, (line,) = _read(task, frozenset({(11, 3)}))
    assert not votes
    assert "task 11" in line and "somebody edited it" in line and "LABELOPS_KEY" in line


def test_an_answer_that_is_gone_was_deleted() -> None:
    """A known answer that is no longer there is a newer revision of the same vote."""
    (before,), _ = _read(_task(_annotation()))
    (after,), _ = _read(_task(), frozenset({(11, 2), (12, 3)}))
    assert (after.vote_id, after.status, after.value) == (before.vote_id, "deleted", None)
    assert after.revision > before.revision
    assert not _read(_task())[0]


def test_vote_ids_differ_by_plan_row_and_person() -> None:
    """Item, round, purpose and person make the id; the answer and its time do not."""
    variants = [
        _task(_annotation()),
        _task(_annotation(completed_by=3)),
        _task(_annotation(), item="b"),
        _task(_annotation(), round=4),
        _task(_annotation(), purpose="gold"),
    ]
    ids = [_read(task)[0][0].vote_id for task in variants]
    assert len(set(ids)) == len(ids)
    edited = _annotation("dog", id=99, updated_at="2026-02-01T00:00:00Z")
    assert _read(_task(edited))[0][0].vote_id == ids[0]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ([], "without an answer"),
        ([{"type": "textarea"}], "one choice"),
        (_annotation()["result"] * 2, "one choice"),
        ("cat", "not a list"),
        (_annotation("unicorn")["result"], "unicorn"),
        (_annotation(5)["result"], "exactly one"),
        ([{**_annotation()["result"][0], "value": {"choices": ["cat", "dog"]}}], "exactly one"),
        ([{**_annotation()["result"][0], "value": None}], "exactly one"),
        ([{**_annotation()["result"][0], "from_name": "other"}], "other"),
    ],
)
def test_an_odd_answer_is_a_line_and_the_others_arrive(result: object, says: str) -> None:
    """An answer nobody can understand is named with item and person; the rest is read."""
    votes, rejected = _read(_task(_annotation(result=result), _annotation(completed_by=3)))
    assert [v.annotator for v in votes] == ["human:bob"]
    (line,) = rejected
    assert says in line
    assert "'a'" in line
    assert "human:ann" in line


def test_a_task_that_is_not_ours_is_left_alone() -> None:
    """A task somebody else imported gives no vote, and a line if it has answers."""
    stranger = {"id": 5, "annotations": [_annotation()], "data": {"text": "mine"}}
    votes, rejected = _read(stranger)
    assert not votes
    assert "not made by labelops" in rejected[0]
    assert _read({**stranger, "annotations": []}) == ([], [])


def test_an_open_task_can_get_a_class_that_is_new() -> None:
    """A vote names the schema it fits: the task's own, or the grown one if only that has it."""
    wider = Known("wider", (*PETS.classes, "fox"))
    known = (*PETS_KNOWN, wider)
    assert _read(_task(_annotation("cat")), known=known)[0][0].schema_digest == PETS.digest
    assert _read(_task(_annotation("fox")), known=known)[0][0].schema_digest == "wider"


# --- cursor ------------------------------------------------------------------------------------

_PAIRS = st.frozensets(st.tuples(st.integers(1, 2**40), st.integers(1, 2**31)), max_size=50)


_WHERE = st.builds(Where, st.integers(1, 10**6), st.text(max_size=30))


@given(st.dictionaries(_WHERE, st.builds(Place, st.text(max_size=30), _PAIRS), max_size=4))
def test_a_cursor_says_what_was_written(places: dict[Where, Place]) -> None:
    """Reading a cursor gives the places that were written, in any order."""
    assert read_cursor(write_cursor(places)) == places


def test_a_cursor_stays_small() -> None:
    """A hundred thousand answers by seven people in a mixed order take under 4 bytes each."""
    seen = frozenset((n // 2 + 5, 1 + (n * 7919) % 7) for n in range(100_000))
    place = Place("2026-01-05T12:00:00Z", seen)
    assert len(write_cursor({Where(1, "2026-01-04T12:00:00Z"): place})) < 4 * len(seen)


def test_a_cursor_of_before_reads_everything_again() -> None:
    """It did not say which server's projects it meant."""
    assert read_cursor('{"label-studio":1,"projects":{"1":["2026-01-05T12:00:00Z","x"]}}') == {}


@pytest.mark.parametrize(
    "cursor", ["", "17", "[]", "{}", '{"label-studio":2,"projects":[["x"]]}', '{"label-studio":3}']
)
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    """A cursor of another queue, or half of one, is a usage error with a remedy."""
    with pytest.raises(UsageError, match="without a cursor"):
        read_cursor(cursor)


# --- errors and requests -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, EndRefused),
        (403, EndRefused),
        (404, EndProtocolError),
        (400, EndProtocolError),
        (302, EndProtocolError),
        (408, EndTimeout),
        (504, EndTimeout),
        (429, EndUnavailable),
        (500, EndUnavailable),
        (503, EndUnavailable),
    ],
)
def test_every_status_is_an_error_of_ours(status: int, kind: type[EndError]) -> None:
    """Each status has its place in our tree; only those that may pass are retryable."""
    error = api.error_for_status(status, "detail", "GET /x")
    assert type(error) is kind
    assert error.retryable == (kind in (EndTimeout, EndUnavailable))
    assert "\n" not in str(error)


Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], LabelStudioQueue]:
    """Return a maker of queues whose server is a function."""
    real = httpx.Client

    def make(answer: Answer) -> LabelStudioQueue:
        def client(**options: Any) -> httpx.Client:
            return real(transport=httpx.MockTransport(answer), **options)

        monkeypatch.setattr(httpx, "Client", client)
        return LabelStudioQueue("http://ls.test/base", "t0ken" * 8, "pets", key=KEY, timeout=2)

    return make


def _raising(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("t0ken" * 8, request=request)

    return answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError, EndUnavailable),
        (httpx.RemoteProtocolError, EndUnavailable),
        (httpx.ReadError, EndUnavailable),
        (httpx.ConnectTimeout, EndTimeout),
        (httpx.ReadTimeout, EndTimeout),
        (httpx.PoolTimeout, EndTimeout),
    ],
)
def test_every_transport_error_is_ours(
    answering: Callable[[Answer], LabelStudioQueue],
    error: type[httpx.TransportError],
    kind: type[EndError],
) -> None:
    """What goes wrong on the way is retryable and shows no token."""
    with pytest.raises(kind, match=r"http://ls\.test/base") as failure:
        answering(_raising(error)).receive()
    assert type(failure.value) is kind
    assert failure.value.retryable
    assert "t0ken" not in str(failure.value)


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"[]", b'{"results": 5}', b'{"results": [{"id": "x"}]}', b"\xff"],
)
def test_junk_is_a_protocol_error(
    answering: Callable[[Answer], LabelStudioQueue], body: bytes
) -> None:
    """A server that answers something else is not Label Studio; that is said, no traceback."""
    queue = answering(lambda request: httpx.Response(200, content=body))
    with pytest.raises(EndProtocolError, match="Label Studio"):
        queue.receive()


def test_nothing_is_asked_twice_by_itself(
    answering: Callable[[Answer], LabelStudioQueue],
) -> None:
    """An import that met a server error is not repeated: it may have been done."""
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path))
        if request.url.path.endswith("/import"):
            return httpx.Response(500, json={"detail": "database is locked"})
        project = {
            "id": 1,
            "title": "labelops pets · blind",
            "label_config": config_for(PETS),
            "maximum_annotations": 1,
            "task_number": 0,
            "total_annotations_number": 0,
            "created_at": "2026-01-05T12:00:00.000001Z",
        }
        return httpx.Response(200, json={"results": [project], "next": None})

    queue, wishes = answering(answer), [Wish("a")]
    with pytest.raises(EndUnavailable, match="database is locked"):
        queue.send(plan_for(wishes), items_for(wishes), PETS, payloads=None)
    assert asked == [("GET", "/base/api/projects/"), ("POST", "/base/api/projects/1/import")]


def _server(made: str, person: str, *annotations: dict[str, Any]) -> Answer:
    """Return a server with one project, one task and one person, numbered as on any other."""
    project = {
        "id": 1,
        "title": "labelops pets · audit",
        "label_config": config_for(PETS),
        "maximum_annotations": 1,
        "task_number": 1,
        "total_annotations_number": 1,
        "created_at": made,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        body: object = {"results": [project], "next": None}
        if request.url.path.endswith("/tasks/"):
            skips = "cancelled_annotations" in request.url.params["query"]
            body = {"tasks": [] if skips else [_task(*annotations)]}
        elif request.url.path.endswith("/users/"):
            body = [{"id": 2, "email": person}]
        return httpx.Response(200, json=body)

    return answer


def test_another_server_is_read_from_its_beginning(
    answering: Callable[[Answer], LabelStudioQueue],
) -> None:
    """Its projects, tasks and people have the numbers of others; none replaces nor deletes another.

    A server that only has another address is the same, and so is the first one, later.
    """
    one = _server("2026-01-04T12:00:00.000001Z", "ann@example.org", _annotation())
    two = _server("2026-01-04T12:00:00.000002Z", "ben@example.org", _annotation("dog"))
    bare = _server("2026-01-04T12:00:00.000003Z", "ben@example.org")
    gone = _server("2026-01-04T12:00:00.000001Z", "ann@example.org")
    first = answering(one).receive()
    moved = answering(one).receive(first.cursor)
    assert moved.votes["vote_id"].tolist() == first.votes["vote_id"].tolist()
    assert answering(bare).receive(first.cursor).votes.empty
    second = answering(two).receive(first.cursor)
    both = pd.concat([first.votes, second.votes])
    assert both[["annotator", "value"]].to_numpy().tolist() == [
        ["human:ann@example.org", '"cat"'],
        ["human:ben@example.org", '"dog"'],
    ]
    assert both["vote_id"].is_unique
    back = answering(gone).receive(second.cursor).votes
    assert back["status"].tolist() == ["deleted"]
    assert back["vote_id"].tolist() == first.votes["vote_id"].tolist()


def test_the_token_travels_in_the_header_only(
    answering: Callable[[Answer], LabelStudioQueue],
) -> None:
    """Requests carry the token as authorization, and no address or repr holds it."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"results": [], "next": None})

    queue = answering(answer)
    queue.receive()
    assert requests[0].headers["authorization"] == "Token " + "t0ken" * 8
    assert "t0ken" not in str(requests[0].url) + repr(queue)


def test_the_sdk_still_has_the_door_we_use() -> None:
    """The one private name of the SDK that we use is there and takes what we give."""
    from label_studio_sdk.core.http_client import HttpClient

    taken = inspect.signature(HttpClient.request).parameters
    assert {"method", "params", "json", "files", "request_options"} <= set(taken)


# --- offers ------------------------------------------------------------------------------------


def test_tasks_carry_their_plan_row() -> None:
    """Key, item, schema and, where they may be seen, the pre-label are in the task."""
    wishes = [
        Wish("seen", value='"dog"', show_proposal=True),
        Wish("blind", value='"dog"'),
        Wish("away", purpose="audit", exclude=("human:ann", "human:stranger"), value='"dog"'),
    ]
    rows = offers.rows_of(plan_for(wishes), KEY)
    shows = {w.item_id: f"text of {w.item_id}" for w in wishes}
    (batch,) = offers.batches(rows, shows, PETS, {"human:ann": 2}, KEY)
    tasks = {task["data"]["labelops_item"]: task for task in json.loads(json.dumps(batch))}
    assert {i: len(t["predictions"]) for i, t in tasks.items()} == {
        "seen": 1,
        "blind": 0,
        "away": 0,
    }
    assert [a["completed_by"] for a in tasks["away"]["annotations"]] == [2]
    assert tasks["seen"]["data"]["text"] == "text of seen"
    assert [r.kind for r in rows] == ["label", "blind", "audit"]


def test_tasks_say_neither_what_they_are_for_nor_who_labeled() -> None:
    """Whoever may label reads all of a task: gold looks like any other, colleagues stay unnamed."""
    wishes = [Wish(p, purpose=p, exclude=("human:ann",)) for p in PURPOSES]
    rows = offers.rows_of(plan_for(wishes), KEY)
    (batch,) = offers.batches(rows, dict.fromkeys(PURPOSES, "text"), PETS, {}, KEY)
    for row, task in zip(rows, batch, strict=True):
        data: dict[str, Any] = {**task["data"], "labelops_item": "item"}  # type: ignore[dict-item]
        said = json.dumps(data)
        assert "ann" not in said and not any(f'"{p}"' in said for p in PURPOSES)
        key, exclude = data["labelops_key"], data["labelops_exclude"]
        assert offers.purpose_of(KEY, key, row.item_id, 1) == row.purpose
        assert offers.purpose_of(b"another", key, row.item_id, 1) is None
        assert exclude == [offers.person_of(KEY, key, "human:ann")]
    assert len({row.key for row in rows}) == len(PURPOSES)


def test_batches_are_small_enough() -> None:
    """No import is longer than its bounds, and together they are everything, in order."""
    rows = offers.rows_of(plan_for([Wish(f"i{n:04}") for n in range(1200)]), KEY)
    shows = {row.item_id: "x" * 20_000 for row in rows}
    found = list(offers.batches(rows, shows, PETS, {}, KEY))
    assert max(len(json.dumps(b)) for b in found) < 10 * 1024 * 1024
    assert max(map(len, found)) <= 500
    flat: list[Any] = [task["data"] for batch in found for task in batch]
    assert [d["labelops_item"] for d in flat] == [row.item_id for row in rows]


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("form", ["{}", '{{"detail": "{}"}}', '["{}"]', "{:>320}"])
def test_a_server_that_repeats_the_token_is_quoted_without_it(
    answering: Callable[[Answer], LabelStudioQueue], status: int, form: str
) -> None:
    """Its words stand in the message, the token does not, nor a part of it."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=form.format(request.headers["authorization"]))

    with pytest.raises(EndError) as failure:
        answering(answer).receive()
    assert "t0ken" not in str(failure.value)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    """It would stand in every message, and take the token's place in the header."""
    with pytest.raises(SettingsError, match="leave user and password out") as caught:
        LabelStudioQueue("https://me:s3cret@ls.test", "t0ken", "pets", key=KEY, namespace="n")
    assert "s3cret" not in str(caught.value)
