"""Transforms beside albumentations' and audiomentations', one core, one item after the other, seeds and lineage on.

    pip install 'genset[peers]'; taskset -c 0 python benchmarks/augment.py

genset's side is what a copy takes between decoding and encoding: its generator, the step, the record with what
was drawn. The other side is the library's own call with its seed set. Best of some repeats, in microseconds an item.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from genset.dataset import Record
from genset.interfaces import ItemArray, Step
from genset.modalities.image.augment import colour, degradation, geometry
from genset.modalities.sound import augment as sounds
from genset.pipeline.augment import copies
from genset.pipeline.augment.mixing import PartnerPool, TrainContext

REPEATS = 7
RATE = 16_000
PARENT = Record("c0123456789abcde", Path(), "a", split="train")
ALONE = TrainContext(PARENT, PartnerPool([PARENT]), lambda record: np.zeros(0), None)


def image_steps() -> Mapping[str, tuple[Step, Any]]:
    """The eight commonest steps, with the same ranges on both sides."""
    import albumentations as other

    edge = {"border_mode": cv2.BORDER_REPLICATE, "p": 1.0}
    none = {"rotate": 0, "shear": 0, "translate_percent": 0, "scale": 1.0}
    blur = other.GaussianBlur(blur_limit=0, sigma_limit=(0.0, 1.0), p=1.0)
    return {
        "flip": (geometry.Flip(p=1.0), other.HorizontalFlip(p=1.0)),
        "rotate": (geometry.Rotate(), other.Rotate(limit=10, **edge)),
        "shift": (geometry.Shift(), other.Affine(**{**none, "translate_percent": (-0.08, 0.08)}, **edge)),
        "zoom": (geometry.Zoom(), other.Affine(**{**none, "scale": (0.9, 1.1)}, **edge)),
        "brightness": (colour.Brightness(), other.RandomBrightnessContrast(0.15, 0.0, p=1.0)),
        "contrast": (colour.Contrast(), other.RandomBrightnessContrast(0.0, 0.2, p=1.0)),
        "blur": (degradation.Blur(), blur),
        "noise": (degradation.GaussianNoise(), other.GaussNoise(std_range=(0.0, 0.05), p=1.0)),
    }


def sound_steps() -> Mapping[str, tuple[Step, Any]]:
    """Steps that both sides have, with the same ranges."""
    import audiomentations as other

    return {
        "gain": (sounds.Gain(), other.Gain(-6, 6, p=1.0)),
        "time_shift": (sounds.TimeShift(), other.Shift(-0.05, 0.05, shift_unit="seconds", rollover=False, p=1.0)),
        "time_stretch": (sounds.TimeStretch(), other.TimeStretch(0.9, 1.1, leave_length_unchanged=True, p=1.0)),
        "pitch_shift": (sounds.PitchShift(), other.PitchShift(-1, 1, p=1.0)),
        "noise": (sounds.BackgroundNoise(), other.AddGaussianSNR(20, 40, p=1.0)),
        "filter": (sounds.Filter(), other.LowPassFilter(1500, 3500, p=1.0)),
        "clipping": (sounds.Clipping(), other.ClippingDistortion(0, 40, p=1.0)),
        "spec_augment": (sounds.SpecAugment(), other.TimeMask(0.0, 0.1, p=1.0)),
    }


def microseconds(one: Callable[[int], Any], count: int) -> float:
    """Time of one item, the best of some repeats."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        for number in range(count):
            one(number)
        best = min(best, (time.perf_counter() - started) / count)
    return best * 1e6


def ours(step: Step, item: ItemArray) -> Callable[[int], Any]:
    """A copy and its record."""
    recipe = copies.Recipe((step,), 7)

    def one(number: int) -> Any:
        copy = copies.Copy(PARENT, number)
        made = copies.transform_copy(item, copy, recipe, ALONE)
        return made and copies.copy_record(copy, recipe, made)

    return one


def table(title: str, rows: Mapping[str, tuple[float, float]]) -> None:
    """Microseconds of both sides, and how many times as fast genset is; the median last."""
    print(f"\n{title}\n{'step':14}{'genset':>10}{'other':>10}{'times as fast':>16}")
    for name, (mine, theirs) in rows.items():
        print(f"{name:14}{mine:10.1f}{theirs:10.1f}{theirs / mine:16.2f}")
    print(f"{'median':14}{'':20}{statistics.median(theirs / mine for mine, theirs in rows.values()):16.2f}")


def main() -> None:
    """Print one table for each form of items."""
    import albumentations

    cv2.setNumThreads(1)
    draw = np.random.default_rng(3)
    for shape, count in (((28, 28, 1), 2000), ((256, 256, 3), 100)):
        item = cv2.GaussianBlur(draw.integers(0, 256, shape, dtype=np.uint8), (0, 0), 2.0).reshape(shape)
        rows = {}
        for name, (step, other) in image_steps().items():
            composed = albumentations.Compose([other], seed=7)
            mine = microseconds(ours(step, item), count)
            rows[name] = (mine, microseconds(lambda n, c=composed, x=item: c(image=x), count))  # type: ignore[misc]
        table(f"images {shape}, beside albumentations {albumentations.__version__}", rows)
    wave = (0.3 * np.sin(np.arange(RATE) / 20) + 0.05 * draw.standard_normal(RATE)).astype(np.float32)
    clip = np.rint(wave * 32767).astype(np.int16)[:, None]
    rows = {}
    for name, (step, other) in sound_steps().items():
        mine = microseconds(ours(step, clip), 20)
        rows[name] = (mine, microseconds(lambda n, o=other: o(samples=wave, sample_rate=RATE), 20))  # type: ignore[misc]
    table("sounds of 1 s at 16 kHz, beside audiomentations", rows)


if __name__ == "__main__":
    main()
