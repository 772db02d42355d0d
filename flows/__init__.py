"""Flows: the journey on Prefect; the wheel holds them as `labelops_flows`.

Importing any of them turns Prefect's telemetry off for this process and those it starts, and
gives Prefect's temporary server two minutes to start: the first time it makes its database.
"""

import os

# Before Prefect is imported, which looks at these as it is loaded. Whoever set them is obeyed.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
