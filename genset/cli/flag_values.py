"""Values of flags and overrides as config sections, engines, exporters and names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genset.config.by_modality import config_class
from genset.config.clean_section import Clean
from genset.config.loading import section
from genset.config.sections import NAME_PATTERN, Augment, Balance, Generate, Output, Quality
from genset.config.split_section import Split
from genset.config.values import check_group
from genset.config.yaml_reader import Position, Tree, override
from genset.engine import ENGINES, Engine, Local
from genset.errors import GensetError, did_you_mean
from genset.interfaces import Exporter, Section
from genset.versions.remote import Store, check_url
from genset.versions.version import open_version

_SECTIONS: Mapping[str, type[Section]] = {
    "clean": Clean,
    "split": Split,
    "generate": Generate,
    "augment": Augment,
    "balance": Balance,
    "quality": Quality,
}
_BY_MODALITY = ("augment", "generate", "clean", "quality")  # sections that have keys of the modality's own
_EXAMPLES = {  # by the first section that a command takes
    "augment": "augment.copies=2",
    "clean": "clean.near_duplicates=off",
    "generate": "generate.per_class=100",
    "split": "split.stratify=label",
}


def sections_from_flags(
    command: str,
    keys: tuple[str, ...],
    flags: Mapping[str, Any],
    overrides: list[str] | None = None,
    modality: str | None = None,
) -> list[Any]:
    """Sections of the config as flags (values by config key, None where not given) and overrides set them.

    Raises GensetError for an override of another section, and ConfigError for an invalid value.
    """
    tree = Tree({}, {(): Position("command line")})
    override(tree, [f"{key}={value}" for key, value in flags.items() if value is not None])
    override(tree, overrides or ())
    unknown = [key for key in tree.values if key not in keys]
    if unknown:
        allowed = " and ".join([", ".join(keys[:-1]), keys[-1]] if keys[1:] else keys)
        raise GensetError(
            f"the command {command} takes overrides of {allowed}, not of {unknown[0]!r}",
            hint=f"Write for example {_EXAMPLES[keys[0]]}.",
        )
    classes = dict(_SECTIONS)
    if modality:
        own = config_class(modality).model_fields
        classes |= {name: type(own[name].default) for name in _BY_MODALITY}
    return [section(classes[key], tree, key) for key in keys]


def engine_from_flag(text: str | None, workers: int | None, configured: Engine | None) -> Engine:
    """The engine of --engine (KIND or KIND=ADDRESS), else the configured one, else threads of this process.

    `workers` replaces the engine's number of workers. Raises GensetError.
    """
    kind, _, address = (text or "").partition("=")
    base = configured if configured and not text else Local()
    if kind not in ("", *ENGINES):
        known = ", ".join(ENGINES)
        raise GensetError(
            f"unknown engine: {kind!r}{did_you_mean(kind, ENGINES)}", where="--engine", hint=f"Choose one of {known}."
        )
    base = base if base.kind == (kind or base.kind) else ENGINES[kind].model_validate({})
    flags = {"address": address or None, "workers": workers}
    values = base.model_dump(exclude_unset=True) | {key: value for key, value in flags.items() if value is not None}
    engine: Engine = section(type(base), Tree({"engine": values}, {(): Position("command line")}), "engine")
    return engine


def exporter_from_flag(text: str | None) -> Exporter:
    """The exporter of --format. Raises ConfigError."""
    tree = Tree({"output": {} if text is None else {"format": text}}, {(): Position("--format")})
    exporter: Exporter = section(Output, tree, "output").format
    return exporter


def version_name(text: str | None, default: str) -> str:
    """The name of --name, checked as the config's is, or a default. Raises GensetError."""
    if text is not None and not re.match(NAME_PATTERN, text):
        raise GensetError(
            f"invalid name: {text!r}", where="--name", hint="Use letters, digits, dots, dashes and underscores."
        )
    return text or default


def group_from_flag(text: str | None) -> str | None:
    """The column or pattern of --group-by. Raises GensetError."""
    try:
        return None if text is None else check_group(text)
    except ValueError as error:
        raise GensetError(str(error), where="--group-by") from None


def store_from_url(url: str) -> Store:
    """The place that `publish` uploads to. Raises GensetError."""
    try:
        return Store(check_url(url))
    except ValueError as error:
        raise GensetError(str(error), where="URL") from None


def check_writable(path: Path, option: str) -> None:
    """Check before any work is done that a file can be written there. Raises GensetError."""
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir():
        reason = "this is a folder" if path.is_dir() else f"there is no folder {folder}"
        raise GensetError(reason, where=f"{option} {path}", hint="Give the name of a file in an existing folder.")
    inside = next((version for place in (folder, *folder.parents) if (version := open_version(place))), None)
    if inside:
        raise GensetError(
            f"this is inside the version {inside.reference}, and versions never change",
            where=f"{option} {path}",
            hint="Write it somewhere else.",
        )
