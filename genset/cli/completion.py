"""What a shell offers after TAB: versions under the output root, config keys and files. Imports nothing heavy."""

import os
import re
from collections.abc import Callable, Iterator
from importlib.resources import files

import typer

Complete = Callable[[typer.Context, str], list[str]]
_KEYS = "keys.txt"  # each config key, and KEY=VALUE for the words that a key takes; written by docs/generate.py
_VERSION_ID = re.compile(r"v\d{4,}")


def versions(*kinds: str) -> Complete:
    """Names and versions of some kinds ("models", "datasets"), and folders."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        root = str(ctx.params.get("output") or "out")
        names = [name for kind in kinds for name in _references(os.path.join(root, kind), "@" in incomplete)]
        return list(dict.fromkeys(name for name in names if name.startswith(incomplete))) + _paths(incomplete, ())

    return complete


def files_of(*suffixes: str) -> Complete:
    """Files of some suffixes, and folders."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return _paths(incomplete, suffixes)

    return complete


def keys(*sections: str) -> Complete:
    """KEY= of the config, or of some of its sections; after the equals sign the words that the key takes."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        lines = files("genset.cli").joinpath(_KEYS).read_text(encoding="utf-8").splitlines()
        candidates = [line for line in lines if not sections or line.split(".")[0] in sections]
        if "=" in incomplete:
            return [line for line in candidates if "=" in line and line.startswith(incomplete)]
        return [f"{line}=" for line in candidates if "=" not in line and line.startswith(incomplete)]

    return complete


def _references(folder: str, with_ids: bool) -> Iterator[str]:
    """NAME and, if `with_ids`, NAME@latest and NAME@vNNNN, newest first."""
    for name in sorted(_visible(folder)):
        yield name
        if with_ids:
            yield f"{name}@latest"
            ids = sorted(_visible(os.path.join(folder, name)), reverse=True)
            yield from (f"{name}@{one}" for one in ids if _VERSION_ID.fullmatch(one))


def _visible(folder: str) -> list[str]:
    """The names in a folder that are not hidden; none where it cannot be read."""
    try:
        return [entry for entry in os.listdir(folder) if not entry.startswith(".")]
    except OSError:
        return []


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Folders, and files with one of the suffixes, that continue an incomplete path."""
    before, _, start = incomplete.rpartition("/")
    folder = f"{before}/" if before or incomplete.startswith("/") else ""
    paths = []
    for name in sorted(_visible(folder or ".")):
        if name.startswith(start):
            if os.path.isdir(folder + name):
                paths.append(f"{folder}{name}/")
            elif name.lower().endswith(suffixes or "\0"):
                paths.append(folder + name)
    return paths
