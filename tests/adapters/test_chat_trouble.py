"""Chat servers that refuse, fail, are late or misbehave: named, waited for, or an abstention."""

from __future__ import annotations

from typing import Any

import pytest

from labelops.adapters.chat_cache import Prices
from labelops.adapters.chat_client import ChatClient
from labelops.errors import (
    EndError,
    EndProtocolError,
    EndRefused,
    EndTimeout,
    EndUnavailable,
    SettingsError,
)
from labelops.testing.labelers import example_items
from labelops.testing.memory import MemoryObjects

from ..servers import Start
from .chat import KEY, PETS, Clock, asked, labeler, named, poisoned, propose

pytestmark = pytest.mark.slow  # a server in another process, asked many times


@pytest.mark.parametrize(
    ("behaviour", "error", "says", "retryable"),
    [
        ("down", EndUnavailable, "status 500.*what was answered is kept", True),
        ("closed", EndUnavailable, "status 429", True),
        ("quota", EndRefused, "quota is used up", False),
        ("gone", EndUnavailable, "no whole answer", True),
        ("junk", EndProtocolError, "not JSON", False),
        ("list", EndProtocolError, "not a JSON object", False),
        ("scolds", EndProtocolError, "item 'i0[0-5]'.*wrong key: Bearer [*]{8}", False),
        ("poses", EndProtocolError, "item 'i0[0-5]'.*expected a chat completion", False),
        ("nochoice", EndProtocolError, "item 'i0[0-5]'.* 0 choices", False),
        ("twice", EndProtocolError, "2 choices", False),
        ("wrongmodel", EndProtocolError, "'another' answered.*served_as", False),
        ("drift", EndProtocolError, "two models; name the one you want", False),
        ("huge", EndProtocolError, "longer than 1048576 bytes", False),
        ("packed", EndProtocolError, "packed", False),
        ("forbidden", EndRefused, "check the key", False),
        ("noschema", EndProtocolError, 'answer = "text"', False),
        ("redirect", EndProtocolError, "redirects", False),
        (
            "strange",
            EndProtocolError,
            "refuses [34] questions .* item 'i0[0-5]'.*status 400",
            False,
        ),
        ("noparam", EndProtocolError, "not known", False),
    ],
)
def test_misbehaviour_is_named(
    start_chat: Start, behaviour: str, error: type[EndError], says: str, retryable: bool
) -> None:
    """Each way to misbehave is one of our errors, on one line, without the key."""
    with pytest.raises(error, match=says) as caught:
        propose(start_chat("--behaviour", behaviour))
    assert caught.value.retryable is retryable
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("filters", "content_filter"),
        ("tooshort", "context_length_exceeded"),
        ("odd", "status 400"),
        ("nochoiceof", "no choice"),
        ("hides", "content_filter"),
    ],
)
@pytest.mark.parametrize("at", [0, 5, 11])
def test_an_item_that_is_refused_alone_abstains(
    start_chat: Start, behaviour: str, why: str, at: int
) -> None:
    """First, in the middle or last: it has no proposal, the rest do, and nothing is asked again."""
    url, objects, items = start_chat("--behaviour", behaviour), MemoryObjects(), poisoned(at)
    for _ in range(2):
        one = labeler(url, objects, concurrency=1)
        answers = one.propose(items, PETS)
        assert answers["value"].isna().tolist() == [n == at for n in range(12)]
        usage = one.usage(PETS)
        assert (usage.answers, usage.refused) == (12, {why: 1})
    assert set(asked(url)["asked"].values()) == {1}
    labeler(url, objects, prompt="One of:\n{classes}\n{form}").propose(items, PETS)
    assert len(asked(url)["asked"]) == 24, "another prompt asks anew"


def test_a_new_item_that_is_refused_alone_abstains(start_chat: Start) -> None:
    """Where earlier runs had answers it stops nothing; without a reason it is asked again."""
    url, objects, items = start_chat("--behaviour", "odd"), MemoryObjects(), poisoned(11)
    labeler(url, objects).propose(items.iloc[:11], PETS)
    for times in (1, 2):
        answers = labeler(url, objects).propose(items.iloc[11:], PETS)
        assert answers["value"].isna().all()
        assert max(asked(url)["asked"].values()) == times


@pytest.mark.parametrize(("behaviour", "most"), [("strange", 3), ("noparam", 1)])
def test_what_is_refused_of_all_is_not_asked_for_each(
    start_chat: Start, behaviour: str, most: int
) -> None:
    """A server that takes no question at all has seen a few of them, and nothing is kept."""
    url, objects = start_chat("--behaviour", behaviour), MemoryObjects()
    with pytest.raises(EndProtocolError):
        labeler(url, objects, concurrency=1).propose(example_items(), PETS)
    assert sum(asked(url)["asked"].values()) == most
    assert not [n for n in objects.kept if n.startswith("answers/")]


def test_a_prompt_that_is_refused_whatever_the_item(start_chat: Start) -> None:
    """Twenty refusals for items, and not one answer ever: it is the prompt, and the run ends."""
    url, objects = start_chat("--behaviour", "filters"), MemoryObjects()
    bad = labeler(url, objects, concurrency=1, prompt="POISON {classes} {form}")
    with pytest.raises(EndProtocolError, match="refuses 20 questions"):
        bad.propose(example_items(), PETS)
    assert sum(asked(url)["asked"].values()) == 20


def test_tokens_that_cannot_be_are_not_believed(start_chat: Start) -> None:
    """10³⁰ tokens are counted by estimate, as if the server had not said."""
    one = labeler(start_chat("--behaviour", "overcounts"), prices=Prices(1.0, 1.0))
    one.propose(example_items().iloc[:5], PETS)
    found = one.usage(PETS)
    assert found.estimated == 5 and found.input_tokens + found.output_tokens < 10_000


@pytest.mark.parametrize("behaviour", ["longlogprobs", "halfname"])
def test_what_no_number_or_text_can_hold_ends_nothing(start_chat: Start, behaviour: str) -> None:
    """A log probability too long for a float is none; a name with half a character is kept."""
    found = propose(start_chat("--behaviour", behaviour))
    assert found["confidence"].notna().all() and found["value"].notna().all()


@pytest.mark.parametrize("behaviour", ["slow", "drip"])
def test_late_answers(start_chat: Start, behaviour: str) -> None:
    """An answer that does not come, or does not end, is a timeout."""
    delay = "60" if behaviour == "slow" else "0.03"
    url = start_chat("--behaviour", behaviour, "--delay", delay)
    with pytest.raises(EndTimeout, match=r"no whole answer in 0\.3 s"):
        labeler(url, timeout=0.3, attempts=1).propose(example_items().iloc[:1], PETS)


@pytest.mark.parametrize("behaviour", ["flaky", "busy", "reset", "cut"])
def test_passing_trouble_passes(start_chat: Start, behaviour: str) -> None:
    """What goes wrong once is asked again, and each question is answered once."""
    clock = Clock()
    url = start_chat("--behaviour", behaviour)
    answers = propose(url, clock=clock, concurrency=1)
    assert answers["value"].tolist() == named(example_items().iloc[:6])
    counts = asked(url)
    assert set(counts["asked"].values()) == {2}
    assert set(counts["answered"].values()) == {1}
    assert len(clock.slept) == 6
    if behaviour == "busy":
        assert clock.slept == [3.0] * 6


def test_long_waits_are_the_schedulers(start_chat: Start) -> None:
    """A server that says to come back tomorrow is not waited for."""
    clock, url = Clock(), start_chat("--behaviour", "closed")
    with pytest.raises(EndUnavailable):
        propose(url, clock=clock, attempts=5, concurrency=1)
    assert clock.slept == []
    assert set(asked(url)["asked"].values()) == {1}


def test_damaged_cache_is_named(start_chat: Start) -> None:
    """An answer that cannot be read is named, not taken for another."""
    objects, url = MemoryObjects(), start_chat("--behaviour", "ok")
    labeler(url, objects).propose(example_items().iloc[:1], PETS)
    name = next(n for n in objects.kept if not n.endswith("model.json"))
    objects.kept[name] = b"{"
    with pytest.raises(EndError, match=f"{name} is no kept answer"):
        labeler(url, objects).propose(example_items().iloc[:1], PETS)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"answer": "tool"}, "chat.answer is 'tool'"),
        ({"prompt": "Label it."}, "write {classes}"),
        ({"top_logprobs": 21}, "expected 0 to 20"),
        ({"params": {"stream": True}}, "holds 'stream'"),
        ({"media": "image"}, "together with `load`"),
        ({"concurrency": 0}, "concurrency is 0"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], says: str) -> None:
    """A setting that cannot work is refused before anything is asked."""
    with pytest.raises(SettingsError, match=says):
        labeler("http://127.0.0.1:9/v1", **settings)


def test_no_secret_is_shown() -> None:
    """The key is in no representation, and no plain http leaves this machine."""
    assert KEY not in repr(labeler("http://127.0.0.1:9/v1"))
    with pytest.raises(SettingsError, match="plain http"):
        labeler("http://models.example.org/v1")
    with pytest.raises(SettingsError, match="needs a key"):
        ChatClient("https://models.example.org/v1", "")
    with pytest.raises(SettingsError, match="price"):
        Prices(most=1.0)
