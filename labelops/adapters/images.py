"""Image files: verified by decoding them whole, and sketched for near-duplicates."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image, UnidentifiedImageError

from labelops.errors import SourceError
from labelops.ingest.sketches import IMAGES

__all__ = ["IMAGE_TYPES", "ReadImage", "image_sketch", "read_image"]

IMAGE_TYPES = {
    "PNG": ("image/png", "png"),
    "JPEG": ("image/jpeg", "jpg"),
    "GIF": ("image/gif", "gif"),
    "WEBP": ("image/webp", "webp"),
    "BMP": ("image/bmp", "bmp"),
    "TIFF": ("image/tiff", "tif"),
}
"""Format as Pillow names it → media type and the suffix it is stored under."""

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A file that is an image.

    Parameters
    ----------
    media_type : str
        By its content, whatever its name says.
    suffix : str
        The suffix to store it under, without a dot.
    sketch : str
        Its near-duplicate sketch.
    """

    media_type: str
    suffix: str
    sketch: str


def read_image(content: bytes, max_pixels: int) -> ReadImage:
    """Decode a file whole and return what it is.

    Parameters
    ----------
    content : bytes
        The file.
    max_pixels : int
        More pixels are refused before they are unpacked.

    Raises
    ------
    SourceError
        If it is no image of a known format, damaged, truncated, or too large; without a place.
    """
    with warnings.catch_warnings():
        # Our own bound, below, is the one that counts; metadata oddities are harmless.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(content), formats=tuple(IMAGE_TYPES)) as image:
                if image.width * image.height > max_pixels:
                    raise _too_many(image.width, image.height, max_pixels)
                media_type, suffix = IMAGE_TYPES[str(image.format)]
                image.load()
                return ReadImage(media_type, suffix, image_sketch(image))
        except Image.DecompressionBombError:
            raise SourceError(
                f"the image has far more than {max_pixels:,} pixels; shrink it"
            ) from None
        except UnidentifiedImageError:
            raise SourceError(
                f"not an image ({', '.join(IMAGE_TYPES)} are known); replace or remove it"
            ) from None
        except SourceError:
            raise
        except _UNREADABLE as error:
            raise SourceError(
                f"the image is damaged or truncated ({' '.join(str(error).split())}); "
                "export it again"
            ) from None


def _too_many(width: int, height: int, max_pixels: int) -> SourceError:
    return SourceError(
        f"the image has {width:,} × {height:,} pixels, at most {max_pixels:,} are allowed; "
        "shrink it"
    )


def image_sketch(image: Image.Image) -> str:
    """Return the sketch of an image: its perceptual hash and a small grey picture of it."""
    opaque = image.convert("RGBA") if image.mode in ("P", "PA", "LA", "RGBA") else image
    if opaque.mode == "RGBA":
        # What is transparent is shown on white; without this, hidden pixels would decide.
        opaque = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
    grey = _eight_bit(opaque).convert("L")
    bits = np.packbits(imagehash.phash(grey).hash.ravel())
    thumb = np.asarray(grey.resize((16, 16), Image.Resampling.BOX), dtype=np.uint8).ravel()
    return IMAGES.encode(np.concatenate([bits, thumb])[None, :])[0]


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode not in ("I", "F", "I;16", "I;16B", "I;16L"):
        return image
    # Pillow clips these at 255 when converting: scans of 16 bits would all turn white.
    levels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, span = levels.min(), np.ptp(levels)
    return Image.fromarray(((levels - low) * (255.0 / (span or 1.0))).astype(np.uint8))
