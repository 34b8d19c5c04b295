"""genset init: what it finds in a folder, what it proposes and writes, and what it never does."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genset.config import loading
from genset.dataset import Record
from genset.pipeline.collect.groups import guess_grouping
from tests.helpers import ROOT, SAMPLES, digits, genset

DIGITS = """\
name: pictures                # versions go to out/datasets/pictures and out/models/pictures
modality:
  kind: image                 # 15 usable items
  size: 8                     # pixels: all are 8
  mode: L                     # all are grey
data:
  source: pictures            # one folder for each class; 2 classes: 3 (12), 7 (3); 1 of them with fewer than 10 items
train:
  seconds: 120                # short, for a first try; with 300 or more, the figures are often better
generate:
  per_class: 20               # generated items for each class; the median class has 7 real items
balance:
  target: max                 # classes have 3 to 12 items: generated items fill the small ones
# quality:
#   gates: [cas_ratio >= 0.9, copies <= 0.05]  # without the #: if a figure fails a gate, the run ends with exit code 1
"""


@pytest.fixture
def pictures(in_folder: Path) -> Path:
    digits(in_folder / "pictures", 12, "3")
    digits(in_folder / "pictures", 3, "7")
    return in_folder / "pictures"


def test_the_config_is_printed_with_reasons_and_nothing_is_written(pictures: Path) -> None:
    outcome = genset("init", "pictures", cwd=pictures.parent)
    assert (outcome.code, re.sub(r"^#.*\n", "", outcome.stdout.partition("name:")[0], flags=re.MULTILINE)) == (0, "")
    assert outcome.stdout.endswith(f"{DIGITS}# next: genset init pictures --config pictures.yaml\n")
    assert [path.name for path in pictures.parent.iterdir()] == ["pictures"]


def test_yes_writes_a_valid_config(pictures: Path) -> None:
    written = genset("init", "pictures", "--yes", "--json", cwd=pictures.parent)
    assert (written.code, written.json["path"]) == (0, "pictures.yaml")
    assert (pictures.parent / "pictures.yaml").read_text() == written.json["config"]
    assert written.json["counts"] == {"label": {"3": 12, "7": 3}, "split": {}}
    assert loading.load(pictures.parent / "pictures.yaml").data.source == [str(pictures)]


def test_an_existing_file_is_never_overwritten(pictures: Path) -> None:
    place = pictures.parent / "pictures.yaml"
    place.write_text("mine")
    for arguments in (["--yes"], ["--config", "pictures.yaml"]):
        outcome = genset("init", "pictures", *arguments, cwd=pictures.parent)
        assert (outcome.code, outcome.stderr) == (
            2,
            "genset: pictures.yaml: a file of this name exists and is not replaced\n"
            "  Choose another name with --config FILE.\n",
        )
    assert place.read_text() == "mine"


def test_paths_in_the_config_are_relative_to_its_folder(pictures: Path) -> None:
    (pictures.parent / "configs").mkdir()
    assert genset("init", "pictures", "--config", "configs/a.yaml", "--name", "other", cwd=pictures.parent).code == 0
    loaded = loading.load(pictures.parent / "configs" / "a.yaml")
    assert (loaded.name, loaded.data.source) == ("other", [str(pictures)])


def on_a_terminal(folder: Path, answers: str, *arguments: str) -> str:
    """The output of a command on a terminal where a person types the answers."""
    terminal, process_end = pty.openpty()
    command = [sys.executable, "-m", "genset", *arguments]
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=env, stdin=process_end, stdout=process_end, stderr=process_end
    ) as process:
        os.close(process_end)
        os.write(terminal, answers.encode())
        output = b""
        try:
            while part := os.read(terminal, 65536):
                output += part
        except OSError:  # Linux reports a closed terminal like this
            pass
    os.close(terminal)
    assert process.returncode == 0, output
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", output.decode())


def test_on_a_terminal_init_asks_about_groups_and_writing(pictures: Path) -> None:
    for folder in pictures.iterdir():
        for number, path in enumerate(sorted(folder.iterdir())):
            path.rename(folder / f"writer{number % 3}_{number}.png")
    output = on_a_terminal(pictures.parent, "y\n\n", "init", "pictures")
    assert (
        "Files look like 3 groups: writer0 (5), writer1 (5), writer2 (5). Keep each group together? [y/n] (n):"
        in output
    )
    assert "Write it to pictures.yaml? [y/n] (y):" in output
    assert loading.load(pictures.parent / "pictures.yaml").data.group == r"(?P<group>[^/_]+)_[^/]*$"


def test_with_yes_a_guessed_group_is_a_comment_and_no_question_is_asked(pictures: Path) -> None:
    for folder in pictures.iterdir():
        for number, path in enumerate(sorted(folder.iterdir())):
            path.rename(folder / f"writer{number % 3}_{number}.png")
    assert "[y/n]" not in on_a_terminal(pictures.parent, "", "init", "pictures", "--yes")
    assert loading.load(pictures.parent / "pictures.yaml").data.group is None
    assert "  # group: (?P<group>[^/_]+)_[^/]*$  # 3 groups: " in (pictures.parent / "pictures.yaml").read_text()


def test_a_single_inner_folder_with_the_classes_is_found(pictures: Path) -> None:
    outer = pictures.parent / "download"
    outer.mkdir()
    pictures.rename(outer / "inner")
    (outer / "note.json").write_text("{}")
    output = genset("init", "download", "--json", cwd=outer.parent).json
    assert [c["value"] for c in output["choices"] if c["key"] in ("name", "data.source")] == [
        "download",
        "download/inner",
    ]


def test_the_folder_of_a_split_is_named_after_its_dataset(pictures: Path) -> None:
    shutil.move(pictures, pictures.parent / "digits" / "train")
    output = genset("init", "digits/train", "--json", cwd=pictures.parent).json
    assert output["choices"][0]["value"] == "digits"


@pytest.mark.parametrize("sample, expected", [
    ("dialogues", {"modality.kind": "text", "modality.label": "topic", "modality.fields": ["prompt", "response"]}),
    ("text", {"modality.kind": "text", "generate.per_class": 148}),
    ("sound", {"modality.kind": "sound", "modality.sample_rate": 22050, "modality.channels": 1}),
    ("image", {"modality.kind": "image", "modality.size": 8, "modality.mode": "L", "generate.per_class": 180}),
])  # fmt: skip
def test_every_sample_gets_a_config_with_its_settings(sample: str, expected: dict[str, object], tmp_path: Path) -> None:
    place = tmp_path / "c.yaml"
    outcome = genset("init", ROOT / "samples" / sample, "--config", place, "--json")
    assert outcome.code == 0, outcome.stderr
    chosen = {choice["key"]: choice["value"] for choice in outcome.json["choices"]}
    assert {key: chosen.get(key) for key in expected} == expected
    loading.load(place)


@pytest.mark.parametrize("arguments, error", [
    (["nowhere"], "nowhere: no such folder\n  Give the folder of your items."),
    (["few"], "few: 2 usable items (1 left out; the first is b/b.png: the same content as a/a.png, which is labelled "
              "'a', not 'b'), at least 10 are needed\n"
              "  Add items, or point data.source at a folder with more of them."),
    (["few", "--modality", "video"], "--modality: unknown modality: 'video'\n  Choose one of image, text, sound."),
    (["few", "--modality", "sound"], "few: no sound files found (looked for .wav, .flac, .ogg, .oga, .opus, .mp3, .aif, "
                                     ".aiff, .au, .caf, .w64)\n"
                                     "  Point data.source at a folder that contains one folder of files for each class."),
    (["few", "--config", "no/where.yaml"], "no/where.yaml: no such folder\n  Create the folder, or choose another place."),
])  # fmt: skip
def test_a_folder_without_a_config_proposal_ends_with_one_message(
    in_folder: Path, arguments: list[str], error: str
) -> None:
    for label in "ab":
        (in_folder / "few" / label).mkdir(parents=True)
        shutil.copy(next((SAMPLES / "3").iterdir()), in_folder / "few" / label / f"{label}.png")
    shutil.copy(next((SAMPLES / "4").iterdir()), in_folder / "few" / "b" / "c.png")
    outcome = genset("init", *arguments, cwd=in_folder)
    assert (outcome.code, outcome.stderr) == (2, f"genset: {error}\n")
    assert [path.name for path in in_folder.iterdir()] == ["few"]


def record(origin: str, label: str, **columns: str) -> Record:
    return Record(origin, Path(origin), label, origin=origin, columns=columns)


def test_groups_are_guessed_from_names_that_repeat_across_classes() -> None:
    takes = [record(f"{c}/{who}_{n}.wav", c) for c in "ab" for who in ("ann", "bob", "eve") for n in range(4)]
    found = guess_grouping(takes)
    assert found and (found.group, found.why) == (r"(?P<group>[^/_]+)_[^/]*$", "3 groups: ann (8), bob (8), eve (8)")
    inner = [record(f"{c}/{who}/{n}.wav", c) for c in "ab" for who in ("ann", "bob", "eve") for n in range(4)]
    found = guess_grouping(inner)
    assert found and found.group == r"^[^/]+/(?P<group>[^/]+)/"
    columns = [record(f"{n}.wav", "a", speaker=f"s{n % 3}") for n in range(12)]
    found = guess_grouping(columns)
    assert found and found.group == "speaker"


@pytest.mark.parametrize("names", [
    ["a/{n}.png"],  # no divider
    ["a/thing{n}_x.png"],  # each item a group of its own
    ["a/a_{n}.png", "b/b_{n}.png"],  # the class once more
    ["a/x_{n}.png", "a/x_1{n}.png", "b/y_{n}.png"],  # most in one
])  # fmt: skip
def test_no_group_is_guessed_from_other_names(names: list[str]) -> None:
    records = [record(name.format(n=n), name[0]) for name in names for n in range(10)]
    assert guess_grouping(records) is None
