"""Numbers for scikit-learn from images: grey pixels, and a kernel map learned from them.

Decoding learns nothing, so it is done once for all folds; the map is learned inside each.
"""

from __future__ import annotations

import io
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, UnidentifiedImageError
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import StandardScaler

from ..errors import SettingsError, SourceError, shown

__all__ = ["Grey", "KernelMap", "pixels"]

SIDE = 16
"""Images are shown to the model as SIDE × SIDE grey pixels."""

_COMPONENTS = 300
_MAX_PIXELS = 100_000_000
_KEPT = 200_000

Grey = npt.NDArray[np.uint8]


def pixels(
    items: pd.DataFrame,
    load: Callable[[str], bytes] | None,
    kept: MutableMapping[str, Grey] | None = None,
) -> npt.NDArray[np.float64]:
    """Decode images to grey squares; transparency is shown on white, 16-bit scans are scaled.

    Parameters
    ----------
    items : (N,) items frame
        Columns item_id, payload (the URI of an image file) and, for `kept`, payload_digest.
    load : callable
        URI → the file's bytes.
    kept : mapping of payload digest to square, optional
        Images decoded before, which are not decoded again; new ones are added, up to 200,000.

    Returns
    -------
    (N, 256) float64 array, 0 black to 1 white.

    Raises
    ------
    SettingsError
        Without `load`.
    SourceError
        If a payload is not an image, naming the item.
    """
    if load is None:
        raise SettingsError("an image labeler needs `load`, which turns a payload URI into bytes")
    result = np.empty((len(items), SIDE * SIDE), dtype=np.uint8)
    digests = items["payload"] if kept is None else items["payload_digest"]
    known = {} if kept is None else kept
    every = zip(items["item_id"], items["payload"], digests, strict=True)
    for row, (item, uri, sha) in enumerate(every):
        grey = known.get(sha)
        if grey is None:
            grey = _grey(str(item), load(uri))
            if kept is not None and len(kept) < _KEPT:
                kept[sha] = grey
        result[row] = grey
    return result / 255.0


def _grey(item: str, content: bytes) -> Grey:
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise SourceError(
                    f"item {shown(item)}: the image has {image.width} × {image.height} pixels, "
                    f"more than {_MAX_PIXELS}; make it smaller or leave the item out"
                )
            image.draft("L", (SIDE, SIDE))
            small = _flat(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(
            f"item {shown(item)}: the payload is not a readable image ({shown(str(error))}); "
            "replace the file or leave the item out"
        ) from None
    return np.asarray(small, dtype=np.uint8).ravel()


def _flat(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":
        # Pillow would clip 16-bit and float pixels to white instead of scaling them.
        raw = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = raw.min(), raw.max()
        return Image.fromarray(((raw - low) / max(high - low, 1e-12) * 255).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("L")
    return image.convert("L")


@dataclass(frozen=True, slots=True)
class KernelMap:
    """Pixels → a feature map in which a linear model works like one with an RBF kernel.

    On scikit-learn's digits a linear model on it reads 2 points better than on raw pixels.

    References
    ----------
    Williams, Seeger (2000), Using the Nyström method to speed up kernel machines.
    """

    nystroem: Any
    centre: Any

    @classmethod
    def learned(cls, grey: npt.NDArray[np.float64], seed: int) -> KernelMap:
        """Learn from (N, D) pixels; the kernel's width is scikit-learn's ``gamma="scale"``."""
        variance = float(grey.var())
        gamma = 1.0 / (grey.shape[1] * variance) if variance > 0 else 1.0
        components = min(_COMPONENTS, len(grey))
        nystroem = Nystroem(gamma=gamma, n_components=components, random_state=seed).fit(grey)
        # Centred, the solver needs a fraction of the steps.
        return cls(nystroem, StandardScaler(with_std=False).fit(nystroem.transform(grey)))

    def __call__(self, grey: npt.NDArray[np.float64]) -> Any:
        """Return (N, d) features."""
        return self.centre.transform(self.nystroem.transform(grey))
