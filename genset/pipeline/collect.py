"""Find the user's items: class folders, folders with metadata, folders split already, and genset's own versions."""

import hashlib
import itertools
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pydantic

from genset.config import Data
from genset.dataset import (
    COLUMNS,
    SPLIT_FOLDERS,
    SPLITS,
    Faults,
    Record,
    check_label,
    from_row,
    is_own_row,
    metadata_file,
    noting,
    read_metadata,
    read_version,
)
from genset.engine import Engine
from genset.errors import DamagedError, GensetError
from genset.export.folder import UNLABELLED, FolderExporter
from genset.interfaces import UNDECODABLE, Modality, Progress, Quarantined
from genset.modalities import MODALITIES
from genset.pipeline.job import Job
from genset.pipeline.unpack import modality_in, unpacked
from genset.versions import MANIFEST, Version, is_output, open_version
from genset.yaml_source import did_you_mean

MADE = "made"
_CONFUSED = {"LATIN", "CYRILLIC", "GREEK"}  # scripts with letters of one shape
_ABOUT = re.compile(r"(README|LICEN[CS]E|NOTICE|SOURCE|COPYING)([._-].*)?", re.IGNORECASE)  # of notes beside the items

RecordOrProblem = Record | Quarantined  # what becomes of a file, or of a line of one


@dataclass(frozen=True)
class Collected:
    """Records as they were found, before anything was decoded."""

    records: tuple[Record, ...]
    problems: tuple[Quarantined, ...]
    fingerprint: str  # of names, labels and bytes: equal inputs have equal fingerprints
    modality: Modality  # with what the files told of themselves


def collect(data: Data, modality: Modality, job: Job, faults: Faults = None) -> Collected:
    """Find all items of the sources; what comes in containers is laid out as folders first. Raises GensetError for a
    source that is missing or holds none.

    Faults of metadata are raised, or noted in `faults`.
    """
    records: list[Record] = []
    problems: list[Quarantined] = []
    paths = [Path(source) for source in data.source]
    for path, prefix in zip(paths, _prefixes(paths), strict=True):
        own, lost, modality = _from_source(path, prefix, modality, job, faults)
        records += own
        problems += lost
    records, more = _separate(_labelled(records, data))
    problems += more
    labels = {record.label for record in records}
    if "" in labels and len(labels) > 1:
        problems += [
            Quarantined(r.origin, "unlabelled", "it stands outside the class folders") for r in records if not r.label
        ]
        records = [record for record in records if record.label]
    _say_how_it_was_read(records, job.progress)
    with_groups = grouped(records, data.group)
    return Collected(with_groups, tuple(problems), _fingerprint(with_groups, job.engine), modality)


def _separate(outcomes: Iterable[RecordOrProblem]) -> tuple[list[Record], list[Quarantined]]:
    """The records and the problems, each in their order."""
    records: list[Record] = []
    problems: list[Quarantined] = []
    for outcome in outcomes:
        if isinstance(outcome, Record):
            records.append(outcome)
        else:
            problems.append(outcome)
    return records, problems


def _from_source(
    source: Path, prefix: str, modality: Modality, job: Job, faults: Faults
) -> tuple[list[Record], list[Quarantined], Modality]:
    """The records and problems of one source, and the modality with what its files told. Raises GensetError for one
    without items."""
    laid_out = unpacked(source, modality, job)
    path = laid_out.folder if laid_out else source
    if laid_out:
        prefix = prefix or f"{source.name}/"
    problems = [replace(problem, path=f"{prefix}{problem.path}") for problem in (laid_out.problems if laid_out else ())]
    job.engine.require_paths([path])
    modality = modality.opened(_files(path, modality))
    records, more = _separate(_find(path, modality, faults))
    problems += more
    if not records:
        raise _without_items(source, modality, problems)
    return [replace(r, origin=prefix + (r.origin or r.id)) for r in records], problems, modality


def _without_items(source: Path, modality: Modality, problems: Sequence[Quarantined]) -> GensetError:
    """Why a source has no items."""
    lost = [problem for problem in problems if problem.kind == UNDECODABLE]
    if lost:
        return GensetError(
            f"no usable item here: {len(lost)} left out; the first is {lost[0].path}: {lost[0].detail}",
            where=str(source),
        )
    if any(problem.kind == MADE for problem in problems):
        return GensetError(
            "all items here were made by genset: none is real",
            where=str(source),
            hint="Learn from the items that they were made from.",
        )
    return GensetError(
        f"no {modality.kind} files here (looked for {', '.join(modality.suffixes)})",
        where=str(source),
        hint="Point data.source at a folder that holds one folder of files for each class.",
    )


def _labelled(records: Sequence[Record], data: Data) -> Iterator[RecordOrProblem]:
    """The records with the labels that the config gives them. Raises GensetError for a column or class that is not
    there."""
    if data.label is not None:
        known = sorted({name for record in records for name in record.columns})
        if data.label not in known:
            raise GensetError(
                f"no item has a column {data.label!r}{did_you_mean(data.label, known)}",
                where="data.label",
                hint=f"The columns are {', '.join(known)}." if known else "The items have no columns.",
            )
        records = [replace(r, label=_checked(r.columns.get(data.label, ""), r.origin)) for r in records]
    return _relabelled(records, data.labels) if data.labels else iter(records)


def _relabelled(records: Sequence[Record], labels: Mapping[str, str | None]) -> Iterator[RecordOrProblem]:
    """The records with new names for their classes; those of classes that are to be left out as problems."""
    unused = set(labels)
    for record in records:
        source = record.origin.partition("/")[0]
        key = next((key for key in (f"{source}/{record.label}", record.label) if key in labels), None)
        unused.discard(key or "")
        new = labels[key] if key is not None else record.label
        if new is None:
            yield Quarantined(record.origin, "ignored", f"data.labels leaves the class {record.label!r} out")
        else:
            yield replace(record, label=_checked(new, "data.labels"))
    if unused:
        known = sorted({record.label for record in records})
        wrong = sorted(unused)[0]
        raise GensetError(
            f"no item has the class {wrong!r}{did_you_mean(wrong, known)}",
            where="data.labels",
            hint=f"The classes are {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}. With several sources, "
            "SOURCE/CLASS names that of one.",
        )


def _checked(label: str, where: str) -> str:
    return check_label(label, where) if label else ""


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """What tells the items of several sources apart: the last part of their paths, or as many as that takes."""
    if len(paths) == 1:
        return [""]
    for depth in itertools.count(1):
        prefixes = ["/".join(path.parts[-depth:]) + "/" for path in paths]
        if len(set(prefixes)) >= len(set(paths)):
            break
    return prefixes


def reader(version: Version) -> Modality:
    """The modality that reads the items of a dataset version in their own form. Raises GensetError for a version whose
    items stand in files that only other programs read."""
    form = version.manifest.get("format", FolderExporter().kind)
    if form != FolderExporter().kind:
        raise GensetError(
            f"a version in the form of {form} is for other programs: genset reads folders",
            where=version.reference,
            hint="Make it again with output.format=folder; the model is used again.",
        )
    return modality_of(version)


def modality_of(version: Version) -> Modality:
    """The modality of a version in the form that its items have. Raises DamagedError where there is none such."""
    table = MODALITIES[_kind(version)]
    try:
        return table(table.Settings(**version.manifest.get("form", {})))
    except (pydantic.ValidationError, TypeError):
        raise DamagedError("its `form` is of no use", where=str(version.path / MANIFEST)) from None


def kind_of(path: Path, version: Version | None) -> str:
    """The modality of a dataset that lies there. Raises GensetError when none is known."""
    return _kind(version) if version else guess_modality(path, MODALITIES).kind


def _kind(version: Version) -> str:
    kind = str(version.manifest["modality"])
    if kind not in MODALITIES:
        raise DamagedError(f"no such modality: {kind!r}", where=str(version.path / MANIFEST))
    return kind


def _files(path: Path, modality: Modality) -> list[Path]:
    """The files of a source that may hold items, in order."""
    if os.path.isfile(path):
        return [path]
    return sorted(
        Path(top, name)
        for top, _, names in os.walk(path)
        for name in names
        if os.path.splitext(name)[1].lower() in modality.suffixes and not name.startswith(".")
        if not _is_no_file(os.path.join(top, name))
    )


def _is_no_file(path: str | Path) -> bool:
    """Whether it is there and no regular file: to read a pipe would be to wait for whoever writes into it."""
    return not os.path.isfile(path) and os.path.exists(path)


def _say_how_it_was_read(records: Sequence[Record], progress: Progress) -> None:
    """What a user may have meant otherwise."""
    twins = sorted(_alike({record.label for record in records}))
    if twins:
        progress.say(
            f"the classes {', '.join(map(repr, twins))} differ in case alone: they are kept apart, but are one folder "
            "where a file system does not tell case"
        )
    for text in lookalikes({record.label for record in records} - set(twins)):
        progress.say(text)
    splits = sorted({record.split for record in records} - {""}, key=SPLITS.index)
    if splits:
        progress.say(f"the items are divided already, and stay so: {', '.join(splits)}")
    deeper = [r for r in records if not r.versioned and r.text is None and r.origin.count("/") > 1 + bool(r.split)]
    if deeper:
        progress.say(
            f"items in inner folders have the label of the outermost: {deeper[0].origin} is {deeper[0].label!r}"
        )


def lookalikes(labels: Collection[str]) -> Iterator[str]:
    """What is to be told of names that a person cannot tell apart, or of which one letter is not what it seems."""
    ways: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        ways[unicodedata.normalize("NFKC", label).casefold()].append(label)
    for same in ways.values():
        if len(same) > 1:
            yield f"the classes {', '.join(map(repr, same))} look alike and are kept apart"
    for label in sorted(labels):
        names = (unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha())
        scripts = sorted({*names} & _CONFUSED)
        if len(scripts) > 1:
            yield f"the class {label!r} mixes letters of {' and '.join(scripts)}, which look alike"


def _alike(labels: Collection[str]) -> list[str]:
    """The labels that are another one in other case."""
    counts = Counter(label.casefold() for label in labels)
    return [label for label in labels if counts[label.casefold()] > 1]


def guess_modality(path: Path, table: Mapping[str, type[Modality]]) -> type[Modality]:
    """The modality that most files of a folder belong to, or one file. Raises GensetError when none belongs to any."""
    found = files_by_modality(path, table)
    best = max(found, key=lambda kind: found[kind])
    if not found[best] or os.path.isfile(path):
        inside = modality_in(path, table)
        if inside:
            return inside
    if not found[best]:
        raise GensetError(f"no file here belongs to a modality that genset knows ({', '.join(table)})", where=str(path))
    return table[best]


def files_by_modality(path: Path, table: Mapping[str, type[Modality]]) -> dict[str, int]:
    """How many files of a folder, or whether the one file, could hold items of each modality."""
    if os.path.isfile(path):
        suffixes = Counter([path.suffix.lower()])
    else:
        names = (name for _, _, files in os.walk(path, followlinks=False) for name in files)
        suffixes = Counter(os.path.splitext(name)[1].lower() for name in names)
    return {kind: sum(suffixes[suffix] for suffix in modality.suffixes) for kind, modality in table.items()}


def _find(path: Path, modality: Modality, faults: Faults) -> Iterator[RecordOrProblem]:
    """The items of a source: rows of a file, a version, split folders, split files or class folders. Raises GensetError
    for a source that can hold none."""
    if modality.rows and os.path.isfile(path) and path.suffix.lower() in modality.suffixes:
        yield from _from_file(path, path.name, "", modality)
        return
    if not os.path.isdir(path):
        what = "is a file" if os.path.exists(path) else "does not exist"
        raise GensetError(
            f"the source {what}",
            where=str(path),
            hint="Point data.source at a folder; relative paths start at the config file.",
        )
    version = open_version(path) if (path / MANIFEST).is_file() else None
    if version:
        own = reader(version) if version.manifest["modality"] == modality.kind else modality
        yield from read_version(path, own).where(source="collected")
        return
    if is_output(path):
        raise GensetError(
            "genset writes its versions here: they are no classes",
            where=str(path),
            hint="Point at one version, such as out/datasets/NAME/latest, or at a folder of real items.",
        )
    parts = _parts(path, modality)
    for part, split in parts:
        outcomes = _find_in(part, modality, faults) if part.is_dir() else _from_file(part, part.name, "", modality)
        before = f"{part.name}/" if part.is_dir() else ""
        for each in outcomes:
            yield replace(each, split=split, origin=f"{before}{each.origin}") if isinstance(each, Record) else each
    if not parts:
        yield from _find_in(path, modality, faults)


def _parts(path: Path, modality: Modality) -> list[tuple[Path, str]]:
    """The folders or files that are the parts of a set that is split already, train first; [] for any other."""
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    splits = [(folder, SPLIT_FOLDERS.get(folder.name.lower(), "")) for folder in folders]
    if "train" in {split for _, split in splits} and all(split for _, split in splits):
        return sorted(splits, key=lambda pair: (pair[1] != "train", pair[0].name))
    return _split_files(path, modality)


def _split_files(path: Path, modality: Modality) -> list[tuple[Path, str]]:
    """Files such as train.jsonl and test.jsonl with the parts that they are, train first; [] where there are none."""
    if not modality.rows:
        return []
    files = [entry for entry in _visible(path) if entry.is_file() and entry.suffix.lower() in modality.suffixes]
    splits = [(file, SPLIT_FOLDERS.get(file.stem.lower(), "")) for file in files]
    if not all(split for _, split in splits) or "train" not in {split for _, split in splits}:
        return []
    return sorted(splits, key=lambda pair: (pair[1] != "train", pair[0]))


def _find_in(folder: Path, modality: Modality, faults: Faults) -> Iterator[RecordOrProblem]:
    metadata = metadata_file(folder)
    return _from_metadata(metadata, faults) if metadata else _from_folders(folder, modality)


def _from_metadata(path: Path, faults: Faults) -> Iterator[RecordOrProblem]:
    for where, row in read_metadata(path, faults):
        record = None
        with noting(faults):
            record = _from_line(row, path.parent, where)
        if record and record.source != "collected":
            yield Quarantined(row["file_name"], MADE, f"it was {record.source}: not a real item")
        elif record:
            yield record


def _from_line(row: Mapping[str, str], folder: Path, where: str) -> Record:
    """The record of a line of metadata, which genset may have written: then it knows what is real."""
    if is_own_row(row):
        return from_row(row, folder, where)
    name, label = row["file_name"], row.get("label", "")
    if label:
        check_label(label, where)
    rest = {key: value for key, value in row.items() if key not in ("file_name", "label")}
    # Columns that genset writes itself keep their values under another name.
    own = {f"user_{key}" if key in COLUMNS else key: value for key, value in rest.items()}
    return Record(name, folder / name, label, origin=_text(name), columns=own)


def _from_folders(folder: Path, modality: Modality) -> Iterator[RecordOrProblem]:
    unlabelled = [entry.name for entry in _visible(folder) if entry.is_dir()] == [UNLABELLED]
    errors: list[OSError] = []
    for top, names, files in os.walk(folder, followlinks=True, onerror=errors.append):
        yield from (_unreadable(Path(error.filename), folder, error) for error in errors)
        errors.clear()
        skipped = {name: _skipped(Path(top, name), folder, modality) for name in sorted(names)}
        yield from filter(None, skipped.values())
        names[:] = [name for name, problem in skipped.items() if problem is None and not name.startswith(".")]
        if not names and not files:
            yield Quarantined(_text(str(Path(top).relative_to(folder))), "empty_folder", "it holds no file")
        for name in sorted(name for name in files if not name.startswith(".")):
            yield from _from_class_file(Path(top, name), folder, modality, unlabelled=unlabelled)
    yield from (_unreadable(Path(error.filename), folder, error) for error in errors)


def _from_class_file(path: Path, folder: Path, modality: Modality, *, unlabelled: bool) -> Iterator[RecordOrProblem]:
    """The items of a file in a folder of class folders, with the label of the outermost."""
    relative = path.relative_to(folder)
    origin, top = _text(str(relative.as_posix())), len(relative.parts) == 1
    if path.suffix.lower() not in modality.suffixes or _ABOUT.fullmatch(path.stem):
        if not top:  # else a licence or a note about the set, which stands beside the classes
            yield Quarantined(origin, "ignored", f"{path.suffix or 'no'} ending: not {modality.kind} files")
        return
    if _is_no_file(path):
        yield Quarantined(origin, UNDECODABLE, "cannot be read: it is no regular file")
        return
    label = modality.file_label(path) if top else relative.parts[0]
    label = "" if unlabelled else label and check_label(label, str(folder))
    yield from _from_file(path, origin, label, modality, top=top)


def _from_file(
    path: Path, origin: str, label: str, modality: Modality, *, top: bool = True
) -> Iterator[RecordOrProblem]:
    """The items of one file."""
    try:
        for entry in modality.entries(path, top=top):
            place = f"{origin}:{entry.place}" if entry.place else origin
            if entry.fault:
                yield Quarantined(place, UNDECODABLE, entry.fault)
                continue
            own = dict(entry.columns)
            if all(name in own for name in COLUMNS if name not in ("file_name", "label")):  # a row that genset wrote
                if own["source"] != "collected":
                    yield Quarantined(place, MADE, f"it was {own['source']}: not a real item")
                    continue
                own = {name: value for name, value in own.items() if name not in (*COLUMNS, "id")}
            own = {f"user_{key}" if key in (*COLUMNS, "id") else key: value for key, value in own.items()}
            stated = label if entry.label is None else entry.label and check_label(entry.label, f"{path}:{entry.place}")
            group = "" if entry.piece is None else origin
            yield Record(
                place, path, stated, origin=place, columns=own, group=group, text=entry.content, piece=entry.piece
            )
    except OSError as error:
        yield Quarantined(origin, UNDECODABLE, f"cannot be read: {error.strerror}")


def _skipped(path: Path, folder: Path, modality: Modality) -> Quarantined | None:
    """Why no items are looked for in an inner folder, where a user might expect it; None where there is no reason, and
    for a hidden folder without items."""
    origin = _text(str(path.relative_to(folder)))
    try:
        inside = os.listdir(path)
    except OSError as error:
        return _unreadable(path, folder, error)
    if path.name.startswith("."):
        items = any(Path(name).suffix.lower() in modality.suffixes for name in inside)
        return Quarantined(origin, "ignored", "a hidden folder: rename it if it is a class") if items else None
    if os.path.realpath(path) in {os.path.realpath(parent) for parent in path.parents}:
        return Quarantined(origin, "ignored", "a link to a folder that it stands in")
    if is_output(path):
        return Quarantined(origin, MADE, "genset wrote this folder: not real items")
    return None


def _unreadable(path: Path, folder: Path, error: OSError) -> Quarantined:
    origin = _text(str(path.relative_to(folder)))
    return Quarantined(origin, UNDECODABLE, f"the folder cannot be read: {error.strerror}")


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _text(name: str) -> str:
    """A file name as text that can be written as UTF-8, whatever bytes the file system holds."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def grouped(records: Sequence[Record], group: str | None) -> tuple[Record, ...]:
    """Each record with its group, by a column or by a pattern on its path. Raises GensetError when none has one."""
    if group is None:
        return tuple(records)
    if re.fullmatch(r"\w+", group):
        names = [_column(record, group) for record in records]
    else:
        pattern = re.compile(group)
        matches = [pattern.search(record.origin) for record in records]
        names = [(match["group"] or "") if match else "" for match in matches]
    if not any(names):
        example = records[0].origin if records else ""
        raise GensetError(
            f"no item has a group by {group!r}; the first item is {example!r}",
            where="data.group",
            hint="Name a column of the metadata, or a regular expression on the relative path with (?P<group>...).",
        )
    return tuple(replace(record, group=name) for record, name in zip(records, names, strict=True))


def _column(record: Record, name: str) -> str:
    """A column of the user's, also one that has the name of one of genset's."""
    own = record.columns.get(name, record.columns.get(f"user_{name}", ""))
    return own or (record.group if name == "group" else "")


def _fingerprint(records: Sequence[Record], engine: Engine) -> str:
    total = hashlib.sha256()
    contents = {record.text if record.text is not None else record.path: record for record in records}
    digests = dict(zip(contents, engine.map(_bytes_digest, contents.values()), strict=True))  # of each file once
    for record in records:
        digest = digests[record.text if record.text is not None else record.path]
        parts = (record.origin, record.label, record.group, record.split, sorted(record.columns.items()), digest)
        total.update(repr(parts).encode())
    return total.hexdigest()


def _bytes_digest(record: Record) -> str:
    if record.text is not None:
        return hashlib.sha256(record.text.encode()).hexdigest()
    try:
        return hashlib.sha256(record.path.read_bytes()).hexdigest()
    except OSError as error:  # it is quarantined with this reason when it is decoded
        return f"unreadable: {error.errno}"
