"""How figures are put into words, for a terminal, a page and Markdown alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genset.interfaces import Figure

GROUPS = {
    "headline": "in short",
    "utility": "does it help?",
    "fidelity": "is it like real items?",
    "diversity": "is it as varied?",
    "privacy": "is it new?",
    "items": "the items themselves",
}
OF_CLASSES = ("label_acc", "cas", "lift", "coverage", "density")  # figures that are shown for each class
Tone = Literal["good", "bad", "neutral"]


@dataclass(frozen=True)
class Lift:
    """Whether made items help, as told first of all."""

    tone: Tone
    word: str  # such as "helps"
    measured: str  # the value, its interval, and on how many items

    @property
    def line(self) -> str:
        """All of it."""
        return f"{self.measured}: training on real and made items {self.word}"


def lift(figures: Mapping[str, float], sizes: Mapping[str, int]) -> Lift | None:
    """What the interval of the lift says; None where there is no lift."""
    if "lift" not in figures:
        return None
    value, low, high = (figures.get(name, figures["lift"]) for name in ("lift", "lift_low", "lift_high"))
    tone: Tone = "good" if low > 0 else "bad" if high < 0 else "neutral"
    word = {"good": "helps", "bad": "does not help: it harms", "neutral": "does not help that can be told"}[tone]
    measured = f"lift {value:+.3f} ({low:+.3f} to {high:+.3f}, {sizes['test']:,} held-out items)"
    return Lift(tone, word, measured)


def copies_instead(figures: Mapping[str, float]) -> str:
    """What ordinary transformed copies add in place of made items; "" where that was not measured."""
    if not {"augmented_acc", "real_acc"} <= figures.keys():
        return ""
    return f"ordinary transformed copies instead: {figures['augmented_acc'] - figures['real_acc']:+.3f}"


def number(value: float) -> str:
    """A value of a figure."""
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def closeness(one: Mapping[str, Any]) -> str:
    """How near a made item is to a train item: they are sorted by the first of the two,
    which versions of before do not have."""
    distance = f"distance {one['distance']:.3g}"
    return f"{one['ratio']:.2f} of the usual distance ({distance})" if "ratio" in one else distance


def interval(ends: Sequence[float] | None) -> str:
    """An interval; "" for none."""
    return f"{number(ends[0])} to {number(ends[1])}" if ends else ""


def goal(figure: Figure) -> str:
    """What is better."""
    if figure.goal == "target":
        return f"near {figure.target:g}"
    return "" if figure.goal == "neutral" else figure.goal


def by_reason(skipped: Mapping[str, str]) -> list[str]:
    """The names of what was skipped, together where the reason is the same."""
    reasons = dict.fromkeys(skipped.values())
    return [f"{', '.join(name for name in skipped if skipped[name] == reason)}: {reason}" for reason in reasons]


def grouped(names: Sequence[str], figures: Mapping[str, Figure]) -> dict[str, list[str]]:
    """The names by group, in the order of the groups; headline figures stand first, and in their own group too."""
    groups = {"headline": [name for name in names if figures[name].headline]}
    for name in names:
        groups.setdefault(figures[name].group, []).append(name)
    return {group: groups[group] for group in GROUPS if groups.get(group)}


def class_columns(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, float]]:
    """The figures that were computed for each class, by name."""
    return {name: details[name]["classes"] for name in OF_CLASSES if details.get(name, {}).get("classes")}


def places(details: Mapping[str, Mapping[str, Any]], spaces: Mapping[str, str]) -> list[str]:
    """Where figures look, and at how many items: a line for all that look alike."""
    seen: dict[tuple[str, str], list[str]] = {}
    for name, told in details.items():
        n = ", ".join(f"{count:,} {part}" for part, count in told["n"].items())
        seen.setdefault((told["space"], n), []).append(name)
    return [f"{', '.join(names)}: of {n}; {spaces[space]}" for (space, n), names in seen.items() if n]
