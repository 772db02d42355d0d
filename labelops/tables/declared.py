"""The seven tables of a workspace, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .contract import Column, TableSpec

__all__ = [
    "EVENTS",
    "FINDINGS",
    "ITEMS",
    "LABELS",
    "PLAN",
    "PROPOSALS",
    "PURPOSES",
    "TABLES",
    "VOTES",
    "VOTE_STATUS",
]

PURPOSES = ("label", "review", "calibrate", "audit", "gold")
"""Why somebody looks at an item; `calibrate` and `audit` are random and never trained on."""

VOTE_STATUS = ("given", "skipped", "deleted")
"""What a vote's newest revision says happened."""


def _text(name: str, meaning: str, *, nullable: bool = False, among: Iterable[str] = ()) -> Column:
    return Column(name, "text", nullable, tuple(among), meaning=meaning)


def _json(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "json", nullable, meaning=meaning)


def _time(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "time", nullable, meaning=meaning)


ITEMS = TableSpec(
    "items",
    ("item_id",),
    (
        _text("item_id", "the owner's key, else a keyed digest of the content"),
        Column("revision", "int", low=0, meaning="0 at first; +1 for whatever changed"),
        _text("payload", "the text, or the URI of the file"),
        _text("media_type", "text/plain, image/png, …"),
        _text("payload_digest", "SHA-256 of the content (of the file's bytes for a URI)"),
        _text("sketch", "near-duplicate sketch: MinHash or perceptual hash", nullable=True),
        _text("source", "the source's name in the settings"),
        _text("group", "leakage group: items that must stay on one side of a split"),
        _text("owner_group", "the owner's own group (user, document)", nullable=True),
        _text("licence", "licence of the payload, as SPDX where one exists", nullable=True),
        _json("purposes", "list of allowed purposes; missing: nothing was said", nullable=True),
        _text("region", "where the payload may be used", nullable=True),
        _time("expires", "when the rights end; missing: never", nullable=True),
        _json("attributes", "the row's other columns, as an object"),
        _time("ingested_at", "when this revision came in"),
    ),
    revision="revision",
)

PROPOSALS = TableSpec(
    "proposals",
    ("item_id", "labeler_version"),
    (
        _text("item_id", "the item"),
        _text("labeler", "who proposes: model:…, rule:…"),
        _text("labeler_version", "digest of what the labeler is: code, settings, training votes"),
        _json("value", "the proposed value; missing: it abstained", nullable=True),
        Column("confidence", "float", True, low=0, high=1, meaning="of the value; NaN: none given"),
        Column("probs", "floats", True, meaning="(K,) probabilities in class order, if given"),
        Column(
            "fold", "int", True, low=0, meaning="held out of this fold; missing: not trained on"
        ),
        _text("schema_digest", "the schema in force"),
        _time("proposed_at", "when"),
    ),
)

PLAN = TableSpec(
    "plan",
    ("item_id", "round", "purpose"),
    (
        _text("item_id", "the item"),
        Column("round", "int", low=1, meaning="which routing round decided this"),
        _text("purpose", "why somebody should look", among=PURPOSES),
        Column("annotators", "int", low=1, meaning="how many different people, in this purpose"),
        _text("reason", "why this item, in words"),
        Column("priority", "float", meaning="larger is earlier"),
        Column("show_proposal", "bool", meaning="false: the annotator sees no pre-label"),
        _text("labeler_version", "the proposal shown or in force", nullable=True),
        _json("value", "the pre-label shown, if any", nullable=True),
        _json("exclude", "list of annotators who must not look (they labeled it)"),
        _text("schema_digest", "the schema in force"),
        _time("planned_at", "when"),
    ),
)

VOTES = TableSpec(
    "votes",
    ("vote_id",),
    (
        _text("vote_id", "fixed by queue, item, purpose and the queue's own answer id"),
        Column("revision", "int", low=0, meaning="microseconds of the edit; the largest wins"),
        _text("item_id", "the item"),
        _text("annotator", "human:…, model:…, rule:…"),
        _json("value", "the answer; missing when skipped or deleted", nullable=True),
        _text("status", "what happened", among=VOTE_STATUS),
        _text("purpose", "why they looked", among=PURPOSES),
        Column("round", "int", low=1, meaning="the plan round that asked"),
        Column("saw_proposal", "bool", meaning="whether a pre-label was on the screen"),
        Column("seconds", "float", True, low=0, meaning="time taken; NaN: not known"),
        _text("queue", "which queue it came from"),
        _text("schema_digest", "the schema it was given under"),
        _time("given_at", "when the answer was last changed"),
    ),
    revision="revision",
)

LABELS = TableSpec(
    "labels",
    ("item_id",),
    (
        _text("item_id", "the item"),
        Column("revision", "int", low=0, meaning="the round that decided; the largest wins"),
        _json("value", "the decided value; missing: not enough evidence", nullable=True),
        Column("posterior", "float", True, low=0, high=1, meaning="calibrated P(value is right)"),
        Column("probs", "floats", True, meaning="(K,) posterior in class order"),
        _text("method", "majority, dawid_skene, accepted, …"),
        _text("reason", "why it was decided, or what is missing, in words"),
        _json("evidence", "object: votes [vote ids], labeler_version, threshold, hypothesis"),
        _text("schema_digest", "the schema in force"),
        _time("decided_at", "when"),
    ),
    revision="revision",
)

FINDINGS = TableSpec(
    "findings",
    ("item_id", "kind", "round"),
    (
        _text("item_id", "the item"),
        _text("kind", "label_error, duplicate_conflict, planted, …"),
        Column("round", "int", low=1, meaning="the audit that found it"),
        Column("score", "float", low=0, high=1, meaning="low = bad"),
        _json("value", "the label under suspicion", nullable=True),
        _json("suggestion", "a value that fits better, if any", nullable=True),
        _text("detector", "which detectors said so"),
        _json("evidence", "object: what they saw"),
        Column("planted", "bool", meaning="an error planted to measure recall; never released"),
        _time("found_at", "when"),
    ),
)

EVENTS = TableSpec(
    "events",
    ("event_id",),
    (
        _text("event_id", "fixed by what happened, so that saying it twice is saying it once"),
        _text("kind", "schema, sent, collected, refused, hypothesis, candidate, verdict, name, …"),
        _text("subject", "what it is about"),
        Column("revision", "int", low=0, meaning="order among events of one kind and subject"),
        _json("body", "object"),
        _time("at", "when"),
    ),
)

TABLES: Mapping[str, TableSpec] = {
    t.name: t for t in (ITEMS, PROPOSALS, PLAN, VOTES, LABELS, FINDINGS, EVENTS)
}
"""Every table of a workspace by name."""
