"""What an ML backend's prediction says: a class, how sure, and maybe every class's share.

A prediction is ``{"result": [region, …], "score", "model_version", "task", "meta"}``; a
region is ``{"from_name", "to_name", "type": "choices", "value": {"choices": [class]}, "score"}``.
An empty `result` (or null) abstains. Probabilities for every class come in either of two ways:
``"meta": {"probs": {class: share, …}}`` in the prediction or its region, or one region a
class, each with its score. A score of exactly 0 counts as absent: it is what the protocol's
own library writes when the model gave none, and no class can win with probability 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import EndProtocolError, SchemaError, shown
from ..schema import Schema

__all__ = ["Answer", "results_of", "versions_of"]

_SUM_TOLERANCE = 1e-3
"""Backends round their shares; within this they are scaled to sum to 1."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered about one item.

    Parameters
    ----------
    choice : str or None
        The class, None: it abstained.
    confidence : float
        In [0, 1]; NaN: none given.
    probs : (K,) array or None
        In the schema's class order, summing to 1; None: not given.
    """

    choice: str | None
    confidence: float = math.nan
    probs: npt.NDArray[np.float64] | None = None


def results_of(
    raw: Mapping[str, object], ids: Sequence[str], schema: Schema, from_name: str
) -> list[Answer]:
    """Read the answer to /predict: one `Answer` an id, in the order of `ids`.

    Raises
    ------
    EndProtocolError
        If there is not exactly one prediction an item, or one is malformed, naming the item.

    Examples
    --------
    >>> region = {"from_name": "label", "type": "choices", "value": {"choices": ["dog"]}}
    >>> raw = {"results": [{"result": [region], "score": 0.75}, {"result": []}]}
    >>> [a.choice for a in results_of(raw, ["x", "y"], Schema("p", ("cat", "dog")), "label")]
    ['dog', None]
    """
    results = raw.get("results")
    if not isinstance(results, list):
        raise EndProtocolError(f"/predict answered without a list of `results`: {shown(raw)}")
    if len(results) != len(ids):
        missing = (
            f"; the first unanswered is {shown(ids[len(results)])}"
            if results[: len(ids)] and len(results) < len(ids)
            else ""
        )
        raise EndProtocolError(f"{len(results)} results for {len(ids)} items{missing}")
    single = [_single(entry, item) for entry, item in zip(results, ids, strict=True)]
    return [
        _answer(prediction, item, schema, from_name)
        for prediction, item in zip(_in_order(single, ids), ids, strict=True)
    ]


def versions_of(raw: Mapping[str, object]) -> Iterator[str]:
    """Yield every model version that an answer to /predict names.

    Examples
    --------
    >>> list(versions_of({"model_version": "v1", "results": [{"model_version": "v2"}, None]}))
    ['v1', 'v2']
    """
    results = raw.get("results")
    entries = results if isinstance(results, list) else []
    flat = [p for e in entries for p in (e if isinstance(e, list) else [e])]
    for holder in [raw, *flat]:
        if isinstance(holder, Mapping) and holder.get("model_version") not in (None, ""):
            yield str(holder["model_version"])


def _single(entry: object, item: str) -> Mapping[str, object]:
    """Unwrap one result: an object, a list of at most one object, or null."""
    if isinstance(entry, list):
        if len(entry) > 1:
            raise EndProtocolError(f"item {shown(item)}: {len(entry)} predictions, expected one")
        entry = entry[0] if entry else None
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        raise EndProtocolError(f"item {shown(item)}: prediction {shown(entry)} is not an object")
    return entry


def _in_order(
    predictions: Sequence[Mapping[str, object]], ids: Sequence[str]
) -> list[Mapping[str, object]]:
    """Join by `task` when every prediction names its task; else they stand in order."""
    named = [p["task"] for p in predictions if p.get("task") is not None]
    if not named:
        return list(predictions)
    if sorted(map(str, named)) != sorted(str(n) for n in range(1, len(ids) + 1)):
        raise EndProtocolError(
            f"results name tasks {shown(named)}, expected each of 1 to {len(ids)} once"
        )
    by_task = {str(p["task"]): p for p in predictions}
    return [by_task[str(n)] for n in range(1, len(ids) + 1)]


def _answer(prediction: Mapping[str, object], item: str, schema: Schema, from_name: str) -> Answer:
    regions = _regions(prediction, item, from_name)
    if not regions:
        return Answer(None)
    scored = [(_choice(r, item, schema), _score(r.get("score"), item)) for r in regions]
    if len(scored) > 1:
        return _from_regions(scored, item, schema)
    choice, score = scored[0]
    probs = _probs(prediction, item, schema)
    probs = _probs(regions[0], item, schema) if probs is None else probs
    if probs is not None:
        return Answer(choice, float(probs[schema.code_of(choice)]), probs)
    return Answer(choice, _score(prediction.get("score"), item) if math.isnan(score) else score)


def _regions(
    prediction: Mapping[str, object], item: str, from_name: str
) -> list[Mapping[str, object]]:
    result = prediction.get("result")
    if result is None:
        return []
    if not isinstance(result, list) or not all(isinstance(r, dict) for r in result):
        raise EndProtocolError(
            f"item {shown(item)}: result {shown(result)} is not a list of objects"
        )
    ours = [r for r in result if r.get("type") == "choices" and r.get("from_name") == from_name]
    if result and not ours:
        found = sorted({f"{r.get('type')} {r.get('from_name')!r}" for r in result})
        raise EndProtocolError(
            f"item {shown(item)}: answers {shown(', '.join(found))}, expected choices "
            f"{from_name!r}; set `from_name` to the backend's control"
        )
    return ours


def _choice(region: Mapping[str, object], item: str, schema: Schema) -> str:
    value = region.get("value")
    choices = value.get("choices") if isinstance(value, Mapping) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], str):
        raise EndProtocolError(f"item {shown(item)}: choices {shown(choices)}, expected one class")
    return schema.classes[_code(choices[0], item, schema)]


def _code(name: str, item: str, schema: Schema) -> int:
    try:
        return schema.code_of(name)
    except SchemaError as error:
        raise EndProtocolError(f"item {shown(item)}: {error}") from None


def _score(raw: object, item: str) -> float:
    if raw is None or raw == 0:
        return math.nan
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw <= 1:
        raise EndProtocolError(f"item {shown(item)}: score {shown(raw)}, expected 0 to 1 or null")
    return float(raw)


def _from_regions(scored: list[tuple[str, float]], item: str, schema: Schema) -> Answer:
    """Read one region a class; a score of 0 is a share of 0 here, not an absent one."""
    names = [choice for choice, _ in scored]
    if len(set(names)) != len(names):
        raise EndProtocolError(f"item {shown(item)}: classes {shown(names)} name one twice")
    shares = {choice: 0.0 if math.isnan(score) else score for choice, score in scored}
    best = max(shares, key=lambda c: (shares[c], -schema.code_of(c)))
    if not shares[best]:
        raise EndProtocolError(
            f"item {shown(item)}: {len(names)} classes without scores, expected one class"
        )
    if len(names) < len(schema.classes):
        return Answer(best, shares[best])
    probs = _checked_shares(shares, item, schema)
    return Answer(best, float(probs[schema.code_of(best)]), probs)


def _probs(
    holder: Mapping[str, object], item: str, schema: Schema
) -> npt.NDArray[np.float64] | None:
    meta = holder.get("meta")
    shares = meta.get("probs") if isinstance(meta, Mapping) else None
    if shares is None:
        return None
    if not isinstance(shares, dict):
        raise EndProtocolError(
            f"item {shown(item)}: meta.probs {shown(shares)}, expected an object class → share"
        )
    return _checked_shares(shares, item, schema)


def _checked_shares(
    shares: Mapping[str, object], item: str, schema: Schema
) -> npt.NDArray[np.float64]:
    probs = np.full(len(schema.classes), np.nan)
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise EndProtocolError(
                f"item {shown(item)}: probability {shown(share)} of {shown(name)}, expected 0 to 1"
            )
        probs[_code(name, item, schema)] = share
    if np.isnan(probs).any():
        absent = schema.classes[int(np.flatnonzero(np.isnan(probs))[0])]
        raise EndProtocolError(
            f"item {shown(item)}: probabilities without class {shown(absent)}, expected all "
            f"{len(probs)} classes"
        )
    total = float(probs.sum())
    if abs(total - 1) > _SUM_TOLERANCE:
        raise EndProtocolError(f"item {shown(item)}: probabilities sum to {total:.6g}, expected 1")
    return probs / total
