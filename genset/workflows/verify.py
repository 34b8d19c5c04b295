"""genset verify: checks whether a dataset or model, of genset or of another tool, can be trusted. Writes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genset.config.clean_section import Clean
from genset.config.loading import load as load_config
from genset.config.sections import Data
from genset.dataset import Dataset, Record
from genset.errors import DamagedError, GensetError
from genset.export.folder import FolderExporter
from genset.interfaces import INFORMATION, UNDECODABLE, Modality, Problem
from genset.metadata import read_version
from genset.modalities import MODALITIES
from genset.pipeline.clean.clean import clean
from genset.pipeline.collect.collect import collect
from genset.pipeline.collect.groups import with_groups
from genset.pipeline.job import Job, counts
from genset.pipeline.reading import checksum_problems, containers_at, guess_modality, kind_of, modality_of, reader
from genset.pipeline.split.leaks import leaks
from genset.versions.checksums import listed_sums
from genset.versions.version import CONFIG, MANIFEST, SUMS, Version, open_version
from genset.workflows.metadata_check import label_problems, metadata_problems
from genset.workflows.provenance_check import ProvenanceCheck

# Kinds of problems that collecting and cleaning report
_FAILURES = (UNDECODABLE, "empty")
_NOTES = ("ignored", "empty_folder", "unlabelled", "made")


@dataclass(frozen=True)
class VerifyResult:
    """The verified version, if it is one, its counts, and everything that was found."""

    version: Version | None
    counts: Mapping[str, Mapping[str, int]]
    findings: Sequence[Problem]

    @property
    def problems(self) -> list[Problem]:
        """Findings that fail the verification."""
        return [finding for finding in self.findings if finding.kind != INFORMATION]

    @property
    def reads_items(self) -> bool:
        """Whether items were checked, and not only the files of a version."""
        manifest = self.version.manifest if self.version else {}
        in_folder = manifest.get("format", FolderExporter().kind) == FolderExporter().kind
        return self.version is None or (self.version.kind == "datasets" and in_folder)

    @property
    def notes(self) -> list[Problem]:
        """Findings that are only unusual, and what could not be checked."""
        return [finding for finding in self.findings if finding.kind == INFORMATION]


def verify(path: Path, group: str | None, section: Clean, job: Job) -> VerifyResult:
    """Check a dataset or model. Raises GensetError if the path has neither, or if `section` has other cleaning rules
    than near_duplicates."""
    path = path.resolve()
    try:
        version = open_version(path)
        if version:
            modality_of(version)
    except DamagedError as error:
        damage = Problem(MANIFEST, "manifest", error.message)
        return VerifyResult(None, {}, [damage, Problem(str(path), INFORMATION, "nothing else was checked")])
    if version and version.kind == "models":
        return VerifyResult(
            version, version.manifest["counts"], [*checksum_problems(version), *_model_problems(version)]
        )
    export_format = version.manifest.get("format", FolderExporter().kind) if version else FolderExporter().kind
    if version and export_format != FolderExporter().kind:
        note = Problem(
            str(path), INFORMATION, f"items in {export_format} format cannot be read: only checksums were checked"
        )
        return VerifyResult(version, version.manifest["counts"], [*checksum_problems(version), note])
    return _verify_dataset(path, version, group, section, job)


def kind_at(path: Path) -> str | None:
    """The kind of modality at a path, which decides the valid rules; None for a damaged version, which `verify`
    reports."""
    try:
        return kind_of(path, open_version(path))
    except DamagedError:
        return None


def _verify_dataset(path: Path, version: Version | None, group: str | None, section: Clean, job: Job) -> VerifyResult:
    faults: list[GensetError] = []
    modality, records, problems = _read_version(version, faults) if version else _read_folder(path, faults, job)
    records = with_groups(records, group)
    existing = [record for record in records if record.text is not None or record.path.is_file()]
    cleaned = clean(existing, modality, job, _leak_rules(section))
    item_counts = counts(Dataset(modality.kind, tuple(records)))
    findings = [
        *problems,
        *(_metadata_problem(fault, path) for fault in faults),
        *metadata_problems(path, records, modality),
        *(problem for problem in cleaned.problems if problem.kind in _FAILURES),
        *label_problems(records),
        *leaks(cleaned.records),
    ]
    if version:
        findings += [*_count_problems(version, item_counts), *ProvenanceCheck(version, cleaned.records).problems()]
    return VerifyResult(version, item_counts, findings)


def _leak_rules(section: Clean) -> Clean:
    """Only the rules that find leaks: `inspect` reports unusual items and duplicates within a split."""
    other_rules = section.model_fields_set - {"near_duplicates"}
    if other_rules:
        raise GensetError(
            f"verify takes only the rule near_duplicates, not {', '.join(sorted(other_rules))}",
            where="clean",
            hint="Leave out the other rules; clean.near_duplicates=off finds exact duplicates only.",
        )
    near = section.near_duplicates
    near = near if near.kind == "off" else near.model_copy(update={"kind": "report"})
    off = dict.fromkeys(Clean.model_fields, "off")
    return Clean.model_validate({**off, "exact_duplicates": "report", "near_duplicates": near})


def _read_version(version: Version, faults: list[GensetError]) -> tuple[Modality, Sequence[Record], Sequence[Problem]]:
    modality = reader(version)
    return modality, read_version(version.path, modality, faults).records, checksum_problems(version)


def _read_folder(
    path: Path, faults: list[GensetError], job: Job
) -> tuple[Modality, Sequence[Record], Sequence[Problem]]:
    modality_type = guess_modality(path, MODALITIES)
    if path.is_file() and not modality_type.rows and not containers_at(path):
        raise GensetError(
            "this is a single file; verify checks a dataset, a version or a model",
            where=str(path),
            hint="Give the folder that contains it.",
        )
    collected = collect(Data(source=[str(path)]), modality_type(modality_type.Settings()), job, faults)
    problems = [problem for problem in collected.problems if problem.kind in _FAILURES]
    problems += [Problem(p.path, INFORMATION, p.detail) for p in collected.problems if p.kind in _NOTES]
    if (path / SUMS).is_file():
        problems += [Problem(name, "checksum", f"it {fault}") for name, fault in listed_sums(path).items()]
        if any(record.versioned for record in collected.records):
            problems.append(Problem(MANIFEST, "manifest", "it is missing, although genset wrote this version"))
    return collected.modality, collected.records, problems


def _model_problems(version: Version) -> Iterator[Problem]:
    """Files that the manifest of a model lists and that are missing, and sources that no longer exist."""
    model = version.manifest["model"]
    for name in (model.get("samples", ""), *(f"{network}.onnx" for network in model.get("networks", ()))):
        if name and not (version.path / name).is_file():
            yield Problem(name, "missing_file", "the manifest lists it, but it is missing")
    try:
        sources = load_config(version.path / CONFIG).data.source
    except GensetError as error:
        yield Problem(CONFIG, "config", error.message)
        return
    for source in sources:
        if not Path(source).exists():
            yield Problem(source, INFORMATION, "the model was trained on it, but it no longer exists")


def _count_problems(version: Version, item_counts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    stored, listed = version.manifest["counts"].get("split"), item_counts["split"]
    if stored != listed:
        yield Problem(MANIFEST, "manifest", f"it counts {stored}, but the metadata list {listed}")


def _metadata_problem(fault: GensetError, path: Path) -> Problem:
    place = Path(fault.where)
    where = str(place.relative_to(path)) if place.is_relative_to(path) else fault.where
    return Problem(where, "metadata", fault.message)
