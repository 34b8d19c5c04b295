"""Two versions of one dataset, or two models: what changed, and is it better or worse?"""

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
from genset.pipeline.pages.parts import without_places
from genset.quality import intervals
from genset.versions.version import Version

_ENDS = ("lift_low", "lift_high")  # of another figure's interval
_SAMPLED = 1000  # items that a model is judged by
_LEARNED = ("parameters", "steps", "best_step", "stopped_early", "losses.val_loss", "losses.val_reconstruction_loss")


def comparable(after: Version, before: Version) -> bool:
    """Whether two versions are to be compared, and the one is not to be judged by the real items of the other: two
    models, or two versions of one dataset that were both judged when they were made."""
    if after.kind != before.kind or after.path == before.path:
        return False
    return after.kind == "models" or (
        after.name == before.name and all(stored_verdict(version) for version in (after, before))
    )


def datasets(after: Version, before: Version) -> Comparison:
    """Two versions of a dataset, by the figures that they hold."""
    notes = []
    first, last = before.manifest, after.manifest
    if first["inputs"].get("identity") != last["inputs"].get("identity"):
        notes.append("they were measured on different real items, which is a part of every difference")
    return _compared(after, before, stored_verdict(after), stored_verdict(before), notes)


def models(after: Version, before: Version, job: Job) -> Comparison:
    """Two models, by items that each makes for it, judged on the same real items; where there are none, only by their
    settings. Raises GensetError for models of different modalities."""
    first, last = before.manifest, after.manifest
    if first["modality"] != last["modality"]:
        raise GensetError(
            f"the two models are of different modalities: {last['modality']} and {first['modality']}",
            where=before.reference,
            hint="Compare models of the same modality.",
        )
    if first["inputs"]["identity"] != last["inputs"]["identity"]:
        note = "they learned from different items, so neither can be judged by those of the other: no figures"
        return _compared(after, before, {}, {}, [note])
    try:
        judged, earlier = (_judged(version, job) for version in (after, before))
    except GensetError as error:
        return _compared(after, before, {}, {}, [f"no figures: {error.message}"])
    return _compared(
        after, before, judged, earlier, [f"each made {_SAMPLED:,} items for this, with the seed of its training"]
    )


def _judged(version: Version, job: Job) -> dict[str, Any]:
    """All figures of some items that a model makes, on the held-out items that it was not shown."""
    prepared = training_items.load_training_items(version, job, "Bring the items back to compare figures.")
    config = reading.config_of(version)
    generator = SampleModel.open(version)
    train = prepared.dataset.where(split="train").counts("label")
    filters = Filters.from_section(config.generate, lambda: training_items.train_closeness(prepared))
    made = sampling.generate_items(
        generator, counts.proportional_counts(train, _SAMPLED), filters, job, seed=generator.seed
    )
    shown, held_out = (
        LabelledItems(prepared.dataset.where(split=split).records, prepared.split_items(split)[0])
        for split in ("train", "test")
    )
    kept = FeatureCache(job.root, job.progress)
    how = Evaluator(
        prepared.modality, job.engine, kept, config.quality.seeds, no_augmented_reason="left out of comparisons"
    )
    return how.verdict(prepared.classes, shown, held_out, LabelledItems(made.dataset.records, made.items)).as_dict()


def _compared(
    after: Version, before: Version, last: Mapping[str, Any], first: Mapping[str, Any], notes: Sequence[str]
) -> Comparison:
    both = list(changes(first, last))
    settings = dict(_settings(before.manifest, after.manifest))
    found = Comparison(after.reference, before.reference, both, settings, notes, last)
    moved = ", ".join(change.figure.name for change in both if change.moved)
    told = [f"{moved}: changed, but whether to something nearer to the target is inconclusive"] if moved else []
    if found.tested:
        told.append(f"of {found.tested} figures with an interval, one in twenty would be told apart by chance")
    return replace(found, notes=[*notes, *told])


def changes(first: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[Change]:
    """The figures that two verdicts both have, in the order of the table."""
    for name, figure in EVERY_FIGURE.items():
        if name in first.get("figures", {}) and name in last.get("figures", {}) and name not in _ENDS:
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
    """The interval of what was added to the distance from a target."""
    first, last = ((abs(value - target), intervals.of_distance(ends, target)) for value, ends in sides)
    return intervals.of_difference(*first, *last)


def _settings(first: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """What differs in the configs, in what was learned and in the counts, as text."""
    sides = [
        {
            **dict(_flat(without_places(manifest["config"]))),
            **{f"model: {key}": str(value) for key, value in _flat(manifest.get("model", {})) if key in _LEARNED},
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
    if isinstance(value, Mapping):
        for key, own in value.items():
            yield from _flat(own, f"{path}.{key}" if path else str(key))
    else:
        yield path, json.dumps(value, ensure_ascii=False)
