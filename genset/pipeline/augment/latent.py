"""Transforms that mix latent codes of a model."""

from collections.abc import Sequence

from genset.interfaces import Step
from genset.modalities.composition import LatentMix, walk
from genset.pipeline.augment import copies as augment_copies
from genset.pipeline.augment.mixing import LatentMixer
from genset.versions.version import Version


def open_latent_mixer(recipe: augment_copies.Recipe, model: Version | None) -> LatentMixer | None:
    """The model of the steps, or None if they need none. Raises GensetError if it has no encoder."""
    return LatentMixer.from_version(model) if model and uses_model(recipe.steps) else None


def uses_model(steps: Sequence[Step]) -> bool:
    """Whether one of the steps needs a model."""
    return any(isinstance(step, LatentMix) for step in walk(steps))
