"""Read YAML text to plain values, each with its file:line:column. Nothing is guessed, executed or dropped.

YAML 1.1 reads `1e-3` as text, `no` as false and `1:30` as 90. Here a number is a number, only true and false
are booleans, and everything else is text, so that the config's types can say what was expected.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from genset.errors import GensetError

Key = tuple[str | int, ...]
MOST_VALUES = 100_000  # limit for aliases of aliases, which could expand without end


class _Reader(yaml.SafeLoader):
    """SafeLoader with the resolvers of YAML 1.2's core schema."""


_Reader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _Reader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)

_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
    "str": str,
}


@dataclass(frozen=True, order=True)
class Position:
    """The position of a value; an override on the command line has no line."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong with a config."""

    place: Position
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.text}" if self.key else f"{self.place}: {self.text}"


class ConfigError(GensetError):
    """All faults of a config, one per line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


@dataclass
class Tree:
    """Values, the position of each, and the faults that were found so far."""

    values: dict[str, Any]
    places: dict[Key, Position]
    faults: list[Fault] = field(default_factory=list)

    def place(self, key: Key) -> Position:
        """The position of a key, or of the nearest section above it."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key, Position("config"))


def dotted(key: Key) -> str:
    """("augment", "steps", 0, "p") as augment.steps[0].p."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def read(path: Path) -> Tree:
    """Read one YAML file. Raises ConfigError if it cannot be read at all."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GensetError(f"not UTF-8 text (byte {error.start})", where=str(path), hint="Save it as UTF-8.") from None
    except OSError as error:
        raise GensetError(
            f"cannot read the config: {error.strerror}", where=str(path), hint="Give the path of a YAML file."
        ) from None
    return parse(text, str(path))


class _Writer(yaml.SafeDumper):
    """Quotes text that `_Reader` would not read as text."""


_Writer.yaml_implicit_resolvers = _Reader.yaml_implicit_resolvers


def write(values: Any) -> str:
    """Plain values as YAML that `parse` reads to the same values."""
    return str(yaml.dump(values, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=100))


def inline(value: Any) -> str:
    """A plain value as YAML in one line."""
    text = str(yaml.dump(value, Dumper=_Writer, default_flow_style=True, allow_unicode=True, width=2**31))
    return text.removesuffix("...\n").strip()


def parse(text: str, source: str) -> Tree:
    """YAML text whose top is a section. Raises ConfigError for syntax faults."""
    tree = Tree({}, {(): Position(source, 1, 1)})
    node = _compose(text, Position(source, 1, 1))
    if node is None:
        tree.faults.append(Fault(Position(source, 1, 1), "", "the file is empty: name, modality and data are needed"))
    elif not isinstance(node, yaml.MappingNode):
        tree.faults.append(Fault(_at(node, source), "", "must be a section with keys, such as `name: digits`"))
    else:
        try:
            tree.values = _value(node, (), source, tree)
        except RecursionError:  # an alias of the section that contains it
            raise ConfigError([Fault(Position(source, 1, 1), "", "nested too deeply")]) from None
    return tree


def override(tree: Tree, overrides: Iterable[str]) -> Tree:
    """Apply overrides such as `train.epochs=5` to a tree, parsed by the same strict reader."""
    for text in overrides:
        name, equals, value = text.partition("=")
        keys = tuple(name.split("."))
        if not equals or not all(keys):
            raise GensetError(f"not an override: {text!r}", hint="Write key.path=value, such as train.epochs=5.")
        node = _compose(value, Position(text))
        for old in [place for place in tree.places if place[: len(keys)] == keys]:
            del tree.places[old]
        section = _section(tree, keys, Position(text))
        try:
            section[keys[-1]] = None if node is None else _value(node, keys, text, tree)
        except RecursionError:
            raise ConfigError([Fault(Position(text), "", "nested too deeply")]) from None
        tree.places.update({place: Position(text) for place in [*tree.places] if place[: len(keys)] == keys})
        tree.places[keys] = Position(text)
    return tree


def _section(tree: Tree, keys: tuple[str, ...], place: Position) -> dict[str, Any]:
    """The mapping that contains the last of `keys`, created if missing; a bare kind becomes a section."""
    section = tree.values
    for depth, key in enumerate(keys[:-1], start=1):
        found = section.get(key)
        if isinstance(found, str):
            section[key] = {"kind": found}
            tree.places[(*keys[:depth], "kind")] = tree.place(keys[:depth])
        elif not isinstance(found, dict):
            section[key] = {}
            tree.places[keys[:depth]] = place
        section = section[key]
    return section


def _compose(text: str, place: Position) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Reader)
        return node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is not None and place.line:
            place = Position(place.source, mark.line + 1, mark.column + 1)
        raise ConfigError([Fault(place, "", f"not valid YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise ConfigError([Fault(place, "", f"not valid YAML: {' '.join(str(error).split())}")]) from None
    except RecursionError:
        raise ConfigError([Fault(place, "", "nested too deeply")]) from None


def _at(node: yaml.Node, source: str) -> Position:
    return Position(source, node.start_mark.line + 1, node.start_mark.column + 1)


def _value(node: yaml.Node, key: Key, source: str, tree: Tree) -> Any:
    """The plain value of a node; its position and all below it are stored in the tree."""
    if len(tree.places) > MOST_VALUES:
        raise ConfigError([Fault(_at(node, source), dotted(key), f"more than {MOST_VALUES:,} values")])
    tree.places.setdefault(key, _at(node, source))
    kind = node.tag.rpartition(":")[2]
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node, key, source, tree)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_value(child, (*key, i), source, tree) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and kind in _SCALARS and not node.tag.startswith("!"):
        try:
            return _SCALARS[kind](node.value)
        except ValueError:
            tree.faults.append(Fault(_at(node, source), dotted(key), f"cannot be read: {node.value[:40]!r}"))
            return None
    tree.faults.append(Fault(_at(node, source), dotted(key), f"the tag {node.tag} is not allowed: write a plain value"))
    return None


def _mapping(node: yaml.MappingNode, key: Key, source: str, tree: Tree) -> dict[str, Any]:
    """A mapping; keys are the written text, so that classes called 7 or no keep their names."""
    values: dict[str, Any] = {}
    for name, child in node.value:
        if not isinstance(name, yaml.ScalarNode):
            tree.faults.append(Fault(_at(name, source), dotted(key), "a key must be a word"))
            continue
        here = (*key, name.value)
        if name.value == "<<":
            tree.faults.append(Fault(_at(name, source), dotted(key), "merge keys are not allowed: write the keys out"))
            continue
        if name.value in values:
            first = tree.places[here].line
            text = f"given twice (first in line {first})" if first else "given twice"
            tree.faults.append(Fault(_at(name, source), dotted(here), text))
            continue
        tree.places[here] = _at(name, source)
        values[name.value] = _value(child, here, source, tree)
    return values
