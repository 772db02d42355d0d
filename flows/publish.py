"""The flow to those who use the labels: release → reuse."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from labelops.app import App
from labelops.parts import Parts

from .artifacts import key_of, release_page
from .missed import leave_out_missed
from .stages import Summary, run_stages
from .tasks import opened, run_name, tasks

__all__ = ["PUBLISH", "publish", "run_publish"]

PUBLISH = ("release", "reuse")
"""The stages of `publish`, in order."""


def run_publish(app: App) -> dict[str, Summary]:
    """Run the stages of `publish` on an open label set, without Prefect."""
    return run_stages(app, PUBLISH)


@flow(name="labelops-publish", flow_run_name=run_name)
def publish(config: str) -> dict[str, Summary]:
    """Release the labels if they pass the gate, and write the latest release's training frame.

    That nothing passes yet is no failure: then `release` says why under `reason`.

    Parameters
    ----------
    config : str
        Path of the label set's labelops.toml.

    Returns
    -------
    dict
        Stage → what it did. The artifact `<label set>-release` says where the release is.
    """
    leave_out_missed()
    parts = Parts()
    with opened(config) as app:
        done = tasks(config, PUBLISH, parts)
        if done["reuse"]["reference"] is not None:
            key = key_of(app.settings.schema.name, "release")
            create_markdown_artifact(release_page(done), key, "The latest release")
    parts.raise_first()
    return done
