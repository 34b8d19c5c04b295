"""A place outside the file system that versions are sent to: a bucket, or whatever else fsspec reaches.

fsspec and the package that speaks to the place are imported when a place is first used, and not before.
"""

import contextlib
import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.errors import GensetError
from genset.versions import write_atomically

EXAMPLE = "s3://bucket/folder"
_PROBE = ".genset"
_LOCAL = ("file", "local")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def check_url(text: str) -> str:
    """The URL of a place, without a slash at its end. Raises ValueError."""
    scheme, divider, rest = text.partition("://")
    if not divider or not _SCHEME.fullmatch(scheme) or not rest.strip("/"):
        raise ValueError(f"expected the URL of a folder such as {EXAMPLE}, not {text!r}")
    if "::" in text:
        raise ValueError("URLs that are joined by `::` are not taken: name the place itself")
    if "@" in rest.partition("/")[0]:
        raise ValueError("a URL is written to configs and logs, so it must hold no name, key or password")
    return text.rstrip("/")


@dataclass(frozen=True)
class Store:
    """A place by its URL. It travels to workers as that, so each connects with credentials of its own."""

    url: str

    def ready(self) -> None:
        """See whether it can be written to, before hours of work are done for it. Raises GensetError."""
        self.write(_PROBE, b"genset writes this to see whether it can\n")

    def send(self, path: Path, name: str) -> None:
        """Bring a file to a name. Raises GensetError."""
        with self._reaching(name):
            files, root = _opened(self.url)
            files.put_file(str(path), f"{root}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Bring some bytes to a name: whole or not at all where the place is one of objects or a local folder.

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
        """The bytes of a name; None where it holds nothing. Raises GensetError."""
        with self._reaching(name):
            files, root = _opened(self.url)
            try:
                data: bytes = files.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None
            return data

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of all that a folder holds, by names relative to it. Raises GensetError."""
        with self._reaching(folder):
            files, root = _opened(self.url)
            top = f"{root}/{folder}"
            files.invalidate_cache()
            return {name[len(top) + 1 :]: int(told["size"]) for name, told in files.find(top, detail=True).items()}

    @contextlib.contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        """Turn the failures of a place, which have no class in common, into one message with the cure."""
        try:
            yield
        except GensetError:
            raise
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise GensetError(
                f"cannot be reached or written to: {reason}",
                where=f"{self.url}/{name}",
                hint="Look at the address, the credentials of this machine, and what they allow; then start it again: "
                "what was sent is not sent twice.",
            ) from error


@functools.cache
def _opened(url: str) -> tuple[Any, str]:
    """(the file system of fsspec, the root in it) of a URL. Raises GensetError where a package lacks."""
    try:
        fsspec: Any = importlib.import_module("fsspec")
    except ImportError:
        raise _lacking("Install fsspec", url) from None
    scheme = _scheme(url)
    if scheme not in fsspec.available_protocols():
        raise GensetError(f"fsspec knows no {scheme}:// places", where=url, hint=f"Write a URL such as {EXAMPLE}.")
    try:
        # Objects need no folder, and files do
        files, root = fsspec.core.url_to_fs(url, **({"auto_mkdir": True} if scheme in _LOCAL else {}))
    except ImportError as error:
        raise _lacking(str(error), url) from None
    return files, str(root).rstrip("/")


def _lacking(cure: str, url: str) -> GensetError:
    return GensetError(
        f"the package that speaks to this place is not installed: {cure}",
        where=url,
        hint="For s3:// that is: pip install 'genset[s3]'.",
    )


def _scheme(url: str) -> str:
    return url.partition("://")[0]
