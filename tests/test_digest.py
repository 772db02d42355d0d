"""Digests: equal things equal, different things different, the same on every machine."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.digest import canonical_json, digest, digest_bytes, keyed_digest, seed_of, uniforms
from labelops.errors import UsageError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEY = b"key"


@given(VALUES)
def test_canonical_json_reads_back(value: object) -> None:
    """Reading the text gives the value, and writing that gives the text."""
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), max_size=6))
def test_order_of_keys_changes_nothing(value: dict[str, int]) -> None:
    """Two equal objects have one digest, whatever the order of their keys."""
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_neighbouring_doubles_differ() -> None:
    """0.1 + 0.2 is not 0.3: the digest tells doubles apart that differ in the last bit."""
    assert digest(0.1 + 0.2) != digest(0.3)
    assert digest(1.0) != digest(1)


def test_known_digests() -> None:
    """SHA-256 test vectors (FIPS 180-2, appendix B)."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_bytes(b"abc") == expected
    assert digest("abc") == hashlib.sha256(b'"abc"').hexdigest()


@pytest.mark.parametrize(
    "bad", [float("nan"), [float("inf")], {"a": {"b": -float("inf")}}, {1: 2}, object(), {"a": {3}}]
)
def test_no_canonical_form(bad: object) -> None:
    """Numbers that are none, keys that are no text and foreign types are refused."""
    with pytest.raises(UsageError):
        canonical_json(bad)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_keyed_digest_tells_parts_apart(a: list[str], b: list[str]) -> None:
    """Two lists of parts have one keyed digest only if they are equal."""
    assert (keyed_digest(KEY, *a) == keyed_digest(KEY, *b)) == (a == b)


def test_keyed_digest_needs_the_key() -> None:
    """Another key gives another digest; the size is what was asked for."""
    assert keyed_digest(b"a", "x") != keyed_digest(b"b", "x")
    assert len(keyed_digest(KEY, "x", size=8)) == 16


@given(st.lists(st.text(), max_size=20), st.lists(st.text(), max_size=20))
def test_uniforms_are_permanent(before: list[str], more: list[str]) -> None:
    """An id's number is in [0, 1) and does not depend on the other ids."""
    alone = uniforms(KEY, "s", before)
    assert ((alone >= 0) & (alone < 1)).all()
    assert uniforms(KEY, "s", [*more, *before])[len(more) :].tolist() == alone.tolist()


def test_kept_numbers_are_those_of_the_ids_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many other ids, ids changed in place, and what was long ago forgotten: all drawn right."""
    ids, others = ["a", "b"], ["b", "c"]
    first = uniforms(KEY, "kept", ids)
    assert uniforms(KEY, "kept", ids) is first
    assert uniforms(KEY, "kept", others)[0] == first[1]
    ids[0] = "b"
    assert uniforms(KEY, "kept", ids).tolist() == [first[1], first[1]]
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0.5
    monkeypatch.setattr("labelops.digest._MOST_KEPT", 3)
    for stream in ("kept", "x", "y"):
        uniforms(KEY, stream, others)
    assert uniforms(KEY, "kept", ["a", "b"]).tolist() == first.tolist()


def test_uniforms_are_uniform() -> None:
    """A Kolmogorov–Smirnov distance of 20,000 draws stays under its 0.1 % critical value."""
    draws = np.sort(uniforms(KEY, "s", (str(i) for i in range(20_000))))
    distance = np.abs(draws - (np.arange(20_000) + 0.5) / 20_000).max()
    assert distance < 1.95 / np.sqrt(20_000)


def test_streams_and_keys_are_independent() -> None:
    """Two streams, or two keys, are uncorrelated within four standard errors."""
    ids = [str(i) for i in range(10_000)]
    base = uniforms(KEY, "a", ids)
    for other in (uniforms(KEY, "b", ids), uniforms(b"other", "a", ids)):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.04


def test_seed_is_fixed() -> None:
    """A seed follows from key and parts alone and is good for a generator."""
    seed = seed_of(KEY, "route", "3")
    assert seed == seed_of(KEY, "route", "3") != seed_of(KEY, "route", "4")
    assert 0 <= seed < 2**128
    assert np.random.default_rng(seed).random() == np.random.default_rng(seed).random()
