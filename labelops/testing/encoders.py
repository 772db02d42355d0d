"""What every encoder of texts has to keep, as a suite: inherit it, say how to make yours.

::

    class TestMine(EncoderTests):
        def make(self) -> TextEncoder:
            return MyEncoder()
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ..ports import TextEncoder

__all__ = ["AWKWARD", "EncoderTests"]

AWKWARD = (
    *("", " ", "\n\t ", "a", "\x00", "\ufffd", "e\u0301", "👩‍👩‍👧", "מה שלומך", "日本語"),
    *("\u200b\u200d", "<s></s><unk>", "[PAD] [MASK]", "long " * 20_000),
)
"""Texts that people's files hold and encoders stumble over."""

_PLAIN = ("the parcel is late", "my card was charged twice", "cannot log in", "thanks")


class EncoderTests:
    """The promises of `ports.TextEncoder`.

    Attributes
    ----------
    alike : tuple of str
        A text, one that means nearly the same in other words, and one that means something else.
    """

    alike: tuple[str, str, str] = (
        "my parcel has not arrived yet",
        "where is the package that I am waiting for",
        "I forgot my password",
    )

    def make(self) -> TextEncoder:
        """Return a new encoder, set up the same each time."""
        raise NotImplementedError

    @pytest.fixture
    def encoder(self) -> TextEncoder:
        """One encoder."""
        return self.make()

    def test_it_is_an_encoder(self, encoder: TextEncoder) -> None:
        """It has the port's verb, and a version that a new one has as well."""
        assert isinstance(encoder, TextEncoder)
        assert encoder.version.strip()
        assert encoder.version == self.make().version

    def test_shape_and_type(self, encoder: TextEncoder) -> None:
        """One row of finite numbers a text, as many of them at every call, however many texts."""
        sizes = set()
        for texts in (_PLAIN[:1], _PLAIN, [f"text {n}" for n in range(1_024)]):
            vectors = encoder.encode(list(texts))
            assert isinstance(vectors, np.ndarray)
            assert vectors.dtype.kind == "f"
            assert len(vectors) == len(texts)
            assert np.isfinite(vectors).all()
            sizes.add(vectors.shape[1:])
        assert len(sizes) == 1
        assert len(sizes.pop()) == 1

    def test_the_version_stays(self, encoder: TextEncoder) -> None:
        """Encoding does not change it: a run ends where it does."""
        before = encoder.version
        for texts in (_PLAIN[:1], _PLAIN):
            encoder.encode(list(texts))
            assert encoder.version == before

    def test_the_same_text_has_the_same_vector(self, encoder: TextEncoder) -> None:
        """Asked again, by a new encoder, in another order, alone: nothing changes."""
        texts = [*_PLAIN, _PLAIN[1], "long " * 500]
        vectors = encoder.encode(texts)
        assert np.array_equal(vectors, encoder.encode(texts))
        assert np.array_equal(vectors, self.make().encode(texts))
        _close(vectors[4], vectors[1])
        _close(vectors[::-1], encoder.encode(texts[::-1]))
        for row, text in enumerate(texts):
            _close(vectors[[row]], encoder.encode([text]))

    def test_other_texts_have_other_vectors(self, encoder: TextEncoder) -> None:
        """It tells texts apart that say different things."""
        vectors = encoder.encode(list(_PLAIN))
        assert len(np.unique(vectors, axis=0)) == len(_PLAIN)

    @pytest.mark.parametrize("text", AWKWARD, ids=lambda text: ascii(text[:12]))
    def test_awkward_texts(self, encoder: TextEncoder, text: str) -> None:
        """Empty, strange and very long texts have finite vectors, and disturb no other text's."""
        vectors = encoder.encode([_PLAIN[0], text, _PLAIN[1]])
        assert np.isfinite(vectors).all()
        _close(vectors[[0, 2]], encoder.encode(list(_PLAIN[:2])))

    def test_texts_stay_as_they_are(self, encoder: TextEncoder) -> None:
        """The caller's list is not written to."""
        texts = list(_PLAIN)
        encoder.encode(texts)
        assert texts == list(_PLAIN)

    def test_what_means_alike_is_near(self, encoder: TextEncoder) -> None:
        """Power: the same in other words is nearer than another matter."""
        vectors = encoder.encode(list(self.alike)).astype(np.float64)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        assert unit[0] @ unit[1] > unit[0] @ unit[2]


def _close(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
