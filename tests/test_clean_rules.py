"""Near-duplicates: found whatever an item is, told of, kept together or left out; what only resembles is left alone."""

import io
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageEnhance, ImageOps

from genset.config.clean_section import Clean, NearDuplicates
from genset.config.sections import Data
from genset.interfaces import Modality, Similarity
from genset.modalities import MODALITIES
from genset.modalities.image.near_duplicates import fingerprint as image_fingerprint
from genset.modalities.sound.codec import Clip
from genset.modalities.sound.codec import read as read_sound
from genset.modalities.sound.near_duplicates import fingerprint as sound_fingerprint
from genset.modalities.text.near_duplicates import fingerprint as text_fingerprint
from genset.pipeline.clean.clean import Cleaned, clean
from genset.pipeline.clean.near_duplicates import candidates, clusters, near_pairs
from genset.pipeline.collect.collect import collect
from genset.pipeline.split.assign import assign
from genset.quality import label_errors
from tests.helpers import ROOT, SAMPLES, at_work, digits, genset


def modality(kind: str) -> Modality:
    return MODALITIES[kind](MODALITIES[kind].Settings())


def cleaned(folder: Path, rule: str, kind: str = "image", threshold: float | None = None) -> Cleaned:
    found = collect(Data(source=[str(folder)]), modality(kind), at_work())
    section = Clean(near_duplicates=NearDuplicates(kind=rule, threshold=threshold))  # type: ignore[arg-type]
    return clean(found.records, found.modality, at_work(), section)


@pytest.mark.parametrize("versioned", [False, True])  # items of versions are told by the end of their paths alone
def test_conflicting_labels_of_two_sources_of_one_name_are_those_that_go(tmp_path: Path, versioned: bool) -> None:
    for place, rows in {
        "a/digits": {"0/x.png": "0/0000.png", "0/good.png": "0/0010.png", "1/one.png": "1/0001.png"},
        "b/digits": {"1/good.png": "1/0011.png", "1/x.png": "0/0000.png", "0/x.png": "0/0020.png"},
    }.items():
        for name, sample in rows.items():
            (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SAMPLES / sample, tmp_path / place / name)
    sources = [str(tmp_path / place / "digits") for place in "ab"]
    found = collect(Data(source=sources), modality("image"), at_work())
    section = Clean.model_validate({"exact_duplicates": "report", "wrong_labels": "quarantine"})
    records = [replace(record, versioned=versioned) for record in found.records]
    result = clean(records, found.modality, at_work(), section)
    gone = {record.path for record in records} - {record.path for record in result.records}
    assert gone == {tmp_path / "a/digits/0/x.png", tmp_path / "b/digits/1/x.png"}  # b/digits/0/x.png is another
    assert {record.origin for record in records} >= {"a/digits/0/x.png", "b/digits/0/x.png"}


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return Image.open(io.BytesIO(buffer.getvalue()))


def picture(seed: int) -> Image.Image:
    """A smooth picture of 48x48 pixels, no two alike."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    return small.resize((48, 48), Image.Resampling.BICUBIC)


CHANGED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": jpeg,
    "larger": lambda image: image.resize((96, 96), Image.Resampling.BICUBIC),
    "smaller": lambda image: image.resize((36, 36), Image.Resampling.BICUBIC),
    "cropped": lambda image: image.crop((1, 1, 47, 47)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "mirrored": ImageOps.mirror,
}


@pytest.mark.parametrize("name", CHANGED)
def test_an_image_that_is_saved_anew_is_found_among_others_and_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    for number in range(40):
        picture(number).save(tmp_path / "a" / f"{number:02}.png")
    CHANGED[name](picture(7)).save(tmp_path / "a" / "99.png")
    result = cleaned(tmp_path, "quarantine")
    assert [(problem.path, problem.kind) for problem in result.problems] == [("a/99.png", "near_duplicate")]
    assert (
        result.problems[0].detail.startswith("nearly the same as a/07.png (similarity 0.9")
        or "1.000" in result.problems[0].detail
    )
    assert len(result.records) == 40


def test_reported_near_duplicates_stay_and_stand_in_one_split_across_classes(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
    for number in range(30):
        picture(number).save(tmp_path / "a" / f"{number:02}.png")
        jpeg(picture(number)).save(tmp_path / "b" / f"{number:02}.png")
    result = cleaned(tmp_path, "report")
    assert len(result.records) == 60
    assert Counter(problem.kind for problem in result.problems) == {"near_duplicate": 30, "label_conflict": 60}
    assert result.problems[0].detail.endswith(", which is labelled 'a', not 'b'")
    places: dict[str, set[str]] = {}
    for record in assign(result.records, (0.5, 0.25, 0.25), 0):
        places.setdefault(Path(record.origin).name, set()).add(record.split)
    assert len(places) == 30
    assert all(len(splits) == 1 for splits in places.values())
    assert set().union(*places.values()) == {"train", "validation", "test"}


def test_without_the_rule_nothing_is_said_and_nothing_tied(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    picture(1).save(tmp_path / "a" / "1.png")
    jpeg(picture(1)).save(tmp_path / "a" / "2.png")
    result = cleaned(tmp_path, "off")
    assert not result.problems
    assert {record.cluster for record in result.records} == {""}


def test_the_threshold_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    picture(1).save(tmp_path / "a" / "1.png")
    jpeg(picture(1)).save(tmp_path / "a" / "2.png")
    assert len(cleaned(tmp_path, "report", threshold=0.9).problems) == 1
    assert not cleaned(tmp_path, "report", threshold=1.0).problems


def test_the_same_items_hang_together_whatever_their_files_are_called(tmp_path: Path) -> None:
    files = sorted((SAMPLES / "1").iterdir())
    shuffled = [files[row] for row in np.random.default_rng(1).permutation(len(files))]
    for name, order in (("one", files), ("other", shuffled)):
        (tmp_path / name / "1").mkdir(parents=True)
        for number, path in enumerate(order):
            shutil.copy(path, tmp_path / name / "1" / f"{number:04}.png")

    def tied(name: str) -> dict[str, str]:
        # 0.8: low, where a pair may be near one way round and not the other
        records = cleaned(tmp_path / name, "report", threshold=0.8).records
        return {record.content: record.cluster for record in records if record.cluster}

    assert len(tied("one")) > 10
    assert tied("one") == tied("other")


def test_real_digits_are_not_taken_for_each_other(tmp_path: Path) -> None:
    result = cleaned(digits(tmp_path, 60), "report")
    assert len([problem for problem in result.problems if problem.kind == "near_duplicate"]) <= 6  # of 600


@pytest.mark.parametrize(
    "one, other, near",
    [
        ("Fabian", "  FABIAN.", True),
        ("Bàsarab", "Basarab", True),
        ("The film was long, but I liked it a lot.", "the film was long but i liked it a lot", True),
        (
            "We waited for an hour, the soup was cold and nobody came to ask whether we wanted anything else at all.",
            "We waited for an hour, the meal was cold and nobody came to ask whether we wanted anything else at all.",
            True,
        ),
        ("Ana", "Anna", False),
        ("Emil", "Emilia", False),
        ("a dog runs over the grass", "a cat sits on the roof", False),
        ("!?", "!!", False),
    ],
)
def test_texts_are_compared_without_case_marks_and_accents(one: str, other: str, near: bool) -> None:
    table = MODALITIES["text"]
    found = near_pairs(
        modality("text").similarity([text_fingerprint(one), text_fingerprint(other)]),
        table.near_duplicate_threshold,
        at_work(),
    )
    assert bool(found) is near


def _louder(clip: Clip) -> Any:
    return clip.samples * 0.3


def _later(clip: Clip) -> Any:
    return np.concatenate([np.zeros((clip.rate // 100, clip.samples.shape[1]), np.float32), clip.samples])


def _vorbis(clip: Clip) -> Any:
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.rate, format="OGG", subtype="VORBIS")
    buffer.seek(0)
    return soundfile.read(buffer, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("change", [_louder, _later, _vorbis])
def test_a_sound_is_found_at_another_level_a_moment_later_or_recoded(change: Callable[[Clip], Any]) -> None:
    paths = sorted((ROOT / "samples" / "sound").glob("*/*.flac"))[:40]
    clips = [read_sound(path) for path in paths]
    changed = Clip(change(clips[5]), clips[5].rate, "", "")
    likeness = modality("sound").similarity([sound_fingerprint(clip) for clip in [*clips, changed]])
    found = near_pairs(likeness, MODALITIES["sound"].near_duplicate_threshold, at_work())
    assert (5, 40) in {(pair.first, pair.second) for pair in found}


class _Line(Similarity):
    """Numbers on a line, which share keys with their neighbours."""

    def __init__(self, values: list[int]) -> None:
        self.keys = np.array([[value // 2, (value + 1) // 2] for value in values], np.uint64)
        self.values = np.array(values)

    def __call__(self, pairs: Any) -> Any:
        return 1 - np.abs(self.values[pairs[:, 0]] - self.values[pairs[:, 1]]).astype(np.float32)


def test_pairs_grow_with_the_items_even_where_all_share_their_keys() -> None:
    for count in (100, 1000):
        found = candidates(np.zeros((count, 4), np.uint64), 0)
        assert count - 1 <= len(found) <= 16 * count
    chain = near_pairs(_Line([5] * 500), 1.0, at_work())
    assert clusters(chain) == [list(range(500))]


def test_clusters_hang_together_by_pairs_in_any_order() -> None:
    found = near_pairs(_Line([10, 40, 11, 12, 41, 70]), 0.0, at_work())
    assert clusters(found) == [[0, 2, 3], [1, 4]]
    assert clusters(found[::-1]) == [[0, 2, 3], [1, 4]]


def test_a_word_and_a_section_say_the_same_in_a_config(tmp_path: Path) -> None:
    assert Clean.model_validate({"near_duplicates": "quarantine"}) == Clean.model_validate(
        {"near_duplicates": {"kind": "quarantine"}}
    )


def test_a_wrong_word_is_told_with_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("name: x\nmodality: image\ndata: {source: .}\nclean: {near_duplicates: remove}\n")
    outcome = genset("run", path, "--output", tmp_path / "out")
    assert outcome.code == 2
    assert "must be one of off, report, quarantine; got 'remove'" in outcome.stderr


def test_split_tells_of_near_duplicates_and_keeps_them_together(tmp_path: Path) -> None:
    source = digits(tmp_path / "in", 20, "01")
    shutil.copytree(SAMPLES / "2", source / "2")
    twin = sorted((source / "0").iterdir())[0]
    Image.open(twin).resize((16, 16), Image.Resampling.BICUBIC).save(source / "1" / "zz.png")
    outcome = genset("split", source, "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    near = [problem for problem in outcome.json["problems"] if problem["path"] == "1/zz.png"]
    assert [problem["kind"] for problem in near] == ["near_duplicate"]


def test_a_coloured_picture_changes_nothing_of_how_alike_grey_ones_are() -> None:
    """Cells and places of colour are only held where some picture has colour."""
    paths = sorted((SAMPLES / "3").iterdir())[:12]
    images = [Image.open(path).convert("RGB") for path in paths]
    images += [ImageEnhance.Brightness(images[0]).enhance(0.9), Image.new("RGB", (28, 28)), Image.new("RGB", (28, 28))]
    grey = [image_fingerprint(image) for image in images]
    red = image_fingerprint(Image.new("RGB", (28, 28), (255, 0, 0)))
    assert {fingerprint.shape[2] for fingerprint in grey} == {1} and red.shape[2] == 3
    pairs = np.array([(first, second) for first in range(len(grey)) for second in range(first + 1, len(grey))])
    alone, beside = modality("image").similarity(grey)(pairs), modality("image").similarity([*grey, red])(pairs)
    np.testing.assert_allclose(alone, beside, atol=1e-5)
    told = {
        tuple(pair)
        for pair, value in zip(pairs.tolist(), alone, strict=True)
        if value >= MODALITIES["image"].near_duplicate_threshold
    }
    assert {(0, 12), (13, 14)} <= told  # the darker one, and the two that show nothing


def test_what_is_said_of_labels_does_not_depend_on_how_many_are_looked_at_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(4)
    labels = np.arange(600) % 3
    scaled = (draw.standard_normal((600, 8)) + 4 * np.eye(8)[labels]).astype(np.float32)
    given = np.where(np.arange(600) < 12, (labels + 1) % 3, labels)  # the first twelve are wrong
    units = np.arange(600)
    told = [judged(scaled, given, units)]
    monkeypatch.setattr(label_errors, "_BLOCK", 37)
    told.append(judged(scaled, given, units))
    np.testing.assert_allclose(told[0].margin, told[1].margin, atol=1e-5)
    for said in told:
        doubtful = np.flatnonzero((said.suggested != given) & (said.margin >= said.limits(given)))
        assert doubtful.tolist() == list(range(12))


def judged(scaled: Any, labels: Any, units: Any) -> label_errors.LabelScores:
    return label_errors.label_scores(
        label_errors.NeighbourSpace.from_features(scaled, units), labels, label_errors.folds(units)
    )
