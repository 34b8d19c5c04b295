"""Near-duplicates of every modality: reported, kept in one split or left out; items that only resemble are not."""

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
    collected = collect(Data(source=[str(folder)]), modality(kind), at_work())
    section = Clean(near_duplicates=NearDuplicates(kind=rule, threshold=threshold))  # type: ignore[arg-type]
    return clean(collected.records, collected.modality, at_work(), section)


@pytest.mark.parametrize("versioned", [False, True])  # items of versions are identified by the end of their paths
def test_conflicting_labels_in_sources_of_one_name_are_quarantined(tmp_path: Path, versioned: bool) -> None:
    for place, rows in {
        "a/digits": {"0/x.png": "0/0000.png", "0/good.png": "0/0010.png", "1/one.png": "1/0001.png"},
        "b/digits": {"1/good.png": "1/0011.png", "1/x.png": "0/0000.png", "0/x.png": "0/0020.png"},
    }.items():
        for name, sample in rows.items():
            (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SAMPLES / sample, tmp_path / place / name)
    sources = [str(tmp_path / place / "digits") for place in "ab"]
    collected = collect(Data(source=sources), modality("image"), at_work())
    section = Clean.model_validate({"exact_duplicates": "report", "wrong_labels": "quarantine"})
    records = [replace(record, versioned=versioned) for record in collected.records]
    result = clean(records, collected.modality, at_work(), section)
    removed = {record.path for record in records} - {record.path for record in result.records}
    assert removed == {tmp_path / "a/digits/0/x.png", tmp_path / "b/digits/1/x.png"}  # b/digits/0/x.png is another
    assert {record.origin for record in records} >= {"a/digits/0/x.png", "b/digits/0/x.png"}


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return Image.open(io.BytesIO(buffer.getvalue()))


def picture(seed: int) -> Image.Image:
    """A smooth picture of 48x48 pixels, different for each seed."""
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
def test_a_changed_copy_of_an_image_is_the_only_near_duplicate(tmp_path: Path, name: str) -> None:
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


def test_reported_near_duplicates_are_kept_in_one_split_across_classes(tmp_path: Path) -> None:
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


def test_without_the_rule_near_duplicates_are_neither_reported_nor_linked(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    picture(1).save(tmp_path / "a" / "1.png")
    jpeg(picture(1)).save(tmp_path / "a" / "2.png")
    result = cleaned(tmp_path, "off")
    assert not result.problems
    assert {record.cluster for record in result.records} == {""}


def test_the_config_sets_the_threshold_of_near_duplicates(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    picture(1).save(tmp_path / "a" / "1.png")
    jpeg(picture(1)).save(tmp_path / "a" / "2.png")
    assert len(cleaned(tmp_path, "report", threshold=0.9).problems) == 1
    assert not cleaned(tmp_path, "report", threshold=1.0).problems


def test_clusters_do_not_depend_on_file_names(tmp_path: Path) -> None:
    files = sorted((SAMPLES / "1").iterdir())
    shuffled = [files[row] for row in np.random.default_rng(1).permutation(len(files))]
    for name, order in (("one", files), ("other", shuffled)):
        (tmp_path / name / "1").mkdir(parents=True)
        for number, path in enumerate(order):
            shutil.copy(path, tmp_path / name / "1" / f"{number:04}.png")

    def clustered(name: str) -> dict[str, str]:
        # 0.8: so low that a pair may be similar in one order and not in the other
        records = cleaned(tmp_path / name, "report", threshold=0.8).records
        return {record.content: record.cluster for record in records if record.cluster}

    assert len(clustered("one")) > 10
    assert clustered("one") == clustered("other")


def test_few_real_digits_are_near_duplicates(tmp_path: Path) -> None:
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
def test_texts_are_compared_without_case_punctuation_and_accents(one: str, other: str, near: bool) -> None:
    modality_type = MODALITIES["text"]
    pairs = near_pairs(
        modality("text").similarity([text_fingerprint(one), text_fingerprint(other)]),
        modality_type.near_duplicate_threshold,
        at_work(),
    )
    assert bool(pairs) is near


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
def test_a_louder_shifted_or_recompressed_sound_is_a_near_duplicate(change: Callable[[Clip], Any]) -> None:
    paths = sorted((ROOT / "samples" / "sound").glob("*/*.flac"))[:40]
    clips = [read_sound(path) for path in paths]
    changed = Clip(change(clips[5]), clips[5].rate, "", "")
    similarity = modality("sound").similarity([sound_fingerprint(clip) for clip in [*clips, changed]])
    pairs = near_pairs(similarity, MODALITIES["sound"].near_duplicate_threshold, at_work())
    assert (5, 40) in {(pair.first, pair.second) for pair in pairs}


class _Line(Similarity):
    """Numbers on a line, which share keys with their neighbours."""

    def __init__(self, values: list[int]) -> None:
        self.keys = np.array([[value // 2, (value + 1) // 2] for value in values], np.uint64)
        self.values = np.array(values)

    def __call__(self, pairs: Any) -> Any:
        return 1 - np.abs(self.values[pairs[:, 0]] - self.values[pairs[:, 1]]).astype(np.float32)


def test_the_number_of_pairs_is_linear_even_if_all_items_share_their_keys() -> None:
    for count in (100, 1000):
        pairs = candidates(np.zeros((count, 4), np.uint64), 0)
        assert count - 1 <= len(pairs) <= 16 * count
    chain = near_pairs(_Line([5] * 500), 1.0, at_work())
    assert clusters(chain) == [list(range(500))]


def test_clusters_do_not_depend_on_the_order_of_pairs() -> None:
    pairs = near_pairs(_Line([10, 40, 11, 12, 41, 70]), 0.0, at_work())
    assert clusters(pairs) == [[0, 2, 3], [1, 4]]
    assert clusters(pairs[::-1]) == [[0, 2, 3], [1, 4]]


def test_a_word_and_a_section_are_equal_in_a_config(tmp_path: Path) -> None:
    assert Clean.model_validate({"near_duplicates": "quarantine"}) == Clean.model_validate(
        {"near_duplicates": {"kind": "quarantine"}}
    )


def test_an_unknown_word_is_an_error_with_the_valid_words(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("name: x\nmodality: image\ndata: {source: .}\nclean: {near_duplicates: remove}\n")
    outcome = genset("run", path, "--output", tmp_path / "out")
    assert outcome.code == 2
    assert "must be one of off, report, quarantine; got 'remove'" in outcome.stderr


def test_split_reports_near_duplicates(tmp_path: Path) -> None:
    source = digits(tmp_path / "in", 20, "01")
    shutil.copytree(SAMPLES / "2", source / "2")
    original = sorted((source / "0").iterdir())[0]
    Image.open(original).resize((16, 16), Image.Resampling.BICUBIC).save(source / "1" / "zz.png")
    outcome = genset("split", source, "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    near = [problem for problem in outcome.json["problems"] if problem["path"] == "1/zz.png"]
    assert [problem["kind"] for problem in near] == ["near_duplicate"]


def test_a_colour_image_does_not_change_the_similarity_of_grey_images() -> None:
    """Colour cells are only kept if one of the images has colour."""
    paths = sorted((SAMPLES / "3").iterdir())[:12]
    images = [Image.open(path).convert("RGB") for path in paths]
    images += [ImageEnhance.Brightness(images[0]).enhance(0.9), Image.new("RGB", (28, 28)), Image.new("RGB", (28, 28))]
    grey = [image_fingerprint(image) for image in images]
    red = image_fingerprint(Image.new("RGB", (28, 28), (255, 0, 0)))
    assert {fingerprint.shape[2] for fingerprint in grey} == {1} and red.shape[2] == 3
    pairs = np.array([(first, second) for first in range(len(grey)) for second in range(first + 1, len(grey))])
    alone, beside = modality("image").similarity(grey)(pairs), modality("image").similarity([*grey, red])(pairs)
    np.testing.assert_allclose(alone, beside, atol=1e-5)
    similar = {
        tuple(pair)
        for pair, value in zip(pairs.tolist(), alone, strict=True)
        if value >= MODALITIES["image"].near_duplicate_threshold
    }
    assert {(0, 12), (13, 14)} <= similar  # the darker one, and the two empty ones


def test_label_scores_do_not_depend_on_the_block_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(4)
    labels = np.arange(600) % 3
    scaled = (draw.standard_normal((600, 8)) + 4 * np.eye(8)[labels]).astype(np.float32)
    wrong_labels = np.where(np.arange(600) < 12, (labels + 1) % 3, labels)  # the first twelve
    units = np.arange(600)
    results = [scores_of(scaled, wrong_labels, units)]
    monkeypatch.setattr(label_errors, "_BLOCK", 37)
    results.append(scores_of(scaled, wrong_labels, units))
    np.testing.assert_allclose(results[0].margin, results[1].margin, atol=1e-5)
    for scores in results:
        reported = (scores.suggested != wrong_labels) & (scores.margin >= scores.limits(wrong_labels))
        assert np.flatnonzero(reported).tolist() == list(range(12))


def scores_of(scaled: Any, labels: Any, units: Any) -> label_errors.LabelScores:
    return label_errors.label_scores(
        label_errors.NeighbourSpace.from_features(scaled, units), labels, label_errors.folds(units)
    )
