"""Versions made from a model or a dataset alone: `generate`, `augment` and `split`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from genset.config import Augment, Balance, Data, Generate
from genset.dataset import Item, Record, read_version
from genset.errors import GensetError
from genset.export.folder import Folder
from genset.interfaces import Item as ItemArray
from genset.interfaces import Modality, Quarantined
from genset.modalities import MODALITIES
from genset.pipeline import augment, balance, build, generate
from genset.pipeline.clean import clean
from genset.pipeline.collect import collect, grouped, guess_modality
from genset.pipeline.job import Job
from genset.pipeline.split import Ratios, assign
from genset.versions import Root, Version

NO_PROBLEMS: tuple[Quarantined, ...] = ()
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Derived:
    """A version that was made, and what is to be told of it."""

    version: Version
    counts: Counts
    problems: Sequence[Quarantined]
    redrawn: Mapping[str, int]


def generate_version(
    model: Version, section: Generate, label: str | None, seed: int | None, name: str, job: Job
) -> Derived:
    """Items from a model as a dataset version: all in train, all generated."""
    generator = generate.Generator.open(model)
    wanted = _wanted(generator, model, section, label)
    train = generate.train_closeness(model, _root_of(model), job) if section.near_copies == "reject" else None
    seed = generator.seed if seed is None else seed
    made = generate.make(generator, wanted, train, job, seed=seed)
    problems = generate.given_up(made)
    version, total = build.write(
        name,
        build.encoded(zip(made.dataset, made.items, strict=True), generator.modality, job),
        len(made.dataset),
        job,
        exporter=Folder(),
        modality=generator.modality.kind,
        problems=problems,
        seed=seed,
        parents=[model.reference],
        redrawn=made.redrawn,
        generate={**section.model_dump(exclude_none=True), "label": label or ""},
    )
    return Derived(version, total, problems, made.redrawn)


def _wanted(generator: generate.Generator, model: Version, section: Generate, label: str | None) -> dict[str, int]:
    if label is not None:
        if label not in generator.classes:
            raise GensetError(
                f"the model knows no class {label!r}", hint=f"Its classes are {', '.join(generator.classes)}."
            )
        return {label: section.per_class or section.count or 0}
    if section.count is not None:
        trained = model.manifest["counts"]["label"]
        return generate.shares({name: trained[name] for name in generator.classes}, section.count)
    return dict.fromkeys(generator.classes, section.per_class or 0)


def _root_of(version: Version) -> Root:
    """The output root that a version lies in."""
    return Root(version.path.parents[2])


@dataclass(frozen=True)
class Source:
    """A dataset as it was found, cleaned, with its modality."""

    records: tuple[Record, ...]  # all in train where the dataset has no splits
    problems: tuple[Quarantined, ...]
    modality: Modality
    name: str
    parents: list[str]


def open_dataset(path: Path, version: Version | None, job: Job, group: str | None = None) -> Source:
    """A version, or any folder of class folders, without what cannot be decoded or stands twice."""
    if version:
        table = MODALITIES[version.manifest["modality"]]
        records, problems = grouped(read_version(version.path, table.kind).records, group), NO_PROBLEMS
    else:
        table = guess_modality(path, MODALITIES)
        found = collect(Data(source=[str(path)], group=group), table, job.engine)
        records, problems = found.records, found.problems
    cleaned = clean(records, table, job.engine, job.progress, "quarantine")
    if not cleaned.records:
        raise GensetError("no item here can be decoded", where=str(path))
    name = version.name if version else _name_of(path)
    parents = [version.reference] if version else []
    kept = tuple(replace(record, split=record.split or "train") for record in cleaned.records)
    return Source(kept, (*problems, *cleaned.problems), table(table.Settings()), name, parents)


def _name_of(path: Path) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.resolve().name).lstrip("._-")
    return name or "dataset"


@dataclass(frozen=True)
class Plan:
    """What `augment` is going to add to the train part."""

    copies: list[augment.Copy]
    generated: dict[str, int]  # by label
    problems: list[Quarantined]


def plan_augment(source: Source, section: Augment, target: Balance, model: Version | None) -> Plan:
    """Copies of each real train item; then what the classes lack, from the model or as further copies."""
    train = [record for record in source.records if record.split == "train"]
    real = [record for record in train if record.source == "collected"]
    copies = augment.copies(real, section.copies)
    have = Counter(record.label for record in [*train, *(copy.parent for copy in copies)])
    lacking = balance.missing(dict(sorted(have.items())), target.target)
    if model:
        known = model.manifest["model"]["classes"]
        strange = [label for label, count in lacking.items() if count and label not in known]
        if strange:
            raise GensetError(
                f"the model knows no class {strange[0]!r}",
                where=model.reference,
                hint=f"Its classes are {', '.join(known)}.",
            )
        return Plan(copies, lacking, [])
    problems = []
    for label, count in lacking.items():
        parents = [record for record in real if record.label == label]
        room = max(0, target.most_copies - section.copies) * len(parents)
        if count > room:
            each = f"{target.most_copies} copies of each of its {len(parents)} items"
            detail = f"{count} items are lacking, {each} give {room}"
            problems.append(Quarantined(label, "too_small", detail))
        copies += augment.filled(parents, section.copies, min(count, room))
    return Plan(copies, {}, problems)


def planned(source: Source, plan: Plan) -> Counts:
    """The counts that a plan leads to, by class of the train part and by source."""
    train = [record for record in source.records if record.split == "train"]
    labels = Counter(record.label for record in [*train, *(copy.parent for copy in plan.copies)])
    labels.update(plan.generated)
    by_source = Counter(record.source for record in source.records)
    by_source.update({"augmented": len(plan.copies), "generated": sum(plan.generated.values())})
    return {"label": dict(sorted(labels.items())), "source": {name: n for name, n in sorted(by_source.items()) if n}}


def augment_version(
    source: Source, plan: Plan, section: Augment, model: Version | None, seed: int, name: str, job: Job
) -> Derived:
    """The dataset as it is, with what the plan adds."""
    records = build.one_schema(source.records)
    row = {record.id: record for record in records}
    copies = [augment.Copy(row[copy.parent.id], copy.number) for copy in plan.copies]
    parents = [(record, _decoder(record, source.modality)) for record in records]
    steps = build.steps_of(section, source.modality)
    parts = [
        _as_they_are(records, source.modality, job),
        build.augmented(parents, copies, steps, seed, source.modality, job),
    ]
    made = _fill(model, plan, seed, job) if model else None
    if made:
        blank = dict.fromkeys(records[0].columns, "")
        pairs = ((replace(record, columns=blank), item) for record, item in zip(made.dataset, made.items, strict=True))
        parts.append(build.encoded(pairs, source.modality, job))
    problems = [*source.problems, *plan.problems, *(generate.given_up(made) if made else ())]
    version, total = build.write(
        name,
        chain(*parts),
        len(records) + len(copies) + (len(made.dataset) if made else 0),
        job,
        exporter=Folder(),
        modality=source.modality.kind,
        problems=problems,
        seed=seed,
        parents=source.parents + ([model.reference] if model else []),
        redrawn=made.redrawn if made else {},
        augment=section.model_dump(mode="json", exclude_none=True),
    )
    return Derived(version, total, problems, made.redrawn if made else {})


def _fill(model: Version, plan: Plan, seed: int, job: Job) -> generate.Made:
    train = generate.train_closeness(model, _root_of(model), job)
    return generate.make(generate.Generator.open(model), plan.generated, train, job, seed=seed)


def _decoder(record: Record, modality: Modality) -> Callable[[], ItemArray]:
    return lambda: modality.native(record.path)


def split_version(source: Source, ratios: Ratios, seed: int, name: str, job: Job) -> Derived:
    """A dataset divided anew. Made items stay in train, and go where what they were made from left it."""
    real = [record for record in source.records if record.source == "collected"]
    assigned = assign([replace(record, split="") for record in real], ratios, seed)
    before = {record.id for record in real if record.split == "train"}
    left_train = before & {record.id for record in assigned if record.split != "train"}
    problems = list(source.problems)
    kept = list(assigned)
    for record in source.records:
        if record.source == "collected":
            continue
        parents = set(record.origin.split()) or left_train  # a model saw all of train
        leaks = parents & left_train
        if leaks:
            problems.append(
                Quarantined(record.id, "leak", f"made from {sorted(leaks)[0]}, which is not in train any more")
            )
        else:
            kept.append(replace(record, split="train"))
    ordered = build.one_schema(kept)
    version, total = build.write(
        name,
        _as_they_are(ordered, source.modality, job),
        len(ordered),
        job,
        exporter=Folder(),
        modality=source.modality.kind,
        problems=problems,
        seed=seed,
        parents=source.parents,
        split={"ratios": list(ratios)},
    )
    return Derived(version, total, problems, {})


def _as_they_are(records: Sequence[Record], modality: Modality, job: Job) -> Iterator[Item]:
    """Items as files: their own bytes where every loader reads them, else written anew in their own size."""

    def one(record: Record) -> Item:
        suffix = record.path.suffix.lower()
        if suffix in modality.loadable:
            return Item(record, record.path.read_bytes(), suffix)
        return Item(record, modality.encode(modality.native(record.path)), modality.suffix)

    return job.engine.map(one, records)
