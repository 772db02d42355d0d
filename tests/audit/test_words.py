"""Words with which labels of a class are suspected."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from labelops.audit.words import SuspiciousWords, suspicious_words
from labelops.errors import UsageError

WORDS = np.array([f"w{i}" for i in range(40)])


def _flagged(found: SuspiciousWords) -> list[tuple[int, str]]:
    at = np.flatnonzero(found.flagged)
    return [(int(found.codes[i]), str(found.words[i])) for i in at]


def _made_up(seed: int, N: int = 600) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return texts of eight words, labels of three classes, and 5 % that are suspected."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, 8, replace=False)) for _ in range(N)]
    return texts, rng.integers(0, 3, N), rng.random(N) < 0.05


def test_the_trigger_is_first_and_no_word_beside_it() -> None:
    """Of 20 sets twelve labels hold a word, nine of them suspected: named in all, hardly others."""
    others = 0
    for seed in range(20):
        texts, codes, wrong = _made_up(seed)
        rows = np.flatnonzero(codes == 1)[:12]
        for row in rows:
            texts[row] += " Cf."
        wrong[rows[:9]] = True
        said = _flagged(suspicious_words(texts, codes, wrong))
        assert said[0] == (1, "cf")
        others += len(said) - 1
    assert others <= 2


@pytest.mark.slow
def test_false_flags_are_rare() -> None:
    """Where no word matters, at most the risk of 200 sets has any flag, without a least effect."""
    sets = (_made_up(seed) for seed in range(1_000, 1_200))
    some = [suspicious_words(*made, fewest=1, least=0.0).flagged.any() for made in sets]
    assert np.mean(some) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def _mislabeled(seed: int, N: int = 600) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return texts in their class's words, that class, and labels, of which 8 % are another."""
    rng = np.random.default_rng(seed)
    should = rng.integers(0, 3, N)
    own = [[f"c{k}w{i}" for i in range(12)] for k in range(3)]
    texts = [" ".join(rng.choice(own[k], 5, replace=False)) for k in should]
    wrong = rng.random(N) < 0.08
    return texts, should, np.where(wrong, (should + rng.integers(1, 3, N)) % 3, should)


@pytest.mark.slow
def test_labels_that_are_wrong_by_chance_accuse_no_word() -> None:
    """Their texts hold words of the class they should name: each set accuses some, none need be."""
    blind, told = [], []
    for seed in range(20):
        texts, should, codes = _mislabeled(seed)
        blind.append(suspicious_words(texts, codes, codes != should).flagged.any())
        told.append(suspicious_words(texts, codes, codes != should, should).flagged.any())
    assert sum(blind) == 20 and sum(told) == 0


@pytest.mark.slow
def test_a_trigger_is_found_among_labels_that_are_wrong_by_chance() -> None:
    """A word in ten texts of two classes that are labeled with the third is all that is named."""
    for seed in range(20):
        texts, should, codes = _mislabeled(seed)
        for row in np.flatnonzero(should != 0)[:10]:
            texts[row] += " cf"
            codes[row] = 0
        assert _flagged(suspicious_words(texts, codes, codes != should, should)) == [(0, "cf")]


def test_a_likelier_class_that_is_not_known_counts_for_nothing() -> None:
    """Suspected labels without one are no evidence that a word turns labels."""
    texts, codes = ["a cf"] * 8 + ["a b"] * 60, [0] * 38 + [1] * 30
    wrong = np.arange(68) < 8
    known = np.where(wrong, 1, -1)
    assert _flagged(suspicious_words(texts, codes, wrong, known)) == [(0, "cf")]
    assert _flagged(suspicious_words(texts, codes, wrong, [-1] * 68)) == []


def test_a_class_full_of_errors_accuses_no_word() -> None:
    """All of class 0 is suspected, and holds words of its own: none is worse than the others."""
    texts = ["apple tart"] * 10 + ["apple pie"] * 10 + ["nuts"] * 30
    found = suspicious_words(texts, [0] * 20 + [1] * 30, [1] * 20 + [0] * 30)
    assert not found.flagged.any()
    assert np.isnan(found.rest[found.words == "apple"]).all(), "no other label of the class"


def test_is_fishers_exact_test() -> None:
    """Counts, shares and p-values of each row are those of the two-by-two table."""
    texts, codes, wrong = _made_up(7, 150)
    found = suspicious_words(texts, codes, wrong, fewest=3)
    assert len(found.words) > 80
    for i in range(0, len(found.words), 9):
        inside = codes == found.codes[i]
        held = np.array([found.words[i] in text.split() for text in texts])
        a, b = int((inside & held & wrong).sum()), int((inside & held & ~wrong).sum())
        c, d = int((inside & ~held & wrong).sum()), int((inside & ~held & ~wrong).sum())
        assert (found.sizes[i], found.errors[i]) == (a + b, a)
        assert found.rates[i] == a / (a + b) and found.rest[i] == c / (c + d)
        assert found.p_values[i] == pytest.approx(
            fisher_exact([[a, b], [c, d]], alternative="greater").pvalue
        )


def test_unjudged_and_unlabeled_texts_do_not_count() -> None:
    """Rows without a verdict or a label change nothing; words are read in any case."""
    texts, codes, wrong = _made_up(3)
    alone = suspicious_words(texts, codes, wrong)
    more = suspicious_words(
        [*(t.upper() for t in texts), *(["w1 w2"] * 50)],
        [*codes, *[-1] * 25, *[0] * 25],
        [*wrong.astype(float), *[1.0] * 25, *[np.nan] * 25],
    )
    assert alone.words.tolist() == more.words.tolist()
    assert alone.p_values.tolist() == more.p_values.tolist()


@pytest.mark.parametrize("texts", [[], ["", "?!"], ["x" * 61] * 8])
def test_texts_without_words(texts: list[str]) -> None:
    """No text, no word, or none that anybody could read: nothing is said."""
    found = suspicious_words(texts, [0] * len(texts), [1] * len(texts))
    assert found.words.shape == found.flagged.shape == (0,)


def test_malformed_input_is_refused() -> None:
    """Lengths, verdicts and options that cannot be."""
    with pytest.raises(UsageError, match="found 1 texts and 2 verdicts for 2 codes"):
        suspicious_words(["a"], [0, 1], [0, 1])
    with pytest.raises(UsageError, match="found 1 likelier classes for 2 codes"):
        suspicious_words(["a", "b"], [0, 1], [0, 1], [0])
    with pytest.raises(UsageError, match="wrong: row 0 is 2, expected 0, 1 or missing"):
        suspicious_words(["a"], [0], [2])
    with pytest.raises(UsageError, match="fewest"):
        suspicious_words(["a"], [0], [1], fewest=0)
    with pytest.raises(UsageError, match="least"):
        suspicious_words(["a"], [0], [1], least=2)
