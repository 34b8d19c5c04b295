"""The clean section of the config: what is done about each kind of problem."""

import typing
from typing import Annotated, Any, Self

import pydantic
from pydantic_core import PydanticCustomError

from genset.interfaces import Action, Section


def _action(value: Any) -> Any:
    """A word means a rule of that kind."""
    if not isinstance(value, (str, dict, Section)):
        raise PydanticCustomError("action", f"must be {', '.join(typing.get_args(Action))}, or a section with `kind:`")
    return {"kind": value} if isinstance(value, str) else value


class NearDuplicates(Section):
    """Items that are nearly the same. Unless this is off, they are always in the same part of the split."""

    kind: Action = "report"
    """off: no search; report: report and keep them; quarantine: keep one of them."""
    threshold: float | None = pydantic.Field(None, gt=0, le=1)
    """Similarity at or above which two items are near-duplicates; equal items have 1. Default: that of the modality."""


class Check(Section):
    """A rule that checks each item alone."""

    kind: Action = "report"
    """off: no check; report: report and keep the item; quarantine: leave the item out."""
    threshold: float | None = pydantic.Field(None, ge=0)
    """Score at or above which an item is reported. Default: that of the rule."""


Checked = Annotated[Check, pydantic.BeforeValidator(_action, json_schema_input_type=Action | Check)]


class Clean(Section):
    """Which problems are searched before training. Items that cannot be decoded or are empty are always quarantined.

    `config_class` adds the rules of a modality; a word means {kind: word}.
    """

    exact_duplicates: Action = "quarantine"
    """Items with equal decoded content: the first is kept."""
    near_duplicates: Annotated[
        NearDuplicates,
        pydantic.BeforeValidator(_action, json_schema_input_type=Action | NearDuplicates),
    ] = NearDuplicates()
    """Items that differ only a little, such as in size, compression, loudness or case; a word means {kind: word}."""
    wrong_labels: Checked = Check()
    """Labels that classifiers trained on the other items contradict, and duplicates with two different labels. The
    score, from 0 to 1, says how much more probable another class is. Default threshold: 0.5, higher for classes that
    are hard to recognise."""
    outliers: Checked = Check(kind="off")
    """Items that are very different from all others. The score is the distance to the nearest ones, in usual
    deviations. Default threshold: 4."""

    def named(self) -> Self:
        """The section with every rule off that was not named, except duplicates: for commands that do other work."""
        own = (*self.model_fields_set, "exact_duplicates", "near_duplicates")
        return self.model_copy(update={rule: Check(kind="off") for rule in type(self).model_fields if rule not in own})

    def check(self, rule: str) -> Check:
        """The setting of a rule of the modality; off in a section that belongs to no modality."""
        found: Check = getattr(self, rule, Check(kind="off"))
        return found
