"""The transforms of an image (H, W, C) uint8. To add one: a class in the file of its like and its line in the table."""

from genset.interfaces import Augmentation, Step
from genset.modalities.image.augment.colour import Brightness, Contrast, Gamma, Hue, Invert, Posterise, Saturation
from genset.modalities.image.augment.degradation import Blur, Erase, Jpeg, Noise, Sharpen
from genset.modalities.image.augment.geometry import (
    Affine,
    CropResize,
    Elastic,
    Flip,
    FlipVertical,
    Perspective,
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
    "crop_resize": CropResize,
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
    "noise": Noise,
    "jpeg": Jpeg,
    "erase": Erase,
    "mixup": MixUp,
    "cutmix": CutMix,
}
# Mild: of copies of 8x8 digits, an SVM that knows other digits still recognises 98% (docs/experiments.md).
DEFAULT_STEPS: tuple[Step, ...] = (
    Rotate(p=0.5, degrees=8.0),
    Shift(p=0.5, share=0.05),
    Zoom(p=0.5, share=0.08),
    Brightness(p=0.3, share=0.1),
    Contrast(p=0.3),
)
# As wide as RandAugment's table at its strongest; without mirrors and negatives, which change what a picture says.
WIDE_STEPS: tuple[Augmentation, ...] = (
    Rotate(degrees=30.0),
    Affine(degrees=0.0, shear=17.0, zoom=0.0, shift=0.0),
    Shift(share=0.3),
    Zoom(share=0.3),
    Brightness(share=0.5),
    Contrast(share=0.9),
    Gamma(share=0.7),
    Saturation(share=0.9),
    Posterise(bits=4),
    Sharpen(share=2.0),
    Blur(pixels=1.5),
)
