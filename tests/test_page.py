"""The report page in a real browser: charts, filters, keyboard, sounds, and no network requests."""

import html
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from genset.dataset import Record
from genset.engine import Local
from genset.interfaces import Preview
from genset.modalities import MODALITIES
from genset.pipeline.pages.dataset import dataset_page
from genset.pipeline.pages.page_data import DatasetPageData
from genset.report import charts
from genset.report.formatting import lift_verdict
from genset.report.page import Card, CardRow, Gallery, Page, PageSection, PageVerdict, render
from tests.helpers import SAMPLES, Trained, digits, genset

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>document.title = 'broken'</script>"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs it where there is apt-get")
        pytest.skip("no Chromium on this machine: the page was not opened")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no page was opened")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens a page; any error, console message, dialog or network request fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: Path, width: int = 1280, **context: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on("request", lambda request: complaints.append(request.url) if not _own(request.url, path) else None)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def _own(url: str, path: Path) -> bool:
    return url.partition("#")[0] == path.as_uri() or url.startswith("data:")


def _shown(page: Any) -> int:
    return int(page.locator(".gallery .card:visible").count())


def _report(source: Path, folder: Path) -> Path:
    path = folder / "page.html"
    result = genset("inspect", source, "--report", path, "--output", folder / "out", "--json")
    assert result.code == 0, result.stderr
    assert result.json["files"] == {"report": str(path)}
    return path


@pytest.mark.slow
def test_page_of_a_run_shows_verdict_figures_charts_items_and_origin(trained: Trained, opened: Open) -> None:
    page = opened(trained.dataset.resolve() / "report.html")
    quality = json.loads((trained.dataset / "quality.json").read_text(encoding="utf-8"))
    lift = lift_verdict(quality["figures"], quality["n"])
    assert lift is not None
    first = page.locator("main > *").first
    assert lift.sentence[1:] in first.inner_text() and lift.measured[1:] in first.inner_text()
    headings = page.locator("main h2").all_inner_texts()
    assert headings[1:4] == [
        "How good are the synthetic items?",
        "Which classes are weakest?",
        "What does the dataset contain?",
    ]
    drawn = page.locator("figure.chart svg")
    assert drawn.count() >= 5
    for box in [drawn.nth(number).bounding_box() for number in range(drawn.count())]:
        assert box["width"] > 200 and box["height"] > 40
    for name in trained.outcome.json["figures"]:
        assert page.locator(f"tbody th:text-is('{name}')").count(), name
    assert "digits@v0001" in page.locator("#s-origin").inner_text()
    assert not page.evaluate("[...document.images].filter(image => !image.naturalWidth || !image.alt).length")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


def test_failed_gates_and_figures_that_were_not_computed_are_shown(trained: Trained) -> None:
    quality = json.loads((trained.dataset / "quality.json").read_text())
    quality |= {"failed_gates": ["copies <= 0: is 0.1, off by 0.1"], "skipped": {"vendi": "<too few>"}}
    record = Record("c000000000000001", SAMPLES / "0" / "0000.png", "0", split="train")
    modality = MODALITIES["image"](MODALITIES["image"].Settings(size=8, mode="L"))
    text = dataset_page(DatasetPageData("failed", modality, [record], quality), Local(workers=1)).decode()
    assert '<section class="verdict bad"' in text
    assert "<li>gate failed: copies &lt;= 0: is 0.1, off by 0.1</li>" in text
    assert '<p class="paragraph">vendi was not computed: &lt;too few&gt;.</p>' in text


def test_page_of_a_version_with_an_unknown_figure_leaves_it_out(own: Trained, tmp_path: Path) -> None:
    path = own.dataset / "quality.json"
    quality = json.loads(path.read_text())
    path.write_text(json.dumps({**quality, "figures": {**quality["figures"], "lift_noise": 0.1}}))
    result = genset("inspect", own.dataset, "--report", tmp_path / "page.html", "--output", own.out)
    assert result.code == 1  # quality.json is not what was written
    assert "lift_noise" not in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_items_open_by_keyboard_arrow_keys_move_on_and_focus_returns(trained: Trained, opened: Open) -> None:
    page = opened(trained.dataset.resolve() / "report.html")
    first, second = (page.locator("#s-items .open").nth(number) for number in (0, 1))
    first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    assert dialog.get_by_role("heading").inner_text() == first.locator("img").get_attribute("alt")
    assert "real" in dialog.locator("dl").inner_text()
    page.keyboard.press("ArrowRight")
    assert dialog.get_by_role("heading").inner_text() == second.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not dialog.count()
    assert second.evaluate("button => button === document.activeElement")


@pytest.mark.slow
def test_galleries_filter_by_class_source_and_words(trained: Trained, opened: Open) -> None:
    page = opened(trained.dataset.resolve() / "report.html")
    items = page.locator("#s-items .gallery")
    every = items.locator(".card:visible").count()
    items.locator("select[name=label]").select_option("3")
    items.locator("select[name=source]").select_option("generated")
    cards = items.locator(".card:visible")
    assert 0 < cards.count() < every
    assert {cards.nth(n).get_attribute("data-label") for n in range(cards.count())} == {"3"}
    assert items.locator("output").inner_text() == f"{cards.count()} shown"
    one = cards.nth(1).locator("dl").text_content()
    items.locator("input").fill(re.search(r"g[0-9a-f]{15}", one)[0])
    assert cards.count() == 1
    items.locator("input").fill("no such item")
    assert cards.count() == 0 and items.locator("h4:visible").count() == 0


@pytest.mark.slow
def test_pages_fit_a_phone_and_follow_a_dark_scheme(trained: Trained, tmp_path: Path, opened: Open) -> None:
    path = trained.dataset.resolve() / "report.html"
    paper = "getComputedStyle(document.body).backgroundColor"
    phone = opened(path, 390, color_scheme="light")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    light = sum(map(int, re.findall(r"\d+", phone.evaluate(paper))))
    model = tmp_path / "model.html"
    assert genset("inspect", trained.model, "--report", model, "--output", tmp_path / "out").code == 0
    assert opened(model, 390).evaluate("document.documentElement.scrollWidth") == 390
    dark = opened(path, color_scheme="dark")
    assert light > 700 > 100 > sum(map(int, re.findall(r"\d+", dark.evaluate(paper))))


@pytest.mark.slow
def test_sounds_have_an_image_and_can_be_played(tmp_path: Path, opened: Open) -> None:
    for label in ("kick", "snare"):
        shutil.copytree(SAMPLES.parent / "sound" / label, tmp_path / "drums" / label)
    page = opened(_report(tmp_path / "drums", tmp_path))
    card = page.locator("#s-items .card").first
    assert card.locator("img").evaluate("image => image.naturalWidth") > 50
    page.mouse.click(5, 5)  # a browser plays nothing before a person did something
    sound = card.locator("audio")
    assert sound.get_attribute("aria-label") == card.locator("img").get_attribute("alt")
    played = sound.evaluate(
        "async sound => { await sound.play(); await new Promise(done => sound.addEventListener('timeupdate', done));"
        " return [sound.error, sound.duration > 0.02, sound.currentTime > 0]; }"
    )
    assert played == [None, True, True]
    card.locator(".open").press("Enter")
    assert page.locator("dialog[open] audio").count() == 1


@pytest.mark.slow
def test_texts_are_shown_in_a_table_with_a_search(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "names").mkdir()
    for label in ("el_GR", "en_US"):
        shutil.copy(SAMPLES.parent / "text" / f"{label}.txt", tmp_path / "names")
    page = opened(_report(tmp_path / "names", tmp_path))
    rows = page.locator("table.texts tr.card:visible")
    assert rows.count() == 80  # 40 of each class
    text_searched = rows.nth(5).locator("button").inner_text()
    page.locator("#s-items input").fill(text_searched.upper())
    matches = [rows.nth(n).locator("button").inner_text() for n in range(rows.count())]
    assert text_searched in matches and all(text_searched.lower() in text.lower() for text in matches)
    rows.first.locator("button").press("Enter")
    assert page.locator("dialog[open] blockquote").inner_text() == matches[0]


@pytest.mark.slow
def test_markup_in_class_names_texts_and_problems_is_escaped(tmp_path: Path, opened: Open) -> None:
    source = tmp_path / "texts"
    source.mkdir()
    lines = [f"{SCRIPT} number {number}" for number in range(12)]
    (source / f"{HOSTILE}.txt").write_text("\n".join([*lines, lines[0]]), encoding="utf-8")
    path = _report(source, tmp_path)
    page = opened(path)
    assert page.title() == "texts"
    assert page.locator("table.texts tr.card").first.locator("th").inner_text() == HOSTILE
    assert page.locator("table.texts button").first.inner_text().startswith(SCRIPT)
    assert charts.shortened(HOSTILE) in page.locator("figure.chart text").all_text_contents()
    assert page.locator("script").count() == 1 and page.locator("img").count() == 0


def test_charts_show_names_with_special_characters() -> None:
    names = ["_hidden", '$x$ id="q"', 'style="font: 9px a"', "a name far too long for a legend"]
    clouds = [charts.PointCloud(name, np.ones((3, 2)), number) for number, name in enumerate(names)]
    svg = charts.scatter([*clouds, charts.PointCloud("", np.ones((3, 2)), 0, filled=False)])
    names_shown = [html.unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", svg)]
    assert names_shown == ["_hidden", '$x$ id="q"', 'style="font: 9px a"', "a name far too long f…"]


@pytest.mark.slow
def test_arrow_keys_move_to_and_past_an_empty_text(tmp_path: Path, opened: Open) -> None:
    cards = [Card(word, word, [Preview("text/plain", text.encode())]) for word, text in (("a", "x"), ("b", ""))]
    gallery = Gallery("Texts", [CardRow("", [*cards, cards[0]])], compact=True)
    path = tmp_path / "page.html"
    path.write_bytes(render(Page("t", "", PageVerdict("neutral", ""), [PageSection("Items", "Items", [gallery])])))
    page = opened(path)
    page.locator(".open").first.press("Enter")
    page.keyboard.press("ArrowRight")
    assert page.locator("dialog[open] h2").inner_text() == "b"
    page.keyboard.press("ArrowRight")
    assert page.locator("dialog[open] blockquote").inner_text() == "x"


@pytest.mark.slow
def test_pairs_of_sounds_fit_a_phone(tmp_path: Path, opened: Open) -> None:
    card = Card("a", "a", [Preview("audio/wav", b"")])
    gallery = Gallery("Pairs", [CardRow("", [card, card])], paired=True)
    path = tmp_path / "page.html"
    path.write_bytes(render(Page("t", "", PageVerdict("neutral", ""), [PageSection("Items", "Items", [gallery])])))
    assert opened(path, 390).evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.slow
def test_galleries_filter_by_a_class_with_spaces_in_its_name(tmp_path: Path, opened: Open) -> None:
    digits(tmp_path / "digits", 6, "01")
    (tmp_path / "digits" / "0").rename(tmp_path / "digits" / "0  zero")
    page = opened(_report(tmp_path / "digits", tmp_path))
    page.locator("#s-items select[name=label]").select_option("0  zero")
    assert page.locator("#s-items .card:visible").count() == 6


def test_page_of_an_evaluation_names_the_dataset_of_problems_and_has_no_folders() -> None:
    modality = MODALITIES["image"](MODALITIES["image"].Settings(size=8, mode="L"))
    records = [
        Record(id, SAMPLES / "0" / "0000.png", "0", source, split="train")
        for id, source in (("c000000000000001", "collected"), ("g000000000000001", "generated"))
    ]
    near = [{"made": records[1].id, "real": records[0].id, "distance": 0.5, "ratio": 0.42}]
    problems = [{"path": "/home/me/a, /home/me/b", "kind": "converted", "detail": "all"}]
    about = {"traits": {"size": {"8x8": 2}}, "against": "/home/me/real"}
    data = DatasetPageData("synthetic", modality, records, {"suspicious": near}, problems, **about)
    text = dataset_page(data, Local(workers=1)).decode()
    assert "/home" not in text and "; evaluated against real<" in text and ">a, b</th>" in text
    assert "1 problem in the items of synthetic." in text and "<h3>Items of synthetic by size</h3>" in text
    assert "<h4>0.42 of the usual distance (distance 0.5)</h4>" in text


@pytest.mark.slow
def test_images_of_a_class_with_markup_in_its_name_can_be_opened(tmp_path: Path, opened: Open) -> None:
    digits(tmp_path / "digits", 6, "01")
    (tmp_path / "digits" / "0").rename(tmp_path / "digits" / '"onfocus="alert(1)')
    page = opened(_report(tmp_path / "digits", tmp_path))
    page.locator(".open").first.press("Enter")
    assert page.locator("dialog[open] h2").inner_text().endswith('of class "onfocus="alert(1)')


@pytest.mark.slow
def test_page_has_equal_bytes_for_any_number_of_workers(trained: Trained, tmp_path: Path) -> None:
    pages = []
    for workers in (1, 3):
        path = tmp_path / f"{workers}.html"
        result = genset("inspect", trained.dataset, "--report", path, "--workers", workers, "--output", tmp_path / "o")
        assert result.code == 0, result.stderr
        pages.append(path.read_bytes())
    assert pages[0] == pages[1]
    assert str(trained.out).encode() not in (trained.dataset / "report.html").read_bytes()


@pytest.mark.slow
def test_a_page_of_100_000_items_stays_under_15_mb(tmp_path: Path) -> None:
    modality = MODALITIES["image"](MODALITIES["image"].Settings(size=64, mode="RGB"))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "noise.png")  # 12 kB that nothing compresses
    sources = ("collected", "generated", "augmented")
    records = [
        Record(f"c{number:015x}", tmp_path / "noise.png", f"class {number % 100}", sources[number % 3], split="train")
        for number in range(100_000)
    ]
    pairs = [{"made": records[1].id, "real": records[0].id, "distance": 0.0, "ratio": 0.0} for _ in range(1000)]
    page = dataset_page(DatasetPageData("many", modality, records, {"suspicious": pairs}), Local(workers=1))
    assert len(page) < 15_000_000
    assert b"of 100,000 items, drawn at random" in page
    assert b"of 1,000, the most similar first" in page


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (
            "none/page.html",
            "--report {place}: there is no folder {folder}/none\n  Give the name of a file in an existing folder.\n",
        ),
        ("", "--report {place}: this is a folder\n  Give the name of a file in an existing folder.\n"),
    ],
)
def test_report_path_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path, target: str, error: str) -> None:
    place = tmp_path / target
    result = genset("inspect", SAMPLES, "--report", place)
    assert (result.code, result.stderr) == (2, "genset: " + error.format(place=place, folder=tmp_path))


def test_report_path_inside_a_version_is_an_error(own: Trained) -> None:
    place = own.dataset / "other.html"
    result = genset("inspect", own.dataset, "--report", place)
    text = "this is inside the version digits@v0001, and versions never change\n  Write it somewhere else.\n"
    assert (result.code, result.stderr) == (2, f"genset: --report {place}: {text}")
    assert not place.exists()
