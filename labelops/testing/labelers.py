"""What every labeler has to keep, as a suite: inherit it, say how to make yours, run pytest.

::

    class TestMine(LabelerTests):
        learns = True

        def make(self) -> Labeler:
            return MyLabeler()
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ..errors import LabelopsError
from ..ports import Labeler, MayNotLearn, SemiSupervised
from ..schema import Schema
from ..tables import ITEMS, check, frame_of

__all__ = ["LabelerTests", "example_items"]

_Codes = npt.NDArray[np.int64]

_WORDS = {
    "cat": ("purr", "whisker", "meow", "kitten"),
    "dog": ("bark", "fetch", "leash", "puppy"),
    "bird": ("chirp", "feather", "nest", "wing"),
}


def example_items() -> pd.DataFrame:
    """Forty-eight texts in groups of two; both texts of a group say the same class.

    The first word of each text names its class: cat, dog or bird.
    """
    rng = np.random.default_rng(7)
    names = [list(_WORDS)[i // 2 % 3] for i in range(48)]
    texts = [f"{n} {' '.join(rng.choice(_WORDS[n], 2))} {i}" for i, n in enumerate(names)]
    return frame_of(
        ITEMS,
        {
            "item_id": [f"i{i:02d}" for i in range(48)],
            "revision": 0,
            "payload": texts,
            "media_type": "text/plain",
            "payload_digest": [f"{i:064x}" for i in range(48)],
            "source": "suite",
            "group": [f"g{i // 2:02d}" for i in range(48)],
            "attributes": "{}",
            "ingested_at": datetime(2026, 1, 1, tzinfo=UTC),
        },
        48,
    )


class LabelerTests:
    """The promises of `ports.Labeler`, tested from outside on small, well separated texts.

    Attributes
    ----------
    learns : bool
        Whether `fit` changes what it proposes; a labeler that cannot learn sets False.
    """

    learns: bool = True

    def make(self) -> Labeler:
        """Return a new labeler, set up the same each time."""
        raise NotImplementedError

    def make_broken(self) -> Labeler | None:
        """Return a labeler whose `propose` must fail, or None if it has nothing to fail."""
        return None

    @pytest.fixture
    def schema(self) -> Schema:
        """Three classes."""
        return Schema("pets", tuple(_WORDS))

    @pytest.fixture
    def items(self) -> pd.DataFrame:
        """Forty-eight texts in groups of two; both texts of a group say the same class."""
        return example_items()

    def test_keeps_the_shape(self, schema: Schema, items: pd.DataFrame) -> None:
        """One row an item at most, none invented, cells of the declared kind."""
        _, answers = _fitted(self.make(), items, _codes(items), schema)
        assert list(answers.columns) == ["item_id", "value", "confidence", "probs", "fold"]
        assert answers["item_id"].is_unique
        assert set(answers["item_id"]) <= set(items["item_id"])
        assert str(answers["fold"].dtype) == "Int64"
        for cell in answers["probs"].dropna():
            assert len(cell) == len(schema.classes)
            assert abs(float(np.sum(cell)) - 1) < 1e-6

    def test_absent_confidence_is_nan(self, schema: Schema, items: pd.DataFrame) -> None:
        """No confidence is 0: the winner of K classes has more, and absent is NaN."""
        _, answers = _fitted(self.make(), items, _codes(items), schema)
        confidence = answers["confidence"].to_numpy(dtype=float)
        assert np.all(np.isnan(confidence) | ((confidence > 0) & (confidence <= 1)))
        assert np.isnan(confidence[answers["value"].isna().to_numpy()]).all()

    def test_is_deterministic(self, schema: Schema, items: pd.DataFrame) -> None:
        """The same rows give the same version and proposals, also from a new instance."""
        one, again = self.make(), self.make()
        first, a = _fitted(one, items, _codes(items), schema)
        second, b = _fitted(again, items, _codes(items), schema)
        third, c = _fitted(one, items, _codes(items), schema)
        assert first == second == third
        pd.testing.assert_frame_equal(a, b)
        pd.testing.assert_frame_equal(a, c)

    def test_order_changes_nothing(self, schema: Schema, items: pd.DataFrame) -> None:
        """Rows in another order, in fit and in propose, give the same version and proposals."""
        mixed = items.sample(frac=1.0, random_state=3).reset_index(drop=True)
        first, a = _fitted(self.make(), items, _codes(items), schema)
        second, b = _fitted(self.make(), mixed, _codes(mixed), schema)
        assert first == second
        pd.testing.assert_frame_equal(a, b)

    def test_company_changes_nothing(self, schema: Schema, items: pd.DataFrame) -> None:
        """An item asked alone is proposed as it is among others."""
        labeler = self.make()
        _, answers = _fitted(labeler, items, _codes(items), schema)
        alone = labeler.propose(items.iloc[[5]], schema)
        among = answers[answers["item_id"] == "i05"].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone.reset_index(drop=True), among, atol=1e-9)

    def test_training_items_are_held_out(self, schema: Schema, items: pd.DataFrame) -> None:
        """Trained items and their groups name a fold, one a group; all others name none."""
        labeler = self.make()
        some = items.iloc[:24:2]
        labeler.fit(some, _codes(some).tolist(), some["group"].tolist(), schema)
        answers = labeler.propose(items, schema).merge(items[["item_id", "group"]], on="item_id")
        near = answers["group"].isin(some["group"]) & self.learns
        assert answers.loc[near, "fold"].notna().all()
        assert answers.loc[~near, "fold"].isna().all()
        pairs = answers.loc[near, ["group", "fold"]].drop_duplicates()
        assert pairs["group"].is_unique
        assert len(set(pairs["fold"])) > 1 or not self.learns

    def test_says_whether_it_learns(self, schema: Schema, items: pd.DataFrame) -> None:
        """One that names no fold for what it was fitted on says so: a journey refuses it else."""
        labeler = self.make()
        _fitted(labeler, items, _codes(items), schema)
        assert (labeler.learns if isinstance(labeler, MayNotLearn) else True) == self.learns

    def test_own_group_has_no_say(self, schema: Schema, items: pd.DataFrame) -> None:
        """Swapping the labels inside a group changes nothing that is proposed for the group.

        The swap leaves every class count of the group as it was, so it moves no fold: a
        difference could only come from a model that saw the group's own labels.
        """
        codes = _codes(items)
        for start in (0, 46):
            one, other = codes.copy(), codes.copy()
            one[start : start + 2] = (0, 1)
            other[start : start + 2] = (1, 0)
            _, a = _fitted(self.make(), items, one, schema)
            _, b = _fitted(self.make(), items, other, schema)
            pair = slice(start, start + 2)
            pd.testing.assert_frame_equal(a.iloc[pair], b.iloc[pair])

    def test_own_label_has_no_say(self, schema: Schema, items: pd.DataFrame) -> None:
        """A wrong label on an item does not come back as the item's own proposal."""
        alone = items.assign(group=items["item_id"])
        for row in (3, 20):
            codes = _codes(items)
            right = schema.classes[codes[row]]
            codes[row] = (codes[row] + 1) % 3
            _, answers = _fitted(self.make(), alone, codes, schema)
            assert answers["value"].iloc[row] in (f'"{right}"', None)
            assert not self.learns or answers["value"].notna().all()

    def test_version_says_what_was_learned(self, schema: Schema, items: pd.DataFrame) -> None:
        """Another class order is another version; and if it learns, another label or payload."""
        codes = _codes(items)
        groups = items["group"].tolist()
        other = codes.copy()
        other[0] = (other[0] + 1) % 3
        revised = items.assign(payload_digest=["f" * 64, *items["payload_digest"][1:]])
        turned = Schema("pets", schema.classes[::-1])
        versions = {
            self.make().fit(items, codes.tolist(), groups, schema),
            self.make().fit(items, other.tolist(), groups, schema),
            self.make().fit(revised, codes.tolist(), groups, schema),
            self.make().fit(items, codes.tolist(), groups, turned),
        }
        assert len(versions) == (4 if self.learns else 2)

    def test_version_says_what_was_read(self, schema: Schema, items: pd.DataFrame) -> None:
        """Fewer items read are another version, unless it gains nothing by reading; order is none.

        So a version's proposals never change with the items that came since.
        """
        codes, groups = _codes(items).tolist(), items["group"].tolist()

        def fitted(*reads: pd.DataFrame) -> tuple[str, pd.DataFrame]:
            labeler = self.make()
            if not isinstance(labeler, SemiSupervised):
                pytest.skip("does not learn from items without labels")
            for read in reads:
                labeler.read(read, schema)
            return labeler.fit(items, codes, groups, schema), labeler.propose(items, schema)

        all_, a = fitted(items)
        again, b = fitted(items.iloc[:30], items.iloc[::-1].reset_index(drop=True))
        fewer, c = fitted(items.iloc[:30])
        assert all_ == again
        pd.testing.assert_frame_equal(a, b)
        assert fewer != all_ or a["confidence"].equals(c["confidence"])

    def test_asked_about_nothing(self, schema: Schema, items: pd.DataFrame) -> None:
        """No items, no rows, no error."""
        labeler = self.make()
        _fitted(labeler, items, _codes(items), schema)
        assert len(labeler.propose(items.iloc[:0], schema)) == 0

    def test_takes_the_table_as_it_is(self, schema: Schema, items: pd.DataFrame) -> None:
        """The items frame is not written to."""
        before = items.copy(deep=True)
        _fitted(self.make(), items, _codes(items), schema)
        pd.testing.assert_frame_equal(items, check(ITEMS, before))

    def test_fails_by_our_names(self, schema: Schema, items: pd.DataFrame) -> None:
        """What goes wrong behind the adapter is one of our errors, on one line."""
        broken = self.make_broken()
        if broken is None:
            pytest.skip("has nothing to fail")
        with pytest.raises(LabelopsError) as caught:
            broken.propose(items, schema)
        assert "\n" not in str(caught.value)


def _codes(items: pd.DataFrame) -> _Codes:
    names = items["payload"].str.split().str[0]
    codes: _Codes = names.map({name: code for code, name in enumerate(_WORDS)}).to_numpy(
        dtype=np.int64
    )
    return codes


def _fitted(
    labeler: Labeler, items: pd.DataFrame, codes: _Codes, schema: Schema
) -> tuple[str, pd.DataFrame]:
    """Read all where it reads, fit on all, propose on all; the answers sorted by item_id."""
    if isinstance(labeler, SemiSupervised):
        labeler.read(items, schema)
    version = labeler.fit(items, codes.tolist(), items["group"].tolist(), schema)
    answers = labeler.propose(items, schema)
    return version, answers.sort_values("item_id").reset_index(drop=True)
