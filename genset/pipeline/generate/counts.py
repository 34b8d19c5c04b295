"""How many items of each class are generated."""

from collections.abc import Mapping

from genset.config.sections import DEFAULT_PER_CLASS, Generate
from genset.interfaces import Problem

RARE = 3  # a class with so few training items is too small to fit a density


def proportional_counts(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` divided in the proportions of `counts`, by the largest remainder method; ties go to the first label."""
    all_items = sum(counts.values())
    exact = {label: total * count / max(1, all_items) for label, count in counts.items()}
    out = {label: int(value) for label, value in exact.items()}
    rounded_up = sorted(exact, key=lambda label: out[label] - exact[label])[: total - sum(out.values())]
    return {label: count + (label in rounded_up) for label, count in out.items()}


def target_counts(train_counts: Mapping[str, int], section: Generate) -> dict[str, int]:
    """The number of items of each label: `count` in the proportions of the training set, or `per_class`."""
    included = {
        label: count for label, count in train_counts.items() if label not in skipped_classes(train_counts, section)
    }
    zeros = dict.fromkeys(train_counts, 0)
    if section.count is not None:
        return {**zeros, **proportional_counts(included, section.count)}
    return {**zeros, **dict.fromkeys(included, DEFAULT_PER_CLASS if section.per_class is None else section.per_class)}


def skipped_classes(train_counts: Mapping[str, int], section: Generate) -> set[str]:
    """The rare classes for which nothing is generated."""
    if section.rare_classes == "vary":
        return set()
    return {label for label, count in train_counts.items() if count <= RARE}


def rare_class_problems(train_counts: Mapping[str, int], section: Generate) -> list[Problem]:
    """A problem for each class with very few items."""
    consequence = {
        "vary": "its generated items vary as those of other classes do: check them",
        "leave_out": "nothing is generated for it",
    }[section.rare_classes]
    return [
        Problem(label, "rare_class", f"{count} training item{'s' * (count != 1)}: {consequence}")
        for label, count in train_counts.items()
        if count <= RARE and len(train_counts) > 1
    ]
