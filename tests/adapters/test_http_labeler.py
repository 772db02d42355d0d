"""HttpLabeler against real servers of the protocol in another process."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from labelops.adapters._patience import Patience
from labelops.adapters.http_labeler import HttpLabeler
from labelops.adapters.ml_backend_answers import results_of
from labelops.errors import (
    ConflictError,
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
)
from labelops.ports import Labeler
from labelops.schema import Schema
from labelops.testing.labelers import LabelerTests, example_items

from ..servers import Start, serving

PETS = Schema("pets", ("cat", "dog", "bird"))


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start a backend with some arguments, once each; return its URL."""
    with serving("ml_backend") as one:
        yield cache(one)


class TestProtocol(LabelerTests):
    """The suite, against a real server, in small batches."""

    learns = False

    @pytest.fixture(autouse=True)
    def _backend(self, start: Start) -> None:
        self.url = start("--behaviour", "ok")

    def make(self) -> Labeler:
        return HttpLabeler(self.url, batch=7)

    def make_broken(self) -> Labeler:
        return HttpLabeler("http://127.0.0.1:9", patience=Patience(0.1))


def _propose(url: str, **settings: object) -> pd.DataFrame:
    labeler = HttpLabeler(url, **settings)  # type: ignore[arg-type]
    return labeler.propose(example_items(), PETS)


def test_reads_class_confidence_and_probabilities(start: Start) -> None:
    """What the backend said about each item, in the schema's class order."""
    items, answers = example_items(), _propose(start("--behaviour", "ok"))
    named = items["payload"].str.split().str[0]
    assert answers["value"].tolist() == [f'"{n}"' for n in named]
    assert answers["confidence"].tolist() == [0.75] * 48
    expected = [0.75 if c == named[0] else 0.125 for c in PETS.classes]
    np.testing.assert_allclose(answers["probs"][0], expected)


@pytest.mark.parametrize("behaviour", ["plain", "zero"])
def test_absent_scores_are_absent(start: Start, behaviour: str) -> None:
    """No score, or the protocol library's 0, is NaN; there are no probabilities."""
    answers = _propose(start("--behaviour", behaviour))
    assert answers["value"].notna().all()
    assert answers["confidence"].isna().all()
    assert answers["probs"].isna().all()


def test_named_tasks_are_joined_by_name(start: Start) -> None:
    """Answers in another order, naming their tasks, land on the right items."""
    straight = _propose(start("--behaviour", "ok"))
    pd.testing.assert_frame_equal(_propose(start("--behaviour", "reorder")), straight)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "error", "says", "retryable"),
    [
        ("error", EndUnavailable, "1 item: status 500; see the backend's log", True),
        ("deny", EndProtocolError, "1 item: status 400, .*too long.*; check that it", False),
        ("refuse", EndRefused, "credentials", False),
        ("redirect", EndProtocolError, "redirects", False),
        ("half", EndProtocolError, "24 results for 48 items.*'i24'", False),
        ("badprobs", EndProtocolError, "item 'i00': probabilities sum to 1.2", False),
        ("badclass", EndProtocolError, "item 'i00': unknown class", False),
        ("missing", EndProtocolError, "item 'i00': probabilities without class", False),
        ("nan", EndProtocolError, "item 'i00': probability nan", False),
        ("junk", EndProtocolError, "not JSON", False),
        ("huge", EndProtocolError, "longer than", False),
    ],
)
def test_misbehaviour_is_mapped(
    start: Start, behaviour: str, error: type[EndError], says: str, retryable: bool
) -> None:
    """Each fault is one of our errors, with host, count, remedy and whether to ask again."""
    url = start("--behaviour", behaviour)
    with pytest.raises(error, match=says) as caught:
        _propose(url)
    assert caught.value.retryable is retryable
    assert url.removeprefix("http://") in str(caught.value)
    assert "asked about 48 items" in str(caught.value) or "1 item: status" in str(caught.value)
    assert "\n" not in str(caught.value)


def _poisoned(*at: int) -> pd.DataFrame:
    items = example_items()
    items["payload"] = [f"POISON {t}" if n in at else t for n, t in enumerate(items["payload"])]
    return items


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("poison", 'status 400, \'{"error": "too long, whoever holds ********"}\''),
        ("breaks", "500"),
    ],
)
@pytest.mark.parametrize("at", [(0,), (17,), (46, 47), (0, 1, 9, 10, 11, 12, 13, 14, 15, 47)])
def test_an_item_that_is_refused_stops_no_other(
    start: Start, behaviour: str, why: str, at: tuple[int, ...]
) -> None:
    """It has no proposal, with the server's reason and no secret; all others have theirs."""
    items, labeler = _poisoned(*at), HttpLabeler(start("--behaviour", behaviour), token="sesame")
    answers = labeler.propose(items, PETS)
    bad = items["item_id"].isin(labeler.refused)
    assert np.flatnonzero(bad).tolist() == list(at)
    assert answers.loc[bad, "value"].isna().all()
    said = [f'"{word}"' for word in items.loc[~bad, "payload"].str.split().str[0]]
    assert answers.loc[~bad, "value"].tolist() == said
    assert all(why in reason for reason in labeler.refused.values())
    labeler.propose(items.loc[~bad], PETS)
    assert labeler.refused == {}


@pytest.mark.parametrize("behaviour", ["poison", "breaks"])
def test_refused_alone_it_is_told_by_what_was_fitted(start: Start, behaviour: str) -> None:
    """One new item that is refused: whether it is for the item, others tell."""
    items, labeler = _poisoned(5), HttpLabeler(start("--behaviour", behaviour))
    with pytest.raises(EndError, match="asked about 1 item: status"):
        labeler.propose(items.iloc[5:6], PETS)
    labeler.fit(items.iloc[4:8], [0] * 4, ["g"] * 4, PETS)
    assert labeler.propose(items.iloc[5:6], PETS)["value"].isna().all()
    assert list(labeler.refused) == ["i05"]


def test_many_refused_in_a_row_are_no_matter_of_items(start: Start) -> None:
    """Ten after answers, three before any: nobody pays for a request an item."""
    url = start("--behaviour", "poison")
    for at in (range(3), range(20, 30)):
        labeler = HttpLabeler(url, batch=5)
        with pytest.raises(EndProtocolError, match="status 400"):
            labeler.propose(_poisoned(*at), PETS)


@pytest.mark.parametrize("behaviour", ["small", "stumbles"])
def test_what_is_too_much_at_once_is_asked_in_parts(start: Start, behaviour: str) -> None:
    """A request that is too large, or an error that passes: every item is answered."""
    labeler = HttpLabeler(start("--behaviour", behaviour))
    straight = _propose(start("--behaviour", "ok"))
    pd.testing.assert_frame_equal(labeler.propose(example_items(), PETS), straight)
    assert labeler.refused == {}


@pytest.mark.parametrize("behaviour", ["poison", "breaks"])
def test_a_version_is_asked_of_another_item_where_one_is_refused(
    start: Start, behaviour: str
) -> None:
    """A backend whose /setup names none."""
    labeler = HttpLabeler(start("--behaviour", behaviour, "--version", ""))
    items = _poisoned(0, 1)
    assert labeler.fit(items, [0] * 48, items["group"].tolist(), PETS)
    with pytest.raises(EndError, match="status"):
        labeler.fit(items.iloc[:2], [0] * 2, ["g", "g"], PETS)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("slow", "60"), ("drip", "0.05")])
def test_late_answers_are_given_up(start: Start, arguments: tuple[str, str]) -> None:
    """Silence, and an answer that drips without end, both stop at the timeout."""
    url = start("--behaviour", arguments[0], "--delay", arguments[1])
    with pytest.raises(EndTimeout, match=r"48 items.*0\.3 s.*raise `timeout`") as caught:
        _propose(url, timeout=0.3)
    assert caught.value.retryable


def test_a_model_that_changes_on_the_way_is_refused(start: Start) -> None:
    """Two batches by two models are no one version's proposals; asking again may help."""
    with pytest.raises(ConflictError, match="is now") as caught:
        _propose(start("--behaviour", "drift"), batch=10)
    assert caught.value.retryable


def test_the_version_is_the_backends_and_the_address(start: Start) -> None:
    """Another model version or URL is another version; /setup or a prediction tells it."""
    items = example_items()

    def version(url: str, schema: Schema = PETS) -> str:
        return HttpLabeler(url).fit(items, [0] * 48, items["group"].tolist(), schema)

    ok = start("--behaviour", "ok")
    silent = start("--behaviour", "ok", "--version", "")
    versions = {version(ok), version(start("--version", "2")), version(silent)}
    assert len(versions) == 3
    assert version(ok) == version(ok)
    assert version(ok, Schema("pets", ("dog", "cat", "bird"))) != version(ok)
    HttpLabeler(ok).health()


def test_a_predictions_file_can_be_served(start: Start, tmp_path: Path) -> None:
    """Listed items get what the file says, the others abstain."""
    file = tmp_path / "said.jsonl"
    rows = [
        {"item_id": "i00", "value": "bird"},
        {"item_id": "i01", "probs": {"cat": 0.5, "dog": 0.25, "bird": 0.25}},
    ]
    file.write_text("\n".join(json.dumps(r) for r in rows))
    answers = _propose(start("--predictions", str(file)))
    assert answers["value"].tolist()[:3] == ['"bird"', '"cat"', None]
    assert answers["value"].isna().sum() == 46


def test_images_travel_as_data_uris(start: Start) -> None:
    """The backend gets the bytes, not our path, which it could not open."""
    # The test backend proposes the class that it finds in what it gets, here in the base64.
    hidden = base64.b64decode("dogs")
    items = example_items().assign(payload="p.png", media_type="image/png")
    schema = Schema("pets", PETS.classes, media="image")
    labeler = HttpLabeler(start("--behaviour", "ok"), media="image", load=lambda _: hidden)
    assert set(labeler.propose(items, schema)["value"]) == {'"dog"'}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org", "plain http"),
        ("http://127.0.0.1.example.org:1", "plain http"),
        ("ftp://example.org", "expected https"),
        ("example.org", "expected https"),
        ("https://", "expected https"),
        ("https://u:p@example.org", "leave user and password out"),
        ("ftp://u:p@example.org", "leave user and password out"),
        ("https://u:p@example.org:x", "leave user and password out"),
        ("https://example.org:99999", "labeler url"),
        ("https://example.org/?a=1", "expected https"),
    ],
)
def test_addresses_that_are_not_safe_are_refused(url: str, says: str) -> None:
    """https, or http on this machine, and no secrets in the address."""
    with pytest.raises(SettingsError, match=says) as caught:
        HttpLabeler(url)
    assert ":p@" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """`repr` says where, not with which password; http elsewhere has to be asked for."""
    labeler = HttpLabeler("http://example.org", auth=("me", "s3cret"), insecure=True)
    assert "s3cret" not in repr(labeler)
    for url in ("http://localhost:1", "http://[::1]:1", "https://example.org/ml"):
        HttpLabeler(url)


def _region(choice: str, **more: object) -> dict[str, object]:
    return {"from_name": "label", "type": "choices", "value": {"choices": [choice]}, **more}


def test_one_region_a_class_is_a_distribution() -> None:
    """Scores of all classes are probabilities; of some classes, the best one's confidence."""
    full = [_region("cat", score=0.2), _region("dog", score=0.8), _region("bird", score=0)]
    top = [_region("cat", score=0.2), _region("dog", score=0.7)]
    raw = {"results": [{"result": full}, {"result": top}]}
    all_classes, two_classes = results_of(raw, ["a", "b"], PETS, "label")
    assert all_classes.probs is not None
    np.testing.assert_allclose(all_classes.probs, [0.2, 0.8, 0])
    assert (two_classes.choice, two_classes.confidence, two_classes.probs) == ("dog", 0.7, None)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("text", "not an object"),
        ([{}, {}], "2 predictions"),
        ({"result": "text"}, "not a list"),
        ({"result": [_region("cat") | {"from_name": "other"}]}, "set `from_name`"),
        ({"result": [_region("cat") | {"value": {"choices": ["cat", "dog"]}}]}, "one class"),
        ({"result": [_region("cat") | {"value": None}]}, "one class"),
        ({"result": [_region("cat", score="high")]}, "score 'high'"),
        ({"result": [_region("cat", score=1.5)]}, "score 1.5"),
        ({"result": [_region("cat"), _region("dog")]}, "without scores"),
        ({"result": [_region("cat", score=0.5)] * 2}, "name one twice"),
        ({"result": [_region("cat")], "meta": {"probs": [1, 0, 0]}}, "expected an object"),
        ({"task": 5, "result": []}, "name tasks"),
    ],
)
def test_malformed_predictions_are_named(entry: object, says: str) -> None:
    """Each malformed part says what was found and what was expected."""
    with pytest.raises(EndProtocolError, match=says):
        results_of({"results": [entry]}, ["a"], PETS, "label")


@pytest.mark.parametrize("empty", [None, {}, [], {"result": []}, {"result": None}])
def test_an_empty_prediction_abstains(empty: object) -> None:
    """Every way the protocol has of saying nothing is an abstention."""
    (answer,) = results_of({"results": [empty]}, ["a"], PETS, "label")
    assert answer.choice is None
    assert np.isnan(answer.confidence)


def test_a_token_is_sent_and_never_shown() -> None:
    """It travels in the header, and neither `repr` nor a refusal of two credentials shows it."""
    labeler = HttpLabeler("http://localhost:1", token="s3cret")
    assert labeler._backend.client.headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(labeler)
    with pytest.raises(SettingsError, match="one of them"):
        HttpLabeler("http://localhost:1", token="s3cret", auth=("me", "pw"))
    with pytest.raises(SettingsError, match="no HTTP header") as caught:
        HttpLabeler("http://localhost:1", token="s3cret\nX: y")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("auth", [None, ("me", "s3cret")])
@pytest.mark.parametrize("answer", ["{}", "[{}]", '{{"model_version": ["{}"]}}'])
def test_a_server_that_repeats_the_secret_is_quoted_without_it(
    auth: tuple[str, str] | None, answer: str
) -> None:
    """Whatever comes back, its message holds neither token, password nor what they travel as."""
    given = {"auth": auth} if auth else {"token": "s3cret"}
    labeler = HttpLabeler("http://localhost:1", **given)

    def repeated(request: httpx.Request) -> httpx.Response:
        said = f"s3cret and {request.headers['Authorization']}"
        return httpx.Response(200, text=answer.format(said))

    headers = labeler._backend.client.headers
    labeler._backend.client = httpx.Client(
        transport=httpx.MockTransport(repeated), headers=headers, auth=auth
    )
    with pytest.raises(EndProtocolError) as caught:
        labeler.fit(example_items().iloc[:1], [0], ["a"], PETS)
    message = str(caught.value)
    assert "********" in message and "s3cret" not in message
    assert "bWU6czNjcmV0" not in message, "me:s3cret as it travels"
