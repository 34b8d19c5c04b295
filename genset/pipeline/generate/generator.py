"""A trained model, ready to sample without TensorFlow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from genset.config.loading import load as load_config
from genset.config.sections import Config, Generate
from genset.interfaces import Floats, Items, Modality, Prior, Sampling
from genset.metadata import check_label
from genset.models.npz import load_npz
from genset.models.onnx_network import OnnxNetwork
from genset.quality.label_filter import LabelFilter
from genset.seeds import rng_for
from genset.versions.checksums import verified
from genset.versions.version import CONFIG, MANIFEST, Version

CODES = "codes"  # the network that maps draws of the prior to codes, if there is one
ENCODER = "encoder.onnx"
PRIOR = "prior.npz"
LABEL_FILTER = "judge.npz"
Places = list[tuple[str, int]]  # (label, number) of items to sample


@dataclass(frozen=True)
class Limits:
    """Limits for generated items, measured on real items after training and saved with the model."""

    copy: float  # distance to a training item; at or below it an item is a near copy
    blank: float  # range of the values of a closeness vector; below it an item is blank
    label: float = 0.0  # probability of its own label; below it an item looks like another class
    error: float = 0.0  # the largest reconstruction error of a held-out item; 0 if unknown


@dataclass(frozen=True)
class Filters:
    """Which generated items are rejected, besides blank ones."""

    train: Floats | None  # (N, d) closeness vectors of the training items; None: near copies are not checked
    wrong_labels: bool = True

    @classmethod
    def from_section(cls, section: Generate, train: Callable[[], Floats]) -> Self:
        """The filters that the config requests."""
        return cls(train() if section.near_copies == "reject" else None, section.wrong_labels == "reject")


@dataclass(frozen=True)
class SampleModel:
    """A trained model, ready to sample without TensorFlow."""

    models: Mapping[str, OnnxNetwork]  # the networks of `Family.sampler`, by name
    prior: Prior
    arrays: Mapping[str, Any]
    modality: Modality
    classes: tuple[str, ...]
    seed: int  # of the run that trained it
    limits: Limits
    label_filter: LabelFilter | None  # detects wrong labels; None if there is only one class
    reference: str  # recorded in the metadata of each item: equal models have equal references
    sampling: Sampling

    @classmethod
    def from_parts(
        cls,
        models: Mapping[str, bytes],
        arrays: Mapping[str, Any],
        config: Config,
        modality: Modality,
        facts: Mapping[str, Any],
        label_filter: LabelFilter | None,
        where: str = "",
    ) -> Self:
        """Build a model from its parts; `facts` is `model` of the manifest, `where` names the model in errors."""
        classes = tuple(check_label(label, MANIFEST) if label else "" for label in facts["classes"])
        return cls(
            {name: OnnxNetwork(model, where) for name, model in models.items()},
            config.model.density,
            arrays,
            modality,
            classes,
            config.seed,
            Limits(**facts["limits"]),
            label_filter,
            facts["reference"],
            config.generate.sampling,
        )

    @classmethod
    def open(cls, version: Version) -> Self:
        """Read a model version. Raises GensetError if its files differ from those that were written."""
        model = version.manifest["model"]
        arrays = [PRIOR, LABEL_FILTER] if model["judge"] else [PRIOR]
        networks = {name: f"{name}.onnx" for name in model["networks"]}
        config = load_config(version.path / CONFIG)
        state = config.items.state_files
        hint = "Train the model again with --force, or restore the file."
        files = verified(version, (*networks.values(), *arrays, *state), hint)
        modality = config.items.with_state({name: files[name] for name in state})
        prior, *filters = (load_npz(files[name], str(version.path / name)) for name in arrays)
        label_filter = LabelFilter(filters[0]) if filters else None
        models = {name: files[file] for name, file in networks.items()}
        return cls.from_parts(models, prior, config, modality, model, label_filter, str(version.path))

    def sample(self, label: str, seed: int, numbers: Iterable[int]) -> Items:
        """Unfiltered items of one class by number: number 7 is the same item in every request."""
        return self.items_at([(label, number) for number in numbers], seed, 0)

    def items_at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) unfiltered items of (label, number) places."""
        return self.decode(self.codes(places, seed, attempt), places, seed, attempt)

    def details(self) -> dict[str, Any]:
        """The sampling settings that the metadata of each item records."""
        sampling = self.sampling.model_dump(exclude_defaults=True)
        return {"sampling": sampling} if sampling else {}

    @property
    def origin(self) -> str:
        """The ids of the parent items: "" for a sampled item."""
        return ""

    @property
    def hint(self) -> str:
        """The hint if all items are rejected as near copies."""
        return "Train longer, or look at the model's samples.png and curves.png."

    def decode(self, z: Floats, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items of (N, latent_dim) codes; further random draws depend on place, seed and attempt."""
        rngs = [rng_for(seed, "render", label, number, attempt) for label, number in places]
        label = self.one_hot([label for label, _ in places])
        return self.modality.render(self.models, z, label, rngs, self.sampling)

    def one_hot(self, labels: Sequence[str]) -> Floats:
        """(N, classes) one-hot rows of labels."""
        out = np.zeros((len(labels), len(self.classes)), np.float32)
        out[np.arange(len(labels)), [self.classes.index(label) for label in labels]] = 1
        return out

    def codes(self, places: Places, seed: int, attempt: int) -> Floats:
        """(N, latent_dim) codes of (label, number) places."""
        z = np.zeros((len(places), self.models.get(CODES, next(iter(self.models.values()))).input_width), np.float32)
        for label in dict.fromkeys(label for label, _ in places):
            rows = [row for row, (other, _) in enumerate(places) if other == label]
            rngs = [rng_for(seed, "generate", label, places[row][1], attempt) for row in rows]
            z[rows] = self.prior.draw(self.arrays, self.classes.index(label), rngs)
        return self.models[CODES](z)[0] if CODES in self.models and len(z) else z


class SampleSource(Protocol):
    """A source of generated items: samples of the prior, or variations of the user's items."""

    @property
    def origin(self) -> str:
        """The ids of the parent items."""

    @property
    def hint(self) -> str:
        """The hint if all items are rejected as near copies."""

    def items_at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items of (label, number) places; each attempt gives different items."""

    def details(self) -> dict[str, Any]:
        """The sampling settings that the metadata of each item records."""


def spread(closeness: Floats) -> Floats:
    """(N,) the range of values of each (N, d) closeness vector: 0 for a uniform item."""
    out: Floats = np.ptp(closeness, axis=1)
    return out
