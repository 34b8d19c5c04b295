"""Write files so that each exists complete or not at all, flushed to the disk."""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from genset.errors import GensetError


@contextlib.contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Turn errors of the file system into one message that says what to do."""
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "Free some space, or choose another place with --output.",
            errno.EDQUOT: "Your quota is used up: free some space, or choose another place with --output.",
            errno.EFBIG: "The file system or a limit forbids files of this size; choose another place with --output.",
            errno.EROFS: "Choose a place that can be written to, with --output.",
            errno.EACCES: "Change the permissions, or choose another place with --output.",
            errno.EPERM: "Change the permissions, or choose another place with --output.",
            errno.EEXIST: "A file has this name: move it, or choose another place with --output.",
            errno.ENOTDIR: "A file has this name: move it, or choose another place with --output.",
        }
        reason = os.strerror(error.errno or 0).lower()
        raise GensetError(
            f"cannot write: {reason}; no incomplete file was left",
            where=str(error.filename or place),
            hint=hints.get(error.errno or 0, "Choose another place with --output."),
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file completely or not at all, flushed to the disk."""
    partial = path.with_name(f".{path.name}.partial")  # a crash leaves it, and the next run removes it
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_new(path: Path, data: bytes) -> None:
    """Write a new file completely or not at all. Raises GensetError if the file exists."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with writing(path):
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _named(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def _named(partial: Path, path: Path) -> None:
    """Give a complete file its name. Raises FileExistsError if the name exists."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: here another process could take the name in between
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(partial, path)


def flush_tree(path: Path) -> None:
    """Flush a folder and its files to the disk: with one system call where there is one, which is much faster."""
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if library and hasattr(library, "syncfs"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if library.syncfs(descriptor):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        finally:
            os.close(descriptor)
        return
    for top, _, files in os.walk(path):
        for name in files:
            with open(os.path.join(top, name), "rb+") as file:
                os.fsync(file.fileno())
        flush_folder(Path(top))


def flush_folder(path: Path) -> None:
    """Flush the entries of a folder to the disk, so that a rename survives a power failure."""
    if os.name == "posix":  # a folder cannot be opened for flushing elsewhere
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
