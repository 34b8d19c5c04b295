"""Whatever kills a command, and whenever: nothing partial is seen, nothing old is changed, and the next one completes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT, Trained, digits, genset

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the harness forks")]


def trials(template: Path, folder: Path, command: list[str], *options: str) -> dict[str, Any]:
    call = [
        sys.executable,
        str(ROOT / "tests" / "crash_points.py"),
        str(template),
        str(folder),
        json.dumps(command),
        *options,
    ]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Path:
    """A folder with real items, and an output root with a model and two versions of a split."""
    folder = tmp_path_factory.mktemp("small")
    digits(folder / "digits", 4, "01")
    for _ in range(2):
        assert genset("split", folder / "digits", "--output", folder / "out", "--reassign").code == 0
    shutil.copytree(trained.out / "models", folder / "out" / "models", symlinks=True)
    return folder


@pytest.mark.parametrize("torn", [False, True], ids=["killed", "killed, with a torn file"])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("split", ["split", "{digits}"]),
        ("augment", ["augment", "{digits}", "--copies", "1"]),
        ("generate", ["generate", "digits", "--per-class", "1", "--near-copies", "keep", "--wrong-labels", "keep"]),
        ("prune", ["prune", "--keep", "1"]),
    ],
)
def test_a_command_killed_at_any_moment_leaves_nothing_partial(
    small: Path, tmp_path: Path, name: str, command: list[str], torn: bool
) -> None:
    asked = [part.replace("{digits}", str(small / "digits")) for part in command]
    options = ["--most", "8", *(["--torn"] if torn else [])]
    told = trials(small / "out", tmp_path, [*asked, "--output", "{out}", "--quiet"], *options)
    assert told["faults"] == []
    assert told["tried"] >= min(5, told["moments"])
    assert told["moments"] >= {"split": 10, "augment": 10, "generate": 10, "prune": 3}[name]
