"""The transforms of an image (H, W, C) uint8. To add one: a class in the file of its kind and its line in the table."""

from genset.interfaces import Augmentation, Step
from genset.modalities.image.augment.colour import Brightness, Contrast, Gamma, Hue, Invert, Posterise, Saturation
from genset.modalities.image.augment.degradation import Blur, Erase, GaussianNoise, Jpeg, Sharpen
from genset.modalities.image.augment.geometry import (
    Affine,
    Elastic,
    Flip,
    FlipVertical,
    Perspective,
    RandomResizedCrop,
    Rotate,
    Shift,
    Zoom,
)
from genset.modalities.image.augment.mixing import CutMix, MixUp

AUGMENTATIONS: dict[str, type[Step]] = {
    "flip": Flip,
    "flip_vertical": FlipVertical,
    "rotate": Rotate,
    "shift": Shift,
    "zoom": Zoom,
    "affine": Affine,
    "perspective": Perspective,
    "random_resized_crop": RandomResizedCrop,
    "elastic": Elastic,
    "brightness": Brightness,
    "contrast": Contrast,
    "gamma": Gamma,
    "hue": Hue,
    "saturation": Saturation,
    "posterise": Posterise,
    "invert": Invert,
    "blur": Blur,
    "sharpen": Sharpen,
    "noise": GaussianNoise,
    "jpeg": Jpeg,
    "erase": Erase,
    "mixup": MixUp,
    "cutmix": CutMix,
}
# Mild: an SVM trained on other 8x8 digits still recognises 98% of the augmented ones (docs/experiments.md).
DEFAULT_STEPS: tuple[Step, ...] = (
    Rotate(p=0.5, degrees=8.0),
    Shift(p=0.5, max_shift=0.05),
    Zoom(p=0.5, max_zoom=0.08),
    Brightness(p=0.3, max_change=0.1),
    Contrast(p=0.3),
)
# As wide as RandAugment's table at full strength, without mirrors and negatives: these can change the class.
WIDE_STEPS: tuple[Augmentation, ...] = (
    Rotate(degrees=30.0),
    Affine(degrees=0.0, shear=17.0, max_zoom=0.0, max_shift=0.0),
    Shift(max_shift=0.3),
    Zoom(max_zoom=0.3),
    Brightness(max_change=0.5),
    Contrast(max_change=0.9),
    Gamma(max_change=0.7),
    Saturation(max_change=0.9),
    Posterise(bits=4),
    Sharpen(max_amount=2.0),
    Blur(sigma=1.5),
)
