"""Statistics that stages share: intervals, e-processes, agreement, confusion, calibration."""
