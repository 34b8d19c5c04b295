"""What tests share: real digits in small folders, and one trained model for all that only reads it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from zygote import TERMINAL, Zygote

from genset.engine import Engine, Local
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.versions import Root

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples" / "image"
STEPS = 400


@dataclass(frozen=True)
class Outcome:
    """What a genset process left: exit code, the JSON object of its stdout, its stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


_zygote = Zygote()


def genset(*arguments: object, cwd: Path | None = None, **environment: str) -> Outcome:
    """Run genset as users do: a process of its own. Where only the arguments count, one that has its imports already."""
    plain = sys.platform == "linux" and not environment
    if plain and _zygote.lock.acquire(blocking=False):
        try:
            return Outcome(*_zygote.run(list(map(str, arguments)), cwd or Path.cwd(), os.environ))
        finally:
            _zygote.lock.release()
    command = [sys.executable, "-m", "genset", *map(str, arguments)]
    env = {**os.environ, **TERMINAL, **environment}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def digits(folder: Path, per_class: int, classes: str = "0123456789") -> Path:
    """A class folder with the first real digits of each class."""
    for label in classes:
        (folder / label).mkdir(parents=True)
        for path in sorted((SAMPLES / label).iterdir())[:per_class]:
            shutil.copy(path, folder / label / path.name)
    return folder


def manifest_of(kind: str, name: str, number: str, **more: Any) -> dict[str, Any]:
    """The manifest of a version with what every command needs."""
    about = {"genset": "0", "kind": kind[:-1], "name": name, "id": number, "status": "ok", "ended": number}
    needed = {"modality": "image", "counts": {"split": {"train": 1}}, "parents": [], "inputs": {}, "config": {}}
    return about | needed | ({"model": {}, "problems": []} if kind == "models" else {}) | more


def config(folder: Path, source: Path, **sections: Any) -> Path:
    """A config file with a short training; JSON is YAML."""
    values = {
        "name": "digits",
        "seed": 7,
        "modality": "image",
        "data": {"source": str(source)},
        "train": {"steps": STEPS},
        "generate": {"per_class": 12},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def at_work(engine: Engine | None = None, progress: Progress | None = None) -> Job:
    """What stages are handed, in tests of stages that write nothing."""
    return Job("test", Root(Path("out")), engine or Local(), progress or Progress.silent())


@dataclass(frozen=True)
class Trained:
    """The output of one run on 40 digits of each class."""

    out: Path
    source: Path
    config: Path
    outcome: Outcome

    @property
    def model(self) -> Path:
        return self.out / "models" / "digits" / "latest"

    @property
    def dataset(self) -> Path:
        return self.out / "datasets" / "digits" / "latest"


@pytest.fixture(scope="session", autouse=True)
def _end_of_zygote() -> Iterator[None]:
    yield
    _zygote.close()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run of the whole pipeline, shared by all tests that do not change it."""
    folder = tmp_path_factory.mktemp("trained")
    source = digits(folder / "digits", 40)
    path = config(folder, source, augment={"copies": 1})
    outcome = genset("run", path, "--output", folder / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    return Trained(folder / "out", source, path, outcome)


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
