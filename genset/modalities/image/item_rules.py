"""What may be wrong with single images: tone, sharpness, size. All values are of the picture over its background."""

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from genset.interfaces import Floats, Rule

RULES: Mapping[str, Rule] = {
    "dark": Rule(
        "Images without any bright place, among others that have some. The score is in usual deviations.",
        "its brightest places reach {inverse:.0%} of white",
        threshold=3.0,
        least=0.1,
        most=0.15,
        bound=0.7,
    ),
    "bright": Rule(
        "Images without any dark place, among others that have some. The score is in usual deviations.",
        "its darkest places are {value:.0%} of white",
        threshold=3.0,
        least=0.1,
        most=0.15,
        bound=0.8,
    ),
    "blank": Rule(
        "Images of one tone. The score is 1 less the contrast between their lightest and darkest places.",
        "a contrast of {inverse:.1%}: next to nothing is in it",
        threshold=0.96,
        measure="value",
    ),
    "blurred": Rule(
        "Images with softer edges than others of the set have. The score is in usual deviations.",
        "its edges are {value:.1f} pixels wide, usual are {usual:.1f}",
        threshold=4.5,
        least=0.06,
        log=True,
    ),
    "odd_size": Rule(
        "Images much larger or smaller than others of the set. The score is in usual deviations.",
        "{value:.0f} pixels a side on average, usual are {usual:.0f}",
        threshold=4.0,
        least=0.2,
        log=True,
        both=True,
    ),
    "odd_aspect": Rule(
        "Images much wider or taller than others of the set. The score is in usual deviations.",
        "{value:.2f} times as wide as tall, usual are {usual:.2f}",
        threshold=5.0,
        least=0.1,
        log=True,
        both=True,
    ),
}
_MOST_PIXELS = 256  # of the longer side, as it is looked at: blur that is finer than that is not seen in use
_FLAT = 0.004  # slope, as a share of the whole range a pixel, below which there is no edge that could be sharp
_UNKNOWN = 1e-3  # pixels: of a picture without edges, which is not called blurred


def values(image: PIL.Image.Image) -> dict[str, float | str]:
    """The values that the rules look at, of an RGB image."""
    small = image
    if max(image.size) > _MOST_PIXELS:
        small = image.reduce(-(-max(image.size) // _MOST_PIXELS))
    tones = small.convert("L")
    grey = np.asarray(tones, np.float32) / np.float32(255)
    channels = [_quantiles(counts, 0.005, 0.995) for counts in np.array(small.histogram()).reshape(3, 256)]
    dark, light = _quantiles(np.array(tones.histogram()), 0.05, 0.99)
    return {
        "dark": 1 - light,
        "bright": dark,
        "blank": 1 - max(high - low for low, high in channels),
        "blurred": _edge_width(grey),
        "odd_size": (image.width * image.height) ** 0.5,
        "odd_aspect": image.width / image.height,
    }


def _quantiles(counts: npt.NDArray[np.int64], *shares: float) -> list[float]:
    """Quantiles in [0, 1] of values of 0 to 255 that are counted (256,), as NumPy has them; sorting costs more."""
    below = np.cumsum(counts)
    out = []
    for share in shares:
        place = share * (int(below[-1]) - 1)
        first = int(place)
        low, high = np.searchsorted(below, [first, first + 1], side="right").tolist()
        out.append((low + (min(high, 255) - low) * (place - first)) / 255)
    return out


def _edge_width(grey: Floats) -> float:
    """How wide edges are, in pixels: slope over curvature, so that neither contrast nor the number of edges counts.

    The variance of the Laplacian alone (Pech-Pacheco et al. 2000) calls every picture of few edges blurred.
    """
    if min(grey.shape) < 3:
        return _UNKNOWN
    slope = np.sqrt(
        np.square(cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8).mean()
        + np.square(cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8).mean()
    )
    curvature = np.sqrt(np.square(cv2.Laplacian(grey, cv2.CV_32F)).mean())
    return float(slope / max(curvature, 1e-6)) if slope > _FLAT else _UNKNOWN
