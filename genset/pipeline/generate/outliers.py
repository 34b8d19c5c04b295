"""Items that a model reconstructs badly: unlike its training items, so wrong, rare or of another kind."""

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
        """The problem that `inspect` reports."""
        detail = f"{self.ratio:.2f} times the largest reconstruction error of the model's validation items"
        return Problem(self.record.place, "outlier", detail, round(self.ratio, 3))


def reconstruction_errors(generator: SampleModel, encode: OnnxNetwork, items: Items, labels: Sequence[str]) -> Floats:
    """(N,) reconstruction errors of items, as the modality measures them."""
    (z,) = encode(generator.modality.to_tensor(items))
    return generator.modality.errors(generator.models, z, generator.one_hot(labels), items)


def outliers(version: Version, records: Sequence[Record], job: Job) -> list[Outlier]:
    """All items with their ratios, largest first. Raises GensetError for a model without an encoder."""
    generator, encode = SampleModel.open(version), open_encoder(version)
    limit = generator.limits.error
    if not limit:
        raise GensetError(
            "this model was trained without validation items, so there is no error to compare with",
            where=version.reference,
            hint="Train it with validation items: split.ratios.",
        )
    parts = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]

    def one(part: Sequence[Record]) -> list[Outlier]:
        items = np.stack([_decoded(generator, record) for record in part])
        labels = [record.label if record.label in generator.classes else generator.classes[0] for record in part]
        return [
            Outlier(r, float(e) / limit)
            for r, e in zip(part, reconstruction_errors(generator, encode, items, labels), strict=True)
        ]

    found = [outlier for part in job.engine.map(one, parts) for outlier in part]
    return sorted(found, key=lambda outlier: -outlier.ratio)


def _decoded(generator: SampleModel, record: Record) -> Items:
    try:
        return generator.modality.decode(record.raw)
    except (UndecodableError, OSError) as error:
        raise GensetError(f"cannot be read: {error}", where=str(record.path)) from None
