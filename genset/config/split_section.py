"""The split section of the config: how real items are split into train, validation and test."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import pydantic
from pydantic_core import PydanticCustomError

from genset.config.values import text_list
from genset.interfaces import Section

DEFAULT_RATIOS = (0.8, 0.1, 0.1)


Ratio = Annotated[float, pydantic.Field(ge=0, le=1)]


def _rest_or_count(value: Any) -> Any:
    if value != "rest" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise PydanticCustomError("count", "must be 'rest' or a whole number of at least 1")
    return value


class Split(Section):
    """How the real items are split into train, validation and test."""

    one_of: ClassVar[tuple[str, ...]] = ("ratios", "counts")
    renamed: ClassVar[Mapping[str, str]] = {"by": "stratify", "keep": "previous"}
    ratios: Annotated[tuple[Ratio, Ratio, Ratio], pydantic.Field(strict=False)] = DEFAULT_RATIOS
    """Shares of the real items in train, validation and test; they add up to 1."""
    counts: (
        Annotated[
            tuple[
                Annotated[Any, pydantic.PlainValidator(_rest_or_count, json_schema_input_type=Literal["rest"] | int)],
                Annotated[int, pydantic.Field(ge=0)],
                Annotated[int, pydantic.Field(ge=0)],
            ],
            pydantic.Field(strict=False),
        ]
        | None
    ) = None
    """Numbers of items in each split, instead of ratios, such as [rest, 100, 100]; without `rest` the remaining
    items are left out."""
    stratify: Annotated[
        list[str],
        pydantic.BeforeValidator(text_list, json_schema_input_type=str | list[str]),
    ] = pydantic.Field(default_factory=list)
    """Columns, besides the label, whose values are divided over the splits in the same ratios, as far as possible."""
    previous: str | None = None
    """A dataset version: its items keep their split when you add items. The path is relative to the config file."""

    @pydantic.model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.counts is not None and "ratios" in self.model_fields_set:
            raise ValueError("give ratios or counts, not both")
        return self

    @pydantic.model_serializer(mode="wrap")
    def _one_written(self, handler: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the default ratios where counts are given, so that the written section can be read again."""
        values: dict[str, Any] = handler(self)
        return values if self.counts is None else {name: value for name, value in values.items() if name != "ratios"}

    @pydantic.field_validator("ratios")
    @classmethod
    def _adds_up(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"must add up to 1, adds up to {sum(value):g}")
        if value[0] == 0:
            raise ValueError("the training fraction must not be 0")
        return value
