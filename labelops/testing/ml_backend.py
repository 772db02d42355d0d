"""A small real server of the Label Studio ML-backend protocol, well or badly behaved on demand.

Run it as a process of its own; it says on standard output which port it got::

    python -m labelops.testing.ml_backend --port 0 --behaviour ok

Without `--predict` or `--predictions` a text is proposed the first class whose name occurs
in it, and otherwise a class fixed by the item's content. It listens on this machine only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ._serving import JsonHandler, serve

__all__ = ["BEHAVIOURS", "Predict", "make_server", "obvious"]

Predict = Callable[[Mapping[str, Any], Sequence[str]], Mapping[str, float] | str | None]
"""(task data, classes) → share of every class, or a class alone, or None to abstain."""

BEHAVIOURS = {
    "ok": "answers as the protocol says",
    "plain": "names a class, without score or probabilities",
    "zero": "names a class with the score 0, as the protocol's library does without a score",
    "slow": "waits `--delay` seconds before it answers",
    "drip": "sends its answer a byte a time, `--delay` seconds apart",
    "error": "answers with status 500",
    "refuse": "answers with status 401",
    "deny": "answers with status 400",
    "poison": "answers with 400 where a text says POISON, and with its reason",
    "breaks": "answers with 500 where a text says POISON",
    "stumbles": "answers its first question with 500, and every fifth",
    "small": "answers with 413 to more than five items",
    "redirect": "sends the caller elsewhere",
    "half": "answers the first half of the items",
    "reorder": "answers in reverse order, naming the tasks",
    "badprobs": "gives probabilities that do not sum to 1",
    "badclass": "names a class that is not in the config",
    "missing": "leaves one class out of the probabilities",
    "nan": "gives NaN as a probability",
    "junk": "answers with something that is not JSON",
    "huge": "answers with 64 MB",
    "drift": "reports a new model version with every answer",
}
"""What it can be told to do."""


def obvious(data: Mapping[str, Any], classes: Sequence[str]) -> Mapping[str, float]:
    """Prefer the first class whose name occurs in the text, else one fixed by the content.

    Examples
    --------
    >>> obvious({"text": "a dog"}, ["cat", "dog"])
    {'cat': 0.25, 'dog': 0.75}
    """
    content = str(data.get("text", data.get("image", "")))
    named = [c for c in classes if c.lower() in content.lower()]
    drawn = hashlib.sha256(content.encode("utf-8", "replace")).digest()[0] % len(classes)
    best = named[0] if named else classes[drawn]
    sure = 0.75 if named else 0.5
    rest = (1 - sure) / (len(classes) - 1)
    return {c: sure if c == best else rest for c in classes}


class _Server(ThreadingHTTPServer):
    """Holds what the model says, and how it is to behave."""

    daemon_threads = True

    def __init__(
        self, predict: Predict, behaviour: str, port: int, delay: float, version: str
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.predict, self.behaviour, self.delay = predict, behaviour, delay
        self.version = version
        self.counter = itertools.count()

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet when the caller hangs up, which is what some tests are about."""


class _Handler(JsonHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - inherited name
        """Answer /health."""
        if self.server.behaviour == "error":
            self.send(500, b'{"error": "out of order"}')
        elif self.path in ("/", "/health"):
            self.send(200, b'{"status": "UP", "model_class": "labelops"}')
        else:
            self.send(404, b"{}")

    def do_POST(self) -> None:  # noqa: N802 - inherited name
        """Answer /setup and /predict."""
        server = self.server
        asked = json.loads(self.content())
        if self.path == "/setup":
            self.send(200, json.dumps({"model_version": server.version or None}).encode())
        elif self.path != "/predict":
            self.send(404, b"{}")
        elif (status := _refuses(asked["tasks"], server.behaviour, server.counter)) != 200:
            self.send(status, b'{"error": "too long, whoever holds sesame"}')
        else:
            version = server.version
            if server.behaviour == "drift":
                version += f".{next(server.counter)}"
            self._misbehave(_predicted(asked, server.predict, server.behaviour, version))

    def _misbehave(self, answer: bytes) -> None:
        behaviour, delay = self.server.behaviour, self.server.delay
        if behaviour in ("error", "refuse"):
            self.send({"error": 500, "refuse": 401}[behaviour], b"{}")
        elif behaviour == "redirect":
            self.send(307, b"{}", {"Location": "/elsewhere"})
        elif behaviour == "junk":
            self.send(200, b"<html>It works!</html>")
        elif behaviour == "huge":
            self.send(200, b'"' + b"x" * 64 * 2**20 + b'"')
        elif behaviour == "drip":
            self.send(200, answer, pause=delay)
        else:
            time.sleep(delay if behaviour == "slow" else 0)
            self.send(200, answer)


def _refuses(tasks: Sequence[Any], behaviour: str, counter: Iterator[int]) -> int:
    """Return the status of the answer to a request, by what is in it."""
    poisoned = any("POISON" in task["data"].get("text", "") for task in tasks)
    if behaviour in ("poison", "breaks"):
        return {"poison": 400, "breaks": 500}[behaviour] if poisoned else 200
    if behaviour == "stumbles":
        return 500 if next(counter) % 5 == 0 else 200
    if behaviour == "small" and len(tasks) > 5:
        return 413
    return 400 if behaviour == "deny" else 200


def _predicted(asked: Mapping[str, Any], predict: Predict, behaviour: str, version: str) -> bytes:
    control, shows, classes = _control(asked["label_config"])
    results = [
        _prediction(predict(task["data"], classes), behaviour, control, shows)
        for task in asked["tasks"]
    ]
    for task, prediction in zip(asked["tasks"], results, strict=True):
        prediction.update({"model_version": version} if version else {})
        prediction.update({"task": task["id"]} if behaviour == "reorder" else {})
    if behaviour == "half":
        results = results[: len(results) // 2]
    return json.dumps({"results": results[::-1] if behaviour == "reorder" else results}).encode()


def _control(label_config: str) -> tuple[str, str, list[str]]:
    # Our own config comes back: no entity tricks to expect from a caller on this machine.
    choices = next(ElementTree.fromstring(label_config).iter("Choices"))  # noqa: S314
    classes = [str(c.get("value")) for c in choices.iter("Choice")]
    return str(choices.get("name")), str(choices.get("toName")), classes


def _prediction(
    said: Mapping[str, float] | str | None, behaviour: str, control: str, shows: str
) -> dict[str, Any]:
    if said is None:
        return {"result": []}
    shares = {} if isinstance(said, str) else dict(said)
    best = said if isinstance(said, str) else max(shares, key=lambda c: shares[c])
    region = {
        "from_name": control,
        "to_name": shows,
        "type": "choices",
        "value": {"choices": ["no such class" if behaviour == "badclass" else best]},
    }
    if behaviour in ("plain", "zero") or not shares:
        return {"result": [region], **({"score": 0.0} if behaviour == "zero" else {})}
    score = shares[best]
    if behaviour == "badprobs":
        shares[best] += 0.2
    if behaviour == "missing":
        del shares[min(shares)]
    if behaviour == "nan":
        shares[best] = float("nan")
    return {"result": [region], "score": score, "meta": {"probs": shares}}


def _from_file(path: Path) -> Predict:
    """Answer from JSON lines of {"item_id", "value", "probs"}; unlisted items abstain."""
    known: dict[str, Any] = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        known[str(row["item_id"])] = row.get("probs") or row.get("value")
    return lambda data, _: known.get(str(data.get("item_id")))


def _from_name(dotted: str) -> Predict:
    module, _, function = dotted.partition(":")
    found: Predict = getattr(importlib.import_module(module), function)
    return found


def make_server(
    predict: Predict = obvious,
    *,
    behaviour: str = "ok",
    port: int = 0,
    delay: float = 60.0,
    version: str = "1",
) -> ThreadingHTTPServer:
    """Return a server bound to 127.0.0.1; `serve_forever` runs it.

    Parameters
    ----------
    predict : Predict
        What the model says.
    behaviour : str
        One of `BEHAVIOURS`.
    port : int
        0 takes a free one, found at `server_address`.
    delay : float
        Seconds, for the slow behaviours.
    version : str
        The model version it reports; empty: none.
    """
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"behaviour {behaviour!r} is not one of {', '.join(BEHAVIOURS)}")
    return _Server(predict, behaviour, port, delay, version)


def server_of(argv: Sequence[str] | None = None) -> ThreadingHTTPServer:
    """Return the server that a command line asks for, listening but not serving yet."""
    parser = argparse.ArgumentParser(prog="python -m labelops.testing.ml_backend")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--behaviour", choices=sorted(BEHAVIOURS), default="ok")
    parser.add_argument("--delay", type=float, default=60.0, help="seconds, if slow")
    parser.add_argument("--version", default="1", help="the model version it reports")
    parser.add_argument("--predictions", type=Path, help="JSON lines: item_id, value or probs")
    parser.add_argument("--predict", help="module:function(data, classes)")
    given = parser.parse_args(argv)
    predict: Predict = obvious
    if given.predictions is not None:
        predict = _from_file(given.predictions)
    elif given.predict is not None:
        predict = _from_name(given.predict)
    return make_server(
        predict,
        behaviour=given.behaviour,
        port=given.port,
        delay=given.delay,
        version=given.version,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until interrupted, as `serve` does."""
    serve(server_of(argv))


if __name__ == "__main__":
    main()
