"""Many commands in parallel, and many in a row: nothing is lost, mixed up or left over."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genset.versions.checksums import verify_sums
from genset.versions.version import open_version
from tests.helpers import ROOT, Outcome, Trained, config, digits, genset

TEN = range(10)


def all_at_once(commands: list[list[object]]) -> list[Outcome]:
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda command: genset(*command, "--json"), commands))


def complete(versions: list[Path]) -> bool:
    opened = [open_version(path) for path in versions]
    return all(version is not None and not verify_sums(version) for version in opened)


@pytest.mark.slow
def test_ten_parallel_splits_of_one_name_write_ten_equal_versions(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "digits", 6, "01"), tmp_path / "out"
    outcomes = all_at_once([["split", source, "--reassign", "--output", out] for _ in TEN])
    assert [outcome.code for outcome in outcomes] == [0] * 10
    versions = sorted((out / "datasets" / "digits").glob("v*"))
    assert [path.name for path in versions] == [f"v{number:04}" for number in range(1, 11)]
    assert sorted(outcome.json["version"]["id"] for outcome in outcomes) == [path.name for path in versions]
    assert complete(versions)
    assert len({(path / "SHA256SUMS").read_bytes() for path in versions}) == 1
    assert (out / "datasets" / "digits" / "latest").resolve() == versions[-1]


@pytest.mark.slow
def test_ten_parallel_splits_of_different_names_equal_single_ones(tmp_path: Path) -> None:
    sources = [digits(tmp_path / f"set{number}", 4 + number, "01") for number in TEN]
    outcomes = all_at_once([["split", source, "--output", tmp_path / "out"] for source in sources])
    assert [outcome.code for outcome in outcomes] == [0] * 10
    for source, outcome in zip(sources, outcomes, strict=True):
        written = Path(outcome.json["version"]["path"])
        assert written.parent.name == source.name
        alone = Path(genset("split", source, "--output", tmp_path / "alone", "--json").json["version"]["path"])
        assert (written / "SHA256SUMS").read_bytes() == (alone / "SHA256SUMS").read_bytes()


@pytest.mark.slow
def test_ten_parallel_runs_of_one_config_train_once(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        digits(tmp_path / "digits", 12, "01"),
        model={"prior": "kde"},
        train={"steps": 120},
        generate={"per_class": 2, "near_copies": "keep", "wrong_labels": "keep"},
    )
    outcomes = all_at_once([["run", path, "--output", tmp_path / "out"] for _ in TEN])
    assert [outcome.stderr for outcome in outcomes if outcome.code] == []
    assert [path.name for path in (tmp_path / "out" / "models" / "digits").glob("v*")] == ["v0001"]
    assert [path.name for path in (tmp_path / "out" / "datasets" / "digits").glob("v*")] == ["v0001"]
    assert sorted(outcome.json["made"] for outcome in outcomes) == [False] * 9 + [True]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory of a process is read from /proc")
def test_repeated_generation_in_one_process_does_not_leak_resources(own: Trained, tmp_path: Path) -> None:
    command = ["generate", own.model, "--per-class", 4, "--seed", "{seed}", "--output", tmp_path / "new", "--quiet"]
    call = [sys.executable, ROOT / "tests" / "repeat_command.py", 12, *command]
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [str(part) for part in call],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(list((tmp_path / "new" / "datasets").glob("*/v*"))) == 12
    for key in ("files", "threads", "tasks", "temporary"):
        assert rounds[11][key] <= rounds[5][key], key
    assert not list((tmp_path / "temporary").iterdir())
    assert rounds[11]["megabytes"] < rounds[5]["megabytes"] + 15


def test_memory_of_mapped_libraries_is_released(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux reports which parts of a file are in memory")
    # A file that no other process maps: pages that are shared with another process stay in memory
    (tmp_path / "library.so").write_bytes(bytes(range(256)) * 2**16)
    code = """
import mmap
from genset.memory import release_memory
def held():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))
with open("library.so", "rb") as file:
    library = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
start = held()
assert library[:] == bytes(range(256)) * 2**16
read = held()
release_memory()
print(read - start, read - held(), library[:] == bytes(range(256)) * 2**16)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    read, released, same = done.stdout.split()
    if int(read) < 2**14:
        pytest.skip("the temporary folder is itself in memory")
    assert int(released) > 0.9 * int(read)
    assert same == "True"
