"""What is asked of confident learning, checked once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.given import check_flag, check_share, check_whole

__all__ = ["Filter", "Options", "Score", "checked_options"]

Filter = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
]
Score = Literal["self_confidence", "normalized_margin", "confidence_weighted_entropy"]

_PRUNING = ("prune_by_noise_rate", "prune_by_class", "both")


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked; see `find_label_issues`."""

    filter_by: Filter = "prune_by_noise_rate"
    rank_by: Score = "self_confidence"
    adjusted: bool = False
    frac_noise: float = 1.0
    min_examples_per_class: int = 1
    num_to_remove: tuple[int, ...] | None = None
    compat: Literal["cleanlab"] | None = None

    @property
    def prunes(self) -> bool:
        """Whether the filter takes out as many labels as the joint says."""
        return self.filter_by in _PRUNING

    @property
    def needs_runners_up(self) -> bool:
        """Whether margins are asked for of labels that are ahead of all other classes too."""
        return "normalized_margin" in (self.filter_by.removeprefix("low_"), self.rank_by)

    def to_json(self) -> str:
        """Write down."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Options:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        wanted = values.pop("num_to_remove")
        return cls(**values, num_to_remove=None if wanted is None else tuple(wanted))


def checked_options(
    classes: int,
    filter_by: str,
    rank_by: str,
    adjusted: bool,
    frac_noise: float,
    min_examples_per_class: int,
    num_to_remove_per_class: ArrayLike | None,
    compat: str | None,
) -> Options:
    """Return the options after checking that they go together.

    Raises
    ------
    UsageError
        One is unknown or out of its range, or the filter has no use for it.
    """
    _known("filter_by", filter_by, get_args(Filter))
    _known("rank_by", rank_by, get_args(Score))
    _known("compat", compat, (None, "cleanlab"))
    if adjusted and rank_by == "confidence_weighted_entropy":
        raise UsageError("adjusted scores: only of self_confidence and normalized_margin")
    check_share("frac_noise", frac_noise)
    check_whole("min_examples_per_class", min_examples_per_class, least=0)
    wanted = None
    if num_to_remove_per_class is not None:
        wanted = _numbers(num_to_remove_per_class, classes)
    if filter_by not in _PRUNING:
        _no_numbers(filter_by, frac_noise, wanted, compat)
    return Options(
        cast("Filter", filter_by),
        cast("Score", rank_by),
        check_flag("adjusted", adjusted),
        float(frac_noise),
        int(min_examples_per_class),
        wanted,
        cast("Literal['cleanlab'] | None", compat),
    )


def _no_numbers(
    filter_by: str, frac_noise: float, wanted: tuple[int, ...] | None, compat: str | None
) -> None:
    """Refuse what only pruning reads; cleanlab goes on without `frac_noise`, and so does compat."""
    idle = "num_to_remove_per_class" if wanted is not None else f"frac_noise={frac_noise}"
    if wanted is not None or (frac_noise != 1 and compat is None):
        raise UsageError(
            f"{idle} says nothing to filter_by={filter_by!r}; leave it out, or filter by one of "
            f"{', '.join(_PRUNING)}"
        )


def _known(name: str, value: str | None, allowed: Sequence[str | None]) -> None:
    if value not in allowed:
        named = ", ".join(str(one) for one in allowed)
        raise UsageError(f"{name} is {value!r}, expected one of {named}")


def _numbers(wanted: ArrayLike, classes: int) -> tuple[int, ...]:
    given = np.asarray(wanted)
    if given.shape != (classes,) or given.dtype.kind not in "iu" or (given < 0).any():
        raise UsageError(
            f"num_to_remove_per_class: expected {classes} whole numbers of 0 or more, one a class"
        )
    return tuple(int(n) for n in given)
