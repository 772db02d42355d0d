"""One consensus of very many votes in a process of its own, which prints what it took.

``python -m benchmarks._many_votes METHOD ITEMS`` draws five votes an item by 200 annotators on 5
classes, runs `majority`, `dawid_skene` (five EM steps) or the default, and prints its seconds, the
most memory the process held, the votes included, and how many of the labels are right, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from labelops.consolidate import consolidate_codes
from labelops.consolidate.dawid_skene import dawid_skene
from labelops.consolidate.majority import majority

ANNOTATORS, CLASSES, PER_ITEM = 200, 5, 5
_BLOCK = 1 << 20
Codes = npt.NDArray[Any]


def _default(items: Codes, who: Codes, codes: Codes, **size: int) -> Codes:
    found = consolidate_codes(
        items, who, codes, size["n_items"], size["n_classes"], n_annotators=size["n_annotators"]
    )
    labels: Codes = found.posterior.argmax(axis=1)
    return labels


METHODS: Mapping[str, Callable[..., Codes]] = MappingProxyType(
    {
        "majority": lambda *votes, **size: majority(*votes, **size).labels,
        "dawid_skene": lambda *votes, **size: dawid_skene(
            *votes, **size, max_iterations=5
        ).posterior.argmax(axis=1),
        "default": _default,
    }
)


def draw(items: int) -> tuple[Codes, Codes, Codes]:
    """Draw the votes in blocks: item, annotator and class of each; item i is of class i mod 5."""
    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(items, dtype=np.int32), PER_ITEM)
    who, code = np.empty(item.size, dtype=np.int16), np.empty(item.size, dtype=np.int8)
    accuracy = rng.beta(6, 3, ANNOTATORS)
    for first in range(0, item.size, _BLOCK):
        block = slice(first, first + _BLOCK)
        here = item[block]
        who[block] = rng.integers(0, ANNOTATORS, here.size)
        right = rng.random(here.size) < accuracy[who[block]]
        code[block] = np.where(right, here % CLASSES, rng.integers(0, CLASSES, here.size))
    return item, who, code


def main() -> None:
    """Draw, run and print."""
    method, items = sys.argv[1], int(sys.argv[2])
    votes = draw(items)
    started, used = time.perf_counter(), time.process_time()
    labels = METHODS[method](*votes, n_items=items, n_annotators=ANNOTATORS, n_classes=CLASSES)
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    right = float((labels == np.arange(items) % CLASSES).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "right": right}))


if __name__ == "__main__":
    main()
