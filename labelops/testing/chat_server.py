"""A small real server of the OpenAI chat protocol, well or badly behaved on demand.

Run it as a process of its own; it says on standard output which port it got::

    python -m labelops.testing.chat_server --port 0 --behaviour ok

``GET /asked`` says how often each question was asked, and how often it was answered; ``GET /go``
ends a hold. It listens on this machine only.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

from ._chat_completion import POISON, completion
from ._serving import JsonHandler, serve

__all__ = ["BEHAVIOURS", "make_server"]

BEHAVIOURS = {
    "ok": "answers as the protocol says",
    "nologprobs": "gives no log probabilities",
    "somelogprobs": "gives log probabilities of what it said, and no alternatives",
    "cutlogprobs": "leaves the last token out of the log probabilities",
    "badlogprobs": "gives log probabilities above 0",
    "longlogprobs": "gives a log probability of 400 digits",
    "halfname": "answers as a model with half a character in its name",
    "scolds": "answers with 200 and an error, repeating the key",
    "poses": "says of itself what only the caller says of an answer",
    "nousage": "does not say how many tokens it counted",
    "busy": "answers each question's first try with 429 and `Retry-After: 3`",
    "closed": "answers with 429 and `Retry-After: 86400`",
    "quota": "answers with 429: the quota is used up",
    "flaky": "answers each question's first try with 500",
    "down": "answers with 500",
    "slow": "waits `--delay` seconds before it answers",
    "drip": "sends its answer a byte a time, `--delay` seconds apart",
    "reset": "resets each question's first connection in the middle of the answer",
    "cut": "sends half of each question's first answer and closes",
    "gone": "sends half an answer and closes",
    "junk": "answers with something that is not JSON, repeating the key",
    "list": "answers with JSON that is no object, repeating the key",
    "nochoice": "answers without a choice",
    "twice": "answers with two choices",
    "twolabels": "says two labels in one answer",
    "outside": "names a class that there is not",
    "almost": "names a class in another case, with words around it",
    "unsure": "says that it cannot tell",
    "refusal": "refuses to answer",
    "length": "breaks its answer off at a length",
    "wrongmodel": "answers as another model",
    "drift": "answers as a model with another date each time",
    "huge": "answers with 64 MB",
    "packed": "answers with 64 MB packed into a few kilobytes",
    "forbidden": "answers with 401, repeating the key",
    "noschema": "answers with 400: it knows no response_format",
    "filters": "answers with 400 where a text says POISON: its contents are filtered",
    "tooshort": "answers with 400 where a text says POISON: it is too long, in words only",
    "odd": "answers with 400 where a text says POISON, and gives no reason",
    "nochoiceof": "answers without a choice where a text says POISON",
    "hides": "breaks its answer off as filtered where a text says POISON",
    "overcounts": "says that it counted more tokens than there can be",
    "strange": "answers everything with 400, and gives no reason",
    "noparam": "answers everything with 400: it knows no top_logprobs",
    "redirect": "sends the caller elsewhere",
}
"""What it can be told to do."""

_Failure = tuple[int, dict[str, str], dict[str, str]]
"""Status, headers, error."""

_ERRORS: dict[str, _Failure] = {
    "closed": (429, {"Retry-After": "86400"}, {"message": "come back tomorrow"}),
    "quota": (429, {}, {"message": "You exceeded your quota", "code": "insufficient_quota"}),
    "down": (500, {}, {"message": "out of order"}),
    "redirect": (307, {"Location": "https://elsewhere.example.org"}, {}),
    "noschema": (400, {}, {"message": "response_format: unknown parameter"}),
    "strange": (400, {}, {"message": "bad request"}),
    "noparam": (400, {}, {"message": "not known", "param": "top_logprobs"}),
}
_POISONED: dict[str, _Failure] = {
    "filters": (400, {}, {"message": "The prompt was filtered", "code": "content_filter"}),
    "tooshort": (400, {}, {"message": "This model's maximum context length is 8192 tokens."}),
    "odd": (400, {}, {"message": "bad request"}),
}
_FIRST: dict[str, _Failure] = {
    "busy": (429, {"Retry-After": "3"}, {"message": "slow down"}),
    "flaky": (500, {}, {"message": "try again"}),
}

_HUGE = 64 * 2**20


@dataclass(frozen=True)
class _Asked:
    """How a question comes: for the first time, after so many answers, too late, or held."""

    first: bool
    done: int
    late: bool
    held: bool


class _Server(ThreadingHTTPServer):
    """Counts what it is asked, and behaves as it was told to."""

    daemon_threads = True

    def __init__(
        self, port: int, behaviour: str, delay: float, die_after: int, hold_after: int
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.behaviour, self.delay = behaviour, delay
        self.pause = delay if behaviour == "drip" else None
        self.go = threading.Event()
        self._die_after, self._hold_after = die_after, hold_after
        self._tries, self._answered = Counter[str](), Counter[str]()
        self._lock = threading.Lock()

    def counts(self) -> dict[str, dict[str, int]]:
        """Say how often each question was asked, and answered."""
        with self._lock:
            return {"asked": dict(self._tries), "answered": dict(self._answered)}

    def asked(self, question: str) -> _Asked:
        """Count a question."""
        with self._lock:
            self._tries[question] += 1
            done = self._answered.total()
            return _Asked(
                first=self._tries[question] == 1,
                done=done,
                late=0 < self._die_after < self._tries.total(),
                held=0 < self._hold_after <= done and not self.go.is_set(),
            )

    def answered(self, question: str) -> None:
        """Count an answer, before it is sent: who has an answer finds it counted."""
        with self._lock:
            self._answered[question] += 1


class _Handler(JsonHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - inherited name
        """Say how often each question was asked, and answered."""
        if self.path == "/go":
            self.server.go.set()
        self._send(200, json.dumps(self.server.counts()).encode())

    def do_POST(self) -> None:  # noqa: N802 - inherited name
        """Answer /v1/chat/completions."""
        content = self.content()
        if self.path != "/v1/chat/completions":
            self._send(404, b'{"error": {"message": "no such path"}}')
            return
        question = hashlib.sha256(content).hexdigest()
        asked = self.server.asked(question)
        failure = self._failure(content, asked)
        if asked.held:
            threading.Event().wait()  # For ever: nobody sets it.
        elif failure is not None:
            self._fail(*failure)
        else:
            self._answer(json.loads(content), question, asked)

    def _failure(self, content: bytes, asked: _Asked) -> _Failure | None:
        behaviour = self.server.behaviour
        if asked.late:
            return _ERRORS["down"]
        if behaviour == "forbidden":
            said = f"Incorrect key {self.headers.get('Authorization')}"
            return 401, {}, {"message": said}
        poisoned = _POISONED if POISON.encode() in content else {}
        first = _FIRST if asked.first else {}
        return {**_ERRORS, **poisoned, **first}.get(behaviour)

    def _answer(self, body: Mapping[str, Any], question: str, asked: _Asked) -> None:
        behaviour = self.server.behaviour
        plain = self._written(body, asked.done)
        if behaviour == "gone" or (behaviour in ("cut", "reset") and asked.first):
            self._break_off(plain)
            return
        if behaviour == "slow":
            time.sleep(self.server.delay)
        self.server.answered(question)
        if behaviour == "packed":
            self._send(200, gzip.compress(b" " * _HUGE), {"Content-Encoding": "gzip"})
        else:
            self._send(200, plain)

    def _written(self, body: Mapping[str, Any], done: int) -> bytes:
        """Write the answer, or what stands in its place."""
        behaviour, key = self.server.behaviour, str(self.headers.get("Authorization"))
        if behaviour == "huge":
            return b'"' + b"x" * _HUGE + b'"'
        junk = {
            "junk": f"<html>Bad gateway: {key}</html>",
            "list": json.dumps([key]),
            "scolds": json.dumps({"error": {"message": f"wrong key: {key}"}}),
            "poses": json.dumps({"labelops_refused": "because"}),
        }
        if behaviour in junk:
            return junk[behaviour].encode()
        return json.dumps(completion(body, behaviour, done)).encode()

    def _break_off(self, content: bytes) -> None:
        self._send(200, content[: len(content) // 2], length=len(content))
        if self.server.behaviour == "reset":
            # Closing with data unsent to a zero linger sends RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def _fail(self, status: int, headers: Mapping[str, str], error: Mapping[str, str]) -> None:
        self._send(status, json.dumps({"error": error}).encode(), headers)

    def _send(
        self,
        status: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.send(status, content, headers, length=length, pause=self.server.pause)


def make_server(
    *,
    behaviour: str = "ok",
    port: int = 0,
    delay: float = 60.0,
    die_after: int = 0,
    hold_after: int = 0,
) -> ThreadingHTTPServer:
    """Return a server bound to 127.0.0.1; `serve_forever` runs it.

    Parameters
    ----------
    behaviour : str
        One of `BEHAVIOURS`.
    port : int
        0 takes a free one, found at `server_address`.
    delay : float
        Seconds, for the slow behaviours.
    die_after : int
        Questions after which it answers with 500 for ever; 0: never.
    hold_after : int
        Answers after which it leaves who asks without one, until it is told to go on; 0: never.
    """
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"behaviour {behaviour!r} is not one of {', '.join(BEHAVIOURS)}")
    return _Server(port, behaviour, delay, die_after, hold_after)


def server_of(argv: Sequence[str] | None = None) -> ThreadingHTTPServer:
    """Return the server that a command line asks for, listening but not serving yet."""
    parser = argparse.ArgumentParser(prog="python -m labelops.testing.chat_server")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--behaviour", choices=sorted(BEHAVIOURS), default="ok")
    parser.add_argument("--delay", type=float, default=60.0, help="seconds, if slow")
    parser.add_argument("--die-after", type=int, default=0, help="questions until it is down")
    parser.add_argument("--hold-after", type=int, default=0, help="answers until it holds")
    return make_server(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until interrupted, as `serve` does."""
    serve(server_of(argv))


if __name__ == "__main__":
    main()
