"""What a model has learned: what its codes stand for, how it rebuilds, and what it borrows from the train items."""

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

_MAPPED = 600  # real items whose codes are looked at, and as many drawn ones
_FEW_HELD_OUT = 20  # below it train items tell more of what codes stand for
_REBUILT = 64  # of them that tell how much a value of z matters
_MOST_VALUES = 48  # of z that are tried, those that vary most
_STEPS = 9  # of a traversal or an interpolation
_REACH = 2.5  # standard deviations that a traversal goes to each side


@dataclass(frozen=True)
class Real:
    """Some real items with their codes; held-out ones where there are enough."""

    records: Sequence[Record]
    items: Items
    codes: Floats  # (N, latent_dim)
    held_out: bool

    @property
    def labels(self) -> list[str]:
        """Of each item."""
        return [record.label for record in self.records]

    def of(self, label: str, most: int) -> list[int]:
        """Rows of the first items of a class."""
        return [row for row, record in enumerate(self.records) if record.label == label][:most]


@dataclass(frozen=True)
class Information:
    """How much each value of z matters, the most informative first."""

    values: npt.NDArray[np.int64]  # (K,) numbers of the values of z
    lost: Floats  # (K,) what is added to the mean error of rebuilding where the value is its mean for all items
    spread: Floats  # (K,) variance over items (active units: Burda et al. 2016, arXiv:1509.00519)
    error: float  # of rebuilding with all of z


@dataclass(frozen=True)
class ModelInsights:
    """A model with what is at hand to look into it: its train items and its encoder may be missing."""

    model: SampleModel
    prepared: Prepared | None
    encode: OnnxNetwork | None
    missing: Sequence[str]  # what is left out, and why

    @classmethod
    def open(cls, version: Version, job: Job) -> Self:
        """Raises GensetError for a model whose files are not those that were written."""
        missing: list[str] = []
        encode, prepared = None, None
        try:
            encode = open_encoder(version)
        except GensetError as error:
            missing.append(f"{error.message}: nothing is rebuilt")
        try:
            prepared = training_items.load_training_items(version, job, "")
        except GensetError as error:
            missing.append(f"{error.message}: nothing is set beside real items")
        return cls(SampleModel.open(version), prepared, encode, missing)

    def real(self) -> Real | None:
        """Real items and their codes; None without an encoder or without items."""
        if self.prepared is None or self.encode is None:
            return None
        held_out = sum(record.split != "train" for record in self.prepared.dataset) >= _FEW_HELD_OUT
        rows = [row for row, r in enumerate(self.prepared.dataset) if (r.split != "train") == held_out]
        some = np.sort(rng_for(0, "explain", "real").permutation(len(rows))[:_MAPPED])
        rows = [rows[place] for place in some]
        items = np.stack([self.prepared.items[row] for row in rows])
        (codes,) = self.encode(self.model.modality.to_tensor(items))
        return Real([self.prepared.dataset.records[row] for row in rows], items, codes, held_out)

    def drawn(self, each: int) -> tuple[list[str], Floats]:
        """(labels, codes) of draws of each class."""
        places = [(label, number) for label in self.model.classes for number in range(each)]
        return [label for label, _ in places], self.model.codes(places, self.model.seed, 0)

    def mapped(self) -> tuple[list[str], Floats]:
        """(labels, codes) of as many draws as real items are looked at."""
        return self.drawn(-(-_MAPPED // len(self.model.classes)))

    def decoded(self, codes: Floats, labels: Sequence[str]) -> Items:
        """(N, ...) items of codes: with as little chance as there can be and the same for all of a class, so that what
        differs comes from the codes."""
        steady = replace(self.model, sampling=self.model.sampling.steady())
        return steady.decode(codes, [(label, 0) for label in labels], self.model.seed, 0)

    def information(self, real: Real) -> Information:
        """How much worse items are rebuilt where one value of z is the same for all of them."""
        codes, items = real.codes[:_REBUILT], real.items[:_REBUILT]
        label = self.model.one_hot(real.labels[:_REBUILT])
        errors, models = self.model.modality.errors, self.model.models
        whole = float(errors(models, codes, label, items).mean())
        spread = real.codes.var(axis=0)
        tried = np.argsort(-spread, kind="stable")[:_MOST_VALUES]
        lost = np.zeros(len(tried), np.float32)
        for place, value in enumerate(tried):
            blank = codes.copy()
            blank[:, value] = real.codes[:, value].mean()
            lost[place] = float(errors(models, blank, label, items).mean()) - whole
        order = np.argsort(-lost, kind="stable")
        return Information(tried[order], lost[order], spread[tried[order]], whole)

    def traversal(self, code: Floats, label: str, value: int, codes: Floats) -> Items:
        """(9, ...) items of one code in which one value of z goes from far below its mean to far above."""
        mean, deviation = float(codes[:, value].mean()), float(codes[:, value].std())
        moved = np.repeat(code[None], _STEPS, axis=0)
        moved[:, value] = mean + np.linspace(-_REACH, _REACH, _STEPS) * deviation
        return self.decoded(moved, [label] * _STEPS)

    def between(self, first: Floats, last: Floats, labels: tuple[str, str]) -> Items:
        """(9, ...) items on the straight line between two codes; the label changes half way."""
        share = np.linspace(0, 1, _STEPS)[:, None]
        told = [labels[0] if part <= 0.5 else labels[1] for part in share[:, 0]]
        return self.decoded(((1 - share) * first + share * last).astype(np.float32), told)

    def borrowed(self, items: Items) -> tuple[list[Record], Items, Floats]:
        """(records, items, distances) of the real train item that is nearest to each made one; needs the real items."""
        assert self.prepared is not None, "the caller has asked for them"
        train, _ = self.prepared.split_items("train")
        closeness = self.model.modality.closeness
        near = nearest_both_ways(closeness(items), closeness(train))[0]
        records = self.prepared.dataset.where(split="train").records
        return [records[row] for row in near.row], train[near.row], near.distance.astype(np.float32)


def plane(codes: Floats, others: Floats) -> tuple[Floats, Floats]:
    """(N, 2) both sets of codes on the first two principal components of the first; the sign is that in which the
    largest weight is positive. Where there is but one (codes of one value, or a single item), the other place is 0."""
    mean = codes.mean(axis=0)
    _, _, axes = np.linalg.svd(codes - mean, full_matrices=False)
    first = axes[:2]
    first = first * np.sign(np.take_along_axis(first, np.abs(first).argmax(axis=1)[:, None], axis=1))
    first = np.pad(first, ((0, 2 - len(first)), (0, 0)))
    return (codes - mean) @ first.T, (others - mean) @ first.T
