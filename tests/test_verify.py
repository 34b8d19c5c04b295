"""genset verify: each kind of problem, in small datasets of genset and of other tools."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from genset.config.clean_section import Clean
from genset.engine import Local
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.versions.root import Root
from genset.workflows.verify import VerifyResult, verify
from tests.helpers import ROOT, SAMPLES, Trained, digits, genset


def check(path: Path, group: str | None = None, clean: Clean = Clean()) -> VerifyResult:  # noqa: B008 - it is frozen
    return verify(path, group, clean, Job("verify", Root(path.parent), Local(workers=2), Progress.silent()))


def kinds(result: VerifyResult) -> Counter[str]:
    return Counter(problem.kind for problem in result.problems)


def problems_of(result: VerifyResult) -> list[tuple[str, str, str]]:
    return [(problem.path, problem.kind, problem.detail) for problem in result.problems]


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output root: v0001 was written by `split`, v0002 has augmented copies too."""
    folder = tmp_path_factory.mktemp("verify")
    source = digits(folder / "digits", 20, "012")
    for words in (["split", source, "--name", "d"], ["augment", "d", "--copies", "1"]):
        outcome = genset(*words, "--output", folder / "out", "--quiet")
        assert outcome.code == 0, outcome.stderr
    return folder / "out"


@pytest.fixture
def version(versions: Path, tmp_path: Path) -> Path:
    """A copy of v0002 with its parent, for tests that damage it."""
    shutil.copytree(versions, tmp_path / "out", symlinks=True)
    return tmp_path / "out" / "datasets" / "d" / "v0002"


def rows(version: Path, split: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (version / split / "metadata.jsonl").read_text().splitlines()]


def write(version: Path, split: str, lines: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (version / split / "metadata.jsonl").write_text(text)


def test_versions_of_genset_have_no_problems(versions: Path) -> None:
    for number in ("v0001", "v0002"):
        result = check(versions / "datasets" / "d" / number)
        assert (problems_of(result), result.notes) == ([], [])
    assert result.counts["source"] == {"augmented": 48, "collected": 60}


@pytest.mark.slow
def test_a_run_its_model_and_generated_items_have_no_problems(own: Trained) -> None:
    assert genset("generate", own.model, "-n", 4, "--output", own.out, "--quiet").code == 0
    filled = ["augment", own.dataset, "--balance", 75, "--model", own.model, "--name", "filled"]
    assert genset(*filled, "--output", own.out, "--quiet").code == 0
    for place in (
        own.dataset,
        own.model,
        own.out / "datasets/digits-generated/latest",
        own.out / "datasets/filled/latest",
    ):
        result = check(place)
        assert (problems_of(result), result.notes) == ([], []), place


def test_items_of_a_model_that_was_trained_on_held_out_items_are_a_leak(own: Trained) -> None:
    version = own.dataset.resolve()
    victim = next(row for row in rows(version, "train") if row["source"] == "collected")
    write(version, "train", [row for row in rows(version, "train") if row != victim])
    write(version, "test", [*rows(version, "test"), victim])
    target = version / "test" / victim["file_name"]
    target.parent.mkdir(exist_ok=True)
    shutil.move(version / "train" / victim["file_name"], target)
    detail = "digits@v0001, which generated training items, was trained on it"
    assert (f"test/{victim['file_name']}", "lineage_leak", detail) in problems_of(check(version))


def _change(version: Path) -> None:
    next((version / "train" / "0").iterdir()).write_bytes((SAMPLES / "5" / "0005.png").read_bytes())


def _line(number: int, text: str) -> Callable[[Path], None]:
    def damage(version: Path) -> None:
        path = version / "train" / "metadata.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        lines[number - 1] = text
        path.write_text("".join(lines))

    return damage


def _first(version: Path, split: str, **values: str) -> None:
    lines = rows(version, split)
    lines[0] |= values
    write(version, split, lines)


def _sums(line: bytes) -> Callable[[Path], None]:
    return lambda version: (version / "SHA256SUMS").write_bytes((version / "SHA256SUMS").read_bytes() + line)


def _manifest(version: Path, **values: object) -> None:
    path = version / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _held_out_parent(version: Path) -> None:
    held_out = Path(rows(version, "test")[0]["file_name"]).stem
    copy = next(row for row in rows(version, "train") if row["source"] == "augmented")
    write(version, "train", [{**row, "origin": held_out} if row == copy else row for row in rows(version, "train")])


def _no_parent(version: Path) -> None:
    lines = rows(version, "train")
    copy = next(row for row in lines if row["source"] == "augmented")
    write(version, "train", [{**row, "origin": "c0123456789abcde"} if row == copy else row for row in lines])


def _leaked_copy(version: Path) -> None:
    """Copy a training item to test."""
    victim = next(row for row in rows(version, "train") if row["source"] == "collected" and row["label"] == "0")
    shutil.copy(version / "train" / victim["file_name"], version / "test" / "0" / "c00000000000000.png")
    write(version, "test", [*rows(version, "test"), {**victim, "file_name": "0/c00000000000000.png"}])


@pytest.mark.parametrize(
    "damage, kind, detail",
    [
        (_change, "checksum", "it has changed since it was written"),
        (lambda v: next((v / "test" / "1").iterdir()).unlink(), "checksum", "it is missing"),
        (lambda v: next((v / "test" / "1").iterdir()).unlink(), "missing_file", "metadata.jsonl lists it, but it is missing"),
        (lambda v: (v / "README.txt").write_text("x"), "extra", "it was not written by genset"),
        (lambda v: (v / "train" / "thumbs").mkdir(), "extra", "it was not written by genset"),
        (lambda v: (v / "train" / "0" / "new.png").write_bytes(b"x"), "unlisted", "it is not listed in metadata.jsonl, so some loaders skip it"),
        (lambda v: (v / "SHA256SUMS").unlink(), "checksum", "it is missing"),
        (_sums(b"0" * 64 + b"  ../../x\n"), "checksum", "it names '../../x', which is not a path inside the version"),
        (_sums(b"0" * 64 + b"  /etc/passwd\n"), "checksum", "it names '/etc/passwd', which is not a path inside the version"),
        (_sums(b"half a line"), "checksum", "it is not a checksum line: b'half a line'"),
        (_sums(b"0" * 64 + b"  \xff.png\n"), "checksum", "it is not a checksum line: b'" + "0" * 40 + "'"),
        (_line(3, "{not json\n"), "metadata", "not valid JSON: expected a key in double quotes"),
        (_line(3, "{}\n"), "metadata", "file_name must be a path inside {version}/train, got ''"),
        (_line(3, '{"file_name": "0/x.png"}\n'), "metadata", "the column label is missing"),
        (lambda v: _first(v, "train", label="1"), "label", "it is labelled '1', but is in the folder '0'"),
        (lambda v: _first(v, "test", label="seven"), "label", "class 'seven' has no training items, but 1 in test"),
        (lambda v: write(v, "test", [*rows(v, "test"), rows(v, "test")[0]]), "listed_twice", "metadata.jsonl lists it 2 times"),
        (lambda v: write(v, "test", rows(v, "test")[1:]), "manifest", "it counts {'test': 6, 'train': 96, 'validation': 6}, but the metadata list {'test': 5, 'train': 96, 'validation': 6}"),
        (lambda v: (v / "manifest.json").write_text("{"), "manifest", "cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (lambda v: _manifest(v, modality="smell"), "manifest", "unknown modality 'smell', expected one of image, text, sound"),
        (lambda v: _manifest(v, parents=None), "manifest", "manifest field `parents` is missing or invalid"),
        (lambda v: _manifest(v, form={"size": "x"}), "manifest", "manifest field `form` is invalid"),
        (_held_out_parent, "lineage_leak", None),
        (_no_parent, "lineage", "its parent c0123456789abcde is not in this version or its parents"),
        (lambda v: _first(v, "test", origin=""), "lineage", "it names no source file"),
        (lambda v: _first(v, "test", source="augmented"), "made_held_out", "it was augmented but is in test, where only real items are allowed"),
        (lambda v: _first(v, "train", source="generated", model="other-0123456789"), "lineage", "its model other-0123456789 is not a parent of this version"),
        (_leaked_copy, "exact_leak", None),
    ],
)  # fmt: skip
def test_damage_to_a_version_is_reported(
    version: Path, damage: Callable[[Path], None], kind: str, detail: str | None
) -> None:
    damage(version)
    result = check(version)
    details = [problem.detail for problem in result.problems if problem.kind == kind]
    assert details, problems_of(result)
    assert detail is None or detail.replace("{version}", str(version)) in details


def test_an_invalid_line_is_reported_with_its_place_and_the_rest_is_checked(version: Path) -> None:
    _leaked_copy(version)
    _line(3, "{not json\n")(version)
    outcome = genset("verify", version, "--json")
    assert outcome.code == 1
    found = {problem["kind"]: problem for problem in outcome.json["problems"]}
    assert found["metadata"]["path"] == "train/metadata.jsonl:3:2"
    assert found["exact_leak"]["path"] == "test/0/c00000000000000.png"
    assert outcome.json["version"] == {"path": str(version), "name": "d", "id": "v0002"}


def test_a_damaged_manifest_is_a_problem_and_not_wrong_usage(version: Path) -> None:
    (version / "manifest.json").write_text("{")
    outcome = genset("verify", version, "clean.near_duplicates=off", "--json")
    assert (outcome.code, [problem["kind"] for problem in outcome.json["problems"]]) == (1, ["manifest"])


def test_only_checksums_are_checked_in_formats_that_cannot_be_read(version: Path) -> None:
    _manifest(version, format="npz")
    result = check(version)
    assert (problems_of(result), [note.detail for note in result.notes]) == (
        [],
        ["items in npz format cannot be read: only checksums were checked"],
    )
    _change(version)
    assert kinds(check(version)) == {"checksum": 1}


def test_a_version_outside_an_output_root_is_checked(version: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # two folders deep
        shallow = shutil.copytree(version, folder, dirs_exist_ok=True)
        result = check(Path(shallow))
    assert problems_of(result) == []
    assert [(note.path, note.detail) for note in result.notes] == [
        ("d@v0001", "this parent version was not found, so items are not traced through it")
    ]


def test_a_missing_parent_version_is_a_note_and_not_a_problem(version: Path) -> None:
    shutil.rmtree(version.with_name("v0001"))
    result = check(version)
    assert problems_of(result) == []
    assert [(note.path, note.detail) for note in result.notes] == [
        ("d@v0001", "this parent version was not found, so items are not traced through it")
    ]


def test_changed_and_missing_files_of_a_model_are_reported(own: Trained) -> None:
    model = own.model.resolve()
    (model / "generator.onnx").unlink()
    (model / "history.csv").write_text("x")
    assert problems_of(check(model)) == [
        ("generator.onnx", "checksum", "it is missing"),
        ("history.csv", "checksum", "it has changed since it was written"),
        ("generator.onnx", "missing_file", "the manifest lists it, but it is missing"),
    ]


def foreign(folder: Path) -> Path:
    """Class folders in train, val and test, as other tools write them."""
    for split, start, count in (("train", 0, 12), ("val", 12, 3), ("test", 15, 3)):
        for label in "01":
            (folder / split / label).mkdir(parents=True)
            for path in sorted((SAMPLES / label).iterdir())[start : start + count]:
                shutil.copy(path, folder / split / label / f"anna_{path.name}")
    return folder


def test_leaks_in_a_dataset_of_another_tool_are_reported(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "set")
    assert problems_of(check(folder)) == []
    name = next((folder / "train" / "0").iterdir()).name
    shutil.copy(folder / "train" / "0" / name, folder / "test" / "1" / "again.png")
    (folder / "val" / "2").mkdir()
    shutil.copy(SAMPLES / "2" / "0002.png", folder / "val" / "2" / "x.png")
    (folder / "val" / "0" / "broken.png").write_bytes(b"no picture")
    result = check(folder, r"(?P<group>anna)_")
    assert sorted(problems_of(result), key=lambda each: each[1]) == [
        ("test/1/again.png", "exact_leak", f"the same content as train/0/{name}, which is in train and is labelled '0', not '1'"),
        (result.problems[-1].path, "group_leak", "its group 'anna' is in train (24) and validation (6) and test (6)"),
        ("val/2/x.png", "label", "class '2' has no training items, but 1 in validation"),
        ("val/0/broken.png", "undecodable", "not an image that Pillow can read"),
    ]  # fmt: skip


def test_metadata_of_another_tool_are_compared_with_the_files(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "set")
    for split in ("train", "val", "test"):
        lines = [
            {
                "file_name": path.relative_to(folder / split).as_posix(),
                "label": path.parent.name,
                "group": path.name[-8:],
            }
            for path in sorted((folder / split).rglob("*.png"))
        ]
        write(folder, split, lines)
    assert problems_of(check(folder, "group")) == []
    lines = rows(folder, "test")
    first, second, third = (line["file_name"] for line in lines[:3])
    (folder / "test" / first).unlink()
    write(folder, "test", [lines[0], {**lines[1], "label": "1"}, *lines[3:], {"file_name": "../x.png"}])  # type: ignore[list-item]
    assert problems_of(check(folder, "group")) == [
        ("test/metadata.jsonl:6", "metadata", f"file_name must be a path inside {folder}/test, got '../x.png'"),
        (f"test/{first}", "missing_file", "metadata.jsonl lists it, but it is missing"),
        (f"test/{second}", "label", "it is labelled '1', but is in the folder '0'"),
        (f"test/{third}", "unlisted", "it is not listed in metadata.jsonl, so some loaders skip it"),
    ]


def test_leaks_between_text_files_of_splits_are_reported(tmp_path: Path) -> None:
    long = "the quick brown fox jumps over the lazy dog and then runs away into the deep dark wood at night"
    parts = {
        "train": [("cats purr when they are glad", "a"), ("dogs bark at the moon", "b"), (long, "a")],
        "test": [
            ("cats purr when they are glad", "a"),
            (long.replace("quick", "Quick") + "!", "a"),
            ("new words here", "c"),
        ],
    }
    for name, texts in parts.items():
        lines = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in texts)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    assert problems_of(check(tmp_path)) == [
        ("test.jsonl:3", "label", "class 'c' has no training items, but 1 in test"),
        ("test.jsonl:1", "exact_leak", "the same content as train.jsonl:1, which is in train"),
        ("test.jsonl:2", "near_leak", "nearly the same as train.jsonl:3, which is in train"),
    ]
    off = Clean.model_validate({"near_duplicates": "off"})
    assert kinds(check(tmp_path, clean=off)) == {"label": 1, "exact_leak": 1}


def test_a_sound_with_another_loudness_in_test_is_a_near_leak(tmp_path: Path) -> None:
    import soundfile

    for split, files in (("train", range(8)), ("test", range(8, 11))):
        for label in sorted(path.name for path in (ROOT / "samples" / "sound").iterdir() if path.is_dir())[:2]:
            (tmp_path / split / label).mkdir(parents=True)
            found = sorted((ROOT / "samples" / "sound" / label).iterdir())
            for number in files:
                shutil.copy(found[number], tmp_path / split / label)
    before = kinds(check(tmp_path))["near_leak"]
    victim = next((tmp_path / "train" / label).iterdir())
    wave, rate = soundfile.read(victim)
    soundfile.write(tmp_path / "test" / label / "louder.wav", wave * 0.5, rate)
    result = check(tmp_path)
    assert kinds(result)["near_leak"] == before + 1
    assert f"nearly the same as train/{label}/{victim.name}, which is in train" in [p.detail for p in result.problems]


@pytest.mark.parametrize(
    "words, message",
    [
        (["nowhere"], "genset: no such folder or name: 'nowhere'\n  Check the path, or create a version: genset run CONFIG.\n"),
        (["run.yaml"], "genset: {folder}/run.yaml: no image, text or sound files found, this is another kind of file\n  Give a folder of such files, or a dataset file such as .npz, .parquet or .tar.\n"),
        (["0/a.png"], "genset: {folder}/0/a.png: this is a single file; verify checks a dataset, a version or a model\n  Give the folder that contains it.\n"),
        (["empty"], "genset: {folder}/empty: no image, text or sound files found, the folder is empty\n  Give a folder of such files, or a dataset file such as .npz, .parquet or .tar.\n"),
        ([".v0003.partial"], "genset: {folder}/.v0003.partial: this version is incomplete: a run is writing it or crashed\n  Wait for the run to end; the next run removes what a crashed one left.\n"),
        ([".", "--group-by", "speaker"], "genset: data.group: 'speaker' gives no item a group; the first item is '0/a.png'\n  Give a column of the metadata, or a regular expression for the relative path with (?P<group>...).\n"),
        ([".", "clean.blurred=off"], "genset: clean: verify takes only the rule near_duplicates, not blurred\n  Leave out the other rules; clean.near_duplicates=off finds exact duplicates only.\n"),
        ([".", "clean.exact_duplicates=off"], "genset: clean: verify takes only the rule near_duplicates, not exact_duplicates\n  Leave out the other rules; clean.near_duplicates=off finds exact duplicates only.\n"),
    ],
)  # fmt: skip
def test_a_path_or_rule_that_verify_does_not_take_is_wrong_usage(
    in_folder: Path, words: list[str], message: str
) -> None:
    for name in ("0", "empty", ".v0003.partial"):
        (in_folder / name).mkdir()
    shutil.copy(SAMPLES / "0" / "0000.png", in_folder / "0" / "a.png")
    (in_folder / "run.yaml").write_text("name: x\n")
    outcome = genset("verify", *words, cwd=in_folder)
    assert (outcome.code, outcome.stderr, outcome.stdout) == (2, message.replace("{folder}", str(in_folder)), "")


def test_verify_writes_nothing(version: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in version.parents[2].rglob("*")}
    assert genset("verify", "d", "--output", version.parents[2]).code == 0
    assert {path: path.stat().st_mtime_ns for path in version.parents[2].rglob("*")} == before
