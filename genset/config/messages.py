"""Messages for faults in a config, from pydantic errors."""

import re
import typing
from typing import Any

import pydantic

from genset.config.yaml_reader import Fault, Tree, dotted
from genset.errors import did_you_mean
from genset.interfaces import Kinds, Section

_TAG = re.compile(r"<[a-z0-9_]+>")  # how `Kinds` marks a kind in the location of an error


def fault_from(error: Any, tree: Tree, model: type[Section], above: tuple[str, ...] = ()) -> Fault:
    """A pydantic error in plain words, at its place in the file."""
    location = error["loc"]
    key = above + tuple(part for part in location if not (isinstance(part, str) and _TAG.fullmatch(part)))
    return Fault(tree.place(key), dotted(key), _message_for(error, location, model))


_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a section with keys",
    "dict_type": "a section with keys",
    "int_from_float": "a whole number",
    "is_instance_of": "a section with keys",
}  # by pydantic's types of errors
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_FIXED = {
    "string_pattern_mismatch": "must be letters, digits, dots, dashes and underscores, starting with a letter or "
    "digit; got {got!r}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} values",
}


def _message_for(error: Any, location: tuple[Any, ...], model: type[Section]) -> str:
    kind, context, got = error["type"], error.get("ctx", {}), error["input"]
    if kind == "extra_forbidden":
        return _unknown_key(_section_of(model, location), str(location[-1]))
    if kind == "missing":
        return _missing(location, got)
    if kind == "kind":
        return not_among(context["got"], context["kinds"], context["now"])
    if kind == "literal_error":
        words = [word.strip("'") for word in re.findall(r"'[^']*'", context["expected"])]
        new_words = _section_of(model, location).renamed_values.get(str(location[-1]), {})
        return not_among(got, words, new_words.get(str(got), ""))
    if kind in _LIMITS:
        words_of_limit, name = _LIMITS[kind]
        return f"must be {words_of_limit} {context[name]:g}, got {got}"
    if kind in _FIXED:
        return _FIXED[kind].format(got=got, **context)
    if kind == "string_type" and isinstance(got, int) and not isinstance(got, bool):
        return f'must be text, got {got}: write "{got}"'
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, got {_shown(got)}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if kind == "value_error" else f"{message}, got {_shown(got)}"


def _missing(location: tuple[Any, ...], got: Any) -> str:
    if isinstance(location[-1], int):
        return f"the list is too short: it has {len(got)} values"
    words = ": write image, text or sound" if location == ("modality",) else ": add it"
    return f"required key is missing{words}"


def _unknown_key(section: type[Section], key: str) -> str:
    now = section.renamed.get(key)
    return f"this key is now called {now!r}" if now else f"unknown key{did_you_mean(key, list(section.model_fields))}"


def not_among(got: object, kinds: list[str], now: str = "") -> str:
    """What to say of a word that is none of the known ones; `now` is its new name, where it was renamed."""
    return (
        f"{got!r} is now called {now!r}"
        if now
        else f"must be one of {', '.join(kinds)}; got {_shown(got)}{did_you_mean(got, kinds)}"
    )


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, (dict, list)):
        return "a section" if isinstance(value, dict) else "a list"
    return repr(value)


def _section_of(model: Any, location: tuple[Any, ...]) -> type[Section]:
    """The section that contains a fault."""
    kinds = Kinds({})
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        if isinstance(part, str) and _TAG.fullmatch(part):
            model = kinds.table[part[1:-1]]
            continue
        field = model.model_fields.get(part)
        if field is None:  # the branch of a union, which is no key
            break
        found = [*field.metadata, *_annotations(field.annotation)]
        kinds = next((one for one in found if isinstance(one, Kinds)), kinds)
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            model = field.annotation
    section: type[Section] = model
    return section


def _annotations(annotation: Any) -> list[Any]:
    """All metadata inside an annotation, such as that of list[Annotated[X, Kinds(...)]] | None."""
    inner = [one for argument in typing.get_args(annotation) for one in _annotations(argument)]
    return [*getattr(annotation, "__metadata__", ()), *inner]
