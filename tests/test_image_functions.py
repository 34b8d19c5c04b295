"""Pure functions of images: arrays, transforms, features and keys, without any file."""

from typing import Any

import numpy as np
import pytest

from genset.errors import GensetError
from genset.interfaces import Augmentation, UndecodableError
from genset.modalities.image import codec, features, item_rules
from genset.modalities.image.augment import AUGMENTATIONS, DEFAULT_STEPS, WIDE_STEPS
from genset.modalities.image.augment.degradation import window
from genset.modalities.image.augment.geometry import Rotate
from genset.modalities.lsh import plane_keys


@pytest.mark.parametrize(
    ("array", "shape", "largest"),
    [
        (np.full((4, 5), 0.5), (4, 5, 1), 128),
        (np.full((3, 8, 9), 7.0), (8, 9, 3), 7),
        (np.full((8, 9, 3), 255, np.uint8), (8, 9, 3), 255),
    ],
)
def test_arrays_of_floats_and_integers_become_pixels(array: Any, shape: tuple[int, ...], largest: int) -> None:
    item = codec.from_array(array)
    assert (item.dtype, item.shape, item.max()) == (np.uint8, shape, largest)


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2)), np.zeros((0, 3)), np.full((4, 4), -1.0), np.full((4, 4), 300)])
def test_other_arrays_are_rejected(array: Any) -> None:
    with pytest.raises(UndecodableError):
        codec.from_array(array)


@pytest.mark.parametrize(
    "kind", sorted(kind for kind in AUGMENTATIONS if issubclass(AUGMENTATIONS[kind], Augmentation))
)
def test_a_transform_keeps_shape_and_dtype_and_repeats(kind: str) -> None:
    step: Any = AUGMENTATIONS[kind](kind=kind)
    item = np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    results = []
    for _ in range(2):
        rng = np.random.default_rng(4)
        results.append(step.apply(item, rng, **step.draw(rng)))
    assert (results[0].dtype, results[0].shape) == (np.uint8, item.shape)
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize("step", [step for step in (*DEFAULT_STEPS, *WIDE_STEPS) if step.kind != "posterise"])
def test_a_transform_of_no_strength_changes_nothing(step: Augmentation) -> None:
    item = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    mild = step.at(0.0)
    rng = np.random.default_rng(4)
    assert np.abs(mild.apply(item, rng, **mild.draw(rng)).astype(int) - item).max() <= 1


def test_a_window_has_at_least_a_pixel_and_stays_inside() -> None:
    item = np.zeros((10, 20, 1), np.uint8)
    assert window(item, 0.0, 0.0, 0.0, 0.0) == (slice(0, 1), slice(0, 1))
    assert window(item, 0.5, 0.5, 1.0, 1.0) == (slice(5, 10), slice(10, 20))


def test_an_image_too_large_to_warp_is_an_error() -> None:
    with pytest.raises(GensetError) as error:
        Rotate().apply(np.zeros((2, 32_767, 1), np.uint8), np.random.default_rng(0), degrees=1.0)
    assert str(error.value) == (
        "augment.steps: an image of 32,767 x 2 pixels is too large for this transform\n"
        "  Remove images with a side of more than 32,766 pixels, or the steps that move pixels."
    )


def test_quantiles_of_counts_equal_those_of_numpy() -> None:
    values = np.random.default_rng(0).integers(0, 256, 999)
    counts = np.bincount(values, minlength=256)
    assert item_rules._quantiles(counts, 0.05, 0.99) == pytest.approx(np.quantile(values, [0.05, 0.99]) / 255)


def test_features_of_images_have_one_row_each() -> None:
    items = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    assert features.gradients_and_pixels(items).shape == (5, 4 * 4 * 8 + 16 * 16 * 3)
    assert features.pixels(items).shape == (5, 32 * 32 * 3)


def test_equal_rows_share_all_keys_and_opposite_rows_none() -> None:
    rows = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    keys, same = plane_keys(np.concatenate([rows, -rows]), rows)
    assert (keys[:40] == same).all()
    assert not (keys[40:] == same).any()
