"""The plan of `run` and `augment`: which items are added to the training set, and which are left out."""

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
    """The planned changes of the training set."""

    copies: list[augment_copies.Copy]
    generated: dict[str, int]  # by label
    left_out: frozenset[str]  # ids
    problems: list[Problem]

    def kept(self, records: Sequence[Record]) -> list[Record]:
        """The records that are not left out."""
        return [record for record in records if record.id not in self.left_out]

    def rows(self, train: Sequence[Record]) -> list[dict[str, Any]]:
        """For each class of the training set: the number of items from each source, left out, and in total."""
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
        sources = ("real", "augmented", "generated")
        return [
            {
                "label": label,
                **{name: counter[label] for name, counter in counts.items()},
                "total": sum(counts[name][label] for name in sources),
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
    """Plan copies and generated items, and balance the classes.

    The plan has the copies of each real training item, numbered from `start`, and the `requested` generated items.
    If `balance.shrink` is set, it reduces large classes. Then it fills small classes with generated items or copies.

    Raises GensetError for a label, column or model that the sections need and that is missing.
    """
    real = [record for record in train if record.source == "collected"]
    cell = cell_of(target.by, train, "balance.by")
    copies = augment_copies.numbered_copies(real, section.copies, start)
    downsampled = balance.downsample_classes(train, copies, target, cell, seed)
    kept = [record for record in train if record.id not in downsampled.left_out]
    counts = Counter(dict.fromkeys(sorted(set(map(cell, train))), 0))
    counts.update(map(cell, [*kept, *(copy.parent for copy in downsampled.copies)]))
    generated = dict(requested or {})
    if list(target.by) == ["label"]:
        if target.shrink:
            room = balance.class_targets(counts, target.target)
            generated = {label: min(n, max(0, room[label] - counts[label])) for label, n in generated.items()}
        counts.update(generated)
    missing = balance.missing_counts(counts, target.target)
    parents, numbers = [record for record in kept if record.source == "collected"], _numbers_after(start, downsampled)
    fill = balance.fill_classes(
        missing, parents, numbers, target, cell, has_model=has_model, not_generated=not_generated
    )
    totals = Counter(generated) + Counter(fill.generated)
    generated = {label: totals[label] for label in sorted({*generated, *fill.generated})}
    problems = [*downsampled.problems, *fill.problems]
    return ClassPlan(downsampled.copies + fill.copies, generated, downsampled.left_out, problems)


def _numbers_after(start: Mapping[str, int], downsampled: balance.Downsampling) -> Counter[str]:
    """The first free number of each parent after the copies that remain."""
    out = Counter(start)
    for copy in downsampled.copies:
        out[copy.parent.id] = max(out[copy.parent.id], copy.number + 1)
    return out
