"""What is added to the train part and what is left out, before anything is made: for `run` and `augment` alike."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genset.config.sections import Augment, Balance
from genset.dataset import Record, cell_of
from genset.interfaces import Problem
from genset.pipeline.augment import balance
from genset.pipeline.augment import copies as augment_copies


@dataclass(frozen=True)
class ClassPlan:
    """What is going to be done with the train part."""

    copies: list[augment_copies.Copy]
    generated: dict[str, int]  # by label
    left_out: frozenset[str]  # ids
    problems: list[Problem]

    def kept(self, records: Sequence[Record]) -> list[Record]:
        """The records without those that are left out."""
        return [record for record in records if record.id not in self.left_out]

    def rows(self, train: Sequence[Record]) -> list[dict[str, Any]]:
        """For each class of the train part: real items, what is made of each source, what is left out, the sum."""
        kept = self.kept(train)
        counts = {
            "real": Counter(record.label for record in kept if record.source == "collected"),
            "augmented": Counter(copy.parent.label for copy in self.copies),
            "generated": Counter(self.generated),
            "left_out": Counter(record.label for record in train if record.id in self.left_out),
        }
        for record in kept:
            if record.source != "collected":
                counts[record.source][record.label] += 1
        labels = sorted({record.label for record in train} | set(self.generated))
        made = ("real", "augmented", "generated")
        return [
            {
                "label": label,
                **{name: found[label] for name, found in counts.items()},
                "total": sum(counts[name][label] for name in made),
            }
            for label in labels
        ]


def plan_classes(
    train: Sequence[Record],
    start: Mapping[str, int],
    section: Augment,
    target: Balance,
    seed: int,
    *,
    has_model: bool,
    requested: Mapping[str, int] | None = None,
    not_generated: Collection[str] = (),
) -> ClassPlan:
    """Copies of each real train item, numbered from `start` on; the `requested` generated items; what the classes then
    have too much, if they shall shrink; and what they lack, as generated items or further copies.

    Raises GensetError for what the sections ask for and the train part or the model does not have.
    """
    real = [record for record in train if record.source == "collected"]
    cell = cell_of(target.by, train, "balance.by")
    copies = augment_copies.numbered_copies(real, section.copies, start)
    shrunk = balance.downsample_classes(train, copies, target, cell, seed)
    kept = [record for record in train if record.id not in shrunk.left_out]
    have = Counter(dict.fromkeys(sorted(set(map(cell, train))), 0))
    have.update(map(cell, [*kept, *(copy.parent for copy in shrunk.copies)]))
    generated = dict(requested or {})
    if list(target.by) == ["label"]:
        if target.shrink:
            room = balance.class_targets(have, target.target)
            generated = {label: min(n, max(0, room[label] - have[label])) for label, n in generated.items()}
        have.update(generated)
    after = Counter(start)
    for copy in shrunk.copies:
        after[copy.parent.id] = max(after[copy.parent.id], copy.number + 1)
    stay = [record for record in kept if record.source == "collected"]
    lacking = balance.missing_counts(have, target.target)
    more = balance.fill_classes(lacking, stay, after, target, cell, has_model=has_model, not_generated=not_generated)
    totals = Counter(generated)
    totals.update(more.generated)
    labels = sorted({*generated, *more.generated})
    problems = [*shrunk.problems, *more.problems]
    return ClassPlan(shrunk.copies + more.copies, {name: totals[name] for name in labels}, shrunk.left_out, problems)
