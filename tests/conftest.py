"""Fixtures that tests of several files share, first of all one trained model."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock

from tests.helpers import Outcome, Trained, config, digits, fork_server, genset


@pytest.fixture(scope="session", autouse=True)
def _close_fork_server() -> Iterator[None]:
    yield
    fork_server.close()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that all workers of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def trained(shared_folder: Path) -> Trained:
    """One run of the whole pipeline. Tests only read it; the worker that comes first makes it for all."""
    folder = shared_folder / "trained"
    outcome_file = folder / "outcome.json"
    with FileLock(shared_folder / "trained.lock"):
        if not outcome_file.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            path = config(folder, digits(folder / "digits", 40), augment={"copies": 1})
            outcome = genset("run", path, "--output", folder / "out", "--json")
            assert outcome.code == 0, outcome.stderr
            outcome_file.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    outcome = Outcome(**json.loads(outcome_file.read_text(encoding="utf-8")))
    return Trained(folder / "out", folder / "digits", folder / "config.yaml", outcome)


@pytest.fixture
def own(trained: Trained, tmp_path: Path) -> Trained:
    """A copy of the run for a test that writes."""
    shutil.copytree(trained.out, tmp_path / "out", symlinks=True)
    return Trained(tmp_path / "out", trained.source, trained.config, trained.outcome)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
