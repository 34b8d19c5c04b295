"""Augmented copies as items to export: transform, mix, encode."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from genset.dataset import ExportItem, Record
from genset.interfaces import ItemArray, Modality, Problem
from genset.pipeline.augment import copies as augment_copies
from genset.pipeline.augment.latent import LatentMixer
from genset.pipeline.augment.mixing import PartnerPool, TrainContext
from genset.pipeline.export_items import to_export_item
from genset.pipeline.job import Job


@dataclass(frozen=True)
class CopyJob:
    """Planned copies, and how to make them."""

    copies: Sequence[augment_copies.Copy]
    recipe: augment_copies.Recipe
    latent: LatentMixer | None  # for steps that interpolate between latent codes


def augmented_copies(
    parents: Iterable[tuple[Record, ItemArray | Callable[[], ItemArray]]],
    copy_job: CopyJob,
    modality: Modality,
    job: Job,
    problems: list[Problem],
) -> Iterator[ExportItem]:
    """The encoded copies of a plan; each parent comes with its item, or with a function that decodes it.

    Real training items among the parents can be mixed in. A copy that is equal to its parent after all attempts is left
    out and added to the problems.
    """
    items = {record.id: (record, source) for record, source in parents}
    pool = PartnerPool([record for record, _ in items.values()])

    def decode(record: Record) -> ItemArray:
        source = items[record.id][1]
        return source() if callable(source) else source

    def make_copy(copy: augment_copies.Copy) -> ExportItem | Problem:
        context = TrainContext(copy.parent, pool, decode, copy_job.latent)
        transformed = augment_copies.transform_copy(decode(copy.parent), copy, copy_job.recipe, context)
        if transformed is None:
            return Problem(copy.parent.place, "unchanged", "no transform changes it, so a copy was left out")
        return to_export_item(
            augment_copies.copy_record(copy, copy_job.recipe, transformed), transformed.item, modality
        )

    for outcome in job.engine.map(make_copy, copy_job.copies):
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            yield outcome
