"""The flow back from people: collect → consolidate → audit → gate."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from labelops.app import App
from labelops.parts import Parts

from .artifacts import key_of, verdict_page
from .missed import leave_out_missed
from .stages import Summary, run_stages
from .tasks import opened, run_name, tasks

__all__ = ["RECEIVE", "receive", "run_receive"]

RECEIVE = ("collect", "consolidate", "audit", "gate")
"""The stages of `receive`, in order."""


def run_receive(app: App) -> dict[str, Summary]:
    """Run the stages of `receive` on an open label set, without Prefect."""
    return run_stages(app, RECEIVE)


@flow(name="labelops-receive", flow_run_name=run_name)
def receive(config: str) -> dict[str, Summary]:
    """Take people's answers in, decide labels, look for wrong ones, and judge the whole.

    Parameters
    ----------
    config : str
        Path of the label set's labelops.toml.

    Returns
    -------
    dict
        Stage → what it did. The artifact `<label set>-verdict` holds every check of the gate.
    """
    leave_out_missed()
    parts = Parts()
    with opened(config) as app:
        done = tasks(config, RECEIVE, parts)
        name = app.settings.schema.name
        page = verdict_page(name, done["gate"])
        create_markdown_artifact(page, key_of(name, "verdict"), "May the labels be released?")
    parts.raise_first()
    return done
