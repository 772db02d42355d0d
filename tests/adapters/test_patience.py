"""A server without an answer: who waits is told at once, and nobody waits longer than was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labelops.adapters._address import free_port
from labelops.adapters._pace import Pace
from labelops.adapters._patience import Patience
from labelops.adapters.chat_client import ChatClient
from labelops.adapters.chat_labeler import ChatLabeler
from labelops.adapters.http_labeler import HttpLabeler
from labelops.errors import EndTimeout, EndUnavailable, SettingsError
from labelops.schema import Schema
from labelops.settings import read_settings
from labelops.testing.labelers import example_items
from labelops.testing.memory import MemoryObjects

from ..servers import Start
from .chat import Clock, asked

PETS = Schema("pets", ("cat", "dog", "bird"))


def _chat(
    url: str, clock: Clock, told: list[str], seconds: float = 60.0, timeout: float = 30.0
) -> ChatLabeler:
    """Return a labeler that sends one question at a time, by a clock that only sleeping moves."""
    client = ChatClient(
        url,
        "key",
        timeout=timeout,
        attempts=9,
        pace=Pace(clock=clock, sleep=clock.sleep),
        patience=Patience(seconds, told.append, clock=clock, sleep=clock.sleep),
    )
    return ChatLabeler(client, "small", objects=MemoryObjects(), concurrency=1)


def _backend(url: str, clock: Clock, told: list[str], seconds: float = 60.0) -> HttpLabeler:
    patience = Patience(seconds, told.append, clock=clock, sleep=clock.sleep)
    return HttpLabeler(url, timeout=30.0, patience=patience)


@pytest.mark.parametrize(
    ("make", "path"), [pytest.param(_chat, "/v1", marks=pytest.mark.slow), (_backend, "")]
)
def test_a_server_that_is_not_there_is_waited_for_shortly(
    make: Callable[..., ChatLabeler | HttpLabeler], path: str
) -> None:
    """What is asked is said first, then that nobody is there and for how long it is tried."""
    clock, told, port = Clock(), list[str](), free_port()
    with pytest.raises(EndUnavailable, match="onnection refused"):
        make(f"http://127.0.0.1:{port}{path}", clock, told).propose(example_items(), PETS)
    assert 2.0 < clock.now <= 5.0
    first, second = told
    assert first.startswith("asking ") and "an answer may take 30 s (labeler.timeout)" in first
    assert f"127.0.0.1:{port}" in second
    assert second.endswith("; asking again for up to 5 s more")


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "most"), [(60.0, 60.0), (7.0, 7.0), (0.0, 0.0)])
def test_a_server_that_fails_is_waited_for_as_set(
    start_chat: Start, seconds: float, most: float
) -> None:
    """It is said once, with the setting that bounds it; 0 asks once."""
    clock, told, url = Clock(), list[str](), start_chat("--behaviour", "down")
    with pytest.raises(EndUnavailable, match="status 500"):
        _chat(url, clock, told, seconds).propose(example_items(), PETS)
    assert clock.now <= most
    assert sum(asked(url)["asked"].values()) == len(clock.slept) + 1
    said = [f"for up to {seconds:g} s more (labeler.patience is {seconds:g})"] if seconds else []
    assert [line.split("asking again ")[1] for line in told[1:]] == said


@pytest.mark.slow
def test_a_slow_server_is_named_as_slow(start_chat: Start) -> None:
    """It gets another chance as long as there is patience, and then the time it was given."""
    clock, told, url = Clock(), list[str](), start_chat("--behaviour", "slow", "--delay", "60")
    with pytest.raises(EndTimeout, match=r"no whole answer in 0\.2 s"):
        _chat(url, clock, told, 1.0, timeout=0.2).propose(example_items().iloc[:1], PETS)
    assert len(told) == 2 and clock.now <= 1.0


@pytest.mark.slow
def test_a_server_that_asks_for_more_time_than_there_is_gets_none(start_chat: Start) -> None:
    """It says how long it wants, for whoever sets how long a run waits."""
    clock, told, url = Clock(), list[str](), start_chat("--behaviour", "busy")
    with pytest.raises(EndUnavailable, match=r"status 429, to be asked again in 3 s"):
        _chat(url, clock, told, 2.9).propose(example_items(), PETS)
    assert (clock.slept, len(told)) == ([], 1)


@pytest.mark.slow
def test_time_is_counted_from_the_last_answer(start_chat: Start) -> None:
    """A server that answers every other time is asked on, however long it takes in all."""
    clock, told, url = Clock(), list[str](), start_chat("--behaviour", "busy")
    found = _chat(url, clock, told, 3.5).propose(example_items(), PETS)
    assert found["value"].notna().all()
    assert clock.now >= 3.0 * 48
    assert sum("asking again" in line for line in told) == 48


def test_one_that_has_answered_is_expected_back() -> None:
    """A restart in the middle of a run takes longer than five seconds, and loses nothing."""
    told, clock = list[str](), Clock()
    patience = Patience(60.0, told.append, clock=clock, sleep=clock.sleep)
    assert not patience.goes_on(0.0, 6.0, "nobody is there", absent=True)
    patience.answered()
    assert patience.goes_on(0.0, 6.0, "nobody is there", absent=True)


def test_many_threads_wait_no_longer_than_one() -> None:
    """The first failure begins the time for all; it is told once, and again after an answer."""
    told, clock = list[str](), Clock()
    patience = Patience(60.0, told.append, clock=clock, sleep=clock.sleep)
    clock.now = 30.0
    assert all(patience.goes_on(began, 1.0, "slow") for began in (3.0, 0.0, 1.0, 2.0))
    clock.now = 59.5
    assert not any(patience.goes_on(began, 1.0, "slow") for began in (31.0, 32.0))
    assert len(told) == 1
    patience.answered()
    assert patience.goes_on(59.0, 1.0, "slow") and len(told) == 2


def test_a_run_that_ends_asks_nobody_again() -> None:
    """Whoever stops it waits for what is under way, and for no other attempt."""
    patience = Patience(60.0)
    assert patience.goes_on(patience.now(), 1.0, "slow")
    patience.end()
    assert not patience.goes_on(patience.now(), 1.0, "slow")
    patience.asking("it", 30.0)
    assert patience.goes_on(patience.now(), 1.0, "slow")


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_what_is_no_time_is_refused(seconds: str, tmp_path: Path) -> None:
    """By the setting's name, before any work."""
    with pytest.raises(SettingsError, match=r"labeler\.patience is "):
        Patience(float(seconds))
    file = tmp_path / "labelops.toml"
    schema = '[schema]\nname = "a"\nclasses = ["x", "y"]\n'
    file.write_text(f"{schema}[labeler]\npatience = {seconds}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"labeler\.patience is "):
        read_settings(file)
