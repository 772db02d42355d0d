"""Flows: the journey on Prefect; the wheel holds them as `labelops_flows`."""
