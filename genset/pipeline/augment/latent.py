"""Transforms that mix latent codes, and the model that decodes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from genset.dataset import Record
from genset.interfaces import ItemArray, Step
from genset.modalities.composition import LatentMix, walk
from genset.models.onnx_network import OnnxNetwork
from genset.pipeline.augment import copies as augment_copies
from genset.pipeline.generate.generator import SampleModel
from genset.pipeline.generate.variations import open_encoder
from genset.versions.version import Version


@dataclass(frozen=True)
class LatentMixer:
    """A model that interpolates between two items."""

    model: SampleModel
    encode: OnnxNetwork

    @classmethod
    def from_version(cls, version: Version) -> Self:
        """Open a model version. Raises GensetError for a model without an encoder."""
        return cls(SampleModel.open(version), open_encoder(version))

    def between(self, first: Record, last: Record, share: float, rng: np.random.Generator) -> ItemArray:
        """The decoded item at a fraction `share` of the way between the codes of two items of one class."""
        modality = self.model.modality
        items = np.stack([modality.decode(record.raw) for record in (first, last)])
        (codes,) = self.encode(modality.to_tensor(items))
        z = ((1 - share) * codes[:1] + share * codes[1:]).astype(np.float32)
        label = self.model.one_hot([first.label])
        mixed: ItemArray = modality.render(self.model.models, z, label, [rng], self.model.sampling)[0]
        return mixed


def open_latent_mixer(recipe: augment_copies.Recipe, model: Version | None) -> LatentMixer | None:
    """The model of the steps, or None if they need none. Raises GensetError if it has no encoder."""
    return LatentMixer.from_version(model) if model and uses_model(recipe.steps) else None


def uses_model(steps: Sequence[Step]) -> bool:
    """Whether one of the steps needs a model."""
    return any(isinstance(step, LatentMix) for step in walk(steps))
