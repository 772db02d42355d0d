"""Small pictures for the report, always decoded and encoded anew."""

from __future__ import annotations

import base64
import io
import warnings

__all__ = ["thumbnail"]

_PIXELS = 50_000_000


def thumbnail(content: bytes, side: int = 192) -> str | None:
    """Return a picture's data URI as a PNG of at most `side` pixels, or None if it is none.

    Nothing of the file survives but its pixels: no metadata, no script of an SVG. A picture of
    more than 50 million pixels counts as unreadable.

    Parameters
    ----------
    content : bytes
        The file, untrusted.
    side : int
        Longest side of the result; small pictures are not enlarged.

    Examples
    --------
    >>> thumbnail(b"<svg onload=alert(1)>") is None
    True
    """
    from PIL import Image, UnidentifiedImageError  # lazy: only reports with pictures need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "GIF", "WEBP")) as picture:
                if picture.width * picture.height > _PIXELS:
                    return None
                small = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,  # what Pillow raises for a broken PNG
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        return None
    small.thumbnail((side, side))
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
