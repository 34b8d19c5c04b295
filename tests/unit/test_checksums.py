"""Files of a folder compared with their checksums, as SHA256SUMS lists them."""

import hashlib
from pathlib import Path

import pytest

from genset.versions.checksums import CHANGED, MISSING, compare, listed_sums


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    return tmp_path


def test_unchanged_files_are_right_and_files_without_a_checksum_are_not_looked_at(folder: Path) -> None:
    assert compare(folder, {"a": digest(b"one")}) == {}


def test_changed_missing_and_unreadable_files_are_named(folder: Path) -> None:
    (folder / "c").mkdir()
    sums = {"a": digest(b"one"), "b": digest(b"three"), "c": digest(b""), "d": digest(b"")}
    assert compare(folder, sums) == {"b": CHANGED, "c": "cannot be read: Is a directory", "d": MISSING}


def test_a_list_of_another_program_is_read_line_by_line(folder: Path) -> None:
    lines = [f"{digest(b'one')}  a", "nonsense", "", f"{digest(b'x')}  ../outside", f"{digest(b'x')}  b"]
    (folder / "SHA256SUMS").write_text("\n".join(lines))
    assert listed_sums(folder) == {
        "SHA256SUMS:2": "is not a checksum line: b'nonsense'",
        "SHA256SUMS:4": "names '../outside', which is not a path inside the version",
        "b": CHANGED,
    }
