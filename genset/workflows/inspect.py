"""genset inspect: the contents and problems of a dataset, and the quality of its synthetic items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genset.config.clean_section import Clean
from genset.config.sections import Data
from genset.config.split_section import DEFAULT_RATIOS
from genset.dataset import Dataset, Record
from genset.errors import GensetError
from genset.interfaces import DecodedInfo, Items, Modality, Problem
from genset.metadata import read_version
from genset.modalities import MODALITIES
from genset.pipeline.clean.clean import clean
from genset.pipeline.collect.collect import collect
from genset.pipeline.evaluate.cache import FeatureCache
from genset.pipeline.evaluate.evaluator import Evaluator, LabelledItems
from genset.pipeline.evaluate.verdict import Verdict
from genset.pipeline.generate import training_items
from genset.pipeline.generate.outliers import outliers
from genset.pipeline.job import Job, as_dicts, counts
from genset.pipeline.prepare import Prepared
from genset.pipeline.reading import checksum_problems, guess_modality, reader
from genset.pipeline.split.assign import assign
from genset.quality.metric_inputs import SEEDS
from genset.seeds import rng_for
from genset.versions.root import roots_of
from genset.versions.version import Version, open_version

_ONLY_DUPLICATES = Clean(exact_duplicates="report").named()
QUICK_ITEMS = 2000  # of each set
QUICK_SEEDS = 3


@dataclass(frozen=True)
class Contents:
    """The items of a dataset: their records, counts and problems."""

    dataset: Dataset
    counts: Mapping[str, Mapping[str, int]]
    traits: Mapping[str, Mapping[str, int]]
    problems: Sequence[Problem]
    probes: Sequence[DecodedInfo]
    modality: Modality  # with the settings that the files determine

    def as_dict(self) -> dict[str, Any]:
        """The contents as JSON holds them."""
        return {"counts": self.counts, "traits": self.traits, "problems": as_dicts(self.problems)}


def read_contents(path: Path, job: Job, section: Clean | None = None) -> Contents:
    """Read every file of a version, or of any folder of class folders, and check it by the rules of a section."""
    version = open_version(path)
    if version and version.kind == "datasets":
        modality = reader(version)
        records: Sequence[Record] = read_version(version.path, modality).records
        problems = checksum_problems(version)
    else:
        modality_type = guess_modality(path, MODALITIES)
        collected = collect(Data(source=[str(path)]), modality_type(modality_type.Settings()), job)
        records, problems, modality = collected.records, list(collected.problems), collected.modality
    cleaned = clean(records, modality, job, section or _ONLY_DUPLICATES)
    dataset = Dataset(modality.kind, cleaned.records)
    all_problems = [*problems, *cleaned.problems]
    traits = modality.describe(cleaned.probes)
    return Contents(dataset, counts(dataset), traits, all_problems, cleaned.probes, modality)


def resolved_modality(contents: Contents) -> Modality:
    """The modality with one size or length for all items, so that a page can show them alike."""
    modality_type = type(contents.modality)
    return modality_type(modality_type.resolve_settings(contents.modality.settings, contents.probes))


def add_outliers(contents: Contents, model: Version, job: Job) -> Contents:
    """Add a problem for each item that the model reconstructs worse than any of its validation items."""
    found = [outlier.as_problem() for outlier in outliers(model, contents.dataset.records, job) if outlier.ratio > 1]
    return replace(contents, problems=[*contents.problems, *found])


@dataclass(frozen=True)
class EvaluationResult:
    """The figures of synthetic items, and the items that were compared."""

    verdict: Verdict
    real: Dataset
    synthetic: Dataset
    modality: Modality  # with the size or length in which the items were compared
    seeds: int  # number of classifiers


def evaluate_against(
    contents: Contents, version: Version | None, real_path: Path, job: Job, *, quick: bool = False, seeds: int = SEEDS
) -> EvaluationResult:
    """Evaluate the synthetic items of a dataset with real items.

    Synthetic items are those that the metadata marks so; all items if it marks none. Real items keep their splits. If
    none is in test, those that the model behind the dataset was not trained on become test; if that model is not known,
    the items are split again. Raises GensetError.
    """
    real = read_contents(real_path, job)
    modality_type = MODALITIES[real.dataset.modality]
    if modality_type.kind != contents.dataset.modality:
        raise GensetError(
            f"the two datasets have different modalities: {contents.dataset.modality} and {modality_type.kind}",
            where=str(real_path),
            hint="Give --against a dataset of the same modality.",
        )
    pairs = [(r, probe) for r, probe in zip(real.dataset, real.probes, strict=True) if r.source == "collected"]
    if not pairs:
        raise GensetError(
            f"{real_path} has no real items",
            where="--against",
            hint="Give --against the folder of the real items, or a version that contains them.",
        )
    records, probes = [record for record, _ in pairs], [probe for _, probe in pairs]
    prepared = _training_items(version, job)
    resolved = modality_type.resolve_settings(real.modality.settings, probes)
    modality = prepared.modality if prepared else modality_type(resolved)
    if not any(record.split == "test" for record in records):
        records = _with_model_splits(records, prepared, job) if prepared else _with_new_splits(records, real_path, job)
    ordered = sorted(records, key=lambda record: (record.label, record.id))
    real_set = Dataset(modality_type.kind, tuple(ordered))
    synthetic = Dataset(modality_type.kind, tuple(_synthetic_items(contents.dataset, ordered, job)))
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    verdict = _evaluate(real_set, synthetic, modality, job, quick, seeds)
    return EvaluationResult(verdict, real_set, synthetic, modality, seeds)


def _synthetic_items(dataset: Dataset, real: Sequence[Record], job: Job) -> list[Record]:
    """The items to evaluate: the generated ones, else the augmented ones, else all.

    Items that are derived from a held-out item are left out; so are held-out items if the metadata marks no item as
    synthetic. Items that equal a training item stay: they count as copies.
    """
    by_source = (dataset.where(source=source).records for source in ("generated", "augmented"))
    records = next((some for some in by_source if some), ())
    if not records:
        job.progress.say("no item is marked as synthetic: evaluating all items")
        records = dataset.records
    held_out = {record.id for record in real if record.split == "test"}
    kept = [r for r in records if not held_out.intersection(r.origin.split())]
    if records[0].source == "collected":
        known = {record.content for record in real if record.split != "train"}
        kept = [record for record in kept if record.content not in known]
    if len(kept) < len(records):
        job.progress.say(
            f"not evaluated: {len(records) - len(kept)} of {len(records)} items, because they are held out in the real "
            "dataset or derived from held-out items"
        )
    if not kept:
        raise GensetError(
            "no items to evaluate: all of them are held out in the real dataset", hint="Evaluate another dataset."
        )
    missing = sorted({record.label for record in real} - {record.label for record in kept})
    if missing:
        job.progress.say(f"no synthetic items of class {', '.join(missing)}: this lowers cas and coverage")
    return kept


def _training_items(version: Version | None, job: Job) -> Prepared | None:
    """The items that the model behind a version was trained on; None if there is no model or its items are missing."""
    if version is None:
        return None
    for reference in version.manifest["parents"]:
        name, _, number = reference.partition("@")
        candidates = (model for root in roots_of(version) for model in root.versions("models", name))
        model = next((candidate for candidate in candidates if candidate.id == number), None)
        if model:
            try:
                return training_items.load_training_items(model, job, "")
            except GensetError as error:
                job.progress.say(str(error))
    return None


def _with_new_splits(records: Sequence[Record], real_path: Path, job: Job) -> list[Record]:
    """The records with the splits that `genset split` gives them by default."""
    job.progress.say(
        f"{real_path} has no test set: splitting it {DEFAULT_RATIOS}; the model may have been trained on test items"
    )
    return assign(records, DEFAULT_RATIOS, 0)


def _with_model_splits(records: Sequence[Record], prepared: Prepared, job: Job) -> list[Record]:
    """The records with the splits that they had when a model was trained; records that are new are test.

    A record with the content of a training item but another label is left out: it is neither training item nor unseen.
    If a class has no training items here, the items that the model was trained on are the training set.
    """
    known = {(name, record.label): record.split for record in prepared.dataset for name in (record.id, record.content)}
    model_items = [record for record in prepared.dataset if record.split == "train"]
    contents = {record.content for record in model_items}
    out = []
    for record in records:
        split = known.get((record.id, record.label), known.get((record.content, record.label)))
        if split or record.content not in contents:
            out.append(replace(record, split=split or "test"))
    if len(out) < len(records):
        count = f"{len(records) - len(out)} of {len(records)} real items"
        job.progress.say(f"not used: {count}, because the model was trained on the same content with another label")
    missing = {record.label for record in model_items} - {record.label for record in out if record.split == "train"}
    if missing and all(record.path.is_file() for record in model_items):
        job.progress.say("too few training items in the real dataset: using the items that the model was trained on")
        out = [record for record in out if record.split != "train"] + model_items
    return out


def _evaluate(real: Dataset, synthetic: Dataset, modality: Modality, job: Job, quick: bool, seeds: int) -> Verdict:
    """The figures of synthetic items. Raises GensetError if classes differ or there are no training items."""
    unknown = sorted(set(synthetic.classes) - set(real.classes))
    if unknown:
        raise GensetError(
            f"the synthetic class {unknown[0]!r} is not a class of the real items ({', '.join(real.classes)})",
            hint="Compare datasets with the same classes.",
        )
    if not real.where(split="train").records:
        raise GensetError(
            "the real dataset has no training items: all items are held out",
            hint="Give --against the complete dataset that the model was trained on, or a version of it.",
        )
    sets = [real.where(split="train"), real.where(split="test"), synthetic]
    if quick:
        sets = [_sample(dataset, name) for dataset, name in zip(sets, ("train", "test", "made"), strict=True)]
    cache = FeatureCache(job.root, job.progress)
    evaluator = Evaluator(
        modality, job.engine, cache, seeds, no_augmented_reason="left out by --quick" if quick else ""
    )
    train, test, evaluated = (LabelledItems(dataset.records, _decoded(dataset, modality, job)) for dataset in sets)
    return evaluator.verdict(real.classes, train, test, evaluated)


def _sample(dataset: Dataset, name: str) -> Dataset:
    """As many random items as a quick evaluation uses, in their order."""
    rows = np.sort(rng_for(0, "quick", name).permutation(len(dataset))[:QUICK_ITEMS])
    return replace(dataset, records=tuple(dataset.records[row] for row in rows))


def _decoded(dataset: Dataset, modality: Modality, job: Job) -> Items:
    out = np.zeros((len(dataset), *modality.item_shape), modality.item_dtype)
    for row, item in enumerate(job.engine.map(lambda record: modality.decode(record.raw), dataset)):
        out[row] = item
    return out
