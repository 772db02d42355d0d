"""Both storage ends against a real S3 protocol over HTTP on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from labelops.adapters import delta
from labelops.adapters.delta import DeltaTables
from labelops.adapters.objects import open_objects
from labelops.errors import ConflictError, EndRefused, EndTimeout, EndUnavailable, StorageError
from labelops.ports import Objects, Tables
from labelops.testing.objects import ObjectsTests
from labelops.testing.tables import TablesTests, votes_for

from ..loopback import loopback

pytestmark = pytest.mark.server

_SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """Start an S3 server and give a client of it that the adapters know nothing of."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key=_SECRET,
    )
    client.create_bucket(Bucket="team")
    yield client
    client.close()
    server.stop()


def held(s3: Any, prefix: str) -> dict[str, bytes]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="team", Prefix=f"{prefix}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {
        key.removeprefix(f"{prefix}/"): s3.get_object(Bucket="team", Key=key)["Body"].read()
        for key in keys
    }


class _InBucket:
    s3: Any

    @pytest.fixture(autouse=True)
    def _bucket(self, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3 = s3
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.meta.endpoint_url)

    def root(self, place: Path) -> str:
        return f"s3://team/{place.parent.name}/w"


class TestBucketObjects(_InBucket, ObjectsTests):
    def make(self, place: Path) -> Objects:
        return open_objects(self.root(place))

    def stored(self, place: Path) -> dict[str, bytes]:
        return held(self.s3, f"{place.parent.name}/w")


class TestBucketTables(_InBucket, TablesTests):
    def make(self, place: Path) -> Tables:
        return DeltaTables(self.root(place))

    def stored(self, place: Path, table: str) -> list[dict[str, object]]:
        from .test_delta import rows_on_disk

        copy = place.parent / "copy"
        for name, content in held(self.s3, f"{place.parent.name}/w").items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(content)
        return rows_on_disk(copy, table)

    def test_compacting_keeps_every_row(self, place: Path) -> None:
        """Small files in a bucket become one; every row stays."""
        tables = DeltaTables(self.root(place))
        for i in range(4):
            tables.append("votes", votes_for([str(i)]))
        assert tables.compact("votes") == 4
        assert sorted(tables.read("votes")["vote_id"]) == ["0", "1", "2", "3"]

    def test_a_log_is_read_once_and_then_read_on(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each entry is a request: versions, reads and appends ask for what came since only."""
        tables, other = DeltaTables(self.root(place)), DeltaTables(self.root(place))
        tables.append("votes", votes_for(["first"]))
        other.append("votes", votes_for(["second"]))
        opened = []
        there = delta.DeltaTable
        monkeypatch.setattr(delta, "DeltaTable", lambda *a, **k: opened.append(a) or there(*a, **k))
        for i in range(3):
            seen = tables.version("votes")
            other.append("votes", votes_for([f"other {i}"]), after=seen)
            with pytest.raises(ConflictError):
                tables.append("votes", votes_for(["late"]), after=seen)
            assert tables.version("votes") == seen + 1
            tables.append("votes", votes_for([f"ours {i}"]), after=seen + 1)
            assert len(other.read("votes")) == len(tables.read("votes")) == 4 + 2 * i
        assert opened == []
        other.compact("votes")
        assert len(tables.read("votes")) == 8

    def test_threads_that_share_it_append_after_what_they_saw(self, place: Path) -> None:
        """One of four threads wins each version, and none takes the others' for its own."""
        tables = DeltaTables(self.root(place))
        tables.append("votes", votes_for(["first"]))

        def write(writer: int) -> None:
            done = 0
            while done < 2:
                version = tables.version("votes")
                row = votes_for([f"{writer}-{done}"], revision=len(tables.read("votes")))
                with suppress(ConflictError):
                    tables.append("votes", row, after=version)
                    done += 1

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        numbers = tables.read("votes")["revision"]
        assert sorted(numbers) == list(range(9)), "each has counted all before it"


def test_the_endpoint_for_s3_alone_wins(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AWS_ENDPOINT_URL_S3` goes before the options, and they before `AWS_ENDPOINT_URL`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.meta.endpoint_url)
    assert open_objects("s3://team/endpoint").put_new("a", b"1")
    DeltaTables("s3://team/endpoint").append("votes", votes_for(["a"]))
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    options = {"AWS_ENDPOINT_URL": s3.meta.endpoint_url}
    assert open_objects("s3://team/endpoint", options).get("a") == b"1"
    assert len(DeltaTables("s3://team/endpoint", options).read("votes")) == 1


def test_no_such_bucket(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that is not there is said so, not taken for an empty one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.meta.endpoint_url)
    objects = open_objects("s3://no-such/w")
    for call in (
        lambda: objects.get("a"),
        lambda: objects.put_new("a", b""),
        objects.list,
        lambda: DeltaTables("s3://no-such/w").read("votes"),
        lambda: DeltaTables("s3://no-such/w").append("votes", votes_for(["a"])),
    ):
        with pytest.raises(StorageError, match="no such bucket") as caught:
            call()
        assert "damaged" not in str(caught.value)


class _Answers(BaseHTTPRequestHandler):
    status: ClassVar[int] = 500
    body: ClassVar[bytes] = b"<Error><Code>Whatever</Code></Error>"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_PUT = do_GET  # noqa: N815 (the standard library's name)
    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loopback(_Answers) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, EndRefused),
        (403, EndRefused),
        (500, EndUnavailable),
        (503, EndUnavailable),
        (400, StorageError),
    ],
)
@pytest.mark.usefixtures("answering")
def test_every_answer_has_its_error(
    status: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals, server errors and the rest are told apart, for every call of both ends."""
    monkeypatch.setattr(_Answers, "status", status)
    options = {"max_retries": "0"}
    objects, tables = open_objects("s3://b-b/w", options), DeltaTables("s3://b-b/w", options)
    for call in (
        lambda: objects.get("a"),
        lambda: objects.put_new("a", b""),
        objects.list,
        lambda: tables.read("votes"),
        lambda: tables.append("votes", votes_for(["a"])),
    ):
        with pytest.raises(OSError, match="s3://b-b/w") as caught:
            call()
        assert type(caught.value) is kind
        assert _SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "damaged" not in str(caught.value)
        assert getattr(caught.value, "retryable", None) is (kind is EndUnavailable)


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nothing listens is retryable, and said within seconds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(EndUnavailable, match="cannot be reached"):
        open_objects("s3://b-b/w", {"max_retries": "0"}).get("a")
    with pytest.raises(EndUnavailable, match="cannot be reached"):
        DeltaTables("s3://b-b/w", {"max_retries": "0"}).version("votes")


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and never answers is a timeout, which is retryable."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(EndTimeout):
            open_objects("s3://b-b/w", {"max_retries": "0", "timeout": "300ms"}).get("a")
        with pytest.raises(EndTimeout):
            DeltaTables("s3://b-b/w", {"max_retries": "0", "timeout": "300ms"}).version("votes")
