"""Read, check and write a config."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pydantic

from genset.config.by_modality import config_class
from genset.config.messages import fault_from, not_among
from genset.config.sections import Config, Generate
from genset.config.split_section import Split
from genset.config.yaml_reader import ConfigError, Fault, Tree, override, read, write
from genset.interfaces import Section
from genset.modalities import MODALITIES
from genset.models.schedule import Train


def load(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a config file. Raises ConfigError with all faults, each with its line."""
    overrides = list(overrides)
    tree = read(path)
    for text in overrides:
        drop_rival_keys(tree, text.partition("=")[0])
    config = check(override(tree, overrides))
    folder = path.parent.absolute()
    source = [os.path.normpath(folder / source) for source in config.data.source]
    steps = config.augment.steps and [step.with_base_folder(folder) for step in config.augment.steps]
    output, previous = config.output, config.split.previous
    places = {"root": output.root, "tensorboard": output.tensorboard}
    places = {name: place and os.path.normpath(folder / place) for name, place in places.items()}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": source}),
            "split": config.split.model_copy(update={"previous": previous and os.path.normpath(folder / previous)}),
            "augment": config.augment.model_copy(update={"steps": steps}),
            "output": output.model_copy(update=places),
        }
    )


def drop_rival_keys(tree: Tree, key: str) -> None:
    """Remove the keys that an override of `key` excludes: train.steps=5 replaces train.seconds."""
    name, _, last = key.partition(".")
    section = tree.values.get(name)
    rivals = {"train": Train.one_of, "generate": Generate.one_of, "split": Split.one_of}.get(name, ())
    if isinstance(section, dict) and last in rivals:
        for rival in rivals:
            section.pop(rival, None)


def check(tree: Tree) -> Config:
    """The config that values describe. Raises ConfigError with every fault."""
    faults = list(tree.faults)
    modality = tree.values.get("modality")
    kind = modality.get("kind") if isinstance(modality, dict) else modality
    known = isinstance(kind, str) and kind in MODALITIES
    model = config_class(kind if known else next(iter(MODALITIES)))
    try:
        config = model.model_validate(tree.values)
    except pydantic.ValidationError as error:
        faults += [fault_from(one, tree, model) for one in error.errors()]
    if modality is not None and not known:
        # Without a modality the kinds below cannot be checked; the table of modalities lists what exists.
        faults = [fault for fault in faults if not fault.key.startswith(("modality", "augment.steps", "model.network"))]
        faults.append(Fault(tree.place(("modality",)), "modality", not_among(kind, list(MODALITIES))))
    if faults:
        raise ConfigError(faults)
    return config


def dump(config: Config) -> str:
    """The config as YAML that `load` reads to the same config. It does not say where to write."""
    values = config.model_dump(mode="json")
    values["output"] = {"format": values["output"]["format"]}
    values = {key: _without_none(value) for key, value in values.items()}
    return write(values)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(child) for key, child in value.items() if child is not None}
    return [_without_none(child) for child in value] if isinstance(value, list) else value


def section(cls: type[Section], tree: Tree, key: str) -> Any:
    """One section alone, from a command's flags and overrides. Raises ConfigError."""
    try:
        return cls.model_validate(tree.values.get(key, {}))
    except pydantic.ValidationError as error:
        raise ConfigError([*tree.faults, *(fault_from(one, tree, cls, (key,)) for one in error.errors())]) from None
