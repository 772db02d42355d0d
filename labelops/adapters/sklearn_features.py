"""Numbers for scikit-learn from item payloads: hashed word and character counts, or pixels.

Counting and decoding learn nothing, so they are done once for all folds. What is learned
from labeled rows (inverse document frequencies, the kernel map) is learned inside each fold; what
is learned from texts without their labels (the latent map) is learned once, from all that was read.
"""

from __future__ import annotations

import io
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, UnidentifiedImageError
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import StandardScaler, normalize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..errors import SettingsError, SourceError, shown

__all__ = [
    "Grey",
    "KernelMap",
    "LatentMap",
    "TextMap",
    "TfidfMap",
    "few_dimensions",
    "pixels",
    "word_counts",
]

SIDE = 16
"""Images are shown to the model as SIDE × SIDE grey pixels."""

_COMPONENTS = 300
_LATENT = 64
_TEXTS_A_DIMENSION = 8
_LATENT_WEIGHT = 3.0
"""How much longer a text's latent part is than its words' part: it is to be learned first."""

_MAX_PIXELS = 100_000_000
_BITS = 18


def word_counts(texts: Sequence[str]) -> Any:
    """Count words, word pairs and runs of 3 to 5 characters, hashed into fixed columns.

    Parameters
    ----------
    texts : sequence of str
        N texts.

    Returns
    -------
    (N, 2**19) sparse matrix of counts; columns mean the same for every call.

    Examples
    --------
    >>> a, b = word_counts(["red cat"]), word_counts(["blue", "red cat"])
    >>> bool((a[0] != b[1]).nnz == 0)
    True
    """
    clean = [t.encode("utf-8", "replace").decode("utf-8") for t in texts]
    words = HashingVectorizer(ngram_range=(1, 2), **_HASHED)
    return sparse.hstack([words.transform(clean), _runs(clean)], format="csr")


_HASHED: dict[str, Any] = {"n_features": 2**_BITS, "alternate_sign": False, "norm": None}


def _runs(texts: list[str]) -> Any:
    """Count runs of 3 to 5 characters within words: each different word is hashed once.

    What `HashingVectorizer(analyzer="char_wb")` counts, which hashes every word of every text.
    """
    split = [text.lower().split() for text in texts]
    codes, words = pd.factorize(np.array([*chain.from_iterable(split)], dtype=object))
    if not len(words):
        return sparse.csr_matrix((len(texts), 2**_BITS))
    ends = np.cumsum([0, *map(len, split)])
    of_texts = sparse.csr_matrix((np.ones(len(codes)), codes, ends), (len(texts), len(words)))
    of_texts.sum_duplicates()
    runs = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), lowercase=False, **_HASHED)
    counts = of_texts @ runs.transform(words)
    counts.sort_indices()
    return counts


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
class TfidfMap:
    """Counts → sublinear tf-idf over the columns that its training rows used.

    Examples
    --------
    >>> counts = word_counts(["red cat", "blue dog"])
    >>> mapped = TfidfMap.learned(counts)(counts)
    >>> bool(mapped.shape[1] < counts.shape[1]), round(float(mapped.power(2).sum()), 9)
    (True, 2.0)
    """

    columns: npt.NDArray[np.int64]
    tfidf: Any

    @classmethod
    def learned(cls, counts: Any, least: int | None = None) -> TfidfMap:
        """Learn from (N, D) counts; columns of fewer rows than `least` are dropped.

        Without it: those of a single row, once N is large.
        """
        seen = np.bincount(counts.indices, minlength=counts.shape[1])
        columns = np.flatnonzero(seen >= (least or (1 if counts.shape[0] < 1000 else 2)))
        return cls(columns, TfidfTransformer(sublinear_tf=True).fit(counts[:, columns]))

    def __call__(self, counts: Any) -> Any:
        """Return (N, d) unit rows; a text with no known part is a row of zeros."""
        return self.tfidf.transform(counts[:, self.columns])


@dataclass(frozen=True, slots=True)
class LatentMap:
    """Counts → the directions in which many texts differ (latent semantic analysis).

    Learned from texts alone. Words that stand in the same texts come to lie in the same
    direction, so that a label of one text says something of others that share no word with it:
    what a model with few labels needs.

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer, Harshman (1990), Indexing by latent semantic analysis.

    Examples
    --------
    >>> counts = word_counts(["red cat", "blue dog"] * 20)
    >>> mapped = LatentMap.learned(counts)
    >>> mapped(counts).shape, float(round((mapped(counts) ** 2).sum(), 6))
    ((40, 5), 40.0)
    """

    tfidf: TfidfMap
    svd: Any

    @classmethod
    def learned(cls, counts: Any) -> LatentMap | None:
        """Learn at most 64 directions from (N, D) counts, one for eight texts; None from few."""
        size = min(_LATENT, counts.shape[0] // _TEXTS_A_DIMENSION)
        tfidf = TfidfMap.learned(counts, least=2)
        size = min(size, len(tfidf.columns) - 1)
        if size < 2:
            return None
        return cls(tfidf, TruncatedSVD(size, n_iter=3, random_state=0).fit(tfidf(counts)))

    def __call__(self, counts: Any) -> npt.NDArray[np.float64]:
        """Return (N, d) unit rows; a text with no known part is a row of zeros."""
        found: npt.NDArray[np.float64] = normalize(self.svd.transform(self.tfidf(counts)))
        return found


@dataclass(frozen=True, slots=True)
class TextMap:
    """Counts → tf-idf and, where texts were read, their latent directions beside it."""

    tfidf: TfidfMap
    latent: LatentMap | None

    def __call__(self, counts: Any) -> Any:
        """Return (N, d) rows, sparse."""
        words = self.tfidf(counts)
        if self.latent is None:
            return words
        return sparse.hstack([words, _LATENT_WEIGHT * self.latent(counts)], format="csr")


def few_dimensions(features: Any, dimensions: int = 64) -> npt.NDArray[np.float64]:
    """Project features on their main directions, so that audits over many rows stay quick.

    Parameters
    ----------
    features : (N, D) array or sparse matrix
    dimensions : int
        At most so many are kept.

    Returns
    -------
    (N, d) float64 array; the features themselves, dense, where D is small already.

    Examples
    --------
    >>> few_dimensions(np.eye(100), 8).shape
    (100, 8)
    """
    size = min(dimensions, min(features.shape) - 1)
    if size < 1 or features.shape[1] <= dimensions:
        dense = features.toarray() if sparse.issparse(features) else features
        return np.asarray(dense, dtype=np.float64)
    # One thread: matrices this narrow gain nothing by more, and threads that spin lose much
    # when other work is on the machine.
    with threadpool_limits(1):
        projected: npt.NDArray[np.float64] = TruncatedSVD(size, random_state=0).fit_transform(
            features
        )
    return projected


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
