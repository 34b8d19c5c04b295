"""Rules for single images: tone, sharpness, size. Transparent pixels are measured over the background."""

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from genset.interfaces import Floats, Rule

RULES: Mapping[str, Rule] = {
    "dark": Rule(
        "Images without any bright area while most of the set have one. The score is in usual deviations.",
        "its brightest pixels reach {inverse:.0%} of white",
        threshold=3.0,
        least=0.1,
        most=0.15,
        bound=0.7,
    ),
    "bright": Rule(
        "Images without any dark area while most of the set have one. The score is in usual deviations.",
        "its darkest pixels are {value:.0%} of white",
        threshold=3.0,
        least=0.1,
        most=0.15,
        bound=0.8,
    ),
    "blank": Rule(
        "Images of one tone. The score is 1 minus the contrast between their lightest and darkest pixels.",
        "a contrast of {inverse:.1%}: it is almost empty",
        threshold=0.96,
        measure="value",
    ),
    "blurred": Rule(
        "Images with softer edges than most of the set. The score is in usual deviations.",
        "its edges are {value:.1f} pixels wide, usual are {usual:.1f}",
        threshold=4.5,
        least=0.06,
        log=True,
    ),
    "odd_size": Rule(
        "Images that are much larger or smaller than most of the set. The score is in usual deviations.",
        "{value:.0f} pixels a side on average, usual are {usual:.0f}",
        threshold=4.0,
        least=0.2,
        log=True,
        both=True,
    ),
    "odd_aspect": Rule(
        "Images that are much wider or taller than most of the set. The score is in usual deviations.",
        "{value:.2f} times as wide as tall, usual are {usual:.2f}",
        threshold=5.0,
        least=0.1,
        log=True,
        both=True,
    ),
}
_MAX_PIXELS = 256  # of the longer side when sharpness is measured: finer blur does not matter in use
_FLAT = 0.004  # slope in shares of the full range a pixel: below it there is no edge that could be sharp
_UNKNOWN = 1e-3  # pixels: edge width of a picture without edges, which does not count as blurred


def values(image: PIL.Image.Image) -> dict[str, float | str]:
    """The value of each rule for an RGB image."""
    small = image
    if max(image.size) > _MAX_PIXELS:
        small = image.reduce(-(-max(image.size) // _MAX_PIXELS))
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
    """Quantiles in [0, 1] of values 0 to 255 with `counts` (256,), equal to NumPy's but without sorting."""
    below = np.cumsum(counts)
    out = []
    for share in shares:
        place = share * (int(below[-1]) - 1)
        first = int(place)
        low, high = np.searchsorted(below, [first, first + 1], side="right").tolist()
        out.append((low + (min(high, 255) - low) * (place - first)) / 255)
    return out


def _edge_width(grey: Floats) -> float:
    """The width of edges in pixels: slope over curvature, independent of contrast and of the number of edges.

    The variance of the Laplacian alone (Pech-Pacheco et al. 2000) calls every picture with few edges blurred.
    """
    if min(grey.shape) < 3:
        return _UNKNOWN
    slope = np.sqrt(
        np.square(cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8).mean()
        + np.square(cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8).mean()
    )
    curvature = np.sqrt(np.square(cv2.Laplacian(grey, cv2.CV_32F)).mean())
    return float(slope / max(curvature, 1e-6)) if slope > _FLAT else _UNKNOWN
