"""genset run --dry-run: the plan of a run; nothing is written, trained or generated."""

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
from genset.pipeline.augment.copy_job import CopyJob
from genset.pipeline.augment.plan import ClassPlan
from genset.pipeline.augment.steps import augmentation_steps
from genset.pipeline.collect.collect import collect
from genset.pipeline.export_items import to_export_item
from genset.pipeline.generate.counts import rare_class_problems
from genset.pipeline.job import Job, as_dicts
from genset.pipeline.prepare import split_records, usable_items
from genset.pipeline.train import train
from genset.pipeline.write.estimate import Estimate, estimate_copies, estimate_from_sample
from genset.workflows.run import plan_dataset
from genset.workflows.status import VersionState, states


@dataclass(frozen=True)
class DryRun:
    """The plan of a run."""

    config: Config  # with the settings that the data determine
    model: VersionState
    dataset: VersionState
    rows: Sequence[Mapping[str, Any]]  # the plan for each class of the training set
    counts: Mapping[str, Mapping[str, int]]
    estimate: Estimate
    problems: Sequence[Problem]

    @property
    def trains(self) -> bool:
        """Whether a model would be trained."""
        return bool(self.model.reasons)

    @property
    def budget(self) -> str:
        """The training budget of the config, with its unit."""
        section = self.config.train
        if section.steps is not None or section.epochs is not None:
            return f"{section.steps:,} steps" if section.steps is not None else f"{section.epochs:,} epochs"
        return f"{DEFAULT_SECONDS if section.seconds is None else section.seconds:g} s"

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON holds it."""
        return {
            "dry_run": True,
            "config": self.config.model_dump(mode="json"),
            "model": self.model,
            "dataset": self.dataset,
            "counts": self.counts,
            "plan": self.rows,
            "estimate": {**self.estimate.as_dict(), "training": self.budget if self.trains else None},
            "problems": as_dicts(self.problems),
        }


def dry_run(config: Config, job: Job) -> DryRun:
    """Read the items and plan a run. Raises the errors that a run raises before it trains."""
    config.output.format.ready()
    collected = collect(config.data, MODALITIES[config.modality.kind](config.modality), job)
    model, dataset = states(config, collected, job)
    usable = usable_items(collected, config, job)
    modality = usable.modality
    config = train.with_data_settings(config, modality)
    # Items that are equal only after conversion are counted, because finding them needs all items decoded.
    records = split_records(usable.records, config, job)
    train_records = [record for record in records if record.split == "train"]
    plan = plan_dataset(config, train_records)
    steps = augmentation_steps(config.augment, modality, {r.label for r in records}, needed=config.balance.copies)
    recipe = copies.Recipe(steps, config.seed, modality.settings.model_dump(mode="json"), False)
    estimate = _estimate(records, plan, recipe, modality, job) if dataset.reasons else Estimate()
    rare = rare_class_problems(dict(sorted(Counter(r.label for r in train_records).items())), config.generate)
    problems = [*usable.problems, *plan.problems, *rare]
    return DryRun(config, model, dataset, plan.rows(train_records), _counts(records, plan), estimate, problems)


def _counts(records: Sequence[Record], plan: ClassPlan) -> dict[str, dict[str, int]]:
    """The number of items by split, class and source, if the plan is carried out."""
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
    """Disk space and time for real items and copies, and disk space for generated items of the same average size."""
    kept = plan.kept(records)
    real = estimate_from_sample(kept, lambda some: [to_export_item(r, modality.decode(r.raw), modality) for r in some])
    generated = real.disk_bytes / max(1, len(kept)) * sum(plan.generated.values())
    decoded = len(records) * math.prod(modality.item_shape) * np.dtype(modality.item_dtype).itemsize
    return real + _copies_estimate(kept, plan, recipe, modality, job) + Estimate(generated + decoded)


def _copies_estimate(
    kept: Sequence[Record], plan: ClassPlan, recipe: copies.Recipe, modality: Modality, job: Job
) -> Estimate:
    """Disk space and time for the copies, without the steps that need the model, so it is a lower bound."""
    steps = tuple(step for step in recipe.steps if not latent.uses_model([step]))
    if not steps:
        return Estimate()
    parents = [(record, partial(modality.decode, record.raw)) for record in kept]
    return estimate_copies(parents, CopyJob(plan.copies, replace(recipe, steps=steps), None), modality, job)
