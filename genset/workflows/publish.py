"""genset publish: uploads a version to a store, such as a bucket, where it is complete or absent and never changed.

A store cannot rename files. A version exists there once its manifest does: the manifest is uploaded last, in one piece.
Its checksum is uploaded first and identifies the version that the files belong to. So an interrupted upload can be
continued, and files of different versions are never mixed. Nothing is ever removed: credentials need not allow it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genset.engine import Engine, Local
from genset.errors import DamagedError, GensetError
from genset.pipeline.job import Job
from genset.versions.checksums import MISSING, compare, listed
from genset.versions.remote import Store
from genset.versions.version import CONFIG, MANIFEST, SUMS, Version

LATEST = "latest"  # a file that contains the id of the newest version, as a store has no links
CLAIM = ".sha256"  # a file beside the folder of a version: the checksum of the manifest that the files belong to
UPLOAD_THREADS = 16  # more than cores, as they mostly wait for the network
_CONFLICT_HINT = "Use a separate URL for each output root, or remove the files there."


@dataclass(frozen=True)
class PublishResult:
    """A version in a store."""

    version: Version
    url: str  # of its folder
    made: bool  # whether it is new there
    files: int
    sent: int  # files that were uploaded now; an interrupted upload may have sent the others
    bytes: int  # size of the files that were uploaded now


@dataclass(frozen=True)
class _FileUpload:
    """Uploads one file of a version; runs on the workers of the engine, which can read the output root."""

    folder: Path
    store: Store
    place: str

    def __call__(self, file: tuple[str, str]) -> str:
        """Upload a file, given as (name, SHA-256). Returns "", or why it was not uploaded."""
        name, digest = file
        faults = compare(self.folder, {name: digest})
        if faults:
            return f"{name} {faults[name]}"
        self.store.send(self.folder / name, f"{self.place}/{name}")
        return ""


def publish(version: Version, store: Store, job: Job) -> PublishResult:
    """Upload a version to a store, unless it is already there. Needs the lock, so that no `prune` removes it meanwhile.

    Raises GensetError if the store has another version with its number, or other files in its folder, and DamagedError
    if files of the version are missing or have changed.
    """
    job.progress.say(f"publishing {version.reference} to {store.url}")
    place = f"{version.kind}/{version.name}/{version.id}"
    url = f"{store.url}/{place}"
    manifest = (version.path / MANIFEST).read_bytes()
    files = _files(version)
    published = store.read(f"{place}/{MANIFEST}")
    if published is not None:
        if published != manifest:
            raise GensetError(
                f"a different {version.reference} is published there, and published versions are never changed",
                where=url,
                hint=_CONFLICT_HINT,
            )
        _update_latest(version, store)
        return PublishResult(version, url, False, len(files), 0, 0)
    _claim(store, place, f"{hashlib.sha256(manifest).hexdigest()}  {version.id}/{MANIFEST}\n", url)
    sizes = _sizes(version, files)
    missing = _missing(sizes, store, place, url)
    _upload(version, {name: files[name] for name in missing}, store, place, job)
    incomplete = _missing(sizes, store, place, url)
    if incomplete:
        raise GensetError(
            f"{len(incomplete)} of {len(files)} files were not uploaded completely, the first is {incomplete[0]}",
            where=url,
            hint="Run the command again: files that were uploaded are not uploaded twice.",
        )
    store.write(f"{place}/{MANIFEST}", manifest)
    _update_latest(version, store)
    return PublishResult(version, url, True, len(files), len(missing), sum(sizes[name] for name in missing))


def _upload(version: Version, files: Mapping[str, str], store: Store, place: str, job: Job) -> None:
    """Upload files, given as {name: SHA-256}. Raises DamagedError for the first one that has changed."""
    upload = _FileUpload(version.path.resolve(), store, place)
    for done, fault in enumerate(_with_upload_threads(job.engine).map(upload, list(files.items())), start=1):
        if fault:
            raise _damaged(version, fault)
        job.progress.tick("publish", done, len(files), "")


def _files(version: Version) -> dict[str, str]:
    """All files of a version except its manifest, as {name: SHA-256}. Raises DamagedError."""
    manifest = version.manifest
    sums, faults = listed(version)
    if faults:
        raise _damaged(version, " ".join(next(iter(faults.items()))))
    own = {SUMS: hashlib.sha256((version.path / SUMS).read_bytes()).hexdigest()}
    if manifest.get("config_sha256"):
        own[CONFIG] = manifest["config_sha256"]
    return {**sums, **own}


def _sizes(version: Version, names: Iterable[str]) -> dict[str, int]:
    """Sizes in bytes of files of a version. Raises DamagedError if one is missing."""
    sizes = {}
    for name in names:
        try:
            sizes[name] = (version.path / name).stat().st_size
        except FileNotFoundError:
            raise _damaged(version, f"{name} {MISSING}") from None
    return sizes


def _damaged(version: Version, fault: str) -> DamagedError:
    return DamagedError(
        fault,
        where=str(version.path),
        hint="Restore the file, or write the version again: only complete versions can be published.",
    )


def _with_upload_threads(engine: Engine) -> Engine:
    """The engine with enough threads for uploads, unless the user has set the number of workers."""
    default = isinstance(engine, Local) and engine.workers is None
    return engine.model_copy(update={"workers": UPLOAD_THREADS}) if default else engine


def _claim(store: Store, place: str, line: str, url: str) -> None:
    """Write the claim, a line as sha256sum writes it. Raises GensetError if another version has claimed the folder."""
    claim = store.read(f"{place}{CLAIM}")
    if claim is None:
        store.write(f"{place}{CLAIM}", line.encode())
    elif claim != line.encode():
        raise GensetError(
            "another version with this number is being published there, or its upload was interrupted",
            where=url,
            hint=_CONFLICT_HINT,
        )


def _missing(sizes: Mapping[str, int], store: Store, place: str, url: str) -> Sequence[str]:
    """The files that the store lacks or has in another size. Raises GensetError if it has files of another origin."""
    uploaded = store.sizes(place)
    foreign = sorted(uploaded.keys() - sizes.keys())
    if foreign:
        raise GensetError(
            f"files there do not belong to the version, the first is {foreign[0]}", where=url, hint=_CONFLICT_HINT
        )
    return [name for name, size in sizes.items() if uploaded.get(name) != size]


def _update_latest(version: Version, store: Store) -> None:
    """Write the version to `latest`, unless that has a newer one or the version failed its gates."""
    place = f"{version.kind}/{version.name}/{LATEST}"
    latest = (store.read(place) or b"").decode("utf-8", "replace").strip()
    newer = latest[1:].isdecimal() and int(latest[1:]) >= int(version.id[1:])
    if version.status == "ok" and not newer:
        store.write(place, f"{version.id}\n".encode())
