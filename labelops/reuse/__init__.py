"""A release → training frames and exports; mapping one label set into another."""

from .exports import FORMATS, SIDECAR, export, read_sidecar
from .frame import WEIGHTS, Provenance, provenance, training_frame
from .mapping import map_labels
from .splits import assign_splits, split_conflicts

__all__ = [
    "FORMATS",
    "SIDECAR",
    "WEIGHTS",
    "Provenance",
    "assign_splits",
    "export",
    "map_labels",
    "provenance",
    "read_sidecar",
    "split_conflicts",
    "training_frame",
]
