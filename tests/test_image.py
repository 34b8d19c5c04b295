"""Images of every kind become the configured size and mode; what is written decodes to the same pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genset.interfaces import UndecodableError
from genset.modalities.image.modality import Image as ImageModality
from genset.modalities.image.modality import ImageSettings


def modality(size: int = 8, mode: str = "L", **more: str) -> ImageModality:
    return ImageModality(ImageSettings(size=size, mode=mode, **more))  # type: ignore[arg-type]


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


GREY = np.linspace(0, 255, 64).reshape(8, 8).astype(np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_grey_and_colour_with_the_same_brightness(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(GREY.astype(np.uint16) * 257)
    elif mode == "I":
        image = Image.fromarray(GREY.astype(np.int32) * 257)
    elif mode == "F":
        image = Image.fromarray(GREY.astype(np.float32) / 255)
    else:
        image = Image.fromarray(GREY).convert("RGB" if mode == "CMYK" else "L").convert(mode, dither=Image.Dither.NONE)
    ending = {"CMYK": "tif", "I": "tif", "F": "tif"}.get(mode, "png")
    path = saved(image, tmp_path / f"x.{ending}")
    grey, colour = modality().decode(path), modality(mode="RGB").decode(path)
    assert (grey.shape, grey.dtype, colour.shape) == ((8, 8, 1), np.uint8, (8, 8, 3))
    expected = np.where(GREY > 127, 255, 0) if mode == "1" else GREY
    assert np.abs(grey[..., 0].astype(int) - expected).max() <= 2
    assert np.abs(colour.astype(int) - expected[..., None]).max() <= 2


def test_transparent_pixels_show_the_stated_background(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4] = (255, 0, 0, 255)
    path = saved(Image.fromarray(pixels), tmp_path / "x.png")
    red, white, blue = (255, 0, 0), (255, 255, 255), (0, 0, 255)
    assert tuple(modality(mode="RGB").decode(path)[0, 0]) == red
    assert tuple(modality(mode="RGB").decode(path)[7, 0]) == white
    assert tuple(modality(mode="RGB", background="blue").decode(path)[7, 0]) == blue


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[0] = 255  # the top row; orientation 3 turns it by 180 degrees
    exif = Image.Exif()
    exif[0x0112] = 3
    path = saved(Image.fromarray(pixels), tmp_path / "x.png", exif=exif)
    assert modality().decode(path)[7].min() == 255


def test_one_antialiased_resize_keeps_the_mean_and_has_no_aliasing(tmp_path: Path) -> None:
    checker = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = modality().decode(saved(Image.fromarray(checker), tmp_path / "x.png"))
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_stretch_keeps_all_and_crop_keeps_the_centre(tmp_path: Path) -> None:
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    path = saved(Image.fromarray(wide), tmp_path / "x.png")
    assert modality(fit="crop").decode(path).min() > 240
    assert modality(fit="stretch").decode(path).min() == 0


def test_the_digest_follows_pixels_and_not_the_file(tmp_path: Path) -> None:
    image = Image.fromarray(GREY)
    digests = {
        ImageModality(ImageSettings()).probe(saved(image, tmp_path / f"x.{ending}")).digest
        for ending in ("png", "bmp", "tif")
    }
    assert len(digests) == 1
    assert (
        ImageModality(ImageSettings()).probe(saved(Image.fromarray(GREY.T.copy()), tmp_path / "y.png")).digest
        not in digests
    )


def test_size_and_mode_are_taken_from_the_data(tmp_path: Path) -> None:
    grey = ImageModality(ImageSettings()).probe(saved(Image.new("L", (20, 30)), tmp_path / "g.png"))
    colour = ImageModality(ImageSettings()).probe(saved(Image.new("RGB", (500, 10)), tmp_path / "c.png"))
    tiny = ImageModality(ImageSettings()).probe(saved(Image.new("L", (2, 2)), tmp_path / "t.png"))
    settle = lambda *probes: ImageModality.resolve_settings(ImageSettings(), probes)  # noqa: E731
    assert (settle(grey).size, settle(grey).mode) == (30, "L")
    assert (settle(colour).size, settle(colour).mode) == (64, "RGB")
    assert settle(tiny).size == 8
    assert settle(grey, grey, colour).mode == "RGB"
    assert ImageModality.resolve_settings(ImageSettings(size=12, mode="L"), [colour]).size == 12


def test_more_pixels_than_memory_should_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Image.new("L", (100, 100)), tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UndecodableError, match="more than 1,000 pixels"):
        ImageModality(ImageSettings()).probe(path)


def test_a_float_image_with_nan_is_refused(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.full((8, 8), np.nan, np.float32)), tmp_path / "x.tif")
    with pytest.raises(UndecodableError, match="NaN"):
        modality().decode(path)


def test_mild_perturbations_move_whole_pixels_and_repeat_the_border() -> None:
    from genset.modalities.image import diff_augment

    x = np.random.default_rng(0).random((20, 28, 28, 1), dtype=np.float32)
    moved = np.asarray(diff_augment.apply(x, diff_augment.draw(np.random.default_rng(1), 20, 28, strong=False)))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    for before, after in zip(padded, moved, strict=True):
        places = [before[row : row + 28, column : column + 28] for row in range(3) for column in range(3)]
        assert any((place == after).all() for place in places)
    small = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)
    same = np.asarray(diff_augment.apply(small, diff_augment.draw(np.random.default_rng(1), 5, 8, strong=False)))
    assert (same == small).all()


def test_strong_perturbations_cut_a_hole_of_half_the_side() -> None:
    from genset.modalities.image import diff_augment

    drawn = diff_augment.draw(np.random.default_rng(1), 200, 16, strong=True)
    seen = np.asarray(diff_augment.apply(np.ones((200, 16, 16, 3), np.float32), drawn))
    gone = (seen == 0).all(axis=3).sum(axis=(1, 2))
    assert gone.max() == 8 * 8
    assert gone.min() >= 4 * 4  # a hole around a corner of the picture
