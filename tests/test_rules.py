"""Rules for single items: unusual ones are reported with a reason and a score, usual ones are not."""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageFilter

from genset.config.by_modality import clean_class
from genset.config.sections import Data
from genset.engine import Local
from genset.interfaces import Problem, Progress, Rule
from genset.modalities import MODALITIES
from genset.modalities.text.item_rules import values as text_values
from genset.modalities.text.letter_model import unlikelihood
from genset.modalities.text.near_duplicates import fingerprint as letters
from genset.pipeline.clean.clean import Cleaned, clean
from genset.pipeline.clean.rules import score_values
from genset.pipeline.collect.collect import collect
from tests.helpers import SAMPLES, at_work, digits, genset

LABELS = np.array(["a"] * 20)


def cleaned(folder: Path, kind: str, *, workers: int = 2, **rules: Any) -> Cleaned:
    """The items after cleaning by `rules`, without near-duplicates, which are tested elsewhere."""
    job = at_work(Local(workers=workers))
    modality = MODALITIES[kind](MODALITIES[kind].Settings())
    collected = collect(Data(source=[str(folder)]), modality, job)
    section = clean_class(kind).model_validate({"near_duplicates": "off", **rules})
    return clean(collected.records, collected.modality, job, section)


def reported(result: Cleaned) -> set[tuple[str, str]]:
    return {(problem.path, problem.kind) for problem in result.problems}


def picture(seed: int, side: int = 32) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((side, side), Image.Resampling.BOX)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    for number in range(40):
        picture(number).save(tmp_path / "a" / f"{number:02}.png")
    return tmp_path


IMAGES = {
    "dark": picture(1).point(lambda value: value * 0.1),
    "bright": picture(1).point(lambda value: 230 + value * 0.09),
    "blank": Image.new("RGB", (32, 32), (120, 30, 200)),
    "blurred": picture(1).filter(ImageFilter.GaussianBlur(2)),
    "odd_size": picture(1, 128),
    "odd_aspect": picture(1).crop((0, 0, 32, 8)),
}


def test_similar_images_break_no_rule(pictures: Path) -> None:
    assert not cleaned(pictures, "image").problems


@pytest.mark.parametrize("rule", IMAGES)
def test_an_unusual_image_is_reported_or_quarantined_as_configured(pictures: Path, rule: str) -> None:
    IMAGES[rule].save(pictures / "a" / "odd.png")
    result = cleaned(pictures, "image")
    assert {path for path, _ in reported(result)} == {"a/odd.png"}
    assert rule in {kind for _, kind in reported(result)}
    assert len(result.records) == 41
    assert len(cleaned(pictures, "image", **{rule: "quarantine"}).records) == 40
    assert rule not in {kind for _, kind in reported(cleaned(pictures, "image", **{rule: "off"}))}
    problem = next(problem for problem in result.problems if problem.kind == rule)
    assert problem.score is not None
    assert rule not in {
        k for _, k in reported(cleaned(pictures, "image", **{rule: {"threshold": problem.score + 0.1}}))
    }


def test_two_frequent_image_sizes_are_both_usual(pictures: Path) -> None:
    for number in range(40, 55):
        picture(number, 256).save(pictures / "a" / f"{number}.png")
    assert "odd_size" not in {problem.kind for problem in cleaned(pictures, "image").problems}


def test_a_property_of_most_of_a_small_class_is_usual(pictures: Path) -> None:
    (pictures / "night").mkdir()
    for number in range(5):
        picture(100 + number).point(lambda value: value * 0.1).save(pictures / "night" / f"{number}.png")
    assert "dark" not in {problem.kind for problem in cleaned(pictures, "image").problems}


def test_a_problem_has_a_reason_and_a_score(pictures: Path) -> None:
    IMAGES["blank"].save(pictures / "a" / "odd.png")
    (problem,) = (problem for problem in cleaned(pictures, "image").problems if problem.kind == "blank")
    detail = "a contrast of 0.0%: it is almost empty"
    assert problem.as_dict() == {"path": "a/odd.png", "kind": "blank", "detail": detail, "score": 1.0}


def tone(seed: int, rate: int = 8000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(rate // 2) / rate
    fading = np.exp(-6 * time) * rng.uniform(0.4, 0.6)
    return np.asarray(fading * np.sin(2 * np.pi * rng.uniform(200, 900) * time + rng.uniform(0, 6)))


SOUNDS = {
    "silent": (tone(1) * 0.0005, 8000),
    "clipped": (np.clip(tone(1) * 8, -0.5, 0.5), 8000),
    "dc_offset": (tone(1) * 0.5 + 0.2, 8000),
    "odd_rate": (tone(1, 16000), 16000),
}


@pytest.mark.parametrize("rule", SOUNDS)
def test_only_the_unusual_sound_is_reported(tmp_path: Path, rule: str) -> None:
    (tmp_path / "a").mkdir()
    for number in range(30):
        soundfile.write(tmp_path / "a" / f"{number:02}.wav", tone(10 + number), 8000)
    assert not cleaned(tmp_path, "sound").problems
    soundfile.write(tmp_path / "a" / "odd.wav", *SOUNDS[rule])
    assert reported(cleaned(tmp_path, "sound")) == {("a/odd.wav", rule)}


LINES = [
    f"the {size} {animal} {does} over the {colour} hill"
    for size in ("small", "large", "old")
    for animal in ("dog", "cat", "horse", "sheep")
    for does in ("jumps", "walks", "looks")
    for colour in ("green", "white", "brown")
]
TEXTS = {
    "misread": ("the small cat walks to the cafÃ© on the hill", "garbled"),
    "with a lost character": ("the small cat walks to the caf\ufffd on the hill", "garbled"),
    "markup": ("<p>the small cat <b>walks</b> over the hill</p>", "markup"),
    "gibberish": ("wqzx kjhgf vbnmq zxcvw pqjk xwvq fghjk", "gibberish"),
    "another script": ("маленькая кошка идёт через холм", "odd_script"),
    "much longer": (" ".join(LINES[:12]), "too_long"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_only_the_unusual_text_is_reported(tmp_path: Path, name: str) -> None:
    text, rule = TEXTS[name]
    (tmp_path / "lines.txt").write_text("\n".join([*LINES, text]), encoding="utf-8")
    problems = reported(cleaned(tmp_path, "text"))
    assert {path for path, _ in problems} == {f"lines.txt:{len(LINES) + 1}"}
    assert rule in {kind for _, kind in problems}


@pytest.mark.parametrize(
    "text", ["Über die Brücke «à gauche»", "ВІЗЬМИ Ді і Ві", "naïve café, 100 € – “so”", "猫が好き"]
)
def test_correct_texts_of_any_script_are_not_garbled(text: str) -> None:
    assert text_values(text)["garbled"] == 0


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1251"])
def test_utf8_read_in_another_encoding_is_garbled(encoding: str) -> None:
    text = "Привет" if encoding == "cp1251" else "déjà vu à Nîmes"
    misread = text.encode().decode(encoding, "ignore")
    assert text_values(misread)["garbled"] > 0.05  # type: ignore[operator]


def test_a_rare_script_is_not_gibberish() -> None:
    greek = ["η γάτα", "ο σκύλος", "το άλογο", "η κότα", "το πουλί", "η αγελάδα"]
    nats = unlikelihood([letters(text) for text in (*LINES, *greek)], ["latin"] * len(LINES) + ["greek"] * len(greek))
    assert np.median(nats[-len(greek) :]) == pytest.approx(np.median(nats[: len(LINES)]))


def test_deviations_are_from_the_median_with_a_lower_bound() -> None:
    values = np.array([1.0] * 19 + [3.0])
    rule = Rule("", "", 4.0, least=0.5)
    result = score_values(values, LABELS, rule)
    assert (result.usual, result.score[-1], result.reportable[-1]) == (1.0, 4.0, True)
    spread = score_values(np.arange(20.0), LABELS, Rule("", "", 4.0, least=0.5))
    assert spread.score[-1] == pytest.approx(9.5 / (1.4826 * 5))
    capped = score_values(np.arange(20.0), LABELS, Rule("", "", 4.0, least=0.5, most=1.0))
    assert capped.score[-1] == 9.5


def test_a_rare_value_is_reportable_unless_a_class_has_it() -> None:
    rule = Rule("", "", 0.9, measure="rarity")
    words, labels = np.array(["x"] * 95 + ["y"] * 5), np.array(["a"] * 100)
    result = score_values(words, labels, rule)
    assert (result.usual, result.reportable.sum()) == ("x", 5)
    assert result.score[-1] == 0.95
    labels[95:] = "b"
    assert not score_values(words, labels, rule).reportable.any()


def wrongly_labelled(folder: Path) -> tuple[Path, set[str]]:
    """60 digits each of four classes, three of each moved into another class."""
    digits(folder, 60, "0134")
    moved = set()
    for label, other in zip("0134", "1340", strict=True):
        for path in sorted((folder / label).iterdir())[:3]:
            target = folder / other / f"z{label}_{path.name}"
            path.rename(target)
            moved.add(f"{other}/{target.name}")
    return folder, moved


def test_swapped_labels_are_found_with_the_right_label(tmp_path: Path) -> None:
    folder, moved = wrongly_labelled(tmp_path)
    problems = [problem for problem in cleaned(folder, "image").problems if problem.kind == "wrong_label"]
    places = {problem.path for problem in problems}
    assert len(places & moved) >= 0.8 * len(moved)
    assert len(places & moved) >= 0.5 * len(places)
    one = next(problem for problem in problems if problem.path in moved)
    label, right = one.path[0], Path(one.path).name[1]
    comparison = f"the classifier predicts {right!r} (probability higher by {one.score:.2f})"
    assert one.detail == f"labelled {label!r}, but {comparison}"


def test_label_errors_do_not_depend_on_workers_or_file_names(tmp_path: Path) -> None:
    folder, _ = wrongly_labelled(tmp_path / "one")
    first, again = (cleaned(folder, "image", workers=workers).problems for workers in (1, 3))
    assert first == again

    def contents(result: Cleaned) -> set[tuple[bytes, float | None]]:
        root = folder if result is before else tmp_path / "two"
        return {((root / p.path).read_bytes(), p.score) for p in result.problems if p.kind == "wrong_label"}

    before = cleaned(folder, "image")
    for number, path in enumerate(sorted(folder.rglob("*.png"), reverse=True)):
        target = tmp_path / "two" / path.parent.name / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert contents(before) == contents(cleaned(tmp_path / "two", "image"))


def test_labels_that_cannot_be_recognised_are_not_checked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(30):
            Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / label / f"{number}.png")
    outcome = genset("inspect", tmp_path, "--json")
    assert outcome.json["problems"] == []
    assert "were not checked" in outcome.stderr


def test_different_items_are_outliers_if_the_rule_is_on(tmp_path: Path) -> None:
    digits(tmp_path, 40, "01")
    rng = np.random.default_rng(0)
    for number in range(2):
        noise = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8))
        noise.save(tmp_path / "0" / f"odd{number}.png")
    rules = {"outliers": "report", "wrong_labels": "off"}
    outliers = {problem.path for problem in cleaned(tmp_path, "image", **rules).problems if problem.kind == "outlier"}
    assert {"0/odd0.png", "0/odd1.png"} <= outliers
    assert len(outliers) <= 4
    assert not [problem for problem in cleaned(tmp_path, "image").problems if problem.kind == "outlier"]


def test_inspect_and_split_take_rules_on_the_command_line(tmp_path: Path) -> None:
    digits(tmp_path / "digits", 12, "01")
    Image.new("L", (8, 8), 0).save(tmp_path / "digits" / "0" / "odd.png")
    inspected = genset("inspect", tmp_path / "digits", "--json", "clean.wrong_labels=off")
    assert {problem["kind"] for problem in inspected.json["problems"]} == {"blank", "dark"}
    quiet = genset("inspect", tmp_path / "digits", "--json", "clean.blank=off", "clean.dark=off")
    assert quiet.json["problems"] == []
    arguments = ("split", tmp_path / "digits", "--output", tmp_path / "out", "--json")
    split = genset(*arguments)
    assert (split.json["problems"], split.json["counts"]["label"]) == ([], {"0": 13, "1": 12})
    left_out = genset(*arguments, "clean.blank=quarantine")
    assert left_out.json["counts"]["label"] == {"0": 12, "1": 12}
    written = json.loads((Path(left_out.json["version"]["path"]) / "quality.json").read_text(encoding="utf-8"))
    assert written["problems"] == left_out.json["problems"]
    assert written["problems"][0]["score"] == 1.0


def test_rules_of_another_modality_are_unknown(tmp_path: Path) -> None:
    outcome = genset("inspect", digits(tmp_path, 2, "01"), "clean.blured=off")
    assert (outcome.code, outcome.stderr) == (
        2,
        "genset: clean.blured=off: clean.blured: unknown key (did you mean `blurred`?)\n",
    )
    (tmp_path / "lines.txt").write_text("\n".join(LINES), encoding="utf-8")
    outcome = genset("inspect", tmp_path / "lines.txt", "clean.blurred=off")
    assert (outcome.code, outcome.stderr) == (2, "genset: clean.blurred=off: clean.blurred: unknown key\n")


def test_a_file_that_vanishes_while_reading_is_reported(tmp_path: Path) -> None:
    modality = MODALITIES["image"](MODALITIES["image"].Settings())
    records = collect(Data(source=[str(digits(tmp_path, 6, "01"))]), modality, at_work()).records
    records[0].path.unlink()
    result = clean(records, modality, at_work(), clean_class("image")())
    place = records[0].place
    assert result.problems == (Problem(place, "undecodable", "cannot be read: No such file or directory"),)
    assert len(result.records) == 11


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that a user without rights can enter; tests that run as root become such a user."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
        if os.getuid() == 0:
            os.seteuid(0)
        for folder in Path(name).rglob("*"):
            folder.chmod(0o755)


def test_unreadable_folders_and_files_are_reported_and_the_others_used(nobody: Path) -> None:
    cleaned(digits(nobody / "first", 6, "01"), "image")  # import everything before the rights are dropped
    folder = digits(nobody / "set", 6, "012")
    (folder / ".trash").mkdir(mode=0)
    (folder / "1").chmod(0)
    (folder / "0" / "0000.png").chmod(0)
    if os.getuid() == 0:
        os.seteuid(65534)
    modality = MODALITIES["image"](MODALITIES["image"].Settings())
    collected = collect(Data(source=[str(folder)]), modality, at_work())
    result = clean(collected.records, modality, at_work(), clean_class("image")())
    reasons = {problem.path: problem.detail for problem in (*collected.problems, *result.problems)}
    assert reasons == {
        ".trash": "the folder cannot be read: Permission denied",
        "1": "the folder cannot be read: Permission denied",
        "0/0000.png": "cannot be read: Permission denied",
    }
    assert len(result.records) == 11


def test_circular_links_end_and_unusual_file_names_are_kept(tmp_path: Path) -> None:
    folder = digits(tmp_path / "set", 6, "01")
    (folder / "0" / "up").symlink_to("..")
    (folder / "0" / "self.png").symlink_to("self.png")
    names = ["a\nb.png", "  two  .png", "\U0001f600.png", "x" * 251 + ".png"]
    for source, name in zip(sorted((SAMPLES / "0").iterdir())[20:], names, strict=False):
        shutil.copy(source, folder / "0" / name)
    outcome = genset("split", folder, "--output", tmp_path / "out", "--json")
    assert outcome.json["counts"]["label"] == {"0": 10, "1": 6}
    assert {(problem["path"], problem["kind"]) for problem in outcome.json["problems"]} == {
        ("0/up", "ignored"),
        ("0/self.png", "undecodable"),
    }
    again = genset("inspect", outcome.json["version"]["path"], "--json")
    assert again.json["counts"]["label"] == {"0": 10, "1": 6}


def test_classes_that_differ_only_in_case_are_kept_apart_and_reported(tmp_path: Path) -> None:
    for label, source in (("Cat", "0"), ("cat", "1")):
        shutil.copytree(SAMPLES / source, tmp_path / label)
    said = io.StringIO()
    modality = MODALITIES["image"](MODALITIES["image"].Settings())
    collected = collect(Data(source=[str(tmp_path)]), modality, at_work(progress=Progress(say=said.write)))
    assert {record.label for record in collected.records} == {"Cat", "cat"}
    assert said.getvalue() == (
        "the classes 'Cat', 'cat' differ only in case: they are kept apart, but a file system that ignores case would "
        "merge their folders"
    )
