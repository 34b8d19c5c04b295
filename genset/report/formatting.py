"""How figures are formatted, for terminals, report pages and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genset.interfaces import MetricInfo

GROUPS = {
    "headline": "headline figures",
    "utility": "do the synthetic items help?",
    "fidelity": "are they like real items?",
    "diversity": "are they as varied?",
    "privacy": "are they new?",
    "items": "properties of the items",
}
FIGURES_BY_CLASS = ("label_acc", "cas", "lift", "coverage", "density")  # shown for each class
_COUNTED_AS = {"made": "synthetic"}  # keys of counts in quality.json that differ from the word that people read
Tone = Literal["good", "bad", "neutral"]


@dataclass(frozen=True)
class LiftVerdict:
    """Whether synthetic items help, which is reported first."""

    tone: Tone
    sentence: str  # without a full stop
    measured: str  # the value, its interval and the number of items

    @property
    def line(self) -> str:
        """Measurement and sentence."""
        return f"{self.measured}: {self.sentence}"


def lift_verdict(figures: Mapping[str, float], counts: Mapping[str, int]) -> LiftVerdict | None:
    """The verdict by the interval of the lift; None where there is no lift. `counts` has the items of each set."""
    if "lift" not in figures:
        return None
    value, low, high = (figures.get(name, figures["lift"]) for name in ("lift", "lift_low", "lift_high"))
    tone: Tone = "good" if low > 0 else "bad" if high < 0 else "neutral"
    sentence = {
        "good": "adding synthetic items helps training",
        "bad": "adding synthetic items harms training",
        "neutral": "no measurable effect of adding synthetic items",
    }[tone]
    measured = f"lift {value:+.3f} ({low:+.3f} to {high:+.3f}, {counts['test']:,} held-out items)"
    return LiftVerdict(tone, sentence, measured)


def augmented_lift(figures: Mapping[str, float]) -> str:
    """The lift of augmented copies without generated items; "" if that was not measured."""
    if not {"augmented_acc", "real_acc"} <= figures.keys():
        return ""
    return f"lift of augmented copies alone: {figures['augmented_acc'] - figures['real_acc']:+.3f}"


def number(value: float) -> str:
    """The value of a figure."""
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def counts(items: Mapping[str, int]) -> str:
    """The number of items of each set that a figure was computed from."""
    return ", ".join(f"{count:,} {_COUNTED_AS.get(name, name)}" for name, count in items.items())


def closeness(pair: Mapping[str, Any]) -> str:
    """How close a synthetic item is to a training item; pairs are sorted by the first number."""
    return f"{pair['ratio']:.2f} of the usual distance (distance {pair['distance']:.3g})"


def interval(ends: Sequence[float] | None) -> str:
    """An interval; "" for None."""
    return f"{number(ends[0])} to {number(ends[1])}" if ends else ""


def goal(figure: MetricInfo) -> str:
    """Which values of a figure are better."""
    if figure.goal == "target":
        return f"near {figure.target:g}"
    return "" if figure.goal == "neutral" else figure.goal


def not_computed(skipped: Mapping[str, str]) -> list[str]:
    """Sentences about skipped figures without a full stop, one for each reason."""
    names: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        names.setdefault(reason, []).append(name)
    sentences = []
    for reason, own in names.items():
        verb, needs = ("was", "it needs ") if len(own) == 1 else ("were", "they need ")
        text = f"{needs}{reason.removeprefix('needs ')}" if reason.startswith("needs ") else reason
        sentences.append(f"{', '.join(own)} {verb} not computed: {text}")
    return sentences


def grouped(names: Sequence[str], figures: Mapping[str, MetricInfo]) -> dict[str, list[str]]:
    """The names by group, in the order of `GROUPS`; headline figures are also in their own group."""
    groups = {"headline": [name for name in names if figures[name].headline]}
    for name in names:
        groups.setdefault(figures[name].group, []).append(name)
    return {group: groups[group] for group in GROUPS if groups.get(group)}


def class_columns(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, float]]:
    """The figures that were computed for each class: values by class, by the name of the figure."""
    return {name: details[name]["classes"] for name in FIGURES_BY_CLASS if details.get(name, {}).get("classes")}


def measured_on(details: Mapping[str, Mapping[str, Any]], spaces: Mapping[str, str]) -> list[str]:
    """The number of items and the space that figures were computed from, one line for those that agree in both."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, detail in details.items():
        names.setdefault((detail["space"], counts(detail["n"])), []).append(name)
    return [f"{', '.join(own)}: {n} items; {spaces[space]}" for (space, n), own in names.items() if n]
