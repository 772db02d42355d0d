"""The flow towards people: ingest → autolabel → route → queue."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from labelops.app import App
from labelops.parts import Parts

from .artifacts import key_of, plan_page
from .missed import leave_out_missed
from .stages import Summary, run_stages
from .tasks import opened, run_name, tasks

__all__ = ["SEND", "run_send", "send"]

SEND = ("ingest", "autolabel", "route", "queue")
"""The stages of `send`, in order."""


def run_send(app: App) -> dict[str, Summary]:
    """Run the stages of `send` on an open label set, without Prefect."""
    app.check_ends()
    return run_stages(app, SEND)


@flow(name="labelops-send", flow_run_name=run_name)
def send(config: str) -> dict[str, Summary]:
    """Take new items in, let the model propose, and ask people for what is needed.

    Parameters
    ----------
    config : str
        Path of the label set's labelops.toml.

    Returns
    -------
    dict
        Stage → what it did. The artifact `<label set>-plan` says what people are asked for.

    Raises
    ------
    LabelopsError
        What concerned a part only, such as the labeler: when all else is done.
    """
    leave_out_missed()
    parts = Parts()
    with opened(config) as app:
        app.check_ends()
        done = tasks(config, SEND, parts)
        name = app.settings.schema.name
        create_markdown_artifact(plan_page(app, done), key_of(name, "plan"), "What people do next")
    parts.raise_first()
    return done
