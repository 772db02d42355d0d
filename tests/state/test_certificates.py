"""`labelops certificates`: every attempt with its looks, votes, risk, cut-off and end."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click
import numpy as np
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli.certificates import certificate_facts, said_certificates
from labelops.cli.words import json_text
from labelops.gate.candidate import Candidate
from labelops.gate.policy import GatePolicy
from labelops.journey import consolidate
from labelops.released import released_as
from labelops.releasing import _reopened
from labelops.report.of_state import report_facts

from .accepting import accepting, arrive, closed_now, settle
from .world import World, make_world


def _shown(world: World) -> tuple[dict[str, Any], str]:
    state = world.state
    facts: dict[str, Any] = json.loads(json_text(certificate_facts(state)))
    return facts, click.unstyle(said_certificates(state))


def test_nothing_was_tried() -> None:
    """An empty label set has no certificate and all of its risk."""
    facts, text = _shown(make_world())
    assert facts["hypotheses"] == [] and facts["acceptance"]["left"] == 0.05
    assert text.startswith("No attempt was made yet") and "0.0500 left" in text


@pytest.mark.slow
def test_a_standing_certificate_shows_what_it_rests_on() -> None:
    """Number, version, rule, test, looks, votes, risk, cut-off, accepted, classes, random looks."""
    world = accepting()
    arrive(world, "b", np.random.default_rng(2).uniform(0.6, 1.0, 120))
    settle(world)
    facts, text = _shown(world)
    (h,) = facts["hypotheses"]
    assert (h["number"], h["looks"], h["status"]) == (1, 2, "stands")
    assert h["votes"] == h["sample"] > 60 and h["accepted"] == 360 == h["pool_size"]
    assert facts["acceptance"]["spent"] == h["risk"]
    (row,) = h["by_class"]
    assert (row["value"], row["accepted"], row["errors"]) == ("cat", 360, 0)
    assert h["random_looks"]["wanted"] == 20 and h["random_looks"]["settled"] == 0
    for words in ("joint, e-process", "360 of 360", "1  stands: ", "0.0304 of 0.05; 0.0196 left"):
        assert words in text
    assert "Attempt 1 by proposed class" in text and "Random looks at what attempt 1" in text
    assert max(map(len, text.splitlines())) < 110, "it fits a terminal"


@pytest.mark.slow
def test_a_closed_certificate_says_why() -> None:
    """The reason is there, and what it spent stays spent."""
    world = accepting(AcceptancePolicy(error=0.2, spot_share=0.0))
    world.say("annotator_flagged", "human:ann", 0, reason="a test")
    closed_now(world)
    facts, text = _shown(world)
    (h,) = facts["hypotheses"]
    assert (h["status"], h["cause"], h["random_looks"]) == ("closed", "votes", None)
    assert "1  closed: too few calibration votes: 0 of the 60" in text
    assert facts["acceptance"]["spent"] == h["risk"] > 0
    assert "by proposed class" in text, "the last table is still of use"


def test_an_open_audit_shows_found_corrected_and_certified() -> None:
    """Errors found and corrected stand side by side, and the share is of the labels as they are."""
    world = make_world(gate=GatePolicy(error=0.2))
    ids = [f"i{n}" for n in range(40)]
    world.items(*ids)
    revision = world.label(dict.fromkeys(ids, "cat"))
    frozen = Candidate(1, revision, 1, len(ids), "d", why="a test")
    world.say("candidate", "1", 0, **json.loads(frozen.to_body()))
    assert world.state.audit is not None
    order = world.state.audit.planned.ids
    world.vote(order[0], "audit", ann="dog", ben="dog", cem="dog")
    for item in order[1:]:
        world.vote(item, "audit", ann="cat")
    world.flush()
    consolidate(world.workspace, now=world.tick())
    facts, text = _shown(world)
    found = facts["certificate"]
    assert (found["errors"], found["corrected"]) == (1, 1)
    assert "errors found 1, corrected 1; certified of the labels as they are now: at most" in text
    assert f"{found['certified']:.4f} wrong" in text
    assert f"1 of {found['n']} audited labels was wrong, 1 of them corrected: " in text


def test_a_report_names_the_release_that_has_the_labels() -> None:
    """Once released as they stand, the report says so; a changed label is a label set again."""
    world = make_world()
    world.items("a")
    revision = world.label({"a": "cat"})
    digest = world.state.labels_digest(world.state.labels)
    released = Candidate(1, revision, 1, 1, digest, "released pets@1.0.0")
    world.say("candidate", "1", 0, **json.loads(released.to_body()))
    verdict = {"checks": []}
    facts = report_facts(world.state, verdict, "2026-01-02", lambda name: b"")
    assert (facts.released_as, facts.release) == ("pets@1.0.0", "pets@1.0.0")
    facts = report_facts(world.state, verdict, "2026-01-02", lambda name: b"", "pets@1.1.0")
    assert facts.release == "pets@1.1.0", "in a release the report is called by its name"
    world.label({"a": "dog"})
    facts = report_facts(world.state, verdict, "2026-01-02", lambda name: b"")
    assert (facts.released_as, facts.release) == ("", "pets, labels as they stand")


def test_a_patch_reopens_what_was_released_and_not_what_failed_since() -> None:
    """Where later labels failed and are gone, the release that is left is judged anew, not they."""
    world = make_world()
    world.items("a")
    revision = world.label({"a": "cat"})
    digest = world.state.labels_digest(world.state.labels)
    for number, end in ((1, "released pets@1.0.0"), (2, "failed: too many errors")):
        made = Candidate(number, revision, 1, 1, digest)
        world.say("candidate", str(number), 0, **json.loads(made.to_body()))
        ended = dataclasses.replace(made, closed=end)
        world.say("candidate", str(number), 1, **json.loads(ended.to_body()))
    assert released_as(world.state) == "pets@1.0.0"
    again = _reopened(world.state)
    assert again.candidate is not None and again.candidate.number == 1
    assert [c.closed for c in again.candidates] == ["", "failed: too many errors"]
