"""What a model has learned: what its codes mean, how well it reconstructs, and how close it is to training items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import Floats, Items
from genset.models.onnx_network import OnnxNetwork
from genset.pipeline.generate import training_items
from genset.pipeline.generate.generator import SampleModel
from genset.pipeline.generate.variations import open_encoder
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared
from genset.quality.neighbours import nearest_both_ways
from genset.seeds import rng_for
from genset.versions.version import Version

_MAX_CODES = 600  # of real items, and as many sampled ones
_MIN_HELD_OUT = 20  # with fewer held-out items, the codes of training items are shown
_MEASURED_ITEMS = 64  # real items that show how much a dimension of z matters
_MEASURED_DIMENSIONS = 48  # of z, those with the largest variance
_STEPS = 9  # of a traversal or an interpolation
_REACH = 2.5  # standard deviations of a traversal to each side


@dataclass(frozen=True)
class RealItems:
    """Some real items with their codes: held-out items if there are enough, otherwise training items."""

    records: Sequence[Record]
    items: Items
    codes: Floats  # (N, latent_dim)
    held_out: bool

    @property
    def labels(self) -> list[str]:
        """The label of each item."""
        return [record.label for record in self.records]

    def rows_of(self, label: str, limit: int) -> list[int]:
        """The rows of the first items of a class."""
        return [row for row, record in enumerate(self.records) if record.label == label][:limit]


@dataclass(frozen=True)
class Information:
    """How much each dimension of z matters, the most informative first."""

    dimensions: npt.NDArray[np.int64]  # (K,) numbers of the dimensions of z
    error_increase: Floats  # (K,) of the mean reconstruction error if the dimension has its mean for all items
    variance: Floats  # (K,) over items (active units: Burda et al. 2016, arXiv:1509.00519)
    error: float  # mean reconstruction error with all dimensions of z


@dataclass(frozen=True)
class ModelInsights:
    """A model with its training items and its encoder; either may be missing."""

    model: SampleModel
    prepared: Prepared | None
    encode: OnnxNetwork | None
    missing: Sequence[str]  # parts of the page that cannot be shown, with the reason

    @classmethod
    def open(cls, version: Version, job: Job) -> Self:
        """Open a model. Raises GensetError if its files were changed after they were written."""
        missing: list[str] = []
        encode, prepared = None, None
        try:
            encode = open_encoder(version)
        except GensetError as error:
            missing.append(f"reconstructions ({error.message})")
        try:
            prepared = training_items.load_training_items(version, job, "")
        except GensetError as error:
            missing.append(f"comparison with real items ({error.message})")
        return cls(SampleModel.open(version), prepared, encode, missing)

    def real_items(self) -> RealItems | None:
        """Real items and their codes; None if the encoder or the items are missing."""
        if self.prepared is None or self.encode is None:
            return None
        held_out = sum(record.split != "train" for record in self.prepared.dataset) >= _MIN_HELD_OUT
        rows = [row for row, r in enumerate(self.prepared.dataset) if (r.split != "train") == held_out]
        chosen = np.sort(rng_for(0, "explain", "real").permutation(len(rows))[:_MAX_CODES])
        rows = [rows[place] for place in chosen]
        items = np.stack([self.prepared.items[row] for row in rows])
        (codes,) = self.encode(self.model.modality.to_tensor(items))
        return RealItems([self.prepared.dataset.records[row] for row in rows], items, codes, held_out)

    def sampled_codes(self) -> tuple[list[str], Floats]:
        """(labels, codes) sampled from the prior, equally many of each class."""
        per_class = -(-_MAX_CODES // len(self.model.classes))
        places = [(label, number) for label in self.model.classes for number in range(per_class)]
        return [label for label, _ in places], self.model.codes(places, self.model.seed, 0)

    def decode(self, codes: Floats, labels: Sequence[str]) -> Items:
        """(N, ...) items of codes. Sampling has as little randomness as possible, and the same for all items of a
        class, so differences come from the codes."""
        steady = replace(self.model, sampling=self.model.sampling.steady())
        return steady.decode(codes, [(label, 0) for label in labels], self.model.seed, 0)

    def information(self, real: RealItems) -> Information:
        """How much the reconstruction error increases if one dimension of z is the same for all items."""
        codes, items = real.codes[:_MEASURED_ITEMS], real.items[:_MEASURED_ITEMS]
        label = self.model.one_hot(real.labels[:_MEASURED_ITEMS])
        errors, models = self.model.modality.errors, self.model.models
        error = float(errors(models, codes, label, items).mean())
        variance = real.codes.var(axis=0)
        measured = np.argsort(-variance, kind="stable")[:_MEASURED_DIMENSIONS]
        increase = np.zeros(len(measured), np.float32)
        for place, dimension in enumerate(measured):
            ablated = codes.copy()
            ablated[:, dimension] = real.codes[:, dimension].mean()
            increase[place] = float(errors(models, ablated, label, items).mean()) - error
        order = np.argsort(-increase, kind="stable")
        return Information(measured[order], increase[order], variance[measured[order]], error)

    def traversal(self, code: Floats, label: str, dimension: int, codes: Floats) -> Items:
        """(9, ...) items of a code whose `dimension` goes from far below its mean in `codes` to far above."""
        mean, deviation = float(codes[:, dimension].mean()), float(codes[:, dimension].std())
        varied = np.repeat(code[None], _STEPS, axis=0)
        varied[:, dimension] = mean + np.linspace(-_REACH, _REACH, _STEPS) * deviation
        return self.decode(varied, [label] * _STEPS)

    def interpolation(self, first: Floats, last: Floats, labels: tuple[str, str]) -> Items:
        """(9, ...) items on the straight line between two codes; the label changes half way."""
        share = np.linspace(0, 1, _STEPS)[:, None]
        step_labels = [labels[0] if part <= 0.5 else labels[1] for part in share[:, 0]]
        return self.decode(((1 - share) * first + share * last).astype(np.float32), step_labels)

    def nearest_training_items(self, items: Items) -> tuple[list[Record], Items, Floats]:
        """(records, items, distances) of the training item that is nearest to each of `items`. Needs the real items."""
        assert self.prepared is not None, "callers check this"
        train, _ = self.prepared.split_items("train")
        closeness = self.model.modality.closeness
        near = nearest_both_ways(closeness(items), closeness(train))[0]
        records = self.prepared.dataset.where(split="train").records
        return [records[row] for row in near.row], train[near.row], near.distance.astype(np.float32)


def project(codes: Floats, others: Floats) -> tuple[Floats, Floats]:
    """(N, 2) both sets of codes on the first two principal components of the first set.

    The sign of a component is such that its largest weight is positive. If there is only one component (codes with one
    dimension, or a single item), the second coordinate is 0.
    """
    mean = codes.mean(axis=0)
    _, _, axes = np.linalg.svd(codes - mean, full_matrices=False)
    first = axes[:2]
    first = first * np.sign(np.take_along_axis(first, np.abs(first).argmax(axis=1)[:, None], axis=1))
    first = np.pad(first, ((0, 2 - len(first)), (0, 0)))
    return (codes - mean) @ first.T, (others - mean) @ first.T
