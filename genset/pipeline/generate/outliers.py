"""Outliers: items that a model reconstructs badly, because they are unlike its training items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import Floats, Items, Problem, UndecodableError
from genset.models.onnx_network import BATCH, OnnxNetwork
from genset.pipeline.generate.generator import SampleModel
from genset.pipeline.generate.variations import open_encoder
from genset.pipeline.job import Job
from genset.versions.version import Version


@dataclass(frozen=True)
class Outlier:
    """An item with its reconstruction error, as a multiple of the largest error of a real held-out item."""

    record: Record
    ratio: float

    def as_problem(self) -> Problem:
        """The outlier as a problem for `inspect`."""
        detail = f"{self.ratio:.2f} times the largest reconstruction error of the model's validation items"
        return Problem(self.record.place, "outlier", detail, round(self.ratio, 3))


def reconstruction_errors(generator: SampleModel, encode: OnnxNetwork, items: Items, labels: Sequence[str]) -> Floats:
    """(N,) reconstruction errors of items, in the units of the modality."""
    (z,) = encode(generator.modality.to_tensor(items))
    return generator.modality.errors(generator.models, z, generator.one_hot(labels), items)


def outliers(version: Version, records: Sequence[Record], job: Job) -> list[Outlier]:
    """All items with their error ratios, largest first. Raises GensetError for a model without an encoder."""
    generator, encode = SampleModel.open(version), open_encoder(version)
    limit = generator.limits.error
    if not limit:
        raise GensetError(
            "this model was trained without validation items, so there is no error to compare with",
            where=version.reference,
            hint="Give validation a share in split.ratios and train the model again.",
        )
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]

    def rate_batch(batch: Sequence[Record]) -> list[Outlier]:
        items = np.stack([_decode(generator, record) for record in batch])
        labels = [record.label if record.label in generator.classes else generator.classes[0] for record in batch]
        return [
            Outlier(r, float(e) / limit)
            for r, e in zip(batch, reconstruction_errors(generator, encode, items, labels), strict=True)
        ]

    rated = [outlier for batch in job.engine.map(rate_batch, batches) for outlier in batch]
    return sorted(rated, key=lambda outlier: -outlier.ratio)


def _decode(generator: SampleModel, record: Record) -> Items:
    try:
        return generator.modality.decode(record.raw)
    except (UndecodableError, OSError) as error:
        raise GensetError(f"cannot be read: {error}", where=str(record.path)) from None
