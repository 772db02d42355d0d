"""Images: verified whole, and sketched so that only near-duplicates meet."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from labelops.adapters.images import image_sketch, read_image
from labelops.errors import SourceError
from labelops.ingest.duplicates import components, near_edges

LIMIT = 1_000_000


def encoded(image: Image.Image, kind: str = "PNG", **more: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def sizes(sketches: list[str]) -> np.ndarray:
    labels = components(len(sketches), near_edges(np.array(sketches, dtype=object)))
    return np.bincount(labels)[labels]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_known_formats(kind: str) -> None:
    """Every known format is recognised by its content."""
    assert read_image(encoded(picture(0), kind), LIMIT).media_type == f"image/{kind.lower()}"


def bomb() -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


GOOD = encoded(picture(0))
BAD = {
    "text": (b"hello", "not an image"),
    "nothing": (b"", "not an image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    "truncated png": (GOOD[: len(GOOD) // 2], "damaged or truncated"),
    "truncated jpeg": (encoded(picture(0), "JPEG")[:900], "damaged or truncated"),
    "bit flip": (GOOD[:120] + bytes([GOOD[120] ^ 255]) + GOOD[121:], "damaged or truncated"),
    "large": (encoded(Image.new("L", (1001, 1000))), "1,001 × 1,000 pixels, at most 1,000,000"),
    "bomb": (bomb(), "far more than 1,000,000 pixels"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images(case: str) -> None:
    """What is not a whole image of bearable size is refused in one line."""
    content, message = BAD[case]
    with pytest.raises(SourceError, match=message) as caught:
        read_image(content, LIMIT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_modes(mode: str) -> None:
    """Every way to hold pixels has a sketch, equal images the same one."""
    grey = Image.radial_gradient("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 200)
    else:
        image = grey.convert(mode)
    assert image_sketch(image) == image_sketch(image.copy())
    assert len(image_sketch(image)) == 4 + 2 * (8 + 256)


def test_reencoded_and_resized_images_meet() -> None:
    """A picture, its JPEG at quality 70 and its half are one group; other pictures are not."""
    sketches = []
    for seed in range(40):
        image = picture(seed)
        jpeg = Image.open(io.BytesIO(encoded(image, "JPEG", quality=70)))
        sketches += [image_sketch(v) for v in (image, jpeg, image.resize((48, 32)))]
    found = sizes(sketches)
    assert (found <= 3).all()
    assert (found == 3).mean() >= 0.9


def test_blank_images_of_other_brightness_stay_apart() -> None:
    """The hash of an even image says nothing; the thumbnail does."""
    shades = [image_sketch(Image.new("L", (32, 32), shade)) for shade in (0, 128, 255)]
    assert sizes(shades).tolist() == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 8])
def test_handwritten_digits_do_not_flow_together(scale: int) -> None:
    """Of 1,797 real digits under 3 % are in groups, none in one of different truth."""
    digits = load_digits()
    pixels = (digits.images * (255 / 16)).astype(np.uint8)
    pictures = [Image.fromarray(p).resize((8 * scale, 8 * scale), 0) for p in pixels]
    sketches = [image_sketch(p) for p in pictures]
    labels = components(len(sketches), near_edges(np.array(sketches, dtype=object)))
    size = np.bincount(labels)
    assert size.max() <= 5
    assert (size[labels] > 1).mean() < 0.03
    for group in np.flatnonzero(size > 1):
        assert len(set(digits.target[labels == group])) == 1
