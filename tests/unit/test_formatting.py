"""How figures, charts and learning curves are formatted: pure functions."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest

from genset.interfaces import MetricInfo, Preview
from genset.report import charts, formatting
from genset.report.learning_curves import curve_points, draw_curves
from genset.report.media import element


@pytest.mark.parametrize(
    ("low", "high", "tone", "sentence"),
    [
        (0.01, 0.05, "good", "adding synthetic items helps training"),
        (-0.05, -0.01, "bad", "adding synthetic items harms training"),
        (-0.01, 0.05, "neutral", "no measurable effect of adding synthetic items"),
        (0.0, 0.05, "neutral", "no measurable effect of adding synthetic items"),
    ],
)
def test_the_verdict_follows_the_interval_of_the_lift(low: float, high: float, tone: str, sentence: str) -> None:
    figures = {"lift": 0.02, "lift_low": low, "lift_high": high}
    verdict = formatting.lift_verdict(figures, {"test": 1234})
    assert verdict is not None
    assert (verdict.tone, verdict.sentence) == (tone, sentence)
    assert verdict.line == f"lift +0.020 ({low:+.3f} to {high:+.3f}, 1,234 held-out items): {sentence}"


def test_without_a_lift_there_is_no_verdict() -> None:
    assert formatting.lift_verdict({"copies": 0.0}, {"test": 5}) is None


def test_augmented_copies_are_compared_where_they_were_measured() -> None:
    assert (
        formatting.augmented_lift({"augmented_acc": 0.91, "real_acc": 0.9}) == "lift of augmented copies alone: +0.010"
    )
    assert formatting.augmented_lift({"real_acc": 0.9}) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-0.0004, "-0.000"), (999.99951, "1000.000"), (1000.4, "1,000"), (-12345.6, "-12,346")],
)
def test_large_numbers_have_no_decimals(value: float, text: str) -> None:
    assert formatting.number(value) == text


def test_intervals_and_counts() -> None:
    assert formatting.interval((0.5, 1.0)) == "0.500 to 1.000"
    assert formatting.interval(None) == ""
    assert formatting.counts({"train": 1200, "made": 30}) == "1,200 train, 30 synthetic"
    assert formatting.counts({}) == ""


def test_closeness_is_relative_to_the_usual_distance() -> None:
    assert formatting.closeness({"distance": 0.51234, "ratio": 0.421}) == "0.42 of the usual distance (distance 0.512)"


def test_each_goal_has_a_word() -> None:
    goals = [MetricInfo("a", "higher", ""), MetricInfo("b", "neutral", ""), MetricInfo("c", "target", "", target=0.5)]
    assert [formatting.goal(figure) for figure in goals] == ["higher", "", "near 0.5"]


def test_skipped_figures_are_listed_by_reason() -> None:
    skipped = {"a": "too few", "b": "no classes", "c": "too few", "d": "needs 2 items", "e": "needs 3", "f": "needs 3"}
    assert formatting.not_computed(skipped) == [
        "a, c were not computed: too few",
        "b was not computed: no classes",
        "d was not computed: it needs 2 items",
        "e, f were not computed: they need 3",
    ]


def test_headline_figures_come_first_and_in_their_own_group() -> None:
    figures = {
        "copies": MetricInfo("copies", "lower", "", group="privacy", headline=True),
        "cas": MetricInfo("cas", "higher", "", group="utility"),
    }
    assert list(formatting.grouped(["copies", "cas"], figures).items()) == [
        ("headline", ["copies"]),
        ("utility", ["cas"]),
        ("privacy", ["copies"]),
    ]


def test_figures_measured_on_the_same_items_share_a_line() -> None:
    details = {
        "a": {"n": {"test": 4}, "space": "space", "classes": {}},
        "cas": {"n": {"test": 4}, "space": "space", "classes": {"x": 0.5}},
        "none": {"n": {}, "space": "items", "classes": {}},
    }
    spaces = {"space": "a layer: 64 values", "items": "the items themselves"}
    assert formatting.measured_on(details, spaces) == ["a, cas: 4 test items; a layer: 64 values"]
    assert formatting.class_columns(details) == {"cas": {"x": 0.5}}


def test_curves_have_the_columns_that_the_history_has() -> None:
    history = [{"step": 1, "seconds": 0.1, "loss": 3.0}, {"step": 2, "loss": 2.0, "val_loss": 2.5, "val_frechet": 9.0}]
    assert curve_points(history) == {
        "loss": {"train": [(1, 3.0), (2, 2.0)], "validation": [(2, 2.5)]},
        "frechet": {"validation": [(2, 9.0)]},
    }
    image = PIL.Image.open(io.BytesIO(draw_curves(history, 2)))
    assert image.format == "PNG" and image.size == (900, 480)


POINTS = np.array([[0.0, 1.0], [1.0, 0.0]])
DRAWN = {
    "ranges": lambda: charts.ranges([charts.RangeRow("<a>", 0.5, (0.4, 0.6), 0.7), charts.RangeRow("b", 1.0)], "x", 0),
    "bars": lambda: charts.bars(["<a>", "b"], {"real": [1, 2], "generated": [3, 4]}, "items"),
    "dots": lambda: charts.dots(["<a>", "b"], {"cas": {"<a>": 0.5}, "lift": {"b": 0.1}}, "value"),
    "lines": lambda: charts.lines({"<a>": [(0, 1.0), (1, 0.5)]}, "steps", mark=1),
    "columns": lambda: charts.columns([3.0, 1.0], "component", "variance"),
    "scatter": lambda: charts.scatter([charts.PointCloud("<a>", POINTS, 0), charts.PointCloud("b", POINTS, 1)]),
}


@pytest.mark.parametrize("name", DRAWN)
def test_charts_are_svg_elements_in_the_colours_of_the_page(name: str) -> None:
    svg = DRAWN[name]()
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and "width" not in root.attrib
    assert "var(--s1)" in svg and "font-family" not in svg and "<style" not in svg
    assert not re.search(r"#0[0-9a-f]{5}\b", svg), "a placeholder colour is left"
    assert DRAWN[name]() == svg


def test_charts_on_one_page_share_no_id() -> None:
    ids = [set(re.findall(r' id="([^"]+)"', DRAWN[name]())) for name in ("bars", "lines")]
    assert not ids[0] & ids[1]


def test_long_names_are_shortened() -> None:
    assert charts.shortened("x" * 22) == "x" * 22
    assert charts.shortened("x" * 23) == "x" * 21 + "…"


@pytest.mark.parametrize(
    ("media_type", "start"),
    [
        ("image/png", '<img src="data:image/png;base64,'),
        ("audio/wav", '<audio controls preload="none" src="data:audio/wav;base64,'),
        ("text/plain; charset=utf-8", '<blockquote aria-label="&lt;b&gt;">&amp;</blockquote>'),
    ],
)
def test_previews_are_self_contained_and_escaped(media_type: str, start: str) -> None:
    markup = element(Preview(media_type, b"&"), "<b>")
    assert markup.startswith(start) and "&lt;b&gt;" in markup and "<b>" not in markup
