"""Label Studio, where people label: the only part of labelops that speaks its language."""

from .queue import SIMULATED_DOMAIN, LabelStudioQueue, annotator_named

__all__ = ["SIMULATED_DOMAIN", "LabelStudioQueue", "annotator_named"]
