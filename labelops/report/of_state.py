"""The facts of a report, gathered from a workspace's state."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..audit import Anchoring, anchoring, finding_status, precision, recall
from ..audit.findings import SHOWN
from ..autolabel.earlier_cells import EarlierCells
from ..errors import counted
from ..gate.verdict import CheckResult, Verdict
from ..kinds.choice import codes_of
from ..ports import Usage
from ..released import released_as
from ..state import EVIDENCE, State
from ..state.drift import drift_watch
from ..state.money import money_of, priced
from ..state.people import annotator_table, remarks
from ..state.plan import labeling_plan
from ..state.shares import latest_shares
from .facts import (
    AnnotatorRow,
    ClassRow,
    Confusion,
    Counts,
    FindingRow,
    LineageRow,
    ReportFacts,
    RightsRow,
)
from .pictures import thumbnail
from .rows import annotator_rows, confusion_of, finding_rows
from .views import view_rows

__all__ = ["counts_of", "report_facts"]

_BASELINE_VOTES = 3
_SHOWN = 24
_ODD = 8
_NAMED = 20
_COLUMNS = 5


def report_facts(
    state: State,
    verdict: Mapping[str, object],
    when: str,
    read: Callable[[str], bytes],
    release: str = "",
) -> ReportFacts:
    """Gather what a report says of a label set.

    Parameters
    ----------
    state : State
    verdict : mapping
        The gate's verdict as JSON.
    when : str
        When it was given, as ISO 8601 text.
    read : callable
        Payload URI → bytes.
    release : str
        The release it is part of, as `name@version`; empty where it is none's.
    """
    schema, policies = state.workspace.schema, state.workspace.policies
    views, real = _last_views(state), _real_findings(state)
    watch, candidate, audit = drift_watch(state), state.candidate, state.audit
    label = "labels as they stand" if candidate is None else f"candidate {candidate.number}"
    released = released_as(state) or ""
    return ReportFacts(
        title=schema.name,
        release=release or released or f"{schema.name}, {label}",
        created=when,
        verdict=_verdict(verdict),
        certificate=None if audit is None else audit.certificate,
        counts=counts_of(state),
        classes=_classes(state),
        confusions=_confusions(state),
        annotators=_annotators(state),
        floor=policies.audit.annotator_floor,
        anchoring=_anchoring(state),
        findings=_worst_findings(state, real, read),
        findings_total=len(real),
        recall=recall(state.findings) if len(state.findings) else None,
        precision=precision(state.findings, state.reviews, state.labels) if len(real) else None,
        shown=_odd_items(state, read),
        shown_total=views.get("kinds", {}),
        shown_wrong=views.get("expected", {}),
        views=view_rows(views),
        drift=watch if watch.looks else None,
        shares=latest_shares(state),
        rights=_rights(state.present_items),
        lineage=_lineage(state),
        schema=schema,
        purpose=policies.gate.purpose,
        audit_why="" if candidate is None else candidate.why,
        released_as=released,
        confidence=policies.gate.confidence,
        progress=None if audit is None else audit.progress,
    )


def _verdict(raw: Mapping[str, object]) -> Verdict:
    checks = raw.get("checks")
    rows = checks if isinstance(checks, list) else []
    return Verdict(tuple(CheckResult(**row) for row in rows))


def counts_of(state: State) -> Counts:
    """Count items, labels by how they were decided, and votes by purpose."""
    labels = state.labels
    given = state.votes.loc[state.votes["status"] == "given", "purpose"].value_counts()
    decided, accepted = labels["value"].notna(), labels["method"] == "accepted"
    items = len(state.present_items)
    return Counts(
        items=items,
        by_people=int((decided & ~accepted).sum()),
        accepted=int(accepted.sum()),
        undecided=items - int(decided.sum()),
        votes={str(k): int(v) for k, v in given.items()},
        baseline=_BASELINE_VOTES * items,
    )


def _classes(state: State) -> tuple[ClassRow, ...]:
    schema = state.workspace.schema
    labels = state.labels.loc[state.labels["value"].notna()]
    codes = pd.Series(codes_of(labels["value"], schema), index=labels["item_id"])
    size = len(schema.classes)
    accepted = codes.loc[(labels["method"] == "accepted").to_numpy()]
    looked, wrong = _audited(state)
    rows = (codes, accepted, codes.reindex(looked), codes.reindex(wrong))
    counts = [np.bincount(r.dropna().astype(np.int64), minlength=size).tolist() for r in rows]
    return tuple(
        ClassRow(name, *numbers) for name, *numbers in zip(schema.classes, *counts, strict=True)
    )


def _audited(state: State) -> tuple[list[str], list[str]]:
    """Return the items that blind audits settled, and those they found wrong."""
    audit = state.audit
    if audit is None:
        return [], []
    settled = ~audit.unseen & ~audit.pending
    return list(audit.planned.ids[settled]), list(audit.planned.ids[audit.wrong])


def _confusions(state: State) -> tuple[Confusion, ...]:
    schema, labels = state.workspace.schema, state.labels.set_index("item_id")["value"]

    def against_labels(rows: pd.DataFrame, title: str, who: str) -> Confusion:
        decided = labels.reindex(rows["item_id"])
        given = codes_of(rows["value"].where(rows["value"].notna(), None), schema)
        label_codes = codes_of(decided.where(decided.notna(), None), schema)
        return confusion_of(title, who, "label", given, label_codes, schema.classes)

    people = state.current.loc[state.current["purpose"].isin((*EVIDENCE, "audit"))]
    found = [against_labels(people, "People against the labels", "vote")] if len(people) else []
    sample = state.current_proposals
    looked, _ = _audited(state)
    sample = sample.loc[sample["item_id"].isin([*state.calibration_sample.ids, *looked])]
    if len(sample):
        title = "The model against the labels, on items drawn at random"
        found.append(against_labels(sample, title, "proposal"))
    return (*found, *_earlier(state, labels))


def _earlier(state: State, labels: pd.Series) -> list[Confusion]:
    """Return what each column with labels from before says, where it names a class."""
    schema, names = state.workspace.schema, state.earlier_labels
    if not names:
        return []
    # In the order of the labels, of which all have an item.
    items = state.items.set_index("item_id").loc[labels.index]
    said = EarlierCells.learned(names, items, schema).classes_of(items)
    codes = codes_of(labels.where(labels.notna(), None), schema)
    return [
        confusion_of(f"Earlier labels, column {name}, against the labels", "earlier label", "label",
                     column, codes, schema.classes)
        for name, column in zip(names[:_COLUMNS], said.T, strict=False)
    ]  # fmt: skip


def _anchoring(state: State) -> Anchoring | None:
    if state.proposals.empty or state.votes.empty:
        return None
    return anchoring(state.votes, state.plan, state.proposals)


def _last_views(state: State) -> dict[str, Any]:
    """Return what the views of the latest audit showed beside single items."""
    rows = state.events.loc[state.events["kind"] == "audited"].sort_values("revision")
    found: dict[str, Any] = {} if rows.empty else json.loads(rows["body"].iloc[-1]).get("views", {})
    return found


def _annotators(state: State) -> tuple[AnnotatorRow, ...]:
    said = {name: [r.text for r in rows] for name, rows in remarks(state).items()}
    return annotator_rows(annotator_table(state), said)


def _odd_items(state: State, read: Callable[[str], bytes]) -> tuple[FindingRow, ...]:
    """Return the worst few items of each kind that is only shown, from the latest audit."""
    rows = state.findings.loc[state.findings["kind"].isin(SHOWN)]
    rows = rows.loc[rows["round"] == state.findings["round"].max()]
    rows = rows.loc[~rows["item_id"].isin(state.withdrawn_ids)]
    rows = rows.sort_values(["kind", "score", "item_id"], kind="stable")
    rows = rows.groupby("kind").head(_ODD)
    none, payloads = [""] * len(rows), _payloads(state, rows, read)
    return finding_rows(rows, none, state.workspace.schema, **payloads, limit=len(rows))


def _real_findings(state: State) -> pd.DataFrame:
    """Return what speaks against labels: nothing that was planted, or is only shown."""
    hidden = state.findings["planted"].astype(bool) | state.findings["kind"].isin(SHOWN)
    return state.findings.loc[~hidden]


def _worst_findings(
    state: State, real: pd.DataFrame, read: Callable[[str], bytes]
) -> tuple[FindingRow, ...]:
    rows = real.loc[~real["item_id"].isin(state.withdrawn_ids)]
    rows = rows.sort_values(["score", "item_id", "kind"], kind="stable")
    rows = rows.drop_duplicates("item_id").head(_SHOWN)
    status = finding_status(rows, state.reviews, state.labels, state.lacking_classes).tolist()
    return finding_rows(
        rows,
        status,
        state.workspace.schema,
        **_payloads(state, rows, read),
        labels=dict(zip(state.labels["item_id"], state.labels["value"], strict=True)),
        limit=_SHOWN,
    )


def _payloads(
    state: State, findings: pd.DataFrame, read: Callable[[str], bytes]
) -> dict[str, dict[str, str]]:
    rows = state.items.loc[state.items["item_id"].isin(findings["item_id"])]
    pairs = dict(zip(rows["item_id"], rows["payload"], strict=True))
    if state.workspace.schema.media == "text":
        return {"texts": pairs}
    pictures = {item: thumbnail(read(uri)) for item, uri in pairs.items()}
    return {"images": {item: p for item, p in pictures.items() if p is not None}}


def _rights(items: pd.DataFrame) -> tuple[RightsRow, ...]:
    columns = ["source", "licence", "purposes", "region", "expires"]
    groups = items.groupby(columns, dropna=False, sort=True).size()
    rows = []
    for (source, licence, purposes, region, expires), size in groups.items():
        rows.append(
            RightsRow(
                source=source,
                items=int(size),
                licence=_or_none(licence),
                purposes=None if pd.isna(purposes) else tuple(json.loads(purposes)),
                region=_or_none(region),
                expires=None if pd.isna(expires) else expires.isoformat(),
            )
        )
    return tuple(rows)


def _or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _lineage(state: State) -> tuple[LineageRow, ...]:
    rows = [
        LineageRow("labeler", str(row.subject)[:12], _said_fit(json.loads(row.body)))
        for row in state.fits.itertuples()
    ]
    rows.append(LineageRow("plan", "; ".join(labeling_plan(state).in_words)))
    for found in state.hypotheses:
        of = f"{counted(found.accepted)} of {counted(found.pool_size, 'proposal')}"
        detail = found.closed or f"accepts {of}: {found.reason}"
        if found.by_class:
            detail += f". Its calibration items by class: {found.classes_in_words}"
        rows.append(LineageRow("attempt to accept", str(found.number), detail))
    if priced(state.workspace.policies.route):
        money = money_of(state)
        rows.append(LineageRow("money", f"{money.spent:,.2f}", money.in_words))
    rows += [
        LineageRow("labeler cost", used.subject[:12], _said_usage(used)) for used in state.usage
    ]
    rows += [
        LineageRow("refused by the labeler", counted(len(items), "item"), f"{why}: {_few(items)}")
        for why, items in _by_reason(state.refused).items()
    ]
    queues = sorted({*state.votes["queue"], *state.voices["queue"]})
    return (*rows, *(LineageRow("queue", queue) for queue in queues))


def _by_reason(refused: Mapping[str, str]) -> dict[str, list[str]]:
    """Group the items that a model refused by its reasons, the most frequent first."""
    found: dict[str, list[str]] = {}
    for item, why in refused.items():
        found.setdefault(why, []).append(item)
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def _few(items: Sequence[str]) -> str:
    more = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {counted(more)} more" if more > 0 else "")


def _said_usage(used: Usage) -> str:
    cost = "" if used.cost is None else f", {used.cost:,.4f} at the prices set"
    return (
        f"{used.answers} answers of {used.model}, {used.input_tokens} tokens asked and "
        f"{used.output_tokens} answered{cost}" + (f", {used.refusals}" if used.refused else "")
    )


def _said_fit(raw: Mapping[str, Any]) -> str:
    vectors = f", by vectors of {raw['encoder']}" if raw.get("encoder") else ""
    columns = ", ".join(raw.get("earlier_labels", ()))
    earlier = f", and earlier labels in {columns}" if columns else ""
    return f"{raw['labeler']}, learned from {counted(raw['items'], 'item')}{vectors}{earlier}"
