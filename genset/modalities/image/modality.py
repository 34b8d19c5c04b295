"""The modality image: its settings, and the class that ties reading, tensors and features together."""

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageColor
import pydantic

from genset.interfaces import (
    DecodedInfo,
    Fingerprint,
    Floats,
    ItemArray,
    Items,
    ItemSource,
    Modality,
    Network,
    Preview,
    Section,
    Similarity,
    Step,
    SuggestedSetting,
    Tensor,
    Tensors,
)
from genset.modalities import grid_networks
from genset.modalities.image import augment, codec, diff_augment, features, item_rules, near_duplicates, preview

MIN_SIZE, MAX_SIZE = 8, 64  # pixels a side


class ImageSettings(Section):
    """The form that every image is converted to."""

    kind: Literal["image"] = "image"
    size: int | None = pydantic.Field(None, ge=MIN_SIZE, le=MAX_SIZE)
    """Width and height in pixels. By default taken from the data."""
    mode: Literal["L", "RGB"] | None = None
    """L for grey, RGB for colour. By default taken from the data."""
    fit: Literal["stretch", "crop"] = "stretch"
    """How an image becomes square: stretched to fit, or its centre cropped."""
    background: str = "white"
    """The colour behind transparent pixels: a CSS name or #rrggbb."""

    @pydantic.field_validator("background")
    @classmethod
    def _is_colour(cls, value: str) -> str:
        try:
            PIL.ImageColor.getrgb(value)
        except ValueError:
            raise ValueError(f"must be a colour such as white or #ffffff, got {value!r}") from None
        return value


class Image(Modality):
    """Square images as uint8 arrays (H, W, C), C = 1 for grey and 3 for RGB."""

    kind = "image"
    Settings = ImageSettings
    suffixes = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
    suffix = ".png"
    networks: ClassVar[Mapping[str, type[Network]]] = grid_networks.NETWORKS
    augmentations: ClassVar[Mapping[str, type[Step]]] = augment.AUGMENTATIONS
    default_steps = augment.DEFAULT_STEPS
    feature = "Image"
    array_axes = (2, 3)
    near_duplicate_threshold = 0.86
    rules = item_rules.RULES
    wide_steps = augment.WIDE_STEPS
    settings: ImageSettings

    def __init__(self, settings: ImageSettings) -> None:
        self.settings = settings

    def probe(self, raw: ItemSource, *, fingerprinted: bool = False, measured: bool = False) -> DecodedInfo:
        image = codec.read(_path(raw))
        pixels = np.asarray(codec.convert(image, "RGBA"))
        digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        traits = {"width": image.width, "height": image.height, "mode": image.mode, "grey": codec.is_grey(image.mode)}
        flat = codec.convert(image, "RGB", self.settings.background) if fingerprinted or measured else None
        drawn = near_duplicates.fingerprint(flat) if flat and fingerprinted else None
        return DecodedInfo(
            digest, traits, codec.loadable_suffix(image), drawn, item_rules.values(flat) if flat and measured else {}
        )

    @classmethod
    def resolve_settings(cls, settings: ImageSettings, probes: Sequence[DecodedInfo]) -> ImageSettings:
        """The median of the longer sides, within the limits of the networks, and grey when all images are grey."""
        size = settings.size
        if size is None:
            longer = statistics.median_low([max(p.traits["width"], p.traits["height"]) for p in probes])
            size = min(MAX_SIZE, max(MIN_SIZE, longer))
        mode: Literal["L", "RGB"] = "L" if all(p.traits["grey"] for p in probes) else "RGB"
        return settings.model_copy(update={"size": size, "mode": settings.mode or mode})

    def suggested_settings(self, probes: Sequence[DecodedInfo]) -> Sequence[SuggestedSetting]:
        longer = sorted(max(p.traits["width"], p.traits["height"]) for p in probes)
        colours = sum(not p.traits["grey"] for p in probes)
        oblong = sum(p.traits["width"] != p.traits["height"] for p in probes)
        sides = f"all are {longer[0]}" if longer[0] == longer[-1] else f"longer sides are {longer[0]} to {longer[-1]}"
        limit = f"; {MAX_SIZE} is the maximum" if longer[-1] > MAX_SIZE else ""
        mode = f"{colours:,} of {len(probes):,} have colours" if colours else "all are grey"
        squared = SuggestedSetting(
            "fit", "crop", f"{oblong:,} are not square: stretch keeps all of an image, crop its centre", False
        )
        return (
            SuggestedSetting("size", self.settings.size, f"pixels: {sides}{limit}"),
            SuggestedSetting("mode", self.settings.mode, mode),
            *([squared] if oblong else []),
        )

    def decode_native(self, raw: ItemSource) -> ItemArray:
        image = codec.read(_path(raw))
        mode = self.settings.mode or ("L" if codec.is_grey(image.mode) else "RGB")
        return codec.pixels(codec.convert(image, mode, self.settings.background))

    def decode(self, raw: ItemSource) -> ItemArray:
        size = self.item_shape[0]
        image = codec.convert(codec.read(_path(raw)), self._mode, self.settings.background)
        if image.size != (size, size):
            box = None
            if self.settings.fit == "crop":
                side, (width, height) = min(image.size), image.size
                box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
            image = image.resize((size, size), PIL.Image.Resampling.BICUBIC, box=box)  # Pillow antialiases
        return codec.pixels(image)

    def encode(self, item: ItemArray) -> bytes:
        return codec.png(item)

    def from_array(self, array: npt.NDArray[Any]) -> ItemArray:
        return codec.from_array(array)

    @property
    def _mode(self) -> str:
        return self.settings.mode or "RGB"

    @property
    def item_shape(self) -> tuple[int, ...]:
        if self.settings.size is None:
            raise ValueError("the image size is not settled yet")
        return (self.settings.size, self.settings.size, 1 if self._mode == "L" else 3)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        return self.item_shape

    @property
    def latent_dim(self) -> int:
        values = math.prod(self.item_shape)
        return 16 if values <= 256 else 32 if values <= 1024 else 64

    def to_tensor(self, items: Items) -> Tensors:
        return items.astype(np.float32) / np.float32(255)

    def from_tensor(self, tensor: Tensors) -> Items:
        return (np.clip(tensor, 0, 1) * 255 + 0.5).astype(np.uint8)

    def render(
        self,
        models: Mapping[str, Callable[..., Sequence[Tensors]]],
        z: Floats,
        label: Floats,
        rngs: Sequence[np.random.Generator],
        sampling: Any,
    ) -> Items:
        return self.from_tensor(models["generator"](z)[0])

    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        return diff_augment.draw(rng, size, self.item_shape[0], strong=strong)

    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return diff_augment.apply(x, drawn)

    def features(self, items: Items) -> Floats:
        return features.gradients_and_pixels(items)

    def closeness(self, items: Items) -> Floats:
        return features.pixels(items)

    def similarity(self, fingerprints: Sequence[Fingerprint]) -> Similarity:
        return near_duplicates.ImageSimilarity(fingerprints)

    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        return preview.sheet(items, titles)

    def preview(self, item: ItemArray) -> Sequence[Preview]:
        return (Preview("image/png", self.encode(item)),)

    def describe(self, probes: Sequence[DecodedInfo]) -> Mapping[str, Mapping[str, int]]:
        sizes = Counter(f"{p.traits['width']}x{p.traits['height']}" for p in probes)
        return {
            "size": dict(sizes.most_common()),
            "mode": dict(Counter(p.traits["mode"] for p in probes).most_common()),
        }


def _path(raw: ItemSource) -> Path:
    """Every image is a file."""
    assert isinstance(raw, Path), raw
    return raw
