"""Generation: filters, variations of the user's items, rare classes, outliers, shards."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genset.cli.lookup import lookup
from genset.config.sections import Generate
from genset.engine import Engine, Local
from genset.errors import Interrupt
from genset.export.webdataset import WebDatasetExporter
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.versions.checksums import verify_sums
from genset.versions.root import Root
from genset.versions.version import open_version
from genset.workflows.generate import VariationRequest, generate_version
from tests.helpers import SAMPLES, Trained, config, digits, genset


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path), np.float64) / 255


def of_split(own: Trained, split: str, label: str = "3") -> Path:
    """A file of the user's folder whose item was assigned to a split."""
    rows = [json.loads(line) for line in (own.dataset / split / "metadata.jsonl").read_text().splitlines()]
    name = next(row["file_name"] for row in rows if row["label"] == label and row["source"] == "collected")
    target = pixels(own.dataset / split / name)
    return next(path for path in (own.source / label).iterdir() if (pixels(path) == target).all())


def train_rows(outcome: object) -> list[dict[str, str]]:
    folder = Path(outcome.json["version"]["path"], "train")  # type: ignore[attr-defined]
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    return [{**row, "path": str(folder / row["file_name"])} for row in rows]


def test_like_varies_an_item_by_the_given_amount(own: Trained) -> None:
    file = of_split(own, "train")
    common = ("generate", own.model, "--like", file, "-n", 6, "--near-copies", "keep", "--output", own.out, "--json")
    distances = []
    for amount in (0, 0.3, 1):
        number = ("-n", 1) if not amount else ()
        outcome = genset(*common, *number, "--vary", amount, "--name", f"like{amount}".replace(".", ""))
        assert outcome.code == 0, outcome.stderr
        rows = train_rows(outcome)
        assert {row["label"] for row in rows} == {"3"}  # the name of its folder
        assert len({row["origin"] for row in rows}) == 1
        assert all(json.loads(row["transform"])[0]["vary"] == amount for row in rows)
        distances.append(np.mean([np.abs(pixels(Path(row["path"])) - pixels(file)).mean() for row in rows]))
    assert distances[0] < distances[1] < distances[2]
    assert distances[0] < 0.2


def test_like_with_two_items_interpolates_between_them(own: Trained) -> None:
    first, last = (path for path in sorted((own.source / "3").iterdir())[:2])
    outcome = genset(
        "generate", own.model, "--like", first, "--like", last, "-n", 5, "--near-copies", "keep",
        "--wrong-labels", "keep", "--name", "between", "--output", own.out, "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    rows = sorted(train_rows(outcome), key=lambda row: json.loads(row["transform"])[0]["number"])
    to_last = [np.abs(pixels(Path(row["path"])) - pixels(last)).mean() for row in rows]
    assert len(rows) == 5
    assert to_last[0] > to_last[-1]


def test_like_rejects_held_out_items_two_classes_and_invalid_files(own: Trained) -> None:
    held_out = of_split(own, "test")
    common = ("generate", own.model, "-n", 2, "--output", own.out)
    rejected = genset(*common, "--like", held_out)
    assert (rejected.code, rejected.stdout) == (2, "")
    assert rejected.stderr.endswith(
        f"genset: {held_out}: this item is held out for evaluation: items derived from it would leak it into train\n"
        "  Give a training item, or an item that is not in the model's dataset.\n"
    )
    two = genset(*common, "--like", of_split(own, "train"), "--like", of_split(own, "train", "5"))
    assert two.code == 2
    assert two.stderr.endswith(
        'genset: the two items are of different classes, "3" and "5"\n'
        "  Give two items of one class: an item between two classes has no label.\n"
    )
    same = genset(*common, "--like", of_split(own, "train"), "--vary", 0)
    assert same.stderr.endswith(
        "genset: --vary: with --vary 0, all 2 items would be equal\n"
        "  Give --vary a value above 0, or request one item with --count 1.\n"
    )
    twice = genset(*common, "--like", of_split(own, "train"), "--like", of_split(own, "train"))
    assert twice.stderr.endswith(
        "genset: --like: the two items are the same\n  Give one item with --vary, or two different ones.\n"
    )
    alone = genset(*common, "--vary", 0.5)
    assert alone.stderr == "genset: --vary: --vary needs an item to vary\n  Add --like FILE.\n"
    both = genset(*common, "--like", of_split(own, "train"), "--label", "3", "--label", "4")
    assert both.stderr.endswith("genset: --label: --like generates items of one class\n  Give one --label, not 2.\n")
    assert (same.code, twice.code, alone.code, both.code) == (2, 2, 2, 2)
    nothing = genset(*common, "--like", own.config)
    assert nothing.code == 2
    assert nothing.stderr.endswith("  Give --like a file with one image.\n")


@pytest.mark.slow
def test_a_held_out_item_is_recognised_in_any_file_format(tmp_path: Path) -> None:
    """The files of a version can differ from those of the source: here the same image in two sizes."""
    source = digits(tmp_path / "digits", 20, "01")
    for path in source.rglob("*.png"):
        Image.open(path).resize((20, 20)).convert("RGB").save(path)
    settings = {
        "modality": {"kind": "image", "size": 8, "mode": "L"},
        "train": {"steps": 150},
        "generate": {"per_class": 0},
    }
    out = tmp_path / "out"
    run = genset("run", config(tmp_path, source, **settings), "--output", out, "--json")
    assert run.code == 0, run.stderr
    version = Path(run.json["version"]["path"])
    common = ("generate", "digits", "-n", 2, "--near-copies", "keep", "--wrong-labels", "keep", "--output", out)
    held_out = next((version / "test").rglob("*.png"))
    assert "this item is held out for evaluation" in genset(*common, "--like", held_out).stderr
    learned = next((version / "train").rglob("c*.png"))
    varied = genset(*common, "--like", learned, "--json")
    assert varied.code == 0, varied.stderr
    assert {row["origin"] for row in train_rows(varied)} == {learned.stem}


def test_inspect_reports_items_that_a_model_reconstructs_badly(own: Trained, tmp_path: Path) -> None:
    folder = digits(tmp_path / "mixed", 5, "01")
    noise = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "0" / "noise.png")
    outcome = genset("inspect", folder, "--model", own.model, "--output", own.out, "--json")
    assert outcome.code == 0, outcome.stderr
    outliers = [problem for problem in outcome.json["problems"] if problem["kind"] == "outlier"]
    assert outliers[0]["path"] == "0/noise.png"
    assert "times the largest reconstruction error of the model's validation items" in outliers[0]["detail"]
    assert len(outliers) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("way, expected", [("vary", 5), ("leave_out", 0)])
def test_rare_classes_are_varied_or_left_out_as_configured(tmp_path: Path, way: str, expected: int) -> None:
    source = digits(tmp_path / "digits", 20, "01")
    (source / "7").mkdir()
    for path in sorted((SAMPLES / "7").iterdir())[:2]:
        shutil.copy(path, source / "7")
    path = config(
        tmp_path, source, train={"steps": 30}, split={"ratios": [1.0, 0.0, 0.0]},
        generate={"per_class": 5, "rare_classes": way, "near_copies": "keep"},
    )  # fmt: skip
    outcome = genset("run", path, "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    (problem,) = [problem for problem in outcome.json["problems"] if problem["kind"] == "rare_class"]
    consequence = {
        "vary": "its generated items vary as those of other classes do: check them",
        "leave_out": "nothing is generated for it",
    }[way]
    assert problem == {"path": "7", "kind": "rare_class", "detail": f"2 training items: {consequence}"}
    assert outcome.json["counts"]["label"]["7"] == 2 + expected


@pytest.mark.slow
def test_a_model_without_usable_items_fails_with_the_reason(tmp_path: Path) -> None:
    # With its initial weights the network ignores the code, so every item is the same grey
    path = config(
        tmp_path, digits(tmp_path / "digits", 20, "01"), model={"family": "vae", "network": "mlp"},
        train={"steps": 1, "learning_rate": 1e-9},
    )  # fmt: skip
    outcome = genset("run", path, "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert (
        "could not generate any of 24 items: each was rejected 20 times. Most frequent reason in the last attempt: it was blank (24 items)"
        in outcome.stderr
    )
    assert not list((tmp_path / "out").glob("datasets/*/v*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "prior",
    [pytest.param("gmm", id="gmm"), pytest.param({"kind": "flow", "width": 32, "steps": 4}, id="flow")],
)
def test_a_gan_of_unlabelled_colour_images_runs_from_start_to_end(tmp_path: Path, prior: Any) -> None:
    source = tmp_path / "pictures"
    source.mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        colour = rng.integers(0, 256, (1, 1, 3))
        picture = (colour * np.linspace(0.2, 1, 12)[:, None, None] * np.ones((1, 12, 1))).astype(np.uint8)
        Image.fromarray(picture).save(source / f"{number}.png")
    path = config(
        tmp_path, source, name="pictures", model={"family": "gan", "prior": prior}, train={"steps": 60},
        generate={"count": 10, "near_copies": "keep"}, output={"tensorboard": "logs"},
    )  # fmt: skip
    outcome = genset("run", path, "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["source"] == {"collected": 60, "generated": 10}
    model = tmp_path / "out" / "models" / "pictures" / "latest"
    header = (model / "history.csv").read_text().splitlines()[0].split(",")
    assert {"d_loss", "g_loss", "penalty_loss", "val_frechet", "val_coverage", "learning_rate"} <= set(header)
    with Image.open(model / "progress.png") as picture:
        assert picture.size[0] > 0
    assert list((tmp_path / "logs").glob("events*"))


def test_the_number_of_workers_does_not_change_any_file(own: Trained) -> None:
    files = []
    for workers in (1, 3):  # tasks of different sizes, so sums in a different order
        options = ("-n", 900, "--workers", workers, "--name", f"by{workers}", "--output", own.out, "--json")
        outcome = genset("generate", own.model, *options)
        assert outcome.code == 0, outcome.stderr
        folder = Path(outcome.json["version"]["path"])
        files.append(
            {path.relative_to(folder): path.read_bytes() for path in folder.rglob("train/**/*") if path.is_file()}
        )
    assert len(files[0]) == 901
    assert files[0] == files[1]


class _InterruptedEngine(Local):
    """An engine that is interrupted after two tasks."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == 2:
                raise Interrupt
            yield function(item)


def _generate_shards(own: Trained, name: str, engine: Engine) -> Path:
    """5,000 items in WebDataset shards of one megabyte."""
    root = Root(own.out)
    model = lookup(root, "models", "digits")
    assert model
    with root.lock(0, str):
        job = Job("generate", root, engine, Progress.silent())
        section, shards = Generate(count=5000), WebDatasetExporter(shard_mb=1)
        written = generate_version(model, section, (), VariationRequest(), None, name, job, shards)
    return written.version.path


@pytest.mark.slow
def test_finished_shards_are_kept_when_a_run_is_repeated(own: Trained) -> None:
    complete = _generate_shards(own, "complete", Local())
    files = sorted(path.name for path in complete.glob("*.tar"))
    assert files == ["train-00000.tar", "train-00001.tar", "train-00002.tar"]
    assert json.loads((complete / "manifest.json").read_text())["counts"]["split"] == {"train": 5000}
    work = own.out / ".work" / "twice"
    with pytest.raises(Interrupt):
        _generate_shards(own, "twice", _InterruptedEngine())
    (kept,) = work.glob("shards-*")
    assert sorted(path.name for path in kept.glob("*.tar")) == files[:2]
    (kept / files[1]).write_bytes(b"damaged")
    before = (kept / files[0]).stat().st_ino
    repeated = _generate_shards(own, "twice", Local())
    assert [(repeated / name).read_bytes() for name in files] == [(complete / name).read_bytes() for name in files]
    assert (repeated / files[0]).stat().st_ino == before  # linked, not written again
    assert not list(work.glob("shards-*"))
    assert not verify_sums(open_version(repeated) or pytest.fail("no version"))
