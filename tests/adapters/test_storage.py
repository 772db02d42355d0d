from __future__ import annotations

import pytest

from labelops.adapters._storage import storage_error
from labelops.errors import EndRefused, EndUnavailable, StorageError


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("No space left on device (os error 28)", StorageError, "disk is full"),
        ("[Errno 28] No space left on device: '/w/x'", StorageError, "disk is full"),
        ("[Errno 30] Read-only file system: '/w/x'", StorageError, "make it writable"),
        ("Permission denied (os error 13)", EndRefused, "access refused"),
        ("403 Forbidden: <Code>SignatureDoesNotMatch</Code>", EndRefused, "access refused"),
        ("error sending request", EndUnavailable, "cannot be reached"),
        ("503 Service Unavailable", EndUnavailable, "cannot be reached"),
        ("parquet magic bytes not found", StorageError, "damaged, restore it"),
    ],
)
def test_every_cause_has_its_error(text: str, kind: type[Exception], said: str) -> None:
    """Disk, rights, server and damage are told apart, with the place first."""
    found = storage_error(OSError(text), "reading /w/a", otherwise="damaged, restore it")
    assert type(found) is kind
    assert str(found).startswith("reading /w/a: ")
    assert said in str(found)


def test_secrets_are_struck_from_vendors_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of the environment or the options is in no message, nor is a terminal escape."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    error = OSError("key hunter2, token t0ken\x1b[31m\nsecond line\nDebug source:\nhunter2")
    found = str(storage_error(error, "reading", {"session_token": "t0ken"}))
    assert found == "reading: key ***, token *** second line"


def test_long_messages_are_cut() -> None:
    """A vendor's page of text becomes one line of bounded length."""
    assert len(str(storage_error(OSError("x" * 10_000), "reading"))) < 500
