"""genset bench: how fast this machine runs each stage, measured on small images that are drawn for it."""

import csv
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL.Image

from genset.config.loading import check
from genset.config.sections import Augment, Balance, Config, Generate
from genset.config.yaml_reader import Position, Tree
from genset.export.folder import FolderExporter
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.pipeline.prepare import prepare
from genset.pipeline.train.train import train_model
from genset.versions.root import Root
from genset.workflows import augment, generate, open_dataset
from genset.workflows.inspect import evaluate_against, read_contents

SIZE, CLASSES, PER_CLASS = 28, 4, 150
_COPIES = 2
_GENERATED = 400
_COMPILATION_STEPS = 10  # the first steps of a training compile the network and are not measured
_T = TypeVar("_T")


@dataclass(frozen=True)
class StageTime:
    """A stage, with the number of items that it processed and the time it took."""

    stage: str
    items: int
    seconds: float

    @property
    def items_per_second(self) -> float:
        """Speed, to one decimal place."""
        return round(self.items / max(self.seconds, 1e-9), 1)


def bench(steps: int, job: Job) -> list[StageTime]:
    """Time reading, augmenting, `steps` steps of training, generating and evaluating. All its files are removed."""
    with tempfile.TemporaryDirectory(prefix="genset-bench-") as temporary:
        folder = Path(temporary)
        count = _draw(folder / "items")
        quiet = replace(job, root=Root(folder / "out"))
        return list(_stages(folder, count, steps, quiet))


def _stages(folder: Path, count: int, steps: int, job: Job) -> Iterator[StageTime]:
    source, took = _timed(lambda: open_dataset.open_dataset(folder / "items", None, job))
    yield StageTime("read and find duplicates", count, took)
    plan = augment.augment_plan(source, Augment(copies=_COPIES), Balance(), None, 0, job)
    _, took = _timed(lambda: augment.augment_version(plan, "copies", job))
    yield StageTime("augment and write", count * (1 + _COPIES), took)
    config = _config(folder, steps)
    prepared = prepare(config, job)
    timer = _TrainingTimer(job.progress)
    model, _ = train_model(config, prepared, replace(job, progress=timer.progress), resume=False, force=True)
    with (model.path / "history.csv").open(newline="", encoding="utf-8") as file:
        epochs = [float(row["epoch"]) for row in csv.DictReader(file)][-1]
    trained = epochs * len(prepared.split_items("train")[0])
    yield StageTime("train, default network", round(trained * (1 - timer.first_step / steps)), timer.seconds)
    section = Generate(count=_GENERATED, near_copies="keep", wrong_labels="keep")
    variations = generate.VariationRequest()
    generated, took = _timed(
        lambda: generate.generate_version(model, section, [], variations, None, "generated", job, FolderExporter())
    )
    yield StageTime("generate and write", _GENERATED, took)
    generated_contents = read_contents(generated.version.path, job)
    _, took = _timed(lambda: evaluate_against(generated_contents, generated.version, folder / "items", job))
    yield StageTime("evaluate", _GENERATED + count, took)


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


class _TrainingTimer:
    """Measures a training without its first steps, which compile the network."""

    def __init__(self, progress: Progress) -> None:
        self.first_step, self.seconds = 0, 0.0
        self._inner, self._started = progress, 0.0
        self.progress = Progress(self._tick, progress.say)

    def _tick(self, stage: str, done: int, total: int, note: str) -> None:
        if stage == "train":
            now = time.perf_counter()
            if not self.first_step and done >= _COMPILATION_STEPS:
                self.first_step, self._started = done, now
            self.seconds = now - self._started
        self._inner.tick(stage, done, total, note)


def _config(folder: Path, steps: int) -> Config:
    values = {
        "name": "bench",
        "modality": {"kind": "image"},
        "data": {"source": [str(folder / "items")]},
        "train": {"steps": steps},
    }
    return check(Tree(values, {(): Position("bench")}))


def _draw(folder: Path) -> int:
    """Write images of bright bars on noise, with one direction per class; returns their number."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
        for number in range(PER_CLASS):
            angle = np.pi * label / CLASSES + rng.normal(0, 0.15)
            across = rows * np.cos(angle) + columns * np.sin(angle) - rng.uniform(-0.2, 0.2)
            bar = 220 * np.exp(-((across / rng.uniform(0.06, 0.12)) ** 2))
            pixels = (bar + rng.uniform(0, 30, (SIZE, SIZE))).clip(0, 255).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(folder / str(label) / f"{number:03d}.png")
    return CLASSES * PER_CLASS
