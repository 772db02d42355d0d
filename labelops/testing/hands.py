"""How an annotator acts on a queue, whatever queue it is.

A queue (`labelops.ports.Queue`) is what the pipeline sees; hands are what a person at the
screen sees. Simulated annotators and the conformance suite work through hands, so the same
simulation runs on the embedded queue and on a real annotation server. An adapter imports
these names from `labelops.ports`, where they are declared.
"""

from __future__ import annotations

from labelops.ports import Answer, BatchHands, Hands, Offer

__all__ = ["Answer", "BatchHands", "Hands", "Offer"]
