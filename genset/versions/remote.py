"""Remote storage for versions: a bucket, or any other URL that fsspec supports.

fsspec and the package for the protocol are imported only when a store is first used.
"""

import contextlib
import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.atomic import write_atomically
from genset.errors import GensetError

EXAMPLE = "s3://bucket/folder"
_PROBE = ".genset"
_LOCAL = ("file", "local")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def check_url(text: str) -> str:
    """The URL of a remote folder, without a slash at its end. Raises ValueError."""
    scheme, divider, rest = text.partition("://")
    if not divider or not _SCHEME.fullmatch(scheme) or not rest.strip("/"):
        raise ValueError(f"expected the URL of a folder such as {EXAMPLE}, not {text!r}")
    if "::" in text:
        raise ValueError("URLs joined by `::` are not supported: give the URL of the folder itself")
    if "@" in rest.partition("/")[0]:
        raise ValueError("a URL is written to configs and logs, so it must not contain a name, key or password")
    return text.rstrip("/")


@dataclass(frozen=True)
class Store:
    """A remote folder, by its URL only: each worker connects with its own credentials."""

    url: str

    def ready(self) -> None:
        """Check that it is writable, before hours of work. Raises GensetError."""
        self.write(_PROBE, b"genset writes this file to check that it can\n")

    def send(self, path: Path, name: str) -> None:
        """Upload a file under a name. Raises GensetError."""
        with self._reaching(name):
            files, root = _opened(self.url)
            files.put_file(str(path), f"{root}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Write bytes under a name: completely or not at all in an object store or a local folder.

        Raises GensetError.
        """
        with self._reaching(name):
            files, root = _opened(self.url)
            if _scheme(self.url) in _LOCAL:
                path = Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, data)
            else:
                files.pipe_file(f"{root}/{name}", data)

    def read(self, name: str) -> bytes | None:
        """The bytes under a name; None if there are none. Raises GensetError."""
        with self._reaching(name):
            files, root = _opened(self.url)
            try:
                data: bytes = files.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None
            return data

    def sizes(self, folder: str) -> dict[str, int]:
        """Sizes in bytes of all files of a folder, by relative name. Raises GensetError."""
        with self._reaching(folder):
            files, root = _opened(self.url)
            top = f"{root}/{folder}"
            files.invalidate_cache()
            return {
                name[len(top) + 1 :]: int(details["size"]) for name, details in files.find(top, detail=True).items()
            }

    @contextlib.contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        """Turn errors of a remote store, which have no common class, into one message that says what to do."""
        try:
            yield
        except GensetError:
            raise
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise GensetError(
                f"cannot connect or write: {reason}",
                where=f"{self.url}/{name}",
                hint="Check the URL, and the credentials and permissions of this machine, then run the command again: "
                "files that were uploaded are not uploaded twice.",
            ) from error


@functools.cache
def _opened(url: str) -> tuple[Any, str]:
    """(the fsspec file system, the root in it) of a URL. Raises GensetError if a package is missing."""
    try:
        fsspec: Any = importlib.import_module("fsspec")
    except ImportError:
        raise _missing_package("Install fsspec", url) from None
    scheme = _scheme(url)
    if scheme not in fsspec.available_protocols():
        raise GensetError(
            f"fsspec does not support {scheme}:// URLs", where=url, hint=f"Write a URL such as {EXAMPLE}."
        )
    try:
        # Object stores need no folders, local files do
        files, root = fsspec.core.url_to_fs(url, **({"auto_mkdir": True} if scheme in _LOCAL else {}))
    except ImportError as error:
        raise _missing_package(str(error), url) from None
    return files, str(root).rstrip("/")


def _missing_package(remedy: str, url: str) -> GensetError:
    return GensetError(
        f"the package for this URL is not installed: {remedy}",
        where=url,
        hint="For s3://: pip install 'genset[s3]'.",
    )


def _scheme(url: str) -> str:
    return url.partition("://")[0]
