"""What a shell offers after TAB: versions under the output root, keys of the config, files; in no time at all."""

import os
import re
from collections.abc import Callable, Iterator
from importlib.resources import files

import typer

Complete = Callable[[typer.Context, str], list[str]]
KEYS = "keys.txt"  # each key of the config, and KEY=VALUE where words can be told; made by docs/generate.py
_NUMBER = re.compile(r"v\d{4,}")


def versions(*kinds: str) -> Complete:
    """Names and versions of some kinds ("models", "datasets"), and folders."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        root = str(ctx.params.get("output") or "out")
        names = [name for kind in kinds for name in _versions(os.path.join(root, kind), "@" in incomplete)]
        return list(dict.fromkeys(name for name in names if name.startswith(incomplete))) + _paths(incomplete, ())

    return complete


def files_of(*suffixes: str) -> Complete:
    """Files of some suffixes, and folders."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return _paths(incomplete, suffixes)

    return complete


def keys(*sections: str) -> Complete:
    """KEY= of the config, or of some sections of it; the words that a key takes once it is written."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        known = files("genset.cli").joinpath(KEYS).read_text(encoding="utf-8").splitlines()
        kept = (line for line in known if not sections or line.split(".")[0] in sections)
        if "=" in incomplete:
            return [line for line in kept if "=" in line and line.startswith(incomplete)]
        return [f"{line}=" for line in kept if "=" not in line and line.startswith(incomplete)]

    return complete


def _versions(folder: str, numbered: bool) -> Iterator[str]:
    for name in sorted(_names(folder)):
        yield name
        if numbered:
            yield f"{name}@latest"
            inside = _names(os.path.join(folder, name))
            yield from (f"{name}@{number}" for number in sorted(inside, reverse=True) if _NUMBER.fullmatch(number))


def _names(folder: str) -> list[str]:
    try:
        return [entry for entry in os.listdir(folder) if not entry.startswith(".")]
    except OSError:
        return []


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    before, _, start = incomplete.rpartition("/")
    folder = f"{before}/" if before or incomplete.startswith("/") else ""
    found = []
    for name in sorted(_names(folder or ".")):
        if name.startswith(start):
            if os.path.isdir(folder + name):
                found.append(f"{folder}{name}/")
            elif name.lower().endswith(suffixes or "\0"):
                found.append(folder + name)
    return found
