"""A small real server of the OpenAI chat protocol, well or badly behaved on demand.

Run it as a process of its own; it says on standard output which port it got::

    python -m labelops.testing.chat_server --port 0 --behaviour ok

It answers like a model would: token by token, with the tokens it could have said instead and
their log probabilities. A text is given the first class whose name occurs in it, else a class
fixed by its content. ``GET /asked`` says how often each question was asked, and how often it
was answered; ``GET /go`` ends a hold. It listens on this machine only.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ._serving import serve

__all__ = ["BEHAVIOURS", "make_server"]

BEHAVIOURS = {
    "ok": "answers as the protocol says",
    "nologprobs": "gives no log probabilities",
    "somelogprobs": "gives log probabilities of what it said, and no alternatives",
    "cutlogprobs": "leaves the last token out of the log probabilities",
    "badlogprobs": "gives log probabilities above 0",
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

_TOKEN = 3
"""Characters in a token: most class names are several."""


def _named(text: str, classes: Sequence[str]) -> tuple[str, float]:
    """Return the class and how sure: the first named in the text, else one by its content."""
    named = [c for c in classes if c.lower() in text.lower()]
    drawn = hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % len(classes)
    return (named[0], 0.9) if named else (classes[drawn], 0.5)


def _belief(text: str, classes: Sequence[str]) -> dict[str, float]:
    """Return the share of every class, and of not being able to tell ("")."""
    best, sure = _named(text, classes)
    rest = (1 - sure - 0.01) / max(len(classes) - 1, 1)
    return {**{c: sure if c == best else rest for c in classes}, "": 0.01}


def _logprobs(said: str, others: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the tokens of what was said among whole texts with their shares."""
    tokens, before = [], ""
    while before != said:
        open_ones = {t: s for t, s in others.items() if t.startswith(before) and t != before}
        total, nexts = sum(open_ones.values()), Counter[str]()
        for text, share in open_ones.items():
            nexts[text[len(before) : len(before) + _TOKEN]] += share / total  # type: ignore[assignment]
        top = [_token(t, math.log(s)) for t, s in nexts.most_common(20)]
        mine = said[len(before) : len(before) + _TOKEN]
        tokens.append({**_token(mine, math.log(nexts[mine])), "top_logprobs": top})
        before += mine
    return tokens


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": min(logprob, 0.0), "bytes": list(text.encode())}


def _asked(body: Mapping[str, Any]) -> tuple[str, list[str], bool]:
    """Return the item's text, the classes, and whether the answer is bound to a schema."""
    system, user = (m["content"] for m in body["messages"])
    if not isinstance(user, str):
        user = user[0]["image_url"]["url"]
    shape = body.get("response_format")
    if shape is None:
        return user, re.findall(r"^- (.+)$", system, flags=re.MULTILINE), False
    enum = shape["json_schema"]["schema"]["properties"]["label"]["enum"]
    return user, [c for c in enum if c is not None], True


def _completion(body: Mapping[str, Any], behaviour: str, number: int) -> dict[str, Any]:
    user, classes, bound = _asked(body)
    belief = _belief(user, classes)
    best = max(belief, key=lambda c: belief[c])

    def written(name: str) -> str:
        return json.dumps({"label": name or None}) if bound else name or "-"

    texts = {written(c): share for c, share in belief.items()}
    content: str | None = written(best)
    special = {
        "outside": written("no such class"),
        "almost": f"The answer is {best.upper()}.",
        "unsure": written(""),
        "twolabels": json.dumps({"label": best})[:-1] + f', "label": "{classes[0]}"}}',
        "length": written(best)[:-4],
    }
    message: dict[str, Any] = {"role": "assistant", "content": special.get(behaviour, content)}
    if behaviour == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if behaviour == "length":
        choice["finish_reason"] = "length"
    if body.get("logprobs") and behaviour != "nologprobs":
        choice["logprobs"] = {"content": _bent(_logprobs(str(content), texts), behaviour)}
    sent = "".join(str(m["content"]) for m in body["messages"])
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": len(sent) // 4 + 9, "completion_tokens": 7, "total_tokens": 0},
    }
    if behaviour == "overcounts":
        answer["usage"] = {"prompt_tokens": 10**30, "completion_tokens": 10**30}
    poisoned = _POISON in str(user)
    if poisoned and behaviour == "hides":
        choice["finish_reason"] = "content_filter"
    if poisoned and behaviour == "nochoiceof":
        answer["choices"] = []
    if behaviour == "nousage":
        del answer["usage"]
    if behaviour in ("nochoice", "twice"):
        answer["choices"] = [] if behaviour == "nochoice" else [choice, choice]
    if behaviour in ("wrongmodel", "drift"):
        name = body["model"]
        answer["model"] = "another" if behaviour == "wrongmodel" else f"{name}-2026-01-{number:02d}"
    return answer


def _bent(tokens: list[dict[str, Any]], behaviour: str) -> list[dict[str, Any]]:
    if behaviour == "cutlogprobs":
        return tokens[:-1]
    if behaviour == "somelogprobs":
        return [{**t, "top_logprobs": []} for t in tokens]
    if behaviour == "badlogprobs":
        return [{**t, "logprob": 0.5} for t in tokens]
    return tokens


_ERRORS: dict[str, tuple[int, dict[str, str], dict[str, str]]] = {
    "closed": (429, {"Retry-After": "86400"}, {"message": "come back tomorrow"}),
    "quota": (429, {}, {"message": "You exceeded your quota", "code": "insufficient_quota"}),
    "down": (500, {}, {"message": "out of order"}),
    "redirect": (307, {"Location": "https://elsewhere.example.org"}, {}),
    "noschema": (400, {}, {"message": "response_format: unknown parameter"}),
    "strange": (400, {}, {"message": "bad request"}),
    "noparam": (400, {}, {"message": "not known", "param": "top_logprobs"}),
}
_POISON = "POISON"
_POISONED: dict[str, tuple[int, dict[str, str], dict[str, str]]] = {
    "filters": (400, {}, {"message": "The prompt was filtered", "code": "content_filter"}),
    "tooshort": (400, {}, {"message": "This model's maximum context length is 8192 tokens."}),
    "odd": (400, {}, {"message": "bad request"}),
}
_FIRST: dict[str, tuple[int, dict[str, str], dict[str, str]]] = {
    "busy": (429, {"Retry-After": "3"}, {"message": "slow down"}),
    "flaky": (500, {}, {"message": "try again"}),
}


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
    tries, answered = Counter[str](), Counter[str]()
    lock, never, go = threading.Lock(), threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
            """Stay quiet."""

        def do_GET(self) -> None:
            """Say how often each question was asked, and answered."""
            if self.path == "/go":
                go.set()
            with lock:
                counts = {"asked": dict(tries), "answered": dict(answered)}
            self._send(200, json.dumps(counts).encode())

        def do_POST(self) -> None:
            """Answer /v1/chat/completions."""
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != "/v1/chat/completions":
                self._send(404, b'{"error": {"message": "no such path"}}')
                return
            question = hashlib.sha256(content).hexdigest()
            with lock:
                tries[question] += 1
                first, done = tries[question] == 1, answered.total()
                late = 0 < die_after < tries.total()
                held = 0 < hold_after <= done and not go.is_set()
            if held:
                never.wait()
            elif late:
                self._fail(*_ERRORS["down"])
            elif behaviour in _ERRORS:
                self._fail(*_ERRORS[behaviour])
            elif behaviour in _POISONED and _POISON.encode() in content:
                self._fail(*_POISONED[behaviour])
            elif behaviour in _FIRST and first:
                self._fail(*_FIRST[behaviour])
            elif behaviour == "forbidden":
                said = f"Incorrect key {self.headers.get('Authorization')}"
                self._fail(401, {}, {"message": said})
            else:
                self._answer(json.loads(content), question, first, done)

        def _answer(self, body: Mapping[str, Any], question: str, first: bool, done: int) -> None:
            whole = json.dumps(_completion(body, behaviour, done)).encode()
            key = str(self.headers.get("Authorization"))
            junk = {"junk": f"<html>Bad gateway: {key}</html>", "list": json.dumps([key])}
            plain = junk[behaviour].encode() if behaviour in junk else whole
            if behaviour == "huge":
                plain = b'"' + b"x" * 64 * 2**20 + b'"'
            if behaviour == "gone" or (behaviour in ("cut", "reset") and first):
                self._break_off(plain)
                return
            never.wait(delay if behaviour == "slow" else 0)
            with lock:  # Before it is sent: who has an answer finds it counted.
                answered[question] += 1
            if behaviour == "packed":
                self._send(200, gzip.compress(b" " * 64 * 2**20), {"Content-Encoding": "gzip"})
            else:
                self._send(200, plain)

        def _break_off(self, content: bytes) -> None:
            self._send(200, content[: len(content) // 2], length=len(content))
            if behaviour == "reset":
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
            *,
            length: int | None = None,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content) if length is None else length))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            size = 1 if behaviour == "drip" else max(len(content), 1)
            try:
                for start in range(0, len(content), size):
                    self.wfile.write(content[start : start + size])
                    self.wfile.flush()
                    if size == 1:
                        never.wait(delay)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until interrupted, as `serve` does."""
    parser = argparse.ArgumentParser(prog="python -m labelops.testing.chat_server")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--behaviour", choices=sorted(BEHAVIOURS), default="ok")
    parser.add_argument("--delay", type=float, default=60.0, help="seconds, if slow")
    parser.add_argument("--die-after", type=int, default=0, help="questions until it is down")
    parser.add_argument("--hold-after", type=int, default=0, help="answers until it holds")
    given = parser.parse_args(argv)
    serve(make_server(**vars(given)))


if __name__ == "__main__":
    main()
