"""Gates: how they are read, and when they fail."""

from types import SimpleNamespace
from typing import Any

import pytest

from genset.quality.gates import Gate, parse

FIGURES: Any = {name: SimpleNamespace(name=name, low=0, high=1) for name in ("cas_ratio", "copies")}


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("cas_ratio >= 0.9", Gate("cas_ratio", ">=", 0.9)),
        ("  copies<=.05 ", Gate("copies", "<=", 0.05)),
        ("copies == 1e-3", Gate("copies", "==", 0.001)),
        ("copies > +0", Gate("copies", ">", 0)),
    ],
)
def test_a_gate_is_a_figure_a_comparison_and_a_number(text: str, gate: Gate) -> None:
    assert parse(text, FIGURES) == gate


@pytest.mark.parametrize("text", ["", "copies", "copies >= x", "copies => 1", "copies >= 1 or 2", "COPIES >= 1"])
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="must be FIGURE"):
        parse(text, FIGURES)


def test_an_unknown_figure_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        ValueError, match="no such figure: 'copie' \\(did you mean `copies`\\?\\); use one of cas_ratio"
    ):
        parse("copie <= 1", FIGURES)


@pytest.mark.parametrize(
    ("comparison", "passing"), [(">=", [1, 2]), ("<=", [0, 1]), ("==", [1]), (">", [2]), ("<", [0])]
)
def test_a_bound_itself_passes_only_where_the_comparison_includes_it(comparison: str, passing: list[int]) -> None:
    gate = Gate("copies", comparison, 1)
    assert [value for value in (0, 1, 2) if gate.failure({"copies": value}, {}) is None] == passing


def test_a_failure_says_the_value_and_how_far_off_it_is() -> None:
    gate = Gate("copies", "<=", 0.05)
    assert gate.failure({"copies": 0.15}, {}) == "copies <= 0.05: is 0.15, off by 0.1"


def test_a_figure_that_was_not_computed_fails_its_gate() -> None:
    gate = Gate("copies", "<=", 0.05)
    assert gate.failure({}, {"copies": "--quick"}) == "copies <= 0.05: not computed: --quick"
    assert gate.failure({}, {}) == "copies <= 0.05: not computed: nothing to evaluate"


@pytest.mark.parametrize("bound", ["-0.1", "1.1"])
def test_a_bound_that_the_figure_cannot_have_is_rejected(bound: str) -> None:
    with pytest.raises(ValueError, match="is always between 0 and 1"):
        parse(f"copies >= {bound}", FIGURES)
