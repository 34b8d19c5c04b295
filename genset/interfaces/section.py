"""The base of every part of the config, and keys that choose among kinds."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pydantic
from pydantic_core import PydanticCustomError, core_schema

from genset.errors import did_you_mean


class Section(pydantic.BaseModel):
    """A part of the config: frozen, strict, without unknown keys."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    renamed: ClassVar[Mapping[str, str]] = {}  # {old key: new key}: the error for an old key names the new one
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}  # {key: {old word: new word}}, likewise
    formerly: ClassVar[str] = ""  # the old name of this kind of a table: the error for it names the new one


class Kinds:
    """Annotation of a config key: a section picked from `table` by its `kind:`; a bare word means {kind: word}, and a
    section with a key named like its kind needs no `kind:`."""

    def __init__(self, table: Mapping[str, type[Section]]) -> None:
        self.table = table

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        # The tag has angle brackets in an error's location, as it is no key of the user's file.
        choices = {f"<{kind}>": handler.generate_schema(section) for kind, section in self.table.items()}
        tagged = core_schema.tagged_union_schema(choices, discriminator=self._tag)
        return core_schema.no_info_before_validator_function(self._expand, tagged)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        sections = handler(schema)["oneOf"]
        return {"anyOf": [{"type": "string", "enum": list(self.table)}, *sections]}

    @staticmethod
    def _tag(value: Any) -> str:
        return f"<{value['kind'] if isinstance(value, dict) else value.kind}>"

    def _expand(self, value: Any) -> Any:
        if isinstance(value, Section):
            return value
        value = {"kind": value} if isinstance(value, str) else value
        if not isinstance(value, dict):
            raise PydanticCustomError("kind_type", "must be a word or a section with `kind:`")
        named = [key for key in value if key in self.table and key in self.table[key].model_fields]
        if "kind" not in value and len(named) == 1:  # {one_of: [...]} is {kind: one_of, one_of: [...]}
            value = {"kind": named[0], **value}
        kind = value.get("kind", next((key for key in value if did_you_mean(key, self.table)), None))
        if "kind" not in value or not isinstance(kind, str) or kind not in self.table:
            now = next((name for name, section in self.table.items() if kind and section.formerly == kind), "")
            raise PydanticCustomError("kind", "no such kind", {"got": kind, "kinds": list(self.table), "now": now})
        return value
