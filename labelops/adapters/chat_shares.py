"""What each class is worth to a chat model: from the tokens that it could have said instead.

Where they are not all there, probabilities are absent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..schema import Schema

__all__ = ["class_shares"]

_LEAST = 0.5
"""Share of the model's belief that must be about classes; with less it was asked something else."""

_SLACK = 1e-2

_LEAST_LOGP = -1e9
"""Less is as good as impossible, and a whole number that is too long is no float at all."""

_LEAST_SHARE = 1e-6
"""No class is impossible because a server rounds."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token that was said, and what could have been: (bytes, log probability) each.

    `listed` says whether the server listed any of them, if only the one that was said.
    """

    text: bytes
    logp: float
    others: tuple[tuple[bytes, float], ...]
    listed: bool


def _tokens(choice: Mapping[str, object]) -> Sequence[_Token] | None:
    """Return the answer's tokens, or None if any of it is missing or malformed."""
    holder = choice.get("logprobs")
    content = holder.get("content") if isinstance(holder, Mapping) else None
    if not isinstance(content, list) or not content:
        return None
    found = []
    for raw in content:
        said = _one(raw)
        top = raw.get("top_logprobs") if isinstance(raw, Mapping) else None
        if said is None or not isinstance(top, list):
            return None
        others = [_one(other) for other in top]
        if any(other is None for other in others):
            return None
        rivals = tuple(other for other in others if other is not None and other[0] != said[0])
        found.append(_Token(*said, rivals, listed=bool(top)))
    return found


def _one(raw: object) -> tuple[bytes, float] | None:
    if not isinstance(raw, Mapping):
        return None
    text, logp, octets = raw.get("token"), raw.get("logprob"), raw.get("bytes")
    if isinstance(logp, bool) or not isinstance(logp, int | float) or not logp <= 1e-6:
        return None
    if isinstance(octets, list):
        # A token may end in the middle of a character.
        if not all(type(o) is int and 0 <= o < 256 for o in octets):
            return None
        return bytes(octets), float(max(logp, _LEAST_LOGP))
    if not isinstance(text, str):
        return None
    return text.encode("utf-8", "replace"), float(max(logp, _LEAST_LOGP))


def class_shares(
    choice: Mapping[str, object], content: str, schema: Schema, answer: str
) -> npt.NDArray[np.float64] | None:
    """Return each class's share of the model's belief; None where that cannot be told.

    Along the answer that was given, every token that could have come instead leads to one class
    (or to several, which share it; or to none, and is left out, but not if that is most of it).
    Classes that were not among the listed tokens get what is left at most, and no more than the
    least likely token that was listed. Belief in "cannot tell" is spread over all classes.
    """
    tokens = _tokens(choice)
    if tokens is None or b"".join(t.text for t in tokens) != content.encode():
        return None
    texts = _texts(content, schema, answer)
    if texts is None:
        return None
    masses, bounds, within = _walk(tokens, *texts)
    total = float(masses.sum())
    # Not a number: at some token nothing was listed, so what else it could be is not known.
    if not (_LEAST <= total <= 1 + _SLACK and within >= _LEAST):
        return None
    classes = len(schema.classes)
    shares, unsure = masses[:classes].copy(), float(masses[classes:].sum())
    unlisted = shares == 0
    if unlisted.any():
        left = max(1.0 - total, 0.0) / int(unlisted.sum())
        shares[unlisted] = np.minimum(left, bounds[:classes][unlisted])
    shares = np.maximum(shares + unsure / classes, _LEAST_SHARE)
    return np.asarray(shares / shares.sum())


def _texts(content: str, schema: Schema, answer: str) -> tuple[int, list[bytes]] | None:
    """Return where the answer's value begins, and what the content begins with for each class.

    The last one is that of "cannot tell".
    """
    if answer == "text":
        names = [c.encode() for c in (*schema.classes, "-")]
        # Where the end of one name is the middle of another, the end is not among the tokens.
        if any(a != b and b.startswith(a) for a in names for b in names):
            return None
        start = len(content.encode()) - len(content.lstrip().encode())
        head = content.encode()[:start]
        return start, [head + name for name in names]
    before, colon, rest = content.partition(":")
    start = len((before + colon).encode()) + len(rest.encode()) - len(rest.lstrip().encode())
    head = content.encode()[:start]
    values = [json.dumps(c, ensure_ascii=False).encode() for c in schema.classes]
    return start, [head + value for value in (*values, b"null")]


def _walk(
    tokens: Sequence[_Token], start: int, wanted: Sequence[bytes]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return the mass of each wanted text, how much more it can have at most, and what led there.

    What a text can have beside its mass is what no listed token has where it leaves the text
    said, and no more than the least likely of these. Tokens that lead to no wanted text (another
    way to write the same, or no class at all) are left out, and the rest is all there is; the
    share that was not left out is the last number.
    """
    masses, bounds = np.zeros(len(wanted)), np.zeros(len(wanted))
    before, path, within = b"", 1.0, 1.0
    for token in tokens:
        after, said = before + token.text, math.exp(token.logp)
        going = [n for n, w in enumerate(wanted) if _leads(before, w, 0)]
        left = [n for n in going if not _leads(after, wanted[n], start)]
        if len(after) > start and left:
            chances = [math.exp(logp) for _, logp in token.others]
            hits = [
                [n for n in left if _leads(before + other, wanted[n], start)]
                for other, _ in token.others
            ]
            kept = 1.0 - sum(c for c, h in zip(chances, hits, strict=True) if not h)
            within *= kept
            path /= max(kept, _LEAST_SHARE)
            rest = path * (1.0 - said - sum(chances))
            bounds[left] = max(min([*(path * c for c in chances), rest]), 0.0)
            masses[left] += 0.0 if token.listed else math.nan
            for chance, leads_to in zip(chances, hits, strict=True):
                masses[leads_to] += path * chance / max(len(leads_to), 1)
        # Until the value begins, another token is another way to write the same.
        path *= said if len(after) > start else 1.0
        before = after
    named = [n for n, w in enumerate(wanted) if before.startswith(w)]
    masses[named] += path if len(named) == 1 else math.nan
    return masses, bounds, within


def _leads(text: bytes, wanted: bytes, start: int) -> bool:
    """Say whether going on from a text can end in the wanted one."""
    return len(text) >= start and (wanted.startswith(text) or text.startswith(wanted))
