"""Generation beyond plain draws: filters, variations of the user's items, rare classes, what a model cannot rebuild."""

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
    """A real item of the user's folder that went to a split."""
    rows = [json.loads(line) for line in (own.dataset / split / "metadata.jsonl").read_text().splitlines()]
    name = next(row["file_name"] for row in rows if row["label"] == label and row["source"] == "collected")
    wanted = pixels(own.dataset / split / name)
    return next(path for path in (own.source / label).iterdir() if (pixels(path) == wanted).all())


def made(outcome: object) -> list[dict[str, str]]:
    folder = Path(outcome.json["version"]["path"], "train")  # type: ignore[attr-defined]
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    return [{**row, "path": str(folder / row["file_name"])} for row in rows]


def test_like_varies_an_item_by_the_amount_that_is_said(own: Trained) -> None:
    file = of_split(own, "train")
    common = ("generate", own.model, "--like", file, "-n", 6, "--near-copies", "keep", "--output", own.out, "--json")
    away = []
    for amount in (0, 0.3, 1):
        number = ("-n", 1) if not amount else ()
        outcome = genset(*common, *number, "--vary", amount, "--name", f"like{amount}".replace(".", ""))
        assert outcome.code == 0, outcome.stderr
        rows = made(outcome)
        assert {row["label"] for row in rows} == {"3"}  # of its folder
        assert len({row["origin"] for row in rows}) == 1
        assert all(json.loads(row["transform"])[0]["vary"] == amount for row in rows)
        away.append(np.mean([np.abs(pixels(Path(row["path"])) - pixels(file)).mean() for row in rows]))
    assert away[0] < away[1] < away[2]
    assert away[0] < 0.2


def test_like_of_two_items_goes_from_one_to_the_other(own: Trained) -> None:
    first, last = (path for path in sorted((own.source / "3").iterdir())[:2])
    outcome = genset(
        "generate", own.model, "--like", first, "--like", last, "-n", 5, "--near-copies", "keep",
        "--wrong-labels", "keep", "--name", "between", "--output", own.out, "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    rows = sorted(made(outcome), key=lambda row: json.loads(row["transform"])[0]["number"])
    to_last = [np.abs(pixels(Path(row["path"])) - pixels(last)).mean() for row in rows]
    assert len(rows) == 5
    assert to_last[0] > to_last[-1]


def test_like_refuses_what_is_held_out_other_classes_and_what_is_no_item(own: Trained) -> None:
    held_out = of_split(own, "test")
    common = ("generate", own.model, "-n", 2, "--output", own.out)
    refused = genset(*common, "--like", held_out)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr.endswith(
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
def test_a_held_out_item_is_known_in_any_file_it_comes_in(tmp_path: Path) -> None:
    """A version holds items in another form than the source: the same picture in two sizes."""
    source = digits(tmp_path / "digits", 20, "01")
    for path in source.rglob("*.png"):
        Image.open(path).resize((20, 20)).convert("RGB").save(path)
    settings = {
        "modality": {"kind": "image", "size": 8, "mode": "L"},
        "train": {"steps": 150},
        "generate": {"per_class": 0},
    }
    out = tmp_path / "out"
    done = genset("run", config(tmp_path, source, **settings), "--output", out, "--json")
    assert done.code == 0, done.stderr
    version = Path(done.json["version"]["path"])
    common = ("generate", "digits", "-n", 2, "--near-copies", "keep", "--wrong-labels", "keep", "--output", out)
    held_out = next((version / "test").rglob("*.png"))
    assert "this item is held out for evaluation" in genset(*common, "--like", held_out).stderr
    learned = next((version / "train").rglob("c*.png"))
    varied = genset(*common, "--like", learned, "--json")
    assert varied.code == 0, varied.stderr
    assert {row["origin"] for row in made(varied)} == {learned.stem}


def test_what_a_model_cannot_rebuild_is_named(own: Trained, tmp_path: Path) -> None:
    folder = digits(tmp_path / "mixed", 5, "01")
    noise = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "0" / "noise.png")
    outcome = genset("inspect", folder, "--model", own.model, "--output", own.out, "--json")
    assert outcome.code == 0, outcome.stderr
    told = [problem for problem in outcome.json["problems"] if problem["kind"] == "outlier"]
    assert told[0]["path"] == "0/noise.png"
    assert "times the largest reconstruction error of the model's validation items" in told[0]["detail"]
    assert len(told) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("way, expected", [("vary", 5), ("leave_out", 0)])
def test_classes_of_few_items_are_varied_or_left_out_as_configured(tmp_path: Path, way: str, expected: int) -> None:
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
    done = {
        "vary": "its generated items vary as those of other classes do: check them",
        "leave_out": "nothing is generated for it",
    }[way]
    assert problem == {"path": "7", "kind": "rare_class", "detail": f"2 training items: {done}"}
    assert outcome.json["counts"]["label"]["7"] == 2 + expected


@pytest.mark.slow
def test_a_model_that_makes_nothing_usable_fails_and_says_why(tmp_path: Path) -> None:
    # The textbook's first weights lose the code on the way, so every item is the same grey
    path = config(
        tmp_path, digits(tmp_path / "digits", 20, "01"), model={"family": "vae", "network": "mlp"},
        train={"steps": 1, "learning_rate": 1e-9},
    )  # fmt: skip
    outcome = genset("run", path, "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert (
        "could not generate any of 24 items: 20 attempts each were rejected; most often (24 items) the last one was blank"
        in outcome.stderr
    )
    assert not list((tmp_path / "out").glob("datasets/*/v*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "prior",
    [pytest.param("gmm", id="gmm"), pytest.param({"kind": "flow", "width": 32, "steps": 4}, id="flow")],
)
def test_a_gan_of_unlabelled_colour_pictures_runs_from_end_to_end(tmp_path: Path, prior: Any) -> None:
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


def test_the_number_of_workers_decides_nothing(own: Trained) -> None:
    seen = []
    for workers in (1, 3):  # stretches of other lengths, so sums in another order
        options = ("-n", 900, "--workers", workers, "--name", f"by{workers}", "--output", own.out, "--json")
        outcome = genset("generate", own.model, *options)
        assert outcome.code == 0, outcome.stderr
        folder = Path(outcome.json["version"]["path"])
        seen.append(
            {path.relative_to(folder): path.read_bytes() for path in folder.rglob("train/**/*") if path.is_file()}
        )
    assert len(seen[0]) == 901
    assert seen[0] == seen[1]


class _Dies(Local):
    """Threads of a run that ends before its work does."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == 2:
                raise Interrupt
            yield function(item)


def _in_shards(own: Trained, name: str, engine: Engine) -> Path:
    """5,000 items in WebDataset files of a megabyte."""
    root = Root(own.out)
    model = lookup(root, "models", "digits")
    assert model
    with root.lock(0, str):
        job = Job("generate", root, engine, Progress.silent())
        section, shards = Generate(count=5000), WebDatasetExporter(shard_mb=1)
        made = generate_version(model, section, (), VariationRequest(), None, name, job, shards)
    return made.version.path


@pytest.mark.slow
def test_files_that_were_finished_are_taken_over(own: Trained) -> None:
    whole = _in_shards(own, "whole", Local())
    files = sorted(path.name for path in whole.glob("*.tar"))
    assert files == ["train-00000.tar", "train-00001.tar", "train-00002.tar"]
    assert json.loads((whole / "manifest.json").read_text())["counts"]["split"] == {"train": 5000}
    work = own.out / ".work" / "twice"
    with pytest.raises(Interrupt):
        _in_shards(own, "twice", _Dies())
    (kept,) = work.glob("shards-*")
    assert sorted(path.name for path in kept.glob("*.tar")) == files[:2]
    (kept / files[1]).write_bytes(b"damaged")
    before = (kept / files[0]).stat().st_ino
    made = _in_shards(own, "twice", Local())
    assert [(made / name).read_bytes() for name in files] == [(whole / name).read_bytes() for name in files]
    assert (made / files[0]).stat().st_ino == before  # linked, not made again
    assert not list(work.glob("shards-*"))
    assert not verify_sums(open_version(made) or pytest.fail("no version"))
