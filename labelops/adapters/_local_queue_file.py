"""What the embedded queue's file looks like, and how plan rows become rows of it."""

from __future__ import annotations

import json

import pandas as pd

from ..errors import NotFoundError, SchemaError, UsageError, shown
from ..kinds import kind_of
from ..schema import Schema

__all__ = [
    "CHANGES",
    "FORMAT",
    "INSERT_OFFER",
    "KEEP_FACT",
    "KEEP_SCHEMA",
    "LAYOUT",
    "OFFER_AGAIN",
    "OPEN_OFFERS",
    "RETRACT_OFFER",
    "UPGRADES",
    "OfferRow",
    "canonical",
    "offer_rows",
]

FORMAT = 2
"""Grows when the layout changes; a file of a later format is refused, an earlier one upgraded."""

UPGRADES = {
    1: (
        "ALTER TABLE changes ADD COLUMN schema_digest TEXT",
        "INSERT INTO facts SELECT 'schema', schema_digest FROM offers ORDER BY offer DESC LIMIT 1",
    )
}
"""What makes a file of a format one of the next."""

_SHOWS = ("label", "gold")
"""Purposes that may show a pre-label; gold must look like any other item."""

LAYOUT = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schemas (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offers (
    offer INTEGER PRIMARY KEY, item_id TEXT NOT NULL, round INTEGER NOT NULL,
    purpose TEXT NOT NULL, wanted INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0,
    priority REAL NOT NULL, shown TEXT, schema_digest TEXT NOT NULL,
    payload TEXT NOT NULL, media_type TEXT NOT NULL, UNIQUE (item_id, round, purpose));
CREATE INDEX IF NOT EXISTS open_offers ON offers (priority DESC, item_id) WHERE taken < wanted;
CREATE TABLE IF NOT EXISTS excluded (
    offer INTEGER, annotator TEXT, PRIMARY KEY (offer, annotator)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    offer INTEGER, annotator TEXT, status TEXT NOT NULL, value TEXT, seconds REAL,
    revision INTEGER NOT NULL, PRIMARY KEY (offer, annotator)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
    change INTEGER PRIMARY KEY AUTOINCREMENT, vote_id TEXT NOT NULL, offer INTEGER NOT NULL,
    annotator TEXT NOT NULL, status TEXT NOT NULL, value TEXT, seconds REAL,
    schema_digest TEXT, revision INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS paused (
    annotator TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
"""

OPEN_OFFERS = """
SELECT item_id, purpose, round, shown, offer FROM offers AS o INDEXED BY open_offers
WHERE taken < wanted
AND NOT EXISTS (SELECT 1 FROM answers AS a WHERE a.offer = o.offer AND a.annotator = :who
                AND a.status != 'deleted')
AND NOT (o.purpose = 'gold' AND EXISTS (
    SELECT 1 FROM offers AS p JOIN answers AS a USING (offer) WHERE p.item_id = o.item_id
    AND p.purpose = 'gold' AND p.payload = o.payload AND a.annotator = :who))
AND NOT (o.purpose != 'gold' AND EXISTS (
    SELECT 1 FROM offers AS p JOIN answers AS a USING (offer) WHERE p.item_id = o.item_id
    AND p.purpose != 'gold' AND p.wanted > 0 AND a.annotator = :who AND a.status != 'deleted'))
AND NOT EXISTS (SELECT 1 FROM excluded AS e WHERE e.offer = o.offer AND e.annotator = :who)
AND NOT EXISTS (SELECT 1 FROM paused WHERE annotator = :who)
ORDER BY priority DESC, item_id, offer LIMIT :limit
"""
"""Nobody meets gold twice, even where a later round asks before they answered an earlier one.

Nor does anybody look at an item twice, for another purpose or in another round: they would say the
same again, and a plan excludes only those whose answers were collected. What was taken back
(`wanted` 0) is another matter: it is asked anew, of them too.
"""

INSERT_OFFER = """
INSERT INTO offers (item_id, round, purpose, wanted, priority, shown, schema_digest, payload,
                    media_type)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

RETRACT_OFFER = """
UPDATE offers SET wanted = 0 WHERE item_id = ? AND round = ? AND purpose = ? AND wanted > 0
"""
"""Of an offer that nobody is wanted for: `taken` says as before who has answered."""

OFFER_AGAIN = """
UPDATE offers SET wanted = ? WHERE item_id = ? AND round = ? AND purpose = ? AND wanted = 0
"""

KEEP_SCHEMA = """
INSERT INTO schemas VALUES (?, ?)
ON CONFLICT DO UPDATE SET body = excluded.body WHERE body IS NOT excluded.body
"""
"""Writes nothing where nothing changes: sending again leaves the file as it is."""

KEEP_FACT = """
INSERT INTO facts VALUES (?, ?)
ON CONFLICT DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value
"""

CHANGES = """
SELECT change, vote_id, revision, item_id, annotator, value, status, purpose, round,
       shown IS NOT NULL AS saw_proposal, seconds,
       coalesce(changes.schema_digest, offers.schema_digest) AS schema_digest
FROM changes JOIN offers USING (offer) WHERE change > ? ORDER BY change
"""


def canonical(value: str, schema: Schema) -> str:
    """Check a canonical value against the schema; old class names become new ones.

    Raises
    ------
    SchemaError
        If the value is outside the schema.
    """
    kind = kind_of(schema)
    return kind.canonical(kind.parse(value, schema), schema)


OfferRow = tuple[tuple[object, ...], list[str]]


def offer_rows(plan: pd.DataFrame, items: pd.DataFrame, schema: Schema) -> list[OfferRow]:
    """Turn plan rows into rows of `offers` with those excluded; refuse what cannot be offered."""
    other = plan.loc[plan["schema_digest"] != schema.digest, "item_id"]
    if len(other):
        raise SchemaError(
            f"plan row of item {shown(other.iloc[0])} was made under another schema than "
            f"{schema.name!r}; plan again"
        )
    missing = plan.loc[~plan["item_id"].isin(items["item_id"]), "item_id"]
    if len(missing):
        raise NotFoundError(
            f"plan names item {shown(missing.iloc[0])}, which is not among the items given"
        )
    may_show = plan["show_proposal"] & plan["purpose"].isin(_SHOWS) & plan["value"].notna()
    shows = {v: canonical(v, schema) for v in plan.loc[may_show, "value"].unique()}
    content = items.set_index("item_id")[["payload", "media_type"]].loc[plan["item_id"]]
    columns = (
        plan["item_id"],
        plan["round"].tolist(),
        plan["purpose"],
        plan["annotators"].tolist(),
        plan["priority"].tolist(),
        plan["value"].map(shows.get).where(may_show, None),
        plan["schema_digest"],
        content["payload"],
        content["media_type"],
    )
    return list(zip(zip(*columns, strict=True), map(_names, plan["exclude"]), strict=True))


def _names(exclude: str) -> list[str]:
    try:
        names = json.loads(exclude)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise UsageError(f"plan column 'exclude': found {shown(exclude)}, expected a JSON list")
    return names
