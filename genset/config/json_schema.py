"""JSON Schema of the config, for editors; repeated parts are written once."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pydantic.json_schema import models_json_schema

from genset.config.by_modality import config_class
from genset.modalities import MODALITIES

_OFTEN, _LONG = 3, 120  # a part with at least so many uses and characters is written once
_OF_PARTS = ("anyOf", "oneOf", "allOf")
_DEFS = "$defs"


def config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configs of all modalities."""
    classes = [config_class(modality) for modality in MODALITIES]
    places, shared = models_json_schema([(each, "validation") for each in classes])
    return deduplicated({**shared, "anyOf": [places[each, "validation"] for each in classes]})


def deduplicated(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema without titles, which repeat the keys, and with frequent long parts as definitions, named after
    the first key that uses them."""
    defs = {name: _untitled(part) for name, part in schema[_DEFS].items()}
    seen = Counter(_text(part) for name in defs for _, part in _parts(defs[name], name))
    names: dict[str, str] = {}
    for each in defs:
        for key, part in _parts(defs[each], each):
            text = _text(part)
            if seen[text] >= _OFTEN and len(text) >= _LONG and text not in names:
                taken = sum(name.partition("-")[0] == key for name in (*names.values(), *defs))
                names[text] = f"{key}-{taken + 1}" if taken else key

    def referred(part: Any) -> Any:
        return {"$ref": f"#/{_DEFS}/{names[_text(part)]}"} if _text(part) in names else _mapped(part, referred)

    definitions = {name: _mapped(part, referred) for name, part in defs.items()}
    definitions |= {name: _mapped(json.loads(text), referred) for text, name in names.items()}
    return {**schema, _DEFS: dict(sorted(definitions.items()))}


def _text(part: Any) -> str:
    return json.dumps(part, sort_keys=True)


def _parts(part: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(the key, the schema) of all schemas inside one."""
    for name, inner in part.get("properties", {}).items():
        yield name, inner
        yield from _parts(inner, name)
    for inner in (*([part["items"]] if isinstance(part.get("items"), dict) else []), *_alternatives(part)):
        yield key, inner
        yield from _parts(inner, key)


def _alternatives(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for word in _OF_PARTS:
        yield from part.get(word, ())


def _mapped(part: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """A schema with its direct inner schemas changed."""
    out = dict(part)
    if "properties" in part:
        out["properties"] = {name: change(inner) for name, inner in part["properties"].items()}
    if isinstance(part.get("items"), dict):
        out["items"] = change(part["items"])
    return out | {word: [change(inner) for inner in part[word]] for word in _OF_PARTS if word in part}


def _untitled(part: dict[str, Any]) -> dict[str, Any]:
    return _mapped({name: value for name, value in part.items() if name != "title"}, _untitled)
