"""Items are found and unusable ones left out; the user's files are never changed."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from genset.config.clean_section import Clean
from genset.config.sections import Data
from genset.errors import GensetError
from genset.modalities.image.modality import Image as ImageModality
from genset.pipeline.clean.clean import Cleaned, clean
from genset.pipeline.collect.collect import Collected, collect
from tests.helpers import SAMPLES, at_work, digits, genset


def collected(folder: Path, group: str | None = None) -> Collected:
    return collect(Data(source=[str(folder)], group=group), ImageModality(ImageModality.Settings()), at_work())  # type: ignore[arg-type]


def cleaned(folder: Path, duplicates: str = "quarantine") -> Cleaned:
    section = Clean(exact_duplicates=duplicates)  # type: ignore[arg-type]
    return clean(collected(folder).records, ImageModality(ImageModality.Settings()), at_work(), section)


def problems(result: Collected | Cleaned) -> set[tuple[str, str, str]]:
    return {(problem.path, problem.kind, problem.detail) for problem in result.problems}


def test_nested_files_have_the_label_of_the_outermost_folder(tmp_path: Path) -> None:
    digits(tmp_path, 2, "01")
    (tmp_path / "1" / "deep").mkdir()
    shutil.move(next((tmp_path / "1").glob("*.png")), tmp_path / "1" / "deep" / "x.png")
    assert sorted((r.label, r.origin.count("/")) for r in collected(tmp_path).records) == [
        ("0", 1),
        ("0", 1),
        ("1", 1),
        ("1", 2),
    ]


def test_files_outside_classes_and_other_file_types_are_reported(tmp_path: Path) -> None:
    digits(tmp_path, 2, "01")
    shutil.copy(next((tmp_path / "0").iterdir()), tmp_path / "stray.png")
    (tmp_path / "0" / "notes.txt").write_text("hello")
    (tmp_path / "LICENSE.md").write_text("free")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    result = collected(tmp_path)
    assert len(result.records) == 4
    assert problems(result) == {
        ("stray.png", "unlabelled", "it is outside the class folders"),
        ("0/notes.txt", "ignored", "extension .txt: not a file type of image items"),
    }


def test_a_folder_without_class_folders_is_unlabelled(tmp_path: Path) -> None:
    for path in sorted((SAMPLES / "0").iterdir())[:3]:
        shutil.copy(path, tmp_path)
    assert [record.label for record in collected(tmp_path).records] == ["", "", ""]


def test_metadata_sets_labels_and_columns(tmp_path: Path) -> None:
    names = []
    for path in sorted((SAMPLES / "0").iterdir())[:2]:
        shutil.copy(path, tmp_path)
        names.append(path.name)
    rows = [{"file_name": name, "label": "zero", "writer": n, "source": "pen"} for n, name in enumerate(names)]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = collected(tmp_path, group="writer").records[0]
    assert (first.label, first.group, dict(first.columns)) == ("zero", "0", {"writer": "0", "user_source": "pen"})


def test_unusual_line_breaks_stay_in_values(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "0" / "0000.png", tmp_path)
    note = "one\u2028two\u0085three"
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": "0000.png", "note": note}, ensure_ascii=False))
    assert dict(collected(tmp_path).records[0].columns) == {"note": note}
    (tmp_path / "metadata.jsonl").unlink()
    (tmp_path / "metadata.csv").write_text('file_name,note\n0000.png,"one\ntwo"\n')
    assert dict(collected(tmp_path).records[0].columns) == {"note": "one\ntwo"}


def test_linked_class_folders_are_followed_unless_they_form_a_loop(tmp_path: Path) -> None:
    digits(tmp_path / "real", 2, "01")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "0").symlink_to(tmp_path / "real" / "0")
    shutil.copytree(tmp_path / "real" / "1", tmp_path / "linked" / "1")
    (tmp_path / "linked" / "1" / "loop").symlink_to(tmp_path / "linked")
    (tmp_path / "linked" / ".hidden").mkdir()
    shutil.copy(SAMPLES / "2" / "0002.png", tmp_path / "linked" / ".hidden")
    (tmp_path / "linked" / "none").mkdir()
    result = collected(tmp_path / "linked")
    assert Counter(record.label for record in result.records) == {"0": 2, "1": 2}
    assert problems(result) == {
        ("1/loop", "ignored", "a link to a folder that contains it"),
        (".hidden", "ignored", "a hidden folder: rename it if it is a class"),
        ("none", "empty_folder", "the folder contains no files"),
    }


def test_a_class_called_unlabelled_among_others_is_a_class(tmp_path: Path) -> None:
    digits(tmp_path, 2, "0")
    shutil.copytree(tmp_path / "0", tmp_path / "unlabelled")
    assert {record.label for record in collected(tmp_path).records} == {"0", "unlabelled"}


def test_names_of_split_folders_may_be_capitalised(tmp_path: Path) -> None:
    digits(tmp_path / "Train", 3, "01")
    digits(tmp_path / "Test", 1, "01")
    assert {record.split for record in collected(tmp_path).records} == {"train", "test"}


def test_metadata_can_be_a_csv_file(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "0" / "0000.png", tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,label\n0000.png,zero\n")
    assert [record.label for record in collected(tmp_path).records] == ["zero"]


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"label": "a"}', "file_name must be a path inside {folder}, got ''"),
        ('{"file_name": "../../etc/x.png"}', "file_name must be a path inside {folder}, got '../../etc/x.png'"),
        ('{"file_name": "/etc/x.png"}', "file_name must be a path inside {folder}, got '/etc/x.png'"),
        ('{"file_name": "a.png", "label": "../x"}', "the class name '../x' cannot be the name of a folder"),
        ('{"file_name": "a\\u0000.png"}', "file_name must be a path inside {folder}, got 'a\\x00.png'"),
        ('{"file_name": "a.png", "n": "\\ud800"}', "a value holds half a character (a lone surrogate)"),
        ("[1]", "must be a JSON object, got '[1]'"),
        ("{", "not valid JSON: expected a key in double quotes"),
    ],
)
def test_an_invalid_line_of_metadata_is_an_error_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "good.png", "label": "a"}\n' + line + "\n")
    with pytest.raises(GensetError) as error:
        collected(tmp_path)
    assert error.value.message == message.format(folder=tmp_path)
    assert error.value.where.startswith(f"{tmp_path / 'metadata.jsonl'}:2")


def test_a_split_folder_keeps_its_splits(tmp_path: Path) -> None:
    digits(tmp_path / "train", 3, "01")
    digits(tmp_path / "test", 1, "01")
    assert sorted((r.split, r.label) for r in collected(tmp_path).records).count(("train", "0")) == 3
    assert {r.split for r in collected(tmp_path).records} == {"train", "test"}


def test_a_class_called_train_among_others_is_a_class(tmp_path: Path) -> None:
    digits(tmp_path, 2, "0")
    shutil.copytree(tmp_path / "0", tmp_path / "train")
    assert {record.label for record in collected(tmp_path).records} == {"0", "train"}


def test_groups_by_pattern_and_an_error_if_it_matches_no_item(tmp_path: Path) -> None:
    digits(tmp_path, 3, "0")
    assert {r.group for r in collected(tmp_path, r"(?P<group>\d\d)\d\d\.png").records} == {"00"}
    with pytest.raises(GensetError) as error:
        collected(tmp_path, "speaker(?P<group>x)")
    assert error.value.message == ("'speaker(?P<group>x)' gives no item a group; the first item is '0/0000.png'")


def test_the_fingerprint_depends_on_bytes_names_and_labels(tmp_path: Path) -> None:
    digits(tmp_path, 2, "01")
    before = collected(tmp_path).fingerprint
    assert collected(tmp_path).fingerprint == before
    path = next((tmp_path / "0").iterdir())
    path.write_bytes(path.read_bytes() + b"\0")
    assert collected(tmp_path).fingerprint != before


def test_unusable_files_are_quarantined_with_a_reason_and_never_changed(tmp_path: Path) -> None:
    digits(tmp_path, 3, "01")
    (tmp_path / "0" / "empty.png").write_bytes(b"")
    (tmp_path / "0" / "text.png").write_text("I am no picture")
    complete = (SAMPLES / "2" / "0002.png").read_bytes()
    (tmp_path / "0" / "cut.png").write_bytes(complete[: len(complete) - 30])
    (tmp_path / "1" / "dangling.png").symlink_to("nowhere.png")
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = cleaned(tmp_path)
    assert len(result.records) == 6
    kinds = {problem.path: (problem.kind, problem.detail) for problem in result.problems}
    assert kinds["0/empty.png"] == ("empty", "the file is empty")
    assert kinds["0/text.png"] == ("undecodable", "not an image that Pillow can read")
    assert kinds["0/cut.png"][0] == "undecodable"
    assert kinds["1/dangling.png"] == ("undecodable", "cannot be read: No such file or directory")
    assert before == {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_exact_duplicates_are_found_by_decoded_content_across_formats_and_classes(tmp_path: Path) -> None:
    digits(tmp_path, 2, "01")
    original = tmp_path / "0" / "0000.png"
    Image.open(original).save(tmp_path / "0" / "z.bmp")
    shutil.copy(original, tmp_path / "1" / "z.png")
    result = cleaned(tmp_path)
    assert problems(result) == {
        ("0/z.bmp", "exact_duplicate", "the same content as 0/0000.png"),
        ("1/z.png", "exact_duplicate", "the same content as 0/0000.png, which is labelled '0', not '1'"),
        ("0/0000.png", "label_conflict", "labelled '0', but with the same content as 1/z.png, which is labelled '1'"),
        ("1/z.png", "label_conflict", "labelled '1', but with the same content as 0/0000.png, which is labelled '0'"),
    }
    assert len(result.records) == 4
    reported = cleaned(tmp_path, "report")
    assert (len(reported.records), len(reported.problems)) == (6, 4)
    assert len({record.id for record in reported.records}) == 6
    assert not cleaned(tmp_path, "off").problems


def test_a_file_name_that_is_not_utf8_can_be_written_to_metadata(tmp_path: Path) -> None:
    digits(tmp_path, 2, "0")
    odd = os.fsencode(tmp_path / "0") + b"/\xff\xfe.png"
    try:
        os.rename(os.fsencode(tmp_path / "0" / "0000.png"), odd)
    except OSError as error:
        pytest.skip(f"this file system refuses such names: {error}")
    origins = [record.origin for record in collected(tmp_path).records]
    assert "0/\\xff\\xfe.png" in origins
    assert json.dumps(origins, ensure_ascii=False).encode()


def test_a_pipe_is_reported_and_not_read(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    os.mkfifo(source / "1" / "pipe.png")
    reported = genset("inspect", source, "--json").json["problems"]
    assert reported == [{"path": "1/pipe.png", "kind": "undecodable", "detail": "cannot be read: not a regular file"}]
