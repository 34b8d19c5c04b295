"""What a run would do, without doing it: nothing is written, trained or generated."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from genset.config.sections import Config
from genset.dataset import SPLITS, Record
from genset.interfaces import Modality, Problem
from genset.modalities import MODALITIES
from genset.models.schedule import DEFAULT_SECONDS
from genset.pipeline.augment import copies, latent
from genset.pipeline.augment.plan import ClassPlan
from genset.pipeline.collect.collect import collect
from genset.pipeline.generate.counts import rare_class_problems
from genset.pipeline.job import Job
from genset.pipeline.prepare import split_records, usable_items
from genset.pipeline.train import train
from genset.pipeline.write.dataset import CopyJob, augmentation_steps, to_export_item
from genset.pipeline.write.estimate import Estimate, estimate_copies, estimate_from_sample
from genset.workflows.run import planned
from genset.workflows.status import VersionState, states


@dataclass(frozen=True)
class DryRun:
    """What a run would do."""

    config: Config  # as the data settle it
    model: VersionState
    dataset: VersionState
    rows: Sequence[Mapping[str, Any]]  # of each class of the train part
    counts: Mapping[str, Mapping[str, int]]
    estimate: Estimate
    problems: Sequence[Problem]

    @property
    def learns(self) -> bool:
        """Whether a model would be trained."""
        return bool(self.model.reasons)

    @property
    def budget(self) -> str:
        """How long the training is, as the config says it."""
        told = self.config.train
        if told.steps is not None or told.epochs is not None:
            return f"{told.steps:,} steps" if told.steps is not None else f"{told.epochs:,} epochs"
        return f"{DEFAULT_SECONDS if told.seconds is None else told.seconds:g} s"


def dry_run(config: Config, job: Job) -> DryRun:
    """Look at everything, and plan. Raises GensetError for what a run would refuse before it trains."""
    config.output.format.ready()
    found = collect(config.data, MODALITIES[config.modality.kind](config.modality), job)
    model, dataset = states(config, found, job)
    seen = usable_items(found, config, job)
    modality = seen.modality
    config = train.with_data_settings(config, modality)
    # What is equal only once converted is not known without decoding all: such items are counted.
    records = split_records(seen.records, config, job)
    learned = [record for record in records if record.split == "train"]
    plan = planned(config, learned)
    steps = augmentation_steps(config.augment, modality, {r.label for r in records}, needed=config.balance.copies)
    recipe = copies.Recipe(steps, config.seed, modality.settings.model_dump(mode="json"), False)
    estimate = _estimate(records, plan, recipe, modality, job) if dataset.reasons else Estimate()
    rare = rare_class_problems(dict(sorted(Counter(r.label for r in learned).items())), config.generate)
    problems = [*seen.problems, *plan.problems, *rare]
    return DryRun(config, model, dataset, plan.rows(learned), _counts(records, plan), estimate, problems)


def _counts(records: Sequence[Record], plan: ClassPlan) -> dict[str, dict[str, int]]:
    kept = plan.kept(records)
    split = Counter(record.split for record in kept)
    source = {"augmented": len(plan.copies), "collected": len(kept), "generated": sum(plan.generated.values())}
    split["train"] += source["augmented"] + source["generated"]
    label = Counter(record.label for record in kept)
    label.update(copy.parent.label for copy in plan.copies)
    label.update(plan.generated)
    return {
        "split": {name: split[name] for name in SPLITS if split[name]},
        "label": dict(sorted(label.items())),
        "source": {name: count for name, count in source.items() if count},
    }


def _estimate(
    records: Sequence[Record], plan: ClassPlan, recipe: copies.Recipe, modality: Modality, job: Job
) -> Estimate:
    """Of reading and writing what is real, of the copies, and of room for the generated items, which are taken to be as
    large as real ones in the same form."""
    kept = plan.kept(records)
    real = estimate_from_sample(kept, lambda some: [to_export_item(r, modality.decode(r.raw), modality) for r in some])
    generated = sum(plan.generated.values())
    room = real.disk_bytes / max(1, len(kept)) * generated
    decoded = len(records) * math.prod(modality.item_shape) * np.dtype(modality.item_dtype).itemsize
    return real + _copies(kept, plan, recipe, modality, job) + Estimate(room + decoded)


def _copies(kept: Sequence[Record], plan: ClassPlan, recipe: copies.Recipe, modality: Modality, job: Job) -> Estimate:
    """Of the copies; those that need the model are made without it here, which takes less."""
    steps = tuple(step for step in recipe.steps if not latent.uses_model([step]))
    if not steps:
        return Estimate()
    parents = [(record, partial(modality.decode, record.raw)) for record in kept]
    return estimate_copies(parents, CopyJob(plan.copies, replace(recipe, steps=steps), None), modality, job)
