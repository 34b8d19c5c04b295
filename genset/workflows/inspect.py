"""What is in a dataset or a model, what is wrong with it, and how made items stand beside real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from genset.pipeline.job import Job, counts
from genset.pipeline.prepare import Prepared
from genset.pipeline.reading import checksum_problems, guess_modality, reader
from genset.pipeline.split.assign import assign
from genset.quality.metric_inputs import SEEDS
from genset.seeds import rng_for
from genset.versions.root import roots_of
from genset.versions.version import Version, open_version

_ONLY_DUPLICATES = Clean(exact_duplicates="report").named()
QUICK_ITEMS = 2000  # of each part
QUICK_SEEDS = 3


@dataclass(frozen=True)
class Contents:
    """A dataset as it lies there: its records, what they decode to, and what is wrong."""

    dataset: Dataset
    counts: Mapping[str, Mapping[str, int]]
    traits: Mapping[str, Mapping[str, int]]
    problems: Sequence[Problem]
    probes: Sequence[DecodedInfo]
    modality: Modality  # as the files tell


def contents(path: Path, job: Job, section: Clean | None = None) -> Contents:
    """Look at every file of a dataset, a version or any folder of class folders, with the rules of a section."""
    version = open_version(path)
    if version and version.kind == "datasets":
        modality = reader(version)
        records: Sequence[Record] = read_version(version.path, modality).records
        problems = checksum_problems(version)
    else:
        table = guess_modality(path, MODALITIES)
        found = collect(Data(source=[str(path)]), table(table.Settings()), job)
        records, problems, modality = found.records, list(found.problems), found.modality
    looked = clean(records, modality, job, section or _ONLY_DUPLICATES)
    kept = Dataset(modality.kind, looked.records)
    every = [*problems, *looked.problems]
    return Contents(kept, counts(kept), modality.describe(looked.probes), every, looked.probes, modality)


def settled(found: Contents) -> Modality:
    """The modality in the form in which items of different sizes are shown alike."""
    table = type(found.modality)
    return table(table.resolve_settings(found.modality.settings, found.probes))


def with_outliers(found: Contents, model: Version, job: Job) -> Contents:
    """With a problem for each item that the model rebuilds worse than any of its validation items."""
    unlike = [each.as_problem() for each in outliers(model, found.dataset.records, job) if each.ratio > 1]
    return replace(found, problems=[*found.problems, *unlike])


@dataclass(frozen=True)
class AgainstResult:
    """Made items beside real ones, and what came of it."""

    verdict: Verdict
    real: Dataset
    made: Dataset
    modality: Modality  # in the form in which they were compared
    seeds: int  # number of classifiers


def against(
    made: Contents, version: Version | None, real_path: Path, job: Job, *, quick: bool = False, seeds: int = SEEDS
) -> AgainstResult:
    """Judge the made items of a dataset beside real ones.

    Made are the items that say so; all of them where none does. The real items keep the splits they have. Those without
    are told apart by what the model behind a generated set has learned from, where that is known, so that test is what
    it has not seen; else they are split anew.
    """
    real = contents(real_path, job)
    table = MODALITIES[real.dataset.modality]
    if table.kind != made.dataset.modality:
        raise GensetError(
            f"the two sets are of different modalities: {made.dataset.modality} and {table.kind}",
            where=str(real_path),
            hint="Give --against a set of the same modality.",
        )
    pairs = [(r, probe) for r, probe in zip(real.dataset, real.probes, strict=True) if r.source == "collected"]
    if not pairs:
        raise GensetError(
            f"{real_path} holds no real item", where="--against", hint="Give it the real items, or a set with them."
        )
    records, probes = [record for record, _ in pairs], [probe for _, probe in pairs]
    learned = _learned(version, job)
    modality = learned.modality if learned else table(table.resolve_settings(real.modality.settings, probes))
    if not any(record.split == "test" for record in records):
        if learned:
            records = _held_out(records, learned, job)
        else:
            job.progress.say(
                f"{real_path} has no test part: splitting it {DEFAULT_RATIOS}; a model may have seen what is tested"
            )
            records = assign(records, DEFAULT_RATIOS, 0)
    ordered = sorted(records, key=lambda record: (record.label, record.id))
    beside = Dataset(table.kind, tuple(ordered))
    judged = Dataset(table.kind, tuple(_made(made.dataset, ordered, job)))
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds
    return AgainstResult(_judge_records(beside, judged, modality, job, quick, seeds), beside, judged, modality, seeds)


def _made(dataset: Dataset, real: Sequence[Record], job: Job) -> list[Record]:
    """What is to be judged: what was generated, else what was augmented, else all; never what was made from a held-out
    item, nor a held-out item itself where nothing says what was made. What equals a train item is judged: as a copy."""
    by_source = (dataset.where(source=source).records for source in ("generated", "augmented"))
    records = next((found for found in by_source if found), ())
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
            f"not judged: {len(records) - len(kept)} of {len(records)} items, which are held out in the other set or "
            "come from ones that are held out"
        )
    if not kept:
        raise GensetError("nothing here was made: all items are held out in the other set", hint="Judge another set.")
    missing = sorted({record.label for record in real} - {record.label for record in kept})
    if missing:
        job.progress.say(f"no made item is of class {', '.join(missing)}: cas and coverage count that against the set")
    return kept


def _learned(version: Version | None, job: Job) -> Prepared | None:
    """The items that the model behind a generated set has learned from, None where there is none to be found."""
    if version is None:
        return None
    for reference in version.manifest["parents"]:
        name, _, number = reference.partition("@")
        found = (each for root in roots_of(version) for each in root.versions("models", name))
        model = next((each for each in found if each.id == number), None)
        if model:
            try:
                return training_items.load_training_items(model, job, "")
            except GensetError as error:
                job.progress.say(str(error))
    return None


def _held_out(records: Sequence[Record], learned: Prepared, job: Job) -> list[Record]:
    """The records with the splits that a model knew them in; what it did not know is test.

    What has the content of a train item and another label is left out: it is neither of train nor unseen. Where a class
    has no train item among them, the train items are those that the model learned from.
    """
    known = {(name, record.label): record.split for record in learned.dataset for name in (record.id, record.content)}
    own = [record for record in learned.dataset if record.split == "train"]
    seen = {record.content for record in own}
    out = []
    for record in records:
        split = known.get((record.id, record.label), known.get((record.content, record.label)))
        if split or record.content not in seen:
            out.append(replace(record, split=split or "test"))
    if len(out) < len(records):
        told = f"{len(records) - len(out)} of {len(records)} real items"
        job.progress.say(f"not used: {told}, whose content the model has learned under another label")
    lacking = {record.label for record in own} - {record.label for record in out if record.split == "train"}
    if lacking and all(record.path.is_file() for record in own):
        job.progress.say("the real train items are those that the model has learned from: too few are in the other set")
        out = [record for record in out if record.split != "train"] + own
    return out


def _judge_records(real: Dataset, made: Dataset, modality: Modality, job: Job, quick: bool, seeds: int) -> Verdict:
    strangers = sorted(set(made.classes) - set(real.classes))
    if strangers:
        raise GensetError(
            f"the class {strangers[0]!r} of the made set is not among the real ones ({', '.join(real.classes)})",
            hint="Compare sets with the same classes.",
        )
    if not real.where(split="train").records:
        raise GensetError(
            "there is no real train item: all are held out",
            hint="Give --against the whole set, with what the model has learned from, or a version of it.",
        )
    parts = [real.where(split="train"), real.where(split="test"), made]
    if quick:
        parts = [_some(part, name) for part, name in zip(parts, ("train", "test", "made"), strict=True)]
    kept = FeatureCache(job.root, job.progress)
    how = Evaluator(modality, job.engine, kept, seeds, no_augmented_reason="left out by --quick" if quick else "")
    train, test, judged = (LabelledItems(part.records, _decoded(part, modality, job)) for part in parts)
    return how.verdict(real.classes, train, test, judged)


def _some(dataset: Dataset, name: str) -> Dataset:
    """At most so many items as a quick look takes, in their order."""
    rows = np.sort(rng_for(0, "quick", name).permutation(len(dataset))[:QUICK_ITEMS])
    return replace(dataset, records=tuple(dataset.records[row] for row in rows))


def _decoded(dataset: Dataset, modality: Modality, job: Job) -> Items:
    out = np.zeros((len(dataset), *modality.item_shape), modality.item_dtype)
    for row, item in enumerate(job.engine.map(lambda record: modality.decode(record.raw), dataset)):
        out[row] = item
    return out
