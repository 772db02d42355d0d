"""What a small model says in the OpenAI chat protocol, as it should or bent on demand.

It answers token by token, with the tokens it could have said instead and their log
probabilities. A text is given the first class whose name occurs in it, else a class fixed by its
content.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["POISON", "completion"]

POISON = "POISON"
"""What a text says that some behaviours refuse."""

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


def completion(body: Mapping[str, Any], behaviour: str, number: int) -> dict[str, Any]:
    """Answer a request, of which `number` were answered before."""
    user, classes, bound = _asked(body)
    choice = _choice(body, behaviour, _belief(user, classes), classes, bound)
    poisoned = POISON in user
    if poisoned and behaviour == "hides":
        choice["finish_reason"] = "content_filter"
    choices = [choice]
    if behaviour == "nochoice" or (poisoned and behaviour == "nochoiceof"):
        choices = []
    elif behaviour == "twice":
        choices = [choice, choice]
    name = body["model"]
    models = {
        "wrongmodel": "another",
        "drift": f"{name}-2026-01-{number:02d}",
        "halfname": f"{name}-\ud800",
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": models.get(behaviour, name),
        "choices": choices,
        **_usage(body, behaviour),
    }


def _choice(
    body: Mapping[str, Any],
    behaviour: str,
    belief: Mapping[str, float],
    classes: Sequence[str],
    bound: bool,
) -> dict[str, Any]:
    """Say the likeliest class, in a schema's form or in plain words."""
    best = max(belief, key=lambda c: belief[c])

    def written(name: str) -> str:
        return json.dumps({"label": name or None}) if bound else name or "-"

    said = written(best)
    bent = {
        "outside": written("no such class"),
        "almost": f"The answer is {best.upper()}.",
        "unsure": written(""),
        "twolabels": json.dumps({"label": best})[:-1] + f', "label": "{classes[0]}"}}',
        "length": said[:-4],
    }
    message: dict[str, Any] = {"role": "assistant", "content": bent.get(behaviour, said)}
    if behaviour == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    ended = "length" if behaviour == "length" else "stop"
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": ended}
    if body.get("logprobs") and behaviour != "nologprobs":
        tokens = _logprobs(said, {written(c): share for c, share in belief.items()})
        choice["logprobs"] = {"content": _bent(tokens, behaviour)}
    return choice


def _usage(body: Mapping[str, Any], behaviour: str) -> dict[str, dict[str, int]]:
    """Say how many tokens were counted, if it says so at all."""
    if behaviour == "nousage":
        return {}
    if behaviour == "overcounts":
        return {"usage": {"prompt_tokens": 10**30, "completion_tokens": 10**30}}
    sent = sum(len(str(m["content"])) for m in body["messages"])
    counted = {"prompt_tokens": sent // 4 + 9, "completion_tokens": 7, "total_tokens": 0}
    return {"usage": counted}


def _bent(tokens: list[dict[str, Any]], behaviour: str) -> list[dict[str, Any]]:
    if behaviour == "cutlogprobs":
        return tokens[:-1]
    if behaviour == "somelogprobs":
        return [{**t, "top_logprobs": []} for t in tokens]
    if behaviour == "longlogprobs":
        return [{**t, "top_logprobs": _longer(t["top_logprobs"])} for t in tokens]
    if behaviour == "badlogprobs":
        return [{**t, "logprob": 0.5} for t in tokens]
    return tokens


def _longer(others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add a token that is as good as impossible, by a number that no float can hold."""
    return [*others, {**_token("~", 0.0), "logprob": -(10**400)}]
