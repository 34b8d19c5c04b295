"""`verify`: whether a dataset or a model can be trusted, one of genset's or not. Nothing is written or changed."""

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
from genset.workflows.metadata_check import labels, metadata_problems
from genset.workflows.provenance_check import ProvenanceCheck

_SERIOUS = (UNDECODABLE, "empty")  # of what collecting and cleaning tell
_ODD = ("ignored", "empty_folder", "unlabelled", "made")


@dataclass(frozen=True)
class VerifyResult:
    """What was looked at, and what was found."""

    version: Version | None
    counts: Mapping[str, Mapping[str, int]]
    found: Sequence[Problem]

    @property
    def problems(self) -> list[Problem]:
        """What must not be."""
        return [each for each in self.found if each.kind != INFORMATION]

    @property
    def notes(self) -> list[Problem]:
        """What could not be looked at, or is only odd."""
        return [each for each in self.found if each.kind == INFORMATION]


def verify(path: Path, group: str | None, section: Clean, job: Job) -> VerifyResult:
    """Look at a dataset or a model. Raises GensetError where there is nothing to be looked at."""
    path = path.resolve()
    try:
        version = open_version(path)
        if version:
            modality_of(version)
    except DamagedError as error:
        broken = Problem(MANIFEST, "manifest", error.message)
        return VerifyResult(None, {}, [broken, Problem(str(path), INFORMATION, "nothing else was looked at")])
    if version and version.kind == "models":
        return VerifyResult(version, version.manifest["counts"], [*checksum_problems(version), *_of_model(version)])
    form = version.manifest.get("format", FolderExporter().kind) if version else FolderExporter().kind
    if version and form != FolderExporter().kind:
        unread = Problem(str(path), INFORMATION, f"items in the form of {form} are not read")
        return VerifyResult(version, version.manifest["counts"], [*checksum_problems(version), unread])
    return _of_dataset(path, version, group, section, job)


def kind_at(path: Path) -> str | None:
    """The modality whose rules may be named; None for a damaged version, of which `verify` tells."""
    try:
        return kind_of(path, open_version(path))
    except DamagedError:
        return None


def _of_dataset(path: Path, version: Version | None, group: str | None, section: Clean, job: Job) -> VerifyResult:
    faults: list[GensetError] = []
    modality, listed, told = _of_version(version, faults) if version else _of_folder(path, faults, job)
    listed = with_groups(listed, group)
    there = [record for record in listed if record.text is not None or record.path.is_file()]
    looked = clean(there, modality, job, _without_other_rules(section))
    everything = counts(Dataset(modality.kind, tuple(listed)))
    found = [
        *told,
        *(_metadata(fault, path) for fault in faults),
        *metadata_problems(path, listed, modality),
        *(problem for problem in looked.problems if problem.kind in _SERIOUS),
        *labels(listed),
        *leaks(looked.records),
    ]
    if version:
        found += [*_miscounted(version, everything), *ProvenanceCheck(version, looked.records).problems()]
    return VerifyResult(version, everything, found)


def _without_other_rules(section: Clean) -> Clean:
    """Leaks alone are looked for: items that are only odd or stand twice in one split are the affair of `inspect`."""
    others = section.model_fields_set - {"near_duplicates"}
    if others:
        raise GensetError(
            f"verify has no use for it: {', '.join(sorted(others))}",
            where="clean",
            hint="Write clean.near_duplicates=off to look for equal items alone.",
        )
    near = section.near_duplicates
    near = near if near.kind == "off" else near.model_copy(update={"kind": "report"})
    off = dict.fromkeys(Clean.model_fields, "off")
    return Clean.model_validate({**off, "exact_duplicates": "report", "near_duplicates": near})


def _of_version(version: Version, faults: list[GensetError]) -> tuple[Modality, Sequence[Record], Sequence[Problem]]:
    modality = reader(version)
    return modality, read_version(version.path, modality, faults).records, checksum_problems(version)


def _of_folder(path: Path, faults: list[GensetError], job: Job) -> tuple[Modality, Sequence[Record], Sequence[Problem]]:
    table = guess_modality(path, MODALITIES)
    if path.is_file() and not table.rows and not containers_at(path):
        raise GensetError(
            "this is one file: a dataset, a version or a model can be verified",
            where=str(path),
            hint="Give the folder it lies in.",
        )
    found = collect(Data(source=[str(path)]), table(table.Settings()), job, faults)
    told = [*(each for each in found.problems if each.kind in _SERIOUS)]
    told += [Problem(each.path, INFORMATION, each.detail) for each in found.problems if each.kind in _ODD]
    if (path / SUMS).is_file():
        told += [Problem(name, "checksum", f"it {what}") for name, what in listed_sums(path).items()]
        if any(record.versioned for record in found.records):
            told.append(Problem(MANIFEST, "manifest", "it is missing: genset wrote this version"))
    return found.modality, found.records, told


def _of_model(version: Version) -> Iterator[Problem]:
    """What the manifest of a model names and is not there."""
    about = version.manifest["model"]
    for name in (about.get("samples", ""), *(f"{network}.onnx" for network in about.get("networks", ()))):
        if name and not (version.path / name).is_file():
            yield Problem(name, "missing_file", "the manifest names it, and it is not there")
    try:
        sources = load_config(version.path / CONFIG).data.source
    except GensetError as error:
        yield Problem(CONFIG, "config", error.message)
        return
    for source in sources:
        if not Path(source).exists():
            yield Problem(source, INFORMATION, "the model learned from it, and it is not there any more")


def _miscounted(version: Version, found: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    told = version.manifest["counts"].get("split")
    if told != found["split"]:
        yield Problem(MANIFEST, "manifest", f"it counts {told}, and listed are {found['split']}")


def _metadata(fault: GensetError, path: Path) -> Problem:
    place = Path(fault.where)
    where = str(place.relative_to(path)) if place.is_relative_to(path) else fault.where
    return Problem(where, "metadata", fault.message)
