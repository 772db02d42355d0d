"""The ticket sample is what its PROVENANCE.md says it is."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

TICKETS = Path(__file__).parents[2] / "sample_data" / "tickets"
CARD = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")
PHONE = re.compile(r"\b\d{3}-\d{4}\b")
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.\w+")
INTENT_COUNTS = {
    "delivery": 127,
    "item_problem": 99,
    "billing": 93,
    "subscription_change": 84,
    "cancel": 65,
    "account_access": 55,
    "return_exchange": 50,
    "product_question": 40,
}


@pytest.fixture(scope="module")
def items() -> pd.DataFrame:
    return pd.read_csv(TICKETS / "items.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_csv(TICKETS / "truth.csv", dtype=str, keep_default_na=False)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[i : i + 3]) for i in range(max(1, len(tokens) - 2))}


def near_duplicates(texts: list[str]) -> list[tuple[int, int]]:
    """Pairs of different texts whose three-word shingles overlap by at least 0.6."""
    sets = [shingles(text) for text in texts]
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(texts)), 2)
        if texts[i] != texts[j] and len(sets[i] & sets[j]) >= 0.6 * len(sets[i] | sets[j])
    ]


def luhn_valid(number: str) -> bool:
    digits = [int(c) for c in reversed(re.sub(r"\D", "", number))]
    doubled = [sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(digits)]
    return sum(doubled) % 10 == 0


def test_luhn_knows_the_published_example() -> None:
    """The check accepts the standard's worked example and refuses its neighbour."""
    assert luhn_valid("7992 7398 713")
    assert not luhn_valid("7992 7398 714")


def test_keys_are_unique_and_shared(items: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Every message has one key, and each key has exactly one truth."""
    assert items["ticket_id"].is_unique
    assert truth["ticket_id"].is_unique
    assert set(items["ticket_id"]) == set(truth["ticket_id"])
    assert 600 <= len(items) <= 640


def test_columns_hold_what_they_promise(items: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Columns are the documented ones, with no empty cell and well-formed values."""
    assert list(items.columns) == ["ticket_id", "text", "customer", "received", "channel"]
    assert list(truth.columns) == ["ticket_id", "intent"]
    assert (items.apply(lambda column: column.str.strip()) != "").all(axis=None)
    assert items["ticket_id"].str.fullmatch(r"T-\d{4}").all()
    assert items["customer"].str.fullmatch(r"C-\d{3}").all()
    assert set(items["channel"]) == {"email", "chat", "form"}
    assert (pd.to_datetime(items["received"], format="%Y-%m-%d").dt.year == 2026).all()


def test_intent_counts_are_the_documented_ones(truth: pd.DataFrame) -> None:
    """Eight intents, as often as PROVENANCE.md says."""
    assert truth["intent"].value_counts().to_dict() == INTENT_COUNTS
    provenance = (TICKETS / "PROVENANCE.md").read_text(encoding="utf-8")
    for intent, count in INTENT_COUNTS.items():
        assert re.search(rf"\| `{intent}` \| {count} \|", provenance)


def test_intents_are_not_in_order(items: pd.DataFrame, truth: pd.DataFrame) -> None:
    """The key says nothing about the intent: neighbours rarely agree by order."""
    intent = truth.set_index("ticket_id")["intent"].loc[sorted(items["ticket_id"])]
    assert (intent == intent.shift()).mean() < 0.25


@pytest.mark.slow
def test_near_and_exact_duplicates_are_there(items: pd.DataFrame, truth: pd.DataFrame) -> None:
    """At least 25 near-duplicate pairs and 5 exact copies, each pair with one intent."""
    texts = items["text"].tolist()
    intent = items["ticket_id"].map(truth.set_index("ticket_id")["intent"]).tolist()
    pairs = near_duplicates(texts)
    assert len(pairs) >= 25
    assert all(intent[i] == intent[j] for i, j in pairs)
    assert items["text"].duplicated().sum() == 5


def test_some_customers_wrote_more_than_once(items: pd.DataFrame) -> None:
    """The grouping column groups: repeat writers exist and none dominates."""
    counts = items["customer"].value_counts()
    assert (counts > 1).sum() >= 50
    assert counts.max() <= 10


def test_personal_data_is_of_invented_forms(items: pd.DataFrame) -> None:
    """Phones are 555-01xx, addresses example.com, card numbers fail the Luhn check."""
    text = "\n".join(items["text"])
    phones, mails, cards = PHONE.findall(text), MAIL.findall(text), CARD.findall(text)
    assert len(phones) >= 5
    assert len(mails) >= 4
    assert len(cards) >= 2
    assert all(phone.startswith("555-01") for phone in phones)
    assert all(mail.endswith("@example.com") for mail in mails)
    assert not any(luhn_valid(card) for card in cards)


def test_messages_are_not_filled_from_a_template(items: pd.DataFrame) -> None:
    """Few messages share their first four words with more than three others."""
    openings = [tuple(words(text)[:4]) for text in items["text"].drop_duplicates()]
    counts = Counter(openings)
    shared = sum(counts[opening] > 4 for opening in openings)
    assert shared / len(openings) < 0.02


def test_lengths_vary(items: pd.DataFrame) -> None:
    """Messages run from one or two words to several sentences."""
    lengths = items["text"].map(lambda text: len(words(text)))
    assert lengths.min() <= 3
    assert lengths.max() >= 40
    assert lengths.quantile(0.9) > 2 * lengths.quantile(0.25)
