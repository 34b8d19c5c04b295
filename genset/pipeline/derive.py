"""Versions made from a model or a dataset alone: `generate` and `split`; and how a dataset is opened."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genset.config import Clean, Data, Generate, Split
from genset.dataset import Item, Record, read_version
from genset.errors import GensetError
from genset.export.folder import FolderExporter
from genset.export.shards import ShardedExporter
from genset.interfaces import Exporter, Modality, Probe, Quarantined
from genset.modalities import MODALITIES
from genset.pipeline import build, generate, shards
from genset.pipeline import like as variations
from genset.pipeline.clean import clean
from genset.pipeline.collect import collect, grouped, guess_modality, reader
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared, check_train, parts_of
from genset.pipeline.split import assign, deviations, folds, shares_of
from genset.versions import SUMS, Version

DEFAULT_VARY = 0.3
NO_PROBLEMS: tuple[Quarantined, ...] = ()
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Derived:
    """A version that was made, and what is to be told of it."""

    version: Version
    counts: Counts
    problems: Sequence[Quarantined]
    redrawn: Mapping[str, int]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Like:
    """What generated items shall be like: one item, varied, or what lies between two."""

    items: Sequence[str] = ()  # files, or items themselves where the modality takes them
    vary: float = 0.0


def generate_version(
    model: Version,
    section: Generate,
    labels: Sequence[str],
    like: Like,
    seed: int | None,
    name: str,
    job: Job,
    exporter: Exporter,
) -> Derived:
    """Items from a model as a dataset version: all in train, all generated."""
    exporter.ready()
    drawing, wanted = _drawing(model, section, labels, like, seed, job)
    tally, problems = generate.Tally(sum(wanted.values())), rare_of(model, wanted, section)
    settings = {"generate": {**section.model_dump(exclude_none=True), "labels": list(labels)}}
    items: Iterator[Item] | shards.Filling = _drawn(drawing, wanted, tally, problems, job)
    if isinstance(exporter, ShardedExporter):
        items = shards.filling(name, drawing, wanted, exporter, settings, tally, problems, job)
    version, total = build.write(
        name,
        items,
        tally.wanted,
        job,
        exporter=exporter,
        modality=drawing.model.modality,
        problems=problems,
        seed=drawing.seed,
        inputs={"model": drawing.model.reference},
        parents=[model.reference],
        redrawn=tally.redrawn,
        settings=settings,
    )
    if isinstance(items, shards.Filling):
        items.clear()
    return Derived(version, total, problems, tally.redrawn)


def _drawing(
    model: Version, section: Generate, labels: Sequence[str], like: Like, seed: int | None, job: Job
) -> tuple[generate.Drawing, dict[str, int]]:
    """(what items are drawn from and filtered by, how many of each label)."""
    generator = generate.Generator.open(model)
    if "sampling" in section.model_fields_set:  # else as the model's config has it
        generator = replace(generator, sampling=section.sampling)
    wanted = _wanted(generator, model, section, labels)
    given = _given(generator, model, like, labels, job)
    cure = "Restore the items, or add --near-copies keep to skip the check for near copies."
    filters = generate.Filters.from_section(
        section, lambda: generate.train_closeness(generate.learned(model, job, cure))
    )
    draws: generate.Draws = generator
    if given:
        wanted = {given[0].label: wanted[given[0].label] if section.count is None else section.count}
        draws = variations.source(generator, given, like.vary, *wanted.values())
    return generate.Drawing(generator, filters, generator.seed if seed is None else seed, draws), wanted


def _given(
    generator: generate.Generator, model: Version, like: Like, labels: Sequence[str], job: Job
) -> list[variations.Given]:
    """The items that generated ones shall be like. Raises GensetError for several classes, and a held-out item."""
    if not like.items:
        return []
    if len(labels) > 1:
        raise GensetError("--like makes items of one class", where="--label", hint=f"Give one, not {len(labels)}.")
    given = [variations.given(generator, model, item, labels[0] if labels else None) for item in like.items]
    cure = "Restore the items: genset must know whether the item is held out."
    return _known(given, generate.learned(model, job, cure), like.items)


def _drawn(
    drawing: generate.Drawing,
    wanted: Mapping[str, int],
    tally: generate.Tally,
    problems: list[Quarantined],
    job: Job,
) -> Iterator[Item]:
    """Generated items as files, without holding more of them than are under way."""
    modality = drawing.model.modality

    def one(places: generate.Places) -> tuple[generate.Part, list[Item]]:
        part = drawing(places)
        items = build.all_written(part.records, part.items, modality)
        return replace(part, records=[], items=part.items[:0]), items

    size = generate.at_once(tally.wanted, job.engine.slots())
    for part, items in job.engine.map(one, generate.stretches(wanted, {}, size)):
        tally.add(part.redrawn, part.given_up, len(items))
        yield from items
    tally.check(drawing.model, drawing.draws.hint)
    problems += generate.given_up(tally.given_up)


def rare_of(model: Version, wanted: Mapping[str, int], section: Generate) -> list[Quarantined]:
    """What is to be told of the wanted classes that the model has seen very few items of."""
    rare = generate.rare(model.manifest["model"]["train_counts"], section)
    return [problem for problem in rare if wanted.get(problem.path)]


def _known(given: Sequence[variations.Given], learned: Prepared, items: Sequence[str]) -> list[variations.Given]:
    """The items by the ids under which the model learned from them, where it did.

    Raises GensetError for a held-out one, whatever file it comes in: what is made from it would carry it into train.
    """
    known = {name: record for record in learned.dataset for name in (record.content, record.id)}
    records = [known.get(item.content) or known.get(item.id) for item in given]
    for record, item in zip(records, items, strict=True):
        if record and record.split != "train":
            raise GensetError(
                "this item is held out for judging: items made from it would carry it into train",
                where=item,
                hint="Give an item of the train part, or one that the model has not met.",
            )
    return [replace(item, id=record.id) if record else item for item, record in zip(given, records, strict=True)]


def _wanted(generator: generate.Generator, model: Version, section: Generate, labels: Sequence[str]) -> dict[str, int]:
    unknown = [label for label in labels if label not in generator.classes]
    if unknown:
        raise GensetError(
            f"the model knows no class {unknown[0]!r}", hint=f"Its classes are {', '.join(generator.classes)}."
        )
    counts = model.manifest["model"]["train_counts"]
    return generate.wanted(
        {label: counts[label] for label in generator.classes if label in (labels or counts)}, section
    )


@dataclass(frozen=True)
class Source:
    """A dataset as it was found, cleaned, with its modality."""

    records: tuple[Record, ...]  # all in train where the dataset has no splits
    problems: tuple[Quarantined, ...]
    modality: Modality
    probes: tuple[Probe, ...]
    name: str
    inputs: Mapping[str, str]
    parents: list[str]
    sources: list[str]  # folders that the real items were collected from
    recipes: Mapping[str, Any]  # steps that made what is augmented already, by their keys
    link: bool = False  # whether its files are linked to: those of a version always are


def open_dataset(
    path: Path,
    version: Version | None,
    job: Job,
    group: str | None = None,
    section: Clean | None = None,
    *,
    link: bool = False,
) -> Source:
    """A version, or any folder of class folders, without what cannot be decoded or stands twice, cleaned as a section
    says.

    With `link` new versions link to the user's own files, where those are taken as they are.
    """
    if version:
        job.engine.require_paths([version.path])
        modality = reader(version)
        records, problems = grouped(read_version(version.path, modality).records, group), NO_PROBLEMS
        inputs = {"sums": hashlib.sha256((version.path / SUMS).read_bytes()).hexdigest()}
    else:
        table = guess_modality(path, MODALITIES)
        found = collect(Data(source=[str(path)], group=group), table(table.Settings()), job)
        records, problems, inputs = found.records, found.problems, {"fingerprint": found.fingerprint}
        modality = found.modality
    cleaned = clean(records, modality, job, section or Clean().named())
    if not cleaned.records:
        raise GensetError("no item here can be decoded", where=str(path))
    name = version.name if version else name_of(path)
    parents = [version.reference] if version else []
    manifest = version.manifest if version else {}
    sources = manifest.get("sources", []) if version else [str(path.absolute())]
    kept = tuple(replace(record, split=record.split or "train") for record in cleaned.records)
    modality = modality.beside(cleaned.probes)
    every = (*problems, *cleaned.problems)
    recipes = manifest.get("recipes", {})
    return Source(kept, every, modality, cleaned.probes, name, inputs, parents, sources, recipes, link)


def name_of(path: Path) -> str:
    """A name for the versions that are made of a folder's items."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.resolve().name).lstrip("._-")
    return name or "dataset"


@dataclass(frozen=True)
class Division:
    """What `split` was asked for."""

    section: Split
    group: str | None = None
    seed: int = 0
    anew: bool = False  # whether the parts that items have already count for nothing

    def settings(self) -> dict[str, Any]:
        """As the manifest holds them."""
        previous = self.section.previous and os.path.abspath(self.section.previous)  # wherever the next command starts
        return {"split": {**self.section.model_dump(mode="json"), "previous": previous}, "group": self.group or ""}


def split_version(source: Source, wanted: Division, name: str, job: Job) -> Derived:
    """A dataset divided. Made items stay in train, and go where what they were made from left it.

    Splits that a user's folder has stay, those of a version do not. The last version of the same name that was divided
    by the same settings is continued, or `split.previous`: its items keep their split; none moves from test to train.
    """
    section, versioned = wanted.section, source.records[0].versioned
    real = [record for record in source.records if record.source == "collected"]
    before = None if wanted.anew or section.previous else _before(name, wanted, job)
    earlier = section.previous or (str(before.path) if before else "")
    known = parts_of(Path(earlier)) if earlier else {}
    loose = [replace(record, split="") for record in real] if wanted.anew or versioned else real
    shares = shares_of(section, loose)
    assigned = [r for r in assign(loose, shares, wanted.seed, section.stratify, known) if r.split]
    check_train(assigned, source.name)
    notes = deviations(loose, assigned, shares)
    stay = sum(record.id in known for record in assigned)
    where = before.reference if before else earlier
    notes += [f"{stay:,} items keep the part that they have in {where}"] if stay else []
    return _divided(source, real, assigned, wanted, name, job, notes)


def _before(name: str, wanted: Division, job: Job) -> Version | None:
    """The last version of a name, where it was divided by the same settings."""
    versions = job.root.versions("datasets", name)
    manifest = versions[-1].manifest if versions else {}
    same = manifest.get("settings") == wanted.settings() and manifest.get("seed") == wanted.seed
    return versions[-1] if same and manifest.get("command") == "split" else None


def fold_versions(source: Source, wanted: Division, number: int, name: str, job: Job) -> list[Derived]:
    """A dataset divided into train and test in as many ways, each as a version of its own name: NAME-fold1, ..."""
    real = [record for record in source.records if record.source == "collected"]
    divided = not source.records[0].versioned and any(record.split != "train" for record in real)
    if divided and not wanted.anew:
        raise GensetError(
            "the items are divided already, and folds would mix what is held out with what is not",
            where="--folds",
            hint="Reassign all items with --reassign.",
        )
    loose = [replace(record, split="") for record in real]
    made = folds(loose, number, wanted.seed, wanted.section.stratify)
    return [
        _divided(source, real, assigned, wanted, f"{name}-fold{fold}", job, [], fold={"fold": fold, "folds": number})
        for fold, assigned in enumerate(made, start=1)
    ]


def _divided(
    source: Source,
    real: Sequence[Record],
    assigned: Sequence[Record],
    wanted: Division,
    name: str,
    job: Job,
    notes: Sequence[str],
    fold: Mapping[str, int] | None = None,
) -> Derived:
    left_train = {record.id for record in real if record.split == "train"}
    left_train -= {record.id for record in assigned if record.split == "train"}
    stay, leaks = _made_that_stay(source.records, left_train)
    problems = [*source.problems, *leaks]
    kept = [*assigned, *stay]
    ordered = build.one_schema(kept)
    version, total = build.write(
        name,
        as_they_are(ordered, source, job),
        len(ordered),
        job,
        exporter=FolderExporter(),
        modality=source.modality,
        problems=problems,
        seed=wanted.seed,
        inputs=source.inputs,
        parents=source.parents,
        sources=source.sources,
        recipes=source.recipes,
        settings={**wanted.settings(), **(fold or {})},
    )
    return Derived(version, total, problems, {}, notes)


def _made_that_stay(records: Sequence[Record], left_train: set[str]) -> tuple[list[Record], list[Quarantined]]:
    """(the made items that can stay in train, a problem for each that was made from an item that is not there now)."""
    stay, problems = [], []
    for record in records:
        if record.source == "collected":
            continue
        # A model saw all of train, whatever items it varied or mixed
        leaks = left_train if record.model else left_train & set(record.origin.split())
        if leaks:
            detail = f"made from {sorted(leaks)[0]}, which is not in train any more"
            problems.append(Quarantined(record.place, "leak", detail))
        else:
            stay.append(replace(record, split="train"))
    return stay, problems


def as_they_are(records: Sequence[Record], source: Source, job: Job) -> Iterator[Item]:
    """Items as files: their own bytes where every loader reads them, else written anew in their own size."""
    modality = source.modality
    loadable = {record.id: probe.loadable for record, probe in zip(source.records, source.probes, strict=True)}

    def one(record: Record) -> Item:
        suffix = loadable[record.id]
        if suffix:
            link = record.path if source.link or record.versioned else None
            return Item(record, record.path.read_bytes(), suffix, link=link)
        return build.written(record, modality.native(record.raw), modality)

    return job.engine.map(one, records)
