"""Image files to compact arrays and back: any image that Pillow reads, brought to one size and mode."""

import hashlib
import io
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
import PIL.ImageOps
import pydantic

from genset.interfaces import (
    Choice,
    Exhibit,
    Floats,
    Item,
    Items,
    Likeness,
    Modality,
    Network,
    Probe,
    Raw,
    Section,
    Sketch,
    Step,
    Tensor,
    Tensors,
    UndecodableError,
)
from genset.modalities import grids
from genset.modalities.image import augment, features, flaws, perturb, preview, sketch

SMALLEST, LARGEST = 8, 64
_ORIENTATION = 0x0112  # the EXIF tag
_DEPTHS = (1, 3, 4)
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")


class ImageSettings(Section):
    """The form that every image is brought to."""

    kind: Literal["image"] = "image"
    size: int | None = pydantic.Field(None, ge=SMALLEST, le=LARGEST)
    """Width and height in pixels; taken from the data when not given."""
    mode: Literal["L", "RGB"] | None = None
    """L for grey, RGB for colour; taken from the data when not given."""
    fit: Literal["stretch", "crop"] = "stretch"
    """How an image that is not square becomes square: stretched whole, or its centre cropped."""
    background: str = "white"
    """The colour that stands behind transparent pixels: a CSS name or #rrggbb."""

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
    networks: ClassVar[Mapping[str, type[Network]]] = grids.NETWORKS
    augmentations: ClassVar[Mapping[str, type[Step]]] = augment.AUGMENTATIONS
    default_steps = augment.DEFAULT_STEPS
    feature = "Image"
    array_axes = (2, 3)
    near = 0.86
    rules = flaws.RULES
    wide_steps = augment.WIDE_STEPS
    settings: ImageSettings

    def __init__(self, settings: ImageSettings) -> None:
        self.settings = settings

    def probe(self, raw: Raw, *, sketched: bool = False, measured: bool = False) -> Probe:
        image = _open(_path(raw))
        pixels = np.asarray(_plain(image, "RGBA"))
        digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        traits = {"width": image.width, "height": image.height, "mode": image.mode, "grey": image.mode in _GREY}
        shown = _plain(image, "RGB", self.settings.background) if sketched or measured else None
        drawn = sketch.of(shown) if shown and sketched else None
        return Probe(digest, traits, self._as_it_is(image), drawn, flaws.values(shown) if shown and measured else {})

    @staticmethod
    def _as_it_is(image: PIL.Image.Image) -> str:
        """The suffix under which every common loader reads the file as it stands, "" where they would not agree."""
        plain = image.mode in ("L", "RGB", "RGBA", "LA", "P", "1")
        return {"PNG": ".png", "JPEG": ".jpg"}.get(image.format or "", "") if plain else ""

    @classmethod
    def settle(cls, settings: ImageSettings, probes: Sequence[Probe]) -> ImageSettings:
        """Take the median of the longer sides, within what the networks can do, and grey when all images are grey."""
        size = settings.size
        if size is None:
            longer = statistics.median_low([max(p.traits["width"], p.traits["height"]) for p in probes])
            size = min(LARGEST, max(SMALLEST, longer))
        mode: Literal["L", "RGB"] = "L" if all(p.traits["grey"] for p in probes) else "RGB"
        return settings.model_copy(update={"size": size, "mode": settings.mode or mode})

    def choices(self, probes: Sequence[Probe]) -> Sequence[Choice]:
        longer = sorted(max(p.traits["width"], p.traits["height"]) for p in probes)
        colours = sum(not p.traits["grey"] for p in probes)
        oblong = sum(p.traits["width"] != p.traits["height"] for p in probes)
        sides = (
            f"all are {longer[0]}" if longer[0] == longer[-1] else f"longer sides go from {longer[0]} to {longer[-1]}"
        )
        limit = f"; {LARGEST} is the most" if longer[-1] > LARGEST else ""
        mode = f"{colours:,} of {len(probes):,} have colours" if colours else "all are grey"
        squared = Choice("fit", "crop", f"{oblong:,} are not square: stretch keeps all of each, crop the centre", False)
        return (
            Choice("size", self.settings.size, f"pixels: {sides}{limit}"),
            Choice("mode", self.settings.mode, mode),
            *([squared] if oblong else []),
        )

    def native(self, raw: Raw) -> Item:
        image = _open(_path(raw))
        mode = self.settings.mode or ("L" if image.mode in _GREY else "RGB")
        return _array(_plain(image, mode, self.settings.background))

    def decode(self, raw: Raw) -> Item:
        size = self.item_shape[0]
        image = _plain(_open(_path(raw)), self._mode, self.settings.background)
        if image.size != (size, size):
            box = None
            if self.settings.fit == "crop":
                side, (width, height) = min(image.size), image.size
                box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
            image = image.resize((size, size), PIL.Image.Resampling.BICUBIC, box=box)  # Pillow antialiases
        return _array(image)

    def encode(self, item: Item) -> bytes:
        buffer = io.BytesIO()
        PIL.Image.fromarray(item[..., 0] if item.shape[-1] == 1 else item).save(buffer, "PNG")
        return buffer.getvalue()

    def from_array(self, array: npt.NDArray[Any]) -> Item:
        whole = array[..., None] if array.ndim == 2 else array
        if whole.ndim == 3 and whole.shape[0] in _DEPTHS and whole.shape[-1] not in _DEPTHS:
            whole = np.moveaxis(whole, 0, -1)  # colours first, as PyTorch has them
        if whole.ndim != 3 or whole.shape[-1] not in _DEPTHS or not whole.size:
            raise UndecodableError(f"an array of shape {array.shape} is no image")
        if whole.dtype.kind == "f" and whole.min() >= 0 and whole.max() <= 1:
            whole = np.round(255 * whole)
        if whole.dtype != np.uint8 and not (np.isfinite(whole).all() and whole.min() >= 0 and whole.max() <= 255):
            raise UndecodableError(f"values from {whole.min():g} to {whole.max():g}: 0 to 255, or 0 to 1, are pixels")
        item: Item = np.ascontiguousarray(whole.astype(np.uint8))
        return item

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
        return perturb.draw(rng, size, self.item_shape[0], strong=strong)

    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return perturb.apply(x, drawn)

    def features(self, items: Items) -> Floats:
        return features.gradients_and_pixels(items)

    def closeness(self, items: Items) -> Floats:
        return features.pixels(items)

    def likeness(self, sketches: Sequence[Sketch]) -> Likeness:
        return sketch.Overlay(sketches)

    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        return preview.sheet(items, titles)

    def exhibit(self, item: Item) -> Sequence[Exhibit]:
        return (Exhibit("image/png", self.encode(item)),)

    def describe(self, probes: Sequence[Probe]) -> Mapping[str, Mapping[str, int]]:
        sizes = Counter(f"{p.traits['width']}x{p.traits['height']}" for p in probes)
        return {
            "size": dict(sizes.most_common()),
            "mode": dict(Counter(p.traits["mode"] for p in probes).most_common()),
        }


def _path(raw: Raw) -> Path:
    """Every image is a file."""
    assert isinstance(raw, Path), raw
    return raw


def _open(path: Path) -> PIL.Image.Image:
    """The first frame, upright, all pixels read."""
    try:
        with PIL.Image.open(path) as image:
            if image.width * image.height == 0:
                raise UndecodableError("it has no pixels")
            if PIL.Image.MAX_IMAGE_PIXELS and image.width * image.height > PIL.Image.MAX_IMAGE_PIXELS:
                raise PIL.Image.DecompressionBombError
            image.load()
            # What stands upright keeps its format: loaders that know no EXIF see the same picture.
            return image if image.getexif().get(_ORIENTATION, 1) == 1 else PIL.ImageOps.exif_transpose(image)
    except (UndecodableError, MemoryError):
        raise
    except PIL.Image.DecompressionBombError:
        raise UndecodableError(f"more than {PIL.Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except PIL.UnidentifiedImageError:
        raise UndecodableError("not an image that Pillow can read") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # of the system: what is in the file is not known
            raise
        raise UndecodableError(f"damaged: {error}") from None


def _plain(image: PIL.Image.Image, mode: str, background: str = "white") -> PIL.Image.Image:
    """The image in 8 bits as L, RGB or RGBA; transparent pixels over the background when the mode has no alpha."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    transparent = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    if mode == "RGBA":
        return image.convert("RGBA")
    if transparent:
        image = image.convert("RGBA")
        behind = PIL.Image.new("RGBA", image.size, PIL.ImageColor.getrgb(background))
        image = PIL.Image.alpha_composite(behind, image)
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: PIL.Image.Image) -> PIL.Image.Image:
    """Integers of 16 bits (Pillow may hold them in 32) and floats, in 0 to 1 or 0 to 255, as 8-bit grey."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise UndecodableError("it holds NaN or infinite pixels")
    top = float(values.max(initial=0))
    white = 65535.0 if image.mode != "F" else 1.0 if top <= 1 else 255.0  # of the mode, not of the one image
    return PIL.Image.fromarray(np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8))


def _array(image: PIL.Image.Image) -> Item:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels
