"""What follows from the random order of items that acceptance and the drift watch are tried on."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.policy import FIXED
from ..digest import canonical_json, digest
from ..measure.codes import among
from ..measure.samples import RandomSample
from .audit_votes import AuditVotesView
from .rows import Event, last_body

__all__ = ["CalibrationView"]

_READ = 5_000


class CalibrationView(AuditVotesView):
    """The calibration sample; the stream that it becomes as items arrive, since it changed."""

    @cached_property
    def calibration_sample(self) -> RandomSample:
        """The random sample that acceptance is calibrated on; at most a quarter of the items."""
        size = self._calibration_size(len(self.item_ids))
        return self.workspace.sample("calibrate", self.item_ids, size)

    def _calibration_size(self, items: int) -> int:
        workspace = self.workspace
        return workspace.policies.calibration(items, len(workspace.schema.classes))

    @cached_property
    def calibration_stream(self) -> RandomSample:
        """What acceptance is tested on, in the order of the draw; never learned from.

        A fixed test reads the calibration sample. An e-process reads all that was ever drawn
        into it, so that it reads on where it was when items arrive, and first what it has read,
        so that it does when the settings ask for a larger or smaller sample too.
        """
        if self.workspace.policies.accept.test == FIXED:
            return self.calibration_sample
        return self._grown(self._calibration_size)

    def _grown(self, size: Callable[[int], int]) -> RandomSample:
        """Return all that was ever drawn, had `size` of so many items been asked for."""
        changed = self.stream_since
        return self.workspace.growing_sample(
            "calibrate",
            self.item_ids,
            self.arrived,
            size,
            anew=pd.Timestamp(changed) if changed else None,
            read=self.stream_read,
        )

    @property
    def to_read(self) -> RandomSample:
        """Items whose content a labeler may learn from without labels: at most 5,000, at random.

        A fixed test speaks of the set there is: each item in it is read or not by the same chance,
        whether it is in the sample or not. An e-process speaks of what comes later as well, which
        nobody has read: so it is tested on items that were not. As many again, those that would be
        drawn next, stay unread too: among more items, a little more or less of these is drawn.
        """
        apart: npt.NDArray[np.bool_] = np.zeros(len(self.item_ids), dtype=np.bool_)
        if self.workspace.policies.accept.test != FIXED:
            drawn_next = self._grown(lambda items: 2 * self._calibration_size(items))
            apart = among(self.item_ids, drawn_next.ids)
        return self.workspace.sample("read", self.item_ids[~apart], _READ)

    @cached_property
    def stream_since(self) -> str:
        """The arrival after which the stream is not known to have changed; "" if it never has.

        That is the last arrival the last alarm was given for. Where the change began is a guess
        made from the looks since: to read these looks again, for having been unusual, would be
        no random sample. A fixed test speaks of the set there is, wherever that came from.
        """
        return str(self._last_alarm.get("until", ""))

    @cached_property
    def _last_alarm(self) -> dict[str, Any]:
        """The look that gave the last alarm an e-process heeds; empty if there is none."""
        if self.workspace.policies.accept.test == FIXED:
            return {}
        looks = [look for look in map(json.loads, self.latest("drift")["body"]) if look["alarm"]]
        return max(looks, key=lambda look: str(look["until"]), default={})

    @property
    def stream_now(self) -> RandomSample:
        """The calibration stream since it changed; all of it if it never has."""
        sample, since = self.calibration_stream, self.stream_since
        if not since:
            return sample
        return sample.part((self.arrived[sample.ids] > pd.Timestamp(since)).to_numpy())

    @cached_property
    def stream_read(self) -> list[str]:
        """The calibration stream as it was at the last look of an e-process."""
        rows = self.latest("stream")
        return self._ids_kept(last_body(rows)["object"]) if len(rows) else []

    def keep_stream(self) -> list[Event]:
        """Keep the stream as it is read now; return the event that says so, if it is news.

        The object first, named by its content: killed in between, it is nobody's, and the same
        look makes it again.
        """
        ids = self.calibration_stream.ids.tolist()
        if self.workspace.policies.accept.test == FIXED or ids == self.stream_read:
            return []
        content = canonical_json(ids)
        name = f"streams/{digest([content])[:32]}.json"
        self.workspace.objects.put_new(name, content.encode())
        body = canonical_json({"items": len(ids), "object": name})
        return [self.next_event("stream", "calibrate", body)]

    def _ids_kept(self, name: str) -> list[str]:
        ids: list[str] = self._kept_object(name)
        return ids

    def _kept_object(self, name: str) -> Any:
        cache = self.workspace.cache
        # Named by its content: what was read once is right for good.
        if name not in cache:
            cache[name] = json.loads(self.workspace.objects.get(name))
        return cache[name]
