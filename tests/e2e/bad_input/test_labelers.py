"""Labelers that are away, late or wrong: exit code 3, and nothing is proposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.app import open_app
from labelops.errors import LabelopsError
from labelops.ports import Labeler
from labelops.schema import Schema

from ...servers import Start, serving
from ..label_sets import MAIL, PATIENT, contents

pytestmark = pytest.mark.slow  # journeys that fail


class Custom:
    """A labeler of the user's own, wrong in one way."""

    name = "model:custom"

    def __init__(self, probs: list[float], fold: int | None) -> None:
        self._probs, self._fold = probs, fold

    def fit(self, items: pd.DataFrame, codes: object, groups: object, schema: Schema) -> str:
        return "1"

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "item_id": items["item_id"],
                "value": '"bill"',
                "confidence": np.nan,
                "probs": [np.array(self._probs)] * len(items),
                "fold": pd.array([self._fold] * len(items), dtype="Int64"),
            }
        )


@pytest.mark.parametrize(
    ("labeler", "code", "facts"),
    [
        (Custom([0.5, 0.3, 0.3], 0), 3, ("'probs'", "0.5, 0.3, 0.3", "a sum of 1")),
        (Custom([0.5, 0.5], 0), 3, ("'probs'", "3 numbers, one a class")),
        (Custom([1.2, -0.1, -0.1], 0), 3, ("'probs'", "numbers from 0 to 1")),
        (Custom([0.5, float("nan"), 0.5], 0), 3, ("'probs'",)),
        (Custom([0.5, 0.3, 0.2], None), 2, ("'fold'", "held them out")),
    ],
)
def test_custom_labeler_with_wrong_probabilities(
    folder: Path, labeler: Labeler, code: int, facts: tuple[str, ...]
) -> None:
    """Wrong probabilities, or in-sample ones, are refused naming item, column and value."""
    app = open_app(folder)
    app.__dict__["labeler"] = labeler
    before = contents(folder)
    with pytest.raises(LabelopsError) as caught:
        app.autolabel()
    message = str(caught.value)
    assert caught.value.exit_code == code
    assert "\n" not in message
    assert [f for f in ("'mail-", *facts) if f not in message] == [], message
    assert contents(folder) == before


HTTP = {
    "slow": ("no whole answer in 0.5 s", "raise `timeout`"),
    "error": ("status 500", "see the backend's log"),
    "refuse": ("status 401", "check the credentials"),
    "half": ("results for", "the first unanswered is 'mail-"),
    "badprobs": ("item 'mail-", "probabilities sum to 1.2, expected 1"),
    "missing": ("item 'mail-", "probabilities without class", "all 3 classes"),
    "nan": ("item 'mail-", "probability nan"),
    "badclass": ("item 'mail-", "'no such class'"),
    "junk": ("not JSON", "ML-backend protocol"),
}


@pytest.fixture(scope="module")
def ml_backend() -> Iterator[Start]:
    """Start model servers in another process."""
    with serving("ml_backend") as start:
        yield start


@pytest.mark.parametrize("behaviour", HTTP)
def test_labeler_misbehaves(
    folder: Path, refused: Callable[..., str], ml_backend: Start, behaviour: str
) -> None:
    """A model server that is late, fails or answers wrongly: code 3, and nothing is proposed."""
    timeout = 0.5 if behaviour == "slow" else PATIENT
    url = ml_backend("--behaviour", behaviour)
    (folder / "labelops.toml").write_text(
        f'{MAIL}[labeler]\ntype = "http"\nurl = "{url}"\ntimeout = {timeout}\n'
    )
    refused(folder, "autolabel", 3, url.removeprefix("http://"), *HTTP[behaviour])


def test_labeler_is_away(folder: Path, refused: Callable[..., str]) -> None:
    """A model server that is not there: code 3."""
    (folder / "labelops.toml").write_text(
        f'{MAIL}[labeler]\ntype = "http"\nurl = "http://127.0.0.1:9"\n'
    )
    refused(folder, "autolabel", 3, "127.0.0.1:9", "no connection", "start the backend")
