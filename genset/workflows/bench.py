"""How fast this machine is: the stages of a run, timed one by one on pictures that are drawn for it."""

import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

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
_MADE = 400
_COMPILED = 10  # steps after which all that is compiled is
_T = TypeVar("_T")


@dataclass(frozen=True)
class Timed:
    """One stage: what it does with how many items in which time."""

    stage: str
    items: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        rate = round(self.items / max(self.seconds, 1e-9), 1)
        return {"stage": self.stage, "items": self.items, "seconds": round(self.seconds, 3), "items_per_second": rate}


def bench(steps: int, job: Job) -> list[Timed]:
    """Time reading, transforming and writing, some steps of training, sampling and judging; all is thrown away."""
    with tempfile.TemporaryDirectory(prefix="genset-bench-") as temporary:
        folder = Path(temporary)
        count = _draw(folder / "items")
        quiet = replace(job, root=Root(folder / "out"))
        return list(_stages(folder, count, steps, quiet))


def _stages(folder: Path, count: int, steps: int, job: Job) -> Iterator[Timed]:
    source, took = _timed(lambda: open_dataset.open_dataset(folder / "items", None, job))
    yield Timed("read and look for duplicates", count, took)
    planned = augment.augment_plan(source, Augment(copies=_COPIES), Balance(), None, 0, job)
    _, took = _timed(lambda: augment.augment_version(planned, "copies", job))
    yield Timed("transform and write", count * (1 + _COPIES), took)
    config = _config(folder, steps)
    prepared = prepare(config, job)
    watch = _Watch(job.progress)
    model, _ = train_model(config, prepared, replace(job, progress=watch.progress), resume=False, force=True)
    with (model.path / "history.csv").open(newline="", encoding="utf-8") as file:
        passes = [float(row["epoch"]) for row in csv.DictReader(file)][-1]
    seen = passes * len(prepared.split_items("train")[0])
    yield Timed("train, default network", round(seen * (1 - watch.first / steps)), watch.seconds)
    few = Generate(count=_MADE, near_copies="keep", wrong_labels="keep")
    nothing = generate.VariationRequest()
    made, took = _timed(lambda: generate.generate_version(model, few, [], nothing, None, "made", job, FolderExporter()))
    yield Timed("sample and write", _MADE, took)
    judged = read_contents(made.version.path, job)
    _, took = _timed(lambda: evaluate_against(judged, made.version, folder / "items", job))
    yield Timed("judge", _MADE + count, took)


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


class _Watch:
    """The time from one step of a training to its last: the first ones compile."""

    def __init__(self, progress: Progress) -> None:
        self.first, self.seconds = 0, 0.0
        self._before, self._since = progress, 0.0
        self.progress = Progress(self._tick, progress.say)

    def _tick(self, stage: str, done: int, total: int, note: str) -> None:
        if stage == "train":
            now = time.perf_counter()
            if not self.first and done >= _COMPILED:
                self.first, self._since = done, now
            self.seconds = now - self._since
        self._before.tick(stage, done, total, note)


def _config(folder: Path, steps: int) -> Config:
    values = {
        "name": "bench",
        "modality": {"kind": "image"},
        "data": {"source": [str(folder / "items")]},
        "train": {"steps": steps},
    }
    return check(Tree(values, {(): Position("bench")}))


def _draw(folder: Path) -> int:
    """Pictures of bright bars on noise, a direction for each class."""
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


def rates(timed: Sequence[Timed]) -> list[dict[str, Any]]:
    """The stages as JSON holds them."""
    return [each.as_dict() for each in timed]
