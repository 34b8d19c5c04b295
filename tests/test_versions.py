"""Versions exist whole or not at all, and one run at a time writes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genset.atomic import writing
from genset.cli.lookup import lookup
from genset.errors import GensetError, LockedError
from genset.versions.checksums import verify_sums
from genset.versions.root import Root
from genset.versions.version import open_version
from tests.helpers import manifest_of


def write(root: Root, text: str = "hello", *, latest: bool = True) -> Path:
    with root.draft("datasets", "d") as draft:
        draft.write("train/a/x.txt", text.encode())
        return root.commit(draft, manifest_of("datasets", "d", draft.id, keys=[]), latest=latest).path


def test_versions_are_numbered_and_latest_points_to_the_last(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert [write(root).name, write(root).name] == ["v0001", "v0002"]
    link = tmp_path / "datasets" / "d" / "latest"
    assert os.readlink(link) == "v0002"
    assert sorted(path.name for path in link.parent.iterdir()) == ["latest", "v0001", "v0002"]


def test_a_version_that_failed_its_gates_does_not_become_latest(tmp_path: Path) -> None:
    root = Root(tmp_path)
    write(root)
    assert write(root, latest=False).name == "v0002"
    assert os.readlink(tmp_path / "datasets" / "d" / "latest") == "v0001"


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    path = write(Root(tmp_path))
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=True)
    version = open_version(path)
    assert version is not None
    assert verify_sums(version) == {}
    (path / "train/a/x.txt").write_text("changed")
    assert verify_sums(version) == {"train/a/x.txt": "has changed since it was written"}


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with pytest.raises(ZeroDivisionError), root.draft("datasets", "d") as draft:
        draft.write("x", b"1")
        raise ZeroDivisionError
    assert list((tmp_path / "datasets" / "d").iterdir()) == []


def test_leftovers_of_a_killed_run_are_taken_away_by_the_next(tmp_path: Path) -> None:
    partial = tmp_path / "datasets" / "d" / ".v0001.partial"
    partial.mkdir(parents=True)
    (partial / "x").write_text("half")
    root = Root(tmp_path)
    assert root.versions("datasets", "d") == []
    with root.lock(0, print):
        assert not partial.exists()


def test_a_second_run_waits_and_then_says_that_the_root_is_locked(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom genset.versions.root import Root\n"
        f"with Root(Path({str(tmp_path)!r})).lock(0, print):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        said: list[str] = []
        with pytest.raises(LockedError) as error, Root(tmp_path).lock(0.2, said.append):
            pass
        assert said == [f"another run is using {tmp_path}: waiting up to 0.2 s for it to end"]
        assert (int(error.value.exit_code), str(error.value)) == (
            75,
            f"{tmp_path}: another run still holds the lock after 0.2 s\n"
            "  Wait for it to end, wait longer with --lock-timeout, or use another --output.",
        )
        holder.kill()  # the lock dies with its holder
        holder.wait()
    with Root(tmp_path).lock(5, said.append):
        pass


def test_versions_are_found_by_path_and_by_name(tmp_path: Path) -> None:
    root = Root(tmp_path)
    first, second = write(root), write(root)
    for text, path in (("d", second), ("d@latest", second), ("d@v0001", first), (str(first), first)):
        version = lookup(root, "datasets", text)
        assert version is not None
        assert version.path.resolve() == path.resolve()
    (tmp_path / "plain").mkdir()
    assert lookup(root, "datasets", str(tmp_path / "plain")) is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("dd", "no such folder or name: 'dd' (did you mean `d`?)\n  Check the path, or use a name in {root}: d."),
        ("d@v0009", "{root}/datasets/d: d has no version 'v0009'\n  Write d@v0001."),
        ("../nowhere", "no such folder or name: '../nowhere'\n  Check the path, or use a name in {root}: d."),
    ],
)
def test_what_is_not_there_is_named_with_what_there_is(tmp_path: Path, text: str, message: str) -> None:
    write(Root(tmp_path))
    with pytest.raises(GensetError) as error:
        lookup(Root(tmp_path), "datasets", text)
    assert str(error.value) == message.format(root=tmp_path)


def test_failures_of_the_file_system_become_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GensetError) as error, Root(tmp_path / "file").lock(0, print):
        pass
    assert str(error.value) == (
        f"{tmp_path / 'file'}: cannot write: file exists; no incomplete file was left\n"
        "  A file has this name: move it, or choose another place with --output."
    )
    with pytest.raises(GensetError) as error, writing(tmp_path):
        raise OSError(28, "No space left on device", "x")
    assert str(error.value) == (
        "x: cannot write: no space left on device; no incomplete file was left\n"
        "  Free some space, or choose another place with --output."
    )


def test_a_file_cannot_be_written_outside_a_version_nor_over_another(tmp_path: Path) -> None:
    with Root(tmp_path).draft("datasets", "d") as draft:
        draft.write("x", b"1")
        for name in ("../x", "/x", "train/../../x", ""):
            with pytest.raises(GensetError) as error:
                draft.write(name, b"2")
            assert str(error.value) == f"{draft.path}: the path {name!r} is outside the version"
        with pytest.raises(GensetError, match="file exists"):
            draft.write("x", b"2")
        with pytest.raises(GensetError, match="file exists"):
            draft.write("x", b"2", tmp_path / "datasets" / "d" / draft.path.name / "x")


def test_versions_are_flushed_on_systems_that_can_only_flush_single_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    path = write(Root(tmp_path))
    assert (path / "train/a/x.txt").read_text() == "hello"
