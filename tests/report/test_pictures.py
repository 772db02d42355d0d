"""Pictures are decoded and encoded anew, or left out."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from labelops.report import thumbnail


def _file(
    kind: str, size: tuple[int, int] = (400, 200), mode: str = "RGB", **more: object
) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(out, kind, **more)
    return out.getvalue()


def _back(uri: str | None) -> Image.Image:
    assert uri is not None
    assert uri.startswith("data:image/png;base64,")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pictures_shrink_to_png(kind: str) -> None:
    """Any of the four formats becomes a PNG of at most 192 pixels, its shape kept."""
    assert _back(thumbnail(_file(kind))).size == (192, 96)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_modes_and_small_pictures(mode: str) -> None:
    """Grey, palette, transparent and black-and-white pictures work; small ones stay small."""
    assert _back(thumbnail(_file("PNG", (8, 8), mode))).size == (8, 8)


def test_nothing_but_pixels_survives() -> None:
    """Text hidden in the file is not in the report."""
    info = PngInfo()
    info.add_text("comment", "secret")
    back = _back(thumbnail(_file("PNG", pnginfo=info)))
    assert "comment" not in back.info


def test_what_is_no_picture_is_left_out() -> None:
    """SVG, text, broken, cut off and other formats give None, never the file itself."""
    whole = _file("PNG")
    broken = whole[:40] + b"\x00" * 60 + whole[100:]
    for content in (b"", b"<svg/>", whole[: len(whole) // 2], broken, _file("BMP")):
        assert thumbnail(content) is None


def test_a_bomb_is_left_out() -> None:
    """A small file of many million pixels is not decoded."""
    out = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(out, "PNG")
    assert thumbnail(out.getvalue()) is None
