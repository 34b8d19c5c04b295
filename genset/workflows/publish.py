"""Versions in a store, such as a bucket: whole or not at all, never changed, as in the output root.

A store can rename nothing, so the manifest is what makes a version: it is sent last, in one piece. Its checksum is sent
first and says whose files stand there, so that a publishing that was cut off goes on where it stopped, and nobody
else's is mixed with it. Nothing is ever removed: credentials need not allow it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.engine import Engine, Local
from genset.errors import DamagedError, GensetError
from genset.pipeline.job import Job
from genset.versions.checksums import MISSING, compare, listed
from genset.versions.remote import Store
from genset.versions.version import CONFIG, MANIFEST, SUMS, Version

LATEST = "latest"  # a file with the id of the newest version, as a store has no links
NOTE = ".sha256"  # beside the folder of a version: whose files stand there, also before it is a version
SENDERS = 16  # threads, which wait for answers most of the time
_OTHER = "Give each output root a URL of its own, or remove what stands there."


@dataclass(frozen=True)
class PublishResult:
    """A version in a store."""

    version: Version
    url: str  # its own
    made: bool  # whether it was not there before
    files: int
    sent: int  # now: the others were there
    bytes: int  # sent now

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        told = {name: getattr(self, name) for name in ("url", "made", "files", "sent", "bytes")}
        return {"version": self.version.as_dict(), **told}


@dataclass(frozen=True)
class _Sending:
    """Sends one file; runs wherever the engine has workers, who see the output root."""

    folder: Path
    store: Store
    place: str

    def __call__(self, file: tuple[str, str]) -> str:
        """What is wrong with the file of a name and a SHA-256, which is then not sent; "" where it was sent."""
        name, digest = file
        wrong = compare(self.folder, {name: digest})
        if wrong:
            return f"{name} {wrong[name]}"
        self.store.send(self.folder / name, f"{self.place}/{name}")
        return ""


def publish(version: Version, store: Store, job: Job) -> PublishResult:
    """Send a version to a store, unless it is there. Needs the lock, so that no `prune` takes it away meanwhile.

    Raises GensetError where another version has its number, or its place holds strange files, and DamagedError where
    its files are not as they were written.
    """
    job.progress.say(f"publishing {version.reference} to {store.url}")
    place = f"{version.kind}/{version.name}/{version.id}"
    url = f"{store.url}/{place}"
    manifest = (version.path / MANIFEST).read_bytes()
    files = _files(version)
    there = store.read(f"{place}/{MANIFEST}")
    if there is not None:
        if there != manifest:
            raise GensetError(
                f"another version with the number of {version.reference} is there, and versions are never changed",
                where=url,
                hint=_OTHER,
            )
        _point(version, store)
        return PublishResult(version, url, False, len(files), 0, 0)
    _claim(store, place, f"{hashlib.sha256(manifest).hexdigest()}  {version.id}/{MANIFEST}\n", url)
    sizes = _sizes(version, files)
    missing = _missing(sizes, store, place, url)
    sending = _Sending(version.path.resolve(), store, place)
    wanted = [(name, files[name]) for name in missing]
    for done, fault in enumerate(_many(job.engine).map(sending, wanted), start=1):
        if fault:
            raise _damaged(version, fault)
        job.progress.tick("publish", done, len(wanted), "")
    lost = _missing(sizes, store, place, url)
    if lost:
        raise GensetError(
            f"{len(lost)} of {len(files)} files did not arrive whole, the first of them {lost[0]}",
            where=url,
            hint="Start it again: what arrived is not sent twice.",
        )
    store.write(f"{place}/{MANIFEST}", manifest)
    _point(version, store)
    return PublishResult(version, url, True, len(files), len(wanted), sum(sizes[name] for name in missing))


def _files(version: Version) -> dict[str, str]:
    """All files of a version but its manifest, with their checksums. Raises DamagedError."""
    manifest = version.manifest
    sums, wrong = listed(version)
    if wrong:
        raise _damaged(version, " ".join(next(iter(wrong.items()))))
    own = {SUMS: hashlib.sha256((version.path / SUMS).read_bytes()).hexdigest()}
    if manifest.get("config_sha256"):
        own[CONFIG] = manifest["config_sha256"]
    return {**sums, **own}


def _sizes(version: Version, names: Iterable[str]) -> dict[str, int]:
    """Bytes of some files of a version. Raises DamagedError."""
    sizes = {}
    for name in names:
        try:
            sizes[name] = (version.path / name).stat().st_size
        except FileNotFoundError:
            raise _damaged(version, f"{name} {MISSING}") from None
    return sizes


def _damaged(version: Version, fault: str) -> DamagedError:
    return DamagedError(fault, where=str(version.path), hint="Only whole versions are published.")


def _many(engine: Engine) -> Engine:
    """The engine with workers enough to send, unless the user said how many."""
    plain = isinstance(engine, Local) and engine.workers is None
    return engine.model_copy(update={"workers": SENDERS}) if plain else engine


def _claim(store: Store, place: str, line: str, url: str) -> None:
    """Say whose files will stand there, as sha256sum writes it. Raises GensetError where others stand there."""
    note = store.read(f"{place}{NOTE}")
    if note is None:
        store.write(f"{place}{NOTE}", line.encode())
    elif note != line.encode():
        raise GensetError(
            "another version of this number is being published, or was when its command was cut off",
            where=url,
            hint=_OTHER,
        )


def _missing(sizes: Mapping[str, int], store: Store, place: str, url: str) -> Sequence[str]:
    """The files that are not there in their size. Raises GensetError where others stand there."""
    there = store.sizes(place)
    strange = sorted(there.keys() - sizes.keys())
    if strange:
        raise GensetError(
            f"files that are not of the version stand there, the first of them {strange[0]}", where=url, hint=_OTHER
        )
    return [name for name, size in sizes.items() if there.get(name) != size]


def _point(version: Version, store: Store) -> None:
    """Let `latest` name the version, unless it names a newer one, or the version's gates failed."""
    place = f"{version.kind}/{version.name}/{LATEST}"
    now = (store.read(place) or b"").decode("utf-8", "replace").strip()
    newer = now[1:].isdecimal() and int(now[1:]) >= int(version.id[1:])
    if version.status == "ok" and not newer:
        store.write(place, f"{version.id}\n".encode())
