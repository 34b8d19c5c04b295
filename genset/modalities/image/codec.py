"""Image files to arrays and back: any image that Pillow reads, in 8 bits."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageColor
import PIL.ImageOps

from genset.interfaces import ItemArray, UndecodableError

_ORIENTATION = 0x0112  # the EXIF tag
_DEPTHS = (1, 3, 4)  # channels that an array of pixels may have
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")


def read(path: Path) -> PIL.Image.Image:
    """The first frame of an image file, turned upright by its EXIF orientation, with all pixels read.

    Raises UndecodableError with the reason, and OSError when the system cannot read the file.
    """
    try:
        with PIL.Image.open(path) as image:
            if image.width * image.height == 0:
                raise UndecodableError("it has no pixels")
            if PIL.Image.MAX_IMAGE_PIXELS and image.width * image.height > PIL.Image.MAX_IMAGE_PIXELS:
                raise PIL.Image.DecompressionBombError
            image.load()
            # An image that is upright already keeps its format: loaders that ignore EXIF see the same picture.
            return image if image.getexif().get(_ORIENTATION, 1) == 1 else PIL.ImageOps.exif_transpose(image)
    except (UndecodableError, MemoryError):
        raise
    except PIL.Image.DecompressionBombError:
        raise UndecodableError(f"more than {PIL.Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except PIL.UnidentifiedImageError:
        raise UndecodableError("not an image that Pillow can read") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # an operating system error says nothing about the content
            raise
        raise UndecodableError(f"damaged: {error}") from None


def is_grey(mode: str) -> bool:
    """Whether images of a Pillow mode have no colour."""
    return mode in _GREY


def loadable_suffix(image: PIL.Image.Image) -> str:
    """The suffix under which every common loader reads the unchanged file in the same way, "" when they differ."""
    plain = image.mode in ("L", "RGB", "RGBA", "LA", "P", "1")
    return {"PNG": ".png", "JPEG": ".jpg"}.get(image.format or "", "") if plain else ""


def convert(image: PIL.Image.Image, mode: str, background: str = "white") -> PIL.Image.Image:
    """The image in 8 bits as L, RGB or RGBA; transparent pixels over the background when the mode has no alpha.

    Raises UndecodableError for NaN or infinite pixels.
    """
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
    white = 65535.0 if image.mode != "F" else 1.0 if top <= 1 else 255.0  # of the mode, not of this image
    return PIL.Image.fromarray(np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8))


def pixels(image: PIL.Image.Image) -> ItemArray:
    """(H, W, C) uint8 pixels of an image in mode L, RGB or RGBA."""
    values = np.asarray(image, dtype=np.uint8)
    return values[..., None] if values.ndim == 2 else values


def image_of(item: ItemArray) -> PIL.Image.Image:
    """A Pillow image of (H, W, C) uint8 pixels."""
    return PIL.Image.fromarray(item[..., 0] if item.shape[-1] == 1 else item)


def png(item: ItemArray) -> bytes:
    """A PNG file of (H, W, C) uint8 pixels."""
    buffer = io.BytesIO()
    image_of(item).save(buffer, "PNG")
    return buffer.getvalue()


def from_array(array: npt.NDArray[Any]) -> ItemArray:
    """(H, W, C) uint8 pixels of an array (H, W), (H, W, C) or (C, H, W) with values in 0 to 255 or, as floats, 0 to 1.

    Raises UndecodableError for other shapes and values.
    """
    image = array[..., None] if array.ndim == 2 else array
    if image.ndim == 3 and image.shape[0] in _DEPTHS and image.shape[-1] not in _DEPTHS:
        image = np.moveaxis(image, 0, -1)  # channels first, as in PyTorch
    if image.ndim != 3 or image.shape[-1] not in _DEPTHS or not image.size:
        raise UndecodableError(f"an array of shape {array.shape} is no image")
    if image.dtype.kind == "f" and image.min() >= 0 and image.max() <= 1:
        image = np.round(255 * image)
    if image.dtype != np.uint8 and not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 255):
        raise UndecodableError(f"values from {image.min():g} to {image.max():g}: 0 to 255, or 0 to 1, are pixels")
    item: ItemArray = np.ascontiguousarray(image.astype(np.uint8))
    return item
