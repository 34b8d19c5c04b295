"""Comparison of two versions: figures that are better, worse or inconclusive."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from genset.interfaces import MetricInfo
from genset.pipeline.evaluate.comparison import Change, Comparison
from genset.pipeline.pages.comparison import comparison_markdown, comparison_page, evaluation_markdown
from genset.quality import intervals
from genset.report.formatting import lift_verdict
from genset.workflows.compare import changes as changes_of
from tests.helpers import Trained, genset

HIGHER = MetricInfo("up", "higher", "higher is better")
LOWER = MetricInfo("down", "lower", "lower is better")
NEAR = MetricInfo("mid", "target", "near 0.5", target=0.5)
NEUTRAL = MetricInfo("count", "neutral", "neither")


def test_interval_of_a_difference_combines_both_intervals() -> None:
    assert intervals.of_difference(0.5, (0.4, 0.6), 0.8, (0.7, 0.9)) == pytest.approx(
        (0.3 - 0.02**0.5, 0.3 + 0.02**0.5)
    )
    low, high = intervals.of_difference(0.5, (0.47, 0.54), 0.8, (0.77, 0.84))  # 3 below and 4 above on each side
    assert (low, high) == pytest.approx((0.3 - 0.05, 0.3 + 0.05))


@pytest.mark.parametrize(
    ("figure", "before", "after", "interval", "word"),
    [
        (HIGHER, 0.5, 0.8, (0.1, 0.5), "better"),
        (HIGHER, 0.8, 0.5, (-0.5, -0.1), "worse"),
        (HIGHER, 0.5, 0.8, (-0.1, 0.5), "inconclusive"),
        (HIGHER, 0.5, 0.8, None, "no interval"),
        (LOWER, 0.5, 0.8, (0.1, 0.5), "worse"),
        (NEUTRAL, 0.5, 0.8, (0.1, 0.5), "neutral"),
    ],
)
def test_only_a_difference_whose_interval_excludes_0_is_better_or_worse(
    figure: MetricInfo, before: float, after: float, interval: tuple[float, float] | None, word: str
) -> None:
    assert Change(figure, before, after, interval).verdict == word


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ((0.2, (0.15, 0.25)), (0.6, (0.55, 0.65)), "better"),
        ((0.5, (0.45, 0.55)), (0.9, (0.85, 0.95)), "worse"),
        ((0.45, (0.42, 0.48)), (0.55, (0.52, 0.58)), "inconclusive"),  # as far off on the other side
        ((0.4, (0.3, 0.5)), (0.5, (0.4, 0.6)), "inconclusive"),
        ((0.4, (0.3, 0.5)), (0.5, None), "no interval"),
    ],
)
def test_figure_with_a_target_is_better_only_if_it_is_clearly_nearer(
    before: tuple[float, Any], after: tuple[float, Any], word: str
) -> None:
    first, last = (
        {"figures": {"dcr_share": value}, "details": {"dcr_share": {"interval": ends}}}
        for value, ends in (before, after)
    )
    (change,) = changes_of(first, last)
    assert change.verdict == word
    assert change.moved == (before[0] == 0.45)


def clear_changes(name: str, count: int, goal: str = "higher", **more: Any) -> list[Change]:
    """Clear changes; they are better if higher values are."""
    return [Change(MetricInfo(f"{name}{n}", goal, "", **more), 0.5, 0.8, (0.1, 0.5)) for n in range(count)]  # type: ignore[arg-type]


def unclear_changes(count: int) -> list[Change]:
    return [Change(MetricInfo(f"even{n}", "higher", ""), 0.5, 0.8, (-0.1, 0.5)) for n in range(count)]


@pytest.mark.parametrize(
    ("changes", "tone", "headline"),
    [
        ([*clear_changes("a", 1, "lower"), *unclear_changes(14)], "neutral", "1 of 15 figures is worse, no more than expected by chance"),
        ([*clear_changes("a", 1), *clear_changes("b", 1, "lower"), *unclear_changes(18)], "neutral",
         "2 of 20 figures are better or worse, no more than expected by chance"),
        ([*clear_changes("a", 3, "lower"), *unclear_changes(12)], "bad", "Worse"),
        ([*clear_changes("a", 2), *clear_changes("b", 1, "lower"), *unclear_changes(3)], "neutral", "Better in 2, worse in 1"),
        ([*clear_changes("a", 1, headline=True), *clear_changes("b", 1, "lower"), *unclear_changes(13)], "good", "Better"),
        ([*clear_changes("a", 1, "lower", headline=True), *unclear_changes(14)], "bad", "Worse"),
        (clear_changes("a", 1), "good", "Better"),
        (unclear_changes(15), "neutral", "No significant difference"),
        ([], "neutral", "Not compared: the items are gone"),
    ],
)  # fmt: skip
def test_headline_follows_headline_figures_or_more_changes_than_chance(
    changes: list[Change], tone: str, headline: str
) -> None:
    comparison = Comparison("a@v0002", "a@v0001", changes, {}, ["no figures: the items are gone"], {})
    assert (comparison.tone, comparison.headline) == (tone, headline)
    assert (
        f'class="verdict {tone}"' in comparison_page(comparison).decode()
        and f"{headline}</h2>" in comparison_page(comparison).decode()
    )


def test_failed_gates_come_first_on_the_page_and_in_markdown() -> None:
    comparison = Comparison("a@v0002", "a@v0001", clear_changes("a", 1, headline=True), {}, [], {})
    html, text = (
        comparison_page(comparison, ["x >= 1: is <0>"]).decode(),
        comparison_markdown(comparison, ["x >= 1: is <0>"]).decode(),
    )
    assert '<section class="verdict bad"' in html and "Better; 1 gate failed</h2>" in html
    assert "<li>gate failed: x &gt;= 1: is &lt;0&gt;</li>" in html
    assert text.index("- gate failed: x \\>= 1: is \\<0\\>\n\n|") < text.index("| figure |")


def test_summary_and_markdown_list_the_changes() -> None:
    changes = [
        Change(HIGHER, 0.5, 0.8, (0.1, 0.5)),
        Change(LOWER, 0.1, 0.2, (0.05, 0.15)),
        Change(NEAR, 0.5, 0.5, (-0.1, 0.1), (-0.1, 0.1)),
    ]
    comparison = Comparison("a@v0002", "a@v0001", changes, {"seed": ("1", "<b>|2")}, ["a note"], {})
    line = "a@v0002 against a@v0001: 1 better (up 0.500 to 0.800), 1 worse (down 0.100 to 0.200), 1 inconclusive"
    assert (comparison.line, comparison.tone) == (line, "neutral")
    assert comparison_markdown(comparison).decode() == (
        f"### a@v0002 against a@v0001\n\n{line}.\n\n"
        "| figure | before | after | difference | 95% interval | verdict |\n| --- | --- | --- | --- | --- | --- |\n"
        "| up | 0.500 | 0.800 | +0.300 | 0.100 to 0.500 | better |\n"
        "| down | 0.100 | 0.200 | +0.100 | 0.050 to 0.150 | worse |\n"
        "| mid | 0.500 | 0.500 | +0.000 | -0.100 to 0.100 | inconclusive |\n\n"
        "| setting | before | after |\n| --- | --- | --- |\n| seed | 1 | \\<b\\>\\|2 |\n\n"
        "Note: a note.\n"
    )


def test_versions_of_a_dataset_are_compared_and_both_files_written(own: Trained, tmp_path: Path) -> None:
    out = ["--output", own.out, "--json"]
    again = genset("run", own.config, "generate.per_class=30", *out)
    assert again.code == 0, again.stderr
    files = ["--summary", tmp_path / "all.md", "--report", tmp_path / "all.html"]
    result = genset("inspect", "digits@v0002", "--against", "digits@v0001", *files, *out)
    assert result.code == 0, result.stderr
    output = result.json
    assert output["against"] == "digits@v0001"
    assert output["settings"]["generate.per_class"] == ["12", "30"]
    assert output["settings"]["items: generated"] == ["120", "300"]
    assert output["figures"] == again.json["figures"]
    by_name = {change["figure"]: change for change in output["changes"]}
    assert by_name["real_acc"]["difference"] == 0
    cas = by_name["cas"]
    assert cas["difference"] == pytest.approx(
        again.json["figures"]["cas"] - own.outcome.json["figures"]["cas"], abs=2e-4
    )
    assert cas["interval"][0] < cas["difference"] < cas["interval"][1]
    assert output["summary"] in (tmp_path / "all.md").read_text().replace("\\", "")
    assert b"digits@v0002 against digits@v0001" in (tmp_path / "all.html").read_bytes()
    gated = genset("inspect", "digits@v0002", "--against", "digits@v0001", "--gate", "distinct >= 1.01", *out)
    assert gated.code == 2 and "is always between 0 and 1" in gated.stderr
    failing = genset("inspect", "digits@v0002", "--against", "digits@v0001", "--gate", "cas_ratio >= 9", *files, *out)
    assert failing.code == 1
    assert b"gate failed: cas_ratio" in (tmp_path / "all.html").read_bytes()
    assert "- gate failed: cas" in (tmp_path / "all.md").read_text()
    for more, option in ((["--quick"], "--quick"), (["clean.near_duplicates=off"], "clean.near_duplicates=off")):
        refused = genset("inspect", "digits@v0002", *more, "--against", "digits@v0001", *out)
        assert (refused.code, refused.stderr) == (
            2,
            f"genset: --against digits@v0001: {option} has no effect when two versions are compared\n"
            "  Leave it out. To evaluate synthetic items, give --against the folder of the real items.\n",
        )


@pytest.mark.slow
def test_model_compared_with_its_own_copy_is_neither_better_nor_worse(own: Trained) -> None:
    first = own.out / "models" / "digits" / "v0001"
    copy = shutil.copytree(first, first.with_name("v0002"))
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "id": "v0002"}))
    result = genset("inspect", copy, "--against", first, "--output", own.out, "--json")
    assert result.code == 0, result.stderr
    assert {change["difference"] for change in result.json["changes"]} == {0}
    assert {change["verdict"] for change in result.json["changes"]} <= {"inconclusive", "no interval", "neutral"}
    assert result.json["settings"] == {}
    same = genset("inspect", first, "--against", first, "--output", own.out)
    assert (same.code, same.stderr) == (
        2,
        f"genset: --against {first}: digits@v0001 cannot be compared with itself\n  Give --against another version.\n",
    )


def test_models_trained_on_different_items_are_compared_by_settings_only(own: Trained) -> None:
    first = own.out / "models" / "digits" / "v0001"
    copy = shutil.copytree(first, first.with_name("v0002"))
    manifest = json.loads((copy / "manifest.json").read_text())
    changed = {**manifest, "id": "v0002", "inputs": {**manifest["inputs"], "identity": "other"}}
    (copy / "manifest.json").write_text(json.dumps(changed))
    result = genset("inspect", copy, "--against", first, "--output", own.out, "--json")
    assert result.code == 0, result.stderr
    assert result.json["changes"] == []
    assert result.json["notes"] == [
        "no figures: the models were trained on different items, so no items are held out from both"
    ]


@pytest.mark.slow
def test_evaluation_of_synthetic_items_writes_a_summary(own: Trained, tmp_path: Path) -> None:
    path, report = tmp_path / "judged.md", tmp_path / "judged.html"
    files = ["--summary", path, "--report", report]
    result = genset("inspect", own.dataset, "--against", own.source, "--quick", *files, "--output", own.out, "--json")
    assert result.code == 0, result.stderr
    text = path.read_text().replace("\\", "")
    sizes = result.json["n"]
    names = {"train": "training", "test": "test", "made": "synthetic"}
    quick = ", ".join(f"{sizes[part]} of {sizes[part]} {name} items" for part, name in names.items())
    assert f"quick evaluation: {quick}, 3 classifiers" in result.json["notes"]
    assert f"Note: quick evaluation: {quick}, 3 classifiers." in text
    assert f"<p>Quick evaluation: {quick}, 3 classifiers.</p>" in report.read_text().partition("</section>")[0]
    assert lift_verdict(result.json["figures"], sizes).line in text
    for name, value in result.json["figures"].items():
        assert f"| {name} | {value:.3f} |" in text or abs(value) >= 1000
    assert evaluation_markdown("x", result.json).decode().count("\n| ") > len(result.json["figures"])


def test_summary_without_figures_is_an_error(trained: Trained, tmp_path: Path) -> None:
    result = genset("inspect", trained.source, "--summary", tmp_path / "a.md")
    assert (result.code, result.stderr) == (
        2,
        "genset: --summary: a summary contains figures, which need a dataset to compare with\n  Add --against and the real dataset, such as --against digits.\n",
    )
    assert not (tmp_path / "a.md").exists()


def test_dataset_without_real_items_cannot_be_used_for_evaluation(own: Trained) -> None:
    out = ["--output", own.out]
    generated = genset("generate", "digits", "-n", "5", "--name", "made", "--near-copies", "keep", *out)
    assert generated.code == 0, generated.stderr
    place = own.out / "datasets/made/v0001"
    result = genset("inspect", "digits", "--against", place, *out)
    assert (result.code, result.stderr) == (
        2,
        f"genset: --against: {place} has no real items\n"
        "  Give --against the folder of the real items, or a version that contains them.\n",
    )
