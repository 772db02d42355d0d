"""A queue that is broken in a part: what the others have is taken, and the part is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.stages import run_stages
from labelops.app import App, open_app
from labelops.errors import EndProtocolError
from labelops.parts import Parts
from labelops.ports import Received, Sent
from labelops.state import load
from labelops.tables import VOTES, empty

from ..e2e.label_sets import write_mails


class Broken:
    """A queue of several parts, one of which somebody edited."""

    name = "broken"

    def send(self, *_: object, **__: object) -> Sent:
        return Sent(3, 0, broken=("somebody edited project 'x'",))

    def receive(self, since: str | None = None) -> Received:
        return Received(empty(VOTES), "seen", broken=("somebody edited project 'x'",))


@pytest.fixture
def app(tmp_path: Path) -> App:
    write_mails(tmp_path, 30)
    app = open_app(tmp_path)
    app.ingest()
    app.route()
    app.__dict__["queue"] = Broken()
    return app


@pytest.mark.parametrize("stage", [App.send, pytest.param(App.collect, marks=pytest.mark.slow)])
def test_it_is_raised_when_all_else_is_done(
    app: App, stage: Callable[[App, Parts | None], Sent | object]
) -> None:
    """To a pass that goes on it is handed; nobody is told that everything is offered."""
    with pytest.raises(EndProtocolError, match="project 'x'") as caught:
        stage(app, None)
    assert caught.value.of_a_part
    parts = Parts()
    stage(app, parts)
    assert [str(error) for error in parts.errors] == ["somebody edited project 'x'"]


@pytest.mark.slow
def test_the_flows_go_on_and_then_fail(app: App) -> None:
    """Answers are decided and judged; the plan is not said to be offered as a whole."""
    told: list[str] = []
    with pytest.raises(EndProtocolError, match="project 'x'"):
        run_stages(app, ("collect", "consolidate", "gate"), told.append)
    assert told[0].startswith("0 new votes") and told[1].startswith("Not done: somebody edited")
    assert "INCONCLUSIVE" in told[-1]
    with pytest.raises(EndProtocolError):
        app.send()
    assert load(app.workspace).sent() == 0
