"""Runs that came due and did not begin, because of a longer one or because nobody served.

The server keeps them, and whoever serves next would begin them all, one after the other. Each
run of a flow does all that is left to do, so the first one that begins leaves the others out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect import get_client, get_run_logger
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectHTTPStatusError

from labelops.errors import counted

__all__ = ["leave_out_missed"]

_AT_ONCE = 50  # as many as the server deletes in one request


def leave_out_missed() -> None:
    """Delete the runs that came due before the run around this call began, of its deployment.

    What somebody asked for by hand stays, and so does what runs on another label set.
    """
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    if run is None or run.deployment_id is None:
        return
    logger = get_run_logger()
    try:
        left_out = _deleted(run, run.deployment_id)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        logger.warning("Runs that came due earlier may follow this one: %s", error)
        return
    if left_out:
        logger.info(
            "%s that came due before this one began: left out, for it does what they would.",
            counted(left_out, "run"),
        )


def _deleted(run: FlowRun, deployment: UUID) -> int:
    waiting = FlowRunFilterState(name=FlowRunFilterStateName(any_=["Scheduled", "Late"]))
    now = datetime.now(UTC)
    due = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=waiting,
        expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"before_": now}),
    )
    seen, missed, deleted = 0, list[UUID](), 0
    with get_client(sync_client=True) as client:
        while page := client.read_flow_runs(flow_run_filter=due, offset=seen):
            seen += len(page)
            ours = (o for o in page if o.auto_scheduled and o.parameters == run.parameters)
            missed += [other.id for other in ours]
        for start in range(0, len(missed), _AT_ONCE):
            # By their state as well: another process may have begun one meanwhile.
            these = FlowRunFilterId(any_=missed[start : start + _AT_ONCE])
            wanted = FlowRunFilter(id=these, state=waiting).model_dump(mode="json")
            answer = client.request(
                "POST",
                "/flow_runs/bulk_delete",  # type: ignore[arg-type]  # not in its list for types
                json={"flow_runs": wanted, "limit": _AT_ONCE},
            )
            deleted += len(answer.json()["deleted"])
    return deleted
