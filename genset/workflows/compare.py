"""genset inspect --against: compare two versions of a dataset, or two models."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.errors import GensetError
from genset.pipeline import reading
from genset.pipeline.evaluate.cache import FeatureCache
from genset.pipeline.evaluate.comparison import Change, Comparison
from genset.pipeline.evaluate.evaluator import Evaluator, LabelledItems
from genset.pipeline.evaluate.verdict import stored_verdict
from genset.pipeline.generate import counts, sampling, training_items
from genset.pipeline.generate.generator import Filters, SampleModel
from genset.pipeline.job import Job
from genset.pipeline.pages.parts import without_folders
from genset.quality import intervals
from genset.versions.version import Version

_INTERVAL_ENDS = ("lift_low", "lift_high")  # figures that are an end of another figure's interval
_SAMPLE_COUNT = 1000  # items that each model generates for the comparison
_MODEL_FACTS = (
    "parameters",
    "steps",
    "best_step",
    "stopped_early",
    "losses.val_loss",
    "losses.val_reconstruction_loss",
)


def can_compare(after: Version, before: Version) -> bool:
    """Whether `inspect --against` compares two versions with each other: two models, or two versions of one dataset
    that both have figures. Otherwise the real items of one evaluate the other."""
    if after.kind != before.kind or after.path == before.path:
        return False
    return after.kind == "models" or (
        after.name == before.name and all(stored_verdict(version) for version in (after, before))
    )


def compare_datasets(after: Version, before: Version) -> Comparison:
    """Compare two versions of a dataset by the figures that are stored in them."""
    notes = []
    first, last = before.manifest, after.manifest
    if first["inputs"].get("identity") != last["inputs"].get("identity"):
        notes.append("the versions were evaluated with different real items, which contributes to every difference")
    return _comparison(after, before, stored_verdict(after), stored_verdict(before), notes)


def compare_models(after: Version, before: Version, job: Job) -> Comparison:
    """Compare two models by items that each generates now, evaluated with the same real items.

    If the models were trained on different items, or these are missing, only the settings are compared. Raises
    GensetError for models of different modalities.
    """
    first, last = before.manifest, after.manifest
    if first["modality"] != last["modality"]:
        raise GensetError(
            f"the two models have different modalities: {last['modality']} and {first['modality']}",
            where=before.reference,
            hint="Compare models of the same modality.",
        )
    if first["inputs"]["identity"] != last["inputs"]["identity"]:
        note = "no figures: the models were trained on different items, so no items are held out from both"
        return _comparison(after, before, {}, {}, [note])
    try:
        verdict_after, verdict_before = (_evaluate(version, job) for version in (after, before))
    except GensetError as error:
        return _comparison(after, before, {}, {}, [f"no figures: {error.message}"])
    note = f"each model generated {_SAMPLE_COUNT:,} items for this comparison, with the seed of its training"
    return _comparison(after, before, verdict_after, verdict_before, [note])


def _evaluate(version: Version, job: Job) -> dict[str, Any]:
    """All figures of some items that a model generates, computed with the items held out from its training."""
    prepared = training_items.load_training_items(version, job, "Restore the items to compare figures.")
    config = reading.config_of(version)
    generator = SampleModel.open(version)
    train_counts = prepared.dataset.where(split="train").counts("label")
    targets = counts.proportional_counts(train_counts, _SAMPLE_COUNT)
    filters = Filters.from_section(config.generate, lambda: training_items.train_closeness(prepared))
    generated = sampling.generate_items(generator, targets, filters, job, seed=generator.seed)
    train, test = (
        LabelledItems(prepared.dataset.where(split=split).records, prepared.split_items(split)[0])
        for split in ("train", "test")
    )
    cache = FeatureCache(job.root, job.progress)
    evaluator = Evaluator(
        prepared.modality, job.engine, cache, config.quality.seeds, no_augmented_reason="left out of comparisons"
    )
    synthetic = LabelledItems(generated.dataset.records, generated.items)
    return evaluator.verdict(prepared.classes, train, test, synthetic).as_dict()


def _comparison(
    after: Version, before: Version, last: Mapping[str, Any], first: Mapping[str, Any], notes: Sequence[str]
) -> Comparison:
    """The comparison of two verdicts, with notes on how to read it."""
    all_changes = list(changes(first, last))
    settings = dict(_settings(before.manifest, after.manifest))
    result = Comparison(after.reference, before.reference, all_changes, settings, notes, last)
    moved = ", ".join(change.figure.name for change in all_changes if change.moved)
    more = [f"{moved}: changed, but it is unclear whether the new value is nearer to the target"] if moved else []
    if result.tested:
        more.append(f"{result.tested} figures have an interval; one in twenty would be better or worse by chance")
    return replace(result, notes=[*notes, *more])


def changes(first: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[Change]:
    """The changes of the figures that both verdicts have, in the order of the table."""
    for name, figure in EVERY_FIGURE.items():
        if name in first.get("figures", {}) and name in last.get("figures", {}) and name not in _INTERVAL_ENDS:
            before, after = first["figures"][name], last["figures"][name]
            ends = [verdict.get("details", {}).get(name, {}).get("interval") for verdict in (first, last)]
            both = ends[0] and ends[1]
            if not both:
                yield Change(figure, before, after, None)
                continue
            sides = (before, tuple(ends[0])), (after, tuple(ends[1]))
            distance_interval = _further(sides, figure.target) if figure.target is not None else None
            yield Change(figure, before, after, intervals.of_difference(*sides[0], *sides[1]), distance_interval)


def _further(sides: Sequence[tuple[float, intervals.Interval]], target: float) -> intervals.Interval:
    """The 95% interval of the change of the distance from a target."""
    first, last = ((abs(value - target), intervals.of_distance(ends, target)) for value, ends in sides)
    return intervals.of_difference(*first, *last)


def _settings(first: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The differences of configs, models, item counts and library versions, as text: before and after."""
    sides = [
        {
            **dict(_flat(without_folders(manifest["config"]))),
            **{f"model: {key}": str(value) for key, value in _flat(manifest.get("model", {})) if key in _MODEL_FACTS},
            **{f"items: {source}": str(count) for source, count in manifest["counts"]["source"].items()},
            **{f"version of {name}": version for name, version in manifest["libraries"].items()},
            "version of genset": manifest["genset"],
        }
        for manifest in (first, last)
    ]
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        pair = sides[0].get(key, ""), sides[1].get(key, "")
        if pair[0] != pair[1]:
            yield key, pair


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted path, JSON text) of every value in nested mappings."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _flat(child, f"{path}.{key}" if path else str(key))
    else:
        yield path, json.dumps(value, ensure_ascii=False)
