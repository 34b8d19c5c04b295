"""What tests share: real digits in small folders, short configs, and genset as a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.engine import Engine, Local
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.versions.root import Root
from tests.fork_server import TERMINAL, ForkServer

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples" / "image"
STEPS = 400
TIMEOUT_SECONDS = 600

fork_server = ForkServer()


@dataclass(frozen=True)
class Outcome:
    """The result of a genset process: exit code, stdout and stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


def genset(*arguments: object, cwd: Path | None = None, **environment: str) -> Outcome:
    """Run genset as users do, in a process of its own: a fork, or a new Python where environment variables are given."""
    if sys.platform == "linux" and not environment and fork_server.lock.acquire(blocking=False):
        try:
            return Outcome(*fork_server.run(list(map(str, arguments)), cwd or Path.cwd(), os.environ))
        finally:
            fork_server.lock.release()
    command = [sys.executable, "-m", "genset", *map(str, arguments)]
    env = {**os.environ, **TERMINAL, **environment}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
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
        "quality": {"seeds": 1},  # classifiers, for speed
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def at_work(engine: Engine | None = None, progress: Progress | None = None) -> Job:
    """The job of a stage that writes nothing."""
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
