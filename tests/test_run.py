"""The complete pipeline in its own processes, on real digits: the files, the exit codes, and equal bytes in equal runs."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from genset.versions.checksums import verify_sums
from genset.versions.version import open_version
from tests.helpers import STEPS, Trained, config, digits, genset


def rows(split: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]


def sums(path: Path) -> bytes:
    return (path / "SHA256SUMS").read_bytes()


def test_a_run_writes_the_files_of_the_contract(trained: Trained) -> None:
    assert {path.name for path in trained.model.iterdir()} == {
        "README.md", "SHA256SUMS", "config.yaml", "curves.png", "generator.onnx", "history.csv", "manifest.json",
        "model.keras", "prior.npz", "samples.png", "encoder.onnx", "judge.npz", "progress.png",
    }  # fmt: skip
    assert {path.name for path in trained.dataset.iterdir()} == {
        "README.md", "SHA256SUMS", "config.yaml", "croissant.json", "manifest.json", "quality.json", "report.html", "test",
        "train", "validation",
    }  # fmt: skip
    manifest = json.loads((trained.dataset / "manifest.json").read_text())
    assert manifest["counts"]["split"] == {"test": 40, "train": 320 + 120 + 320, "validation": 40}
    assert manifest["counts"]["source"] == {"augmented": 320, "collected": 400, "generated": 120}
    assert manifest["parents"] == ["digits@v0001"]


def test_a_run_prints_one_json_object_with_counts_and_figures(trained: Trained) -> None:
    result = trained.outcome.json
    assert result["command"] == "run"
    assert result["version"] == {"path": str(trained.out / "datasets/digits/v0001"), "name": "digits", "id": "v0001"}
    assert result["counts"]["split"]["test"] == 40
    assert {"real_acc", "cas", "cas_ratio", "both_acc", "lift", "label_acc", "copies"} <= result["figures"].keys()
    assert result["skipped"] == {"mia_tpr": "needs at least 100 real held-out items, has 40"}
    assert result["seconds"] > 0


def test_metadata_lists_every_file_with_the_same_columns_in_every_split(trained: Trained) -> None:
    columns = {"file_name", "label", "source", "origin", "transform", "seed", "model", "group"}
    ids = []
    for split in ("train", "validation", "test"):
        folder = trained.dataset / split
        lines = rows(folder)
        assert {frozenset(line) for line in lines} == {frozenset(columns)}
        assert all(isinstance(value, str) for line in lines for value in line.values())
        files = {str(path.relative_to(folder)) for path in folder.rglob("*.png")}
        assert files == {line["file_name"] for line in lines}
        assert all(line["file_name"].split("/")[0] == line["label"] for line in lines)
        ids += [Path(line["file_name"]).stem for line in lines]
    assert len(ids) == len(set(ids))


def test_synthetic_items_are_in_train_only_and_not_derived_from_held_out_items(trained: Trained) -> None:
    held_out = [line for split in ("validation", "test") for line in rows(trained.dataset / split)]
    assert {line["source"] for line in held_out} == {"collected"}
    train = rows(trained.dataset / "train")
    in_train = {Path(line["file_name"]).stem for line in train if line["source"] == "collected"}
    assert {line["origin"] for line in train if line["source"] == "augmented"} <= in_train
    pixels = {Image.open(path).tobytes() for path in (trained.dataset / "train").rglob("c*.png")}
    assert not [
        p
        for s in ("validation", "test")
        for p in (trained.dataset / s).rglob("*.png")
        if Image.open(p).tobytes() in pixels
    ]


def test_real_items_keep_their_pixels_and_name_the_source_file(trained: Trained) -> None:
    for line in rows(trained.dataset / "test"):
        made = Image.open(trained.dataset / "test" / line["file_name"])
        assert made.tobytes() == Image.open(trained.source / line["origin"]).tobytes()


def test_generated_items_are_distinct_images_of_the_configured_size(trained: Trained) -> None:
    generated = [line for line in rows(trained.dataset / "train") if line["source"] == "generated"]
    assert Counter(line["label"] for line in generated) == dict.fromkeys("0123456789", 12)
    pictures = [Image.open(trained.dataset / "train" / line["file_name"]) for line in generated]
    assert {(picture.size, picture.mode) for picture in pictures} == {((8, 8), "L")}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_checksums_match_and_the_card_has_valid_front_matter(trained: Trained) -> None:
    for path in (trained.model, trained.dataset):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=True)
    _, front, _ = (trained.dataset / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front)["pretty_name"] == "digits"


def test_hugging_face_loads_the_version_with_its_labels(trained: Trained, tmp_path: Path) -> None:
    code = (
        "import sys, json, datasets\n"
        "loaded = datasets.load_dataset('imagefolder', data_dir=sys.argv[1])\n"
        "print(json.dumps({s: [d.num_rows, sorted(set(map(str, d['label']))), d.features['image'].dtype] for s, d in loaded.items()}))\n"
    )
    offline = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, trained.dataset],
        env=offline,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {split: count for split, (count, _, _) in loaded.items()} == {"train": 760, "validation": 40, "test": 40}
    assert all(labels == list("0123456789") for _, labels, _ in loaded.values())


@pytest.mark.slow
def test_keras_loads_the_train_folder_and_the_saved_model(trained: Trained) -> None:
    import keras

    loaded = keras.utils.image_dataset_from_directory(
        trained.dataset / "train", image_size=(8, 8), color_mode="grayscale"
    )
    assert loaded.class_names == list("0123456789")
    assert sum(len(labels) for _, labels in loaded) == 760
    model = keras.models.load_model(trained.model / "model.keras")
    x = np.zeros((2, 8, 8, 1), np.float32)
    reconstruction, z = model(x)
    assert (reconstruction.shape, z.shape) == ((2, 8, 8, 1), (2, 32))


def test_losses_on_train_and_validation_are_logged_and_fall(trained: Trained) -> None:
    head, *lines = (trained.model / "history.csv").read_text().splitlines()
    names = head.split(",")
    assert {"loss", "reconstruction_loss", "kl_loss", "val_loss", "val_reconstruction_loss", "val_kl_loss"} <= set(
        names
    )
    values = [dict(zip(names, map(float, line.split(",")), strict=True)) for line in lines]
    assert values[-1]["step"] == STEPS
    assert values[-1]["reconstruction_loss"] < values[0]["reconstruction_loss"]
    rates = [row["learning_rate"] for row in values]
    assert rates[0] < max(rates)  # warm-up
    assert rates[-1] < 1e-4 < max(rates)


def test_a_repeated_run_is_up_to_date_and_creates_nothing(own: Trained) -> None:
    again = genset("run", own.config, "--output", own.out, "--json")
    assert again.code == 0
    assert (again.json["made"], again.json["version"]["id"], again.json["figures"]) == (
        False, "v0001", own.outcome.json["figures"],
    )  # fmt: skip
    assert "up to date" in again.stderr
    assert len(list((own.out / "datasets/digits").iterdir())) == 2


@pytest.mark.slow
def test_changed_generation_creates_a_new_dataset_from_the_same_model(own: Trained) -> None:
    changed = genset(
        "run",
        own.config,
        "generate.per_class=5",
        "augment.copies=0",
        "balance.target=max",
        "--output",
        own.out,
        "--json",
    )
    assert changed.code == 0, changed.stderr
    assert (changed.json["version"]["id"], changed.json["model"]["id"]) == ("v0002", "v0001")
    assert changed.json["counts"]["source"] == {"collected": 400, "generated": 50}
    assert os.readlink(own.out / "datasets/digits/latest") == "v0002"
    back = genset("run", own.config, "--output", own.out, "--json")
    assert (back.json["made"], back.json["version"]["id"]) == (False, "v0001")
    assert os.readlink(own.out / "datasets/digits/latest") == "v0001"


@pytest.mark.slow
def test_the_resolved_config_gives_the_same_bytes_elsewhere_with_other_workers(
    trained: Trained, tmp_path: Path
) -> None:
    resolved = trained.dataset / "config.yaml"
    assert yaml.safe_load(resolved.read_text())["train"]["steps"] == STEPS
    again = genset(
        "run", resolved, "--output", tmp_path / "elsewhere" / "out", "--workers", "4", "--json", PYTHONHASHSEED="5"
    )
    assert again.code == 0, again.stderr
    for kind, path in (("models", trained.model), ("datasets", trained.dataset)):
        assert sums(tmp_path / "elsewhere" / "out" / kind / "digits" / "v0001") == sums(path)


@pytest.mark.slow
def test_a_budget_in_seconds_becomes_steps_and_force_gives_the_same_bytes(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 20, "01"), train={"seconds": 6})
    first = genset("train", path, "--output", tmp_path / "out", "--json")
    assert first.code == 0, first.stderr
    model = tmp_path / "out/models/digits/v0001"
    resolved = yaml.safe_load((model / "config.yaml").read_text())["train"]
    assert set(resolved) - {"step_plan"} == {"steps", "precision", "validations"}  # a step plan if the machine was busy
    assert "seconds" not in resolved
    assert genset("train", path, "--output", tmp_path / "out", "--json").json["made"] is False
    forced = genset("train", model / "config.yaml", "--force", "--output", tmp_path / "out", "--json")
    assert forced.json["version"]["id"] == "v0002"
    assert sums(tmp_path / "out/models/digits/v0002") == sums(model)


def test_generated_items_depend_on_the_seed_and_not_on_the_number_of_workers(own: Trained) -> None:
    made = {}
    for name, more in {"one": ["--workers", 1], "four": ["--workers", 4], "seed": ["--seed", 8]}.items():
        outcome = genset("generate", own.model, "-n", 50, "--name", name, "--output", own.out, "--json", *more)
        assert outcome.code == 0, outcome.stderr
        made[name] = Path(outcome.json["version"]["path"])
    items = {name: [line for line in sums(path).splitlines() if b" train/" in line] for name, path in made.items()}
    assert len(items["one"]) == 51
    assert items["one"] == items["four"]
    assert items["one"] != items["seed"]


def test_an_item_does_not_depend_on_the_other_items_of_a_request(own: Trained) -> None:
    few = genset("generate", own.model, "--label", "3", "-n", 4, "--name", "few", "--output", own.out, "--json").json
    many = genset("generate", own.model, "--per-class", 70, "--name", "many", "--output", own.out, "--json").json
    assert (few["counts"]["label"], many["counts"]["label"]) == ({"3": 4}, dict.fromkeys("0123456789", 70))
    for path in Path(few["version"]["path"], "train", "3").iterdir():
        assert path.read_bytes() == Path(many["version"]["path"], "train", "3", path.name).read_bytes()


def test_no_generated_item_is_a_near_copy_of_a_training_item(own: Trained) -> None:
    limit = json.loads((own.model / "manifest.json").read_text())["model"]["limits"]["copy"]
    load = lambda paths: np.stack([np.asarray(Image.open(p), np.float32).ravel() / 255 for p in paths])  # noqa: E731
    train = load(sorted((own.dataset / "train").rglob("c*.png")))
    made = load(sorted((own.dataset / "train").rglob("g*.png")))
    assert limit > 0
    assert np.linalg.norm(made[:, None] - train[None], axis=2).min() > limit


@pytest.mark.slow
def test_generate_without_the_training_items_needs_near_copies_keep(own: Trained, tmp_path: Path) -> None:
    moved = tmp_path / "digits"
    shutil.copytree(own.source, moved)
    path = config(tmp_path, moved, name="moved", train={"steps": 40})
    assert genset("train", path, "--output", own.out).code == 0
    shutil.rmtree(own.out / ".work")
    shutil.rmtree(moved)
    refused = genset("generate", "moved", "-n", 5, "--output", own.out)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr.endswith(
        f"genset: {moved}: the training items of moved@v0001 cannot be read (the source does not exist)\n"
        "  Restore the items, or add --near-copies keep to skip the check for near copies.\n"
    )
    assert genset("generate", "moved", "-n", 5, "--near-copies", "keep", "--output", own.out).code == 0


def test_split_keeps_the_bytes_and_keeps_groups_together(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 30, "012")
    outcome = genset(
        "split",
        source,
        "--ratios",
        "0.6,0.2,0.2",
        "--group-by",
        r"(?P<group>\d\d\d)\d\.png",
        "--output",
        tmp_path / "out",
        "--json",
    )
    assert outcome.code == 0, outcome.stderr
    version = Path(outcome.json["version"]["path"])
    places: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for line in rows(version / split):
            places.setdefault(line["group"], set()).add(split)
            assert (version / split / line["file_name"]).read_bytes() == (source / line["origin"]).read_bytes()
    assert all(len(splits) == 1 for splits in places.values())
    assert sum(outcome.json["counts"]["split"].values()) == 90


def test_splitting_a_version_again_drops_items_derived_from_items_that_left_train(own: Trained) -> None:
    outcome = genset("split", "digits", "--seed", 99, "--output", own.out, "--json")
    version = Path(outcome.json["version"]["path"])
    assert {line["source"] for split in ("validation", "test") for line in rows(version / split)} == {"collected"}
    train = rows(version / "train")
    real = {Path(line["file_name"]).stem for line in train if line["source"] == "collected"}
    assert {line["origin"] for line in train if line["source"] == "augmented"} <= real
    leaks = [problem for problem in outcome.json["problems"] if problem["kind"] == "leak"]
    assert len(leaks) == 120 + 320 - sum(line["source"] == "augmented" for line in train)
    assert not [line for line in train if line["source"] == "generated"]


@pytest.mark.slow
def test_splitting_a_resized_version_again_knows_the_parents_of_copies(own: Trained, tmp_path: Path) -> None:
    big = tmp_path / "big"
    for path in sorted(own.source.rglob("*.png")):
        (big / path.parent.name).mkdir(parents=True, exist_ok=True)
        Image.open(path).resize((20, 20)).save(big / path.parent.name / path.name)
    made = config(tmp_path, big, modality={"kind": "image", "size": 8}, augment={"copies": 1}, train={"steps": 40})
    out = tmp_path / "resized"
    assert genset("run", made, "--output", out).code == 0
    again = genset("split", "digits", "--seed", 99, "--output", out, "--json")
    version = Path(again.json["version"]["path"])
    train = rows(version / "train")
    real = {Path(line["file_name"]).stem for line in train if line["source"] == "collected"}
    copies = [line for line in train if line["source"] == "augmented"]
    assert copies
    assert {line["origin"] for line in copies} <= real
    assert [problem for problem in again.json["problems"] if problem["kind"] == "leak"]


def test_augmenting_an_augmented_version_adds_different_copies(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "few", 6, "01"), tmp_path / "out"
    for number in (1, 2):
        again = genset("augment", "few" if number > 1 else source, "--copies", 1, "--output", out, "--json")
        assert again.code == 0, again.stderr
        assert again.json["counts"]["source"] == {"augmented": 12 * number, "collected": 12}
    seen = [hashlib.sha256(p.read_bytes()).digest() for p in (out / "datasets/few/v0002/train").rglob("*.png")]
    assert len(set(seen)) == len(seen) == 36


def test_a_held_out_item_stays_if_a_synthetic_item_equals_it(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "both", 20, "01"), tmp_path / "out"
    for path in sorted(source.rglob("*.png")):
        ImageOps.mirror(Image.open(path)).save(path.with_name(f"m{path.name}"))
    split = genset("split", source, "--ratios", "0.6,0.2,0.2", "--output", out, "--json")
    flipped = genset("augment", "both", "--copies", 1, "augment.steps=[flip]", "--output", out, "--json")
    again = genset("augment", "both", "--output", out, "--json")
    for part in ("validation", "test"):
        counts = [made.json["counts"]["split"][part] for made in (split, flipped, again)]
        assert counts == [16, 16, 16]


def test_copies_need_steps_and_items_that_no_step_changes_are_left_out(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    Image.new("L", (8, 8), 0).save(source / "0" / "blank.png")
    options = ["--copies", 1, "--output", tmp_path / "out", "--json"]
    refused = genset("augment", source, "augment.steps=[]", *options)
    assert (refused.code, refused.json["error"]["message"]) == (
        2, "augment.copies is set but augment.steps is empty: copies would equal the originals",
    )  # fmt: skip
    flipped = genset("augment", source, "augment.steps=[flip]", *options)
    assert [(p["path"], p["kind"]) for p in flipped.json["problems"]] == [("0/blank.png", "unchanged")]


@pytest.mark.slow
def test_a_model_that_was_trained_on_held_out_items_cannot_fill_classes(own: Trained) -> None:
    common = ["--output", own.out, "--json"]
    assert genset("split", own.source, "--seed", 5, "--ratios", "0.5,0,0.5", "--name", "other", *common).code == 0
    refused = genset("augment", "other", "--balance", 60, "--model", "digits", *common)
    assert refused.code == 2
    assert re.match(
        r"the model was trained on \d+ items that this dataset holds out, such as test/\d/c[0-9a-f]{15}\.png: "
        "generated items would leak them into train",
        refused.json["error"]["message"],
    )
    fits = [genset("augment", "digits", "--balance", n, "--model", "digits", *common) for n in (80, 90)]
    assert [made.json["counts"]["label"]["0"] for made in fits] == [88, 98]


@pytest.mark.slow
def test_a_generated_dataset_is_evaluated_with_items_its_model_has_not_seen(own: Trained) -> None:
    made = genset("generate", "digits", "-n", 200, "--output", own.out, "--json")
    plain = genset("inspect", made.json["version"]["path"], "quality.seeds=1", "--against", own.source, "--json")
    assert plain.json["n"] == {"train": 320, "test": 40, "made": 200}
    version = genset("inspect", made.json["version"]["path"], "quality.seeds=1", "--against", own.dataset, "--json")
    assert plain.json["figures"] == version.json["figures"]


@pytest.mark.slow
def test_only_synthetic_items_are_evaluated(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "digits", 20, "01"), tmp_path / "out"
    genset("split", source, "--ratios", "0.5,0,0.5", "--output", out)
    genset("augment", "digits", "--copies", 2, "--name", "more", "--output", out)
    result = genset("inspect", "more", "quality.seeds=1", "--against", "digits", "--output", out, "--json").json
    assert result["n"] == {"train": 20, "test": 20, "made": 40}


@pytest.mark.slow
def test_a_copied_version_is_still_a_version(own: Trained, tmp_path: Path) -> None:
    dataset, model = tmp_path / "copied", tmp_path / "model"
    shutil.copytree(own.dataset, dataset)
    shutil.copytree(own.model, model)
    seen = [genset("inspect", path, "--json").json["counts"]["source"] for path in (dataset, own.dataset)]
    assert seen[0] == seen[1]
    made = genset("generate", model, "-n", 10, "--near-copies", "keep", "--output", tmp_path / "out", "--json")
    assert made.json["version"]["name"] == "digits-generated"
    part = genset("inspect", dataset / "train", "--json")
    assert part.json["counts"]["source"] == {"collected": 320}


@pytest.mark.slow
def test_latest_is_the_model_of_the_last_trained_config(tmp_path: Path) -> None:
    path, out = config(tmp_path, digits(tmp_path / "digits", 12, "01")), tmp_path / "out"
    for steps, latest in ((2, "v0001"), (3, "v0002"), (2, "v0001")):
        assert genset("train", path, f"train.steps={steps}", "--output", out).code == 0
        assert os.readlink(out / "models/digits/latest") == latest


def test_a_changed_config_in_a_version_is_reported(own: Trained) -> None:
    path = own.dataset / "config.yaml"
    path.write_text(path.read_text() + "# changed\n")
    result = genset("inspect", own.dataset, "clean.wrong_labels=off", "--json")
    assert (result.code, [p["path"] for p in result.json["problems"]]) == (1, ["config.yaml"])


@pytest.mark.slow
def test_real_items_count_as_copies_and_held_out_items_are_not_evaluated(own: Trained) -> None:
    common = ["--output", own.out, "--json"]
    same = genset("inspect", own.source, "--against", own.dataset, "--gate", "copies <= 0.03", *common)
    assert (same.code, same.json["n"]) == (1, {"train": 320, "test": 40, "made": 320})
    assert "not evaluated: 80 of 400 items" in same.stderr
    figures = same.json["figures"]
    assert (figures["copies"], figures["dcr_share"], figures["authenticity"], figures["mia_auc"]) == (1, 1, 0, 1)
    assert abs(figures["cas_ratio"] - 1) < 0.1
    assert abs(figures["lift"]) < 0.1
    again = genset("inspect", own.source, "--against", own.dataset, *common)  # from the cache
    assert {**again.json, "seconds": 0, "failed_gates": []} == {**same.json, "seconds": 0, "failed_gates": []}


@pytest.mark.slow
def test_held_out_items_among_augmented_items_are_not_evaluated(own: Trained) -> None:
    common = ["--output", own.out, "--json"]
    assert genset("augment", own.source, "--copies", 1, "--name", "more", *common).code == 0
    result = genset("inspect", "more", "quality.seeds=1", "--against", own.dataset, *common)
    assert result.json["n"] == {"train": 320, "test": 40, "made": 360}
    assert "not evaluated: 40 of 400 items" in result.stderr


def test_generate_rejects_a_changed_generator(own: Trained) -> None:
    path = own.model / "generator.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    outcome = genset("generate", "digits", "-n", 5, "--output", own.out, "--quiet")
    assert (outcome.code, outcome.stderr) == (
        2,
        f"genset: {own.model.resolve()}: generator.onnx has changed since it was written\n"
        "  Train the model again with --force, or restore the file.\n",
    )


def test_generate_accepts_several_labels(own: Trained) -> None:
    made = genset("generate", "digits", "--label", "3", "--label", "8", "-n", 10, "--output", own.out, "--json")
    assert made.json["counts"]["label"] == {"3": 5, "8": 5}


@pytest.mark.slow
def test_an_override_of_the_budget_replaces_that_of_the_config(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 12, "01"), train={"seconds": 500})
    outcome = genset("train", path, "train.steps=2", "--output", tmp_path / "out", "--json")
    assert (outcome.code, outcome.json["model"]["planned_steps"]) == (0, 2)


def test_a_closed_pipe_does_not_change_the_exit_code(trained: Trained) -> None:
    shell = f"{sys.executable} -m genset inspect {trained.dataset} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"


def test_augment_balances_with_copies_or_a_model_and_a_dry_run_writes_nothing(own: Trained, tmp_path: Path) -> None:
    source = digits(tmp_path / "uneven", 12, "01")
    for path in sorted((source / "1").iterdir())[3:]:
        path.unlink()
    common = ["--output", own.out, "--json"]
    planned = genset("augment", source, "--balance", "max", "--dry-run", *common)
    assert planned.json["counts"] == {"label": {"0": 12, "1": 12}, "source": {"augmented": 9, "collected": 15}}
    assert "uneven" not in {path.name for path in (own.out / "datasets").iterdir()}
    copied = genset("augment", source, "--balance", "max", *common)
    assert copied.json["counts"]["source"] == {"augmented": 9, "collected": 15}
    filled = genset("augment", source, "--balance", "20", "--model", "digits", "--name", "filled", *common)
    assert filled.json["counts"] == {
        "split": {"train": 40}, "label": {"0": 20, "1": 20}, "source": {"collected": 15, "generated": 25},
    }  # fmt: skip
    both = genset(
        "augment", source, "--balance", "max", "balance.fill=both", "--model", "digits", "--name", "b", *common
    )
    assert both.json["counts"]["source"] == {"augmented": 4, "collected": 15, "generated": 5}
    refused = genset("augment", source, "--balance", "max", "balance.fill=both", *common)
    assert (refused.code, refused.stderr) == (
        2, "genset: balance.fill: `fill: both` needs a model to generate with\n  Give --model MODEL.\n"
    )  # fmt: skip
    bounded = genset("augment", source, "--balance", "max", "balance.max_copies=2", "--name", "bounded", *common)
    assert bounded.json["problems"] == [
        {
            "path": "1",
            "kind": "too_small",
            "detail": "9 items are missing, but at most 2 copies of each of its 3 items give only 6",
        }
    ]
    again = genset("augment", "bounded", "--balance", "max", "balance.max_copies=2", *common)
    assert again.json["problems"][0]["detail"].endswith(
        "3 items are missing, but at most 2 copies of each of its 3 items give only 0"
    )


def test_inspect_reports_contents_and_problems_of_any_folder(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 5, "01")
    shutil.copy(source / "0" / "0000.png", source / "1" / "again.png")
    (source / "0" / "bad.png").write_bytes(b"no")
    result = genset("inspect", source, "--json").json
    assert result["counts"] == {"split": {"": 11}, "label": {"0": 5, "1": 6}, "source": {"collected": 11}}
    assert result["traits"] == {"size": {"8x8": 11}, "mode": {"L": 11}}
    assert sorted((problem["path"], problem["kind"]) for problem in result["problems"]) == [
        ("0/0000.png", "label_conflict"),
        ("0/bad.png", "undecodable"),
        ("1/again.png", "exact_duplicate"),
        ("1/again.png", "label_conflict"),
    ]


def test_inspect_of_a_damaged_version_fails_and_names_the_file(own: Trained) -> None:
    victim = next((own.dataset / "train" / "3").iterdir())
    victim.write_bytes(victim.read_bytes()[:-20])
    outcome = genset("inspect", "digits", "--output", own.out, "--json")
    assert outcome.code == 1
    assert {
        "path": f"train/3/{victim.name}",
        "kind": "checksum",
        "detail": "it has changed since it was written",
    } in outcome.json["problems"]


@pytest.mark.slow
def test_inspect_against_evaluates_and_gates_decide_the_exit_code(trained: Trained) -> None:
    base = ["inspect", trained.dataset, "quality.seeds=1", "--against", trained.dataset, "--json"]
    good = genset(*base, "--gate", "distinct >= 0.5", "--gate", "copies <= 1")
    assert good.code == 0
    assert good.json["n"] == {"train": 320, "test": 40, "made": 120}
    assert good.json["figures"] == trained.outcome.json["figures"]
    bad = genset(*base, "--gate", "distinct < 1")
    assert bad.code == 1
    assert bad.json["failed_gates"] == ["distinct < 1: is 1, off by 0"]
    assert "gate failed: distinct < 1: is 1, off by 0" in bad.stderr


def test_inspect_of_a_model_reports_family_sizes_and_losses(trained: Trained) -> None:
    result = genset("inspect", trained.model, "--json").json["model"]
    assert (result["family"], result["latent_dim"], sum(result["train_counts"].values()), result["planned_steps"]) == (
        "vae",
        16,
        320,
        STEPS,
    )
    assert {"reconstruction_loss", "kl_loss", "val_loss"} <= result["losses"].keys()


@pytest.mark.slow
def test_a_failed_gate_marks_the_version_and_latest_does_not_change(own: Trained) -> None:
    failed = genset("run", own.config, "quality.gates=[distinct < 1]", "--output", own.out, "--json")
    assert failed.code == 1
    assert failed.json["failed_gates"] == ["distinct < 1: is 1, off by 0"]
    version = Path(failed.json["version"]["path"])
    assert json.loads((version / "manifest.json").read_text())["status"] == "failed"
    assert os.readlink(own.out / "datasets/digits/latest") == "v0001"


def _start(*arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "genset", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _visible(out: Path) -> list[Path]:
    return [path for kind in ("models", "datasets") for path in (out / kind).glob("*/v*")]


@pytest.mark.slow
def test_after_a_kill_in_training_or_evaluation_the_next_run_completes(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seconds = trained.outcome.json["seconds"]
    for share in (0.3, 0.8):  # tests/crash_points.py stops other commands at every change of the disk
        with _start("run", trained.config, "--output", out) as process:
            time.sleep(share * seconds)
            process.kill()
        for path in _visible(out):
            version = open_version(path)
            assert version is not None
            assert verify_sums(version) == {}
    done = genset("run", trained.config, "--output", out, "--json")
    assert done.code == 0, done.stderr
    assert sums(out / "datasets/digits/latest") == sums(trained.dataset)
    assert not list(out.rglob("*.partial"))


@pytest.mark.slow
def test_an_interrupt_during_evaluation_writes_nothing(own: Trained) -> None:
    command = [
        sys.executable,
        "-m",
        "genset",
        "run",
        str(own.config),
        "generate.per_class=30",
        "--output",
        str(own.out),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("evaluating"):
                break
        time.sleep(0.3)  # scikit-learn's training loop would treat a KeyboardInterrupt as its end
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert [path.name for path in (own.out / "datasets/digits").glob("*v0*")] == ["v0001"]


@pytest.mark.slow
def test_output_folders_are_not_collected_as_real_items(in_folder: Path) -> None:
    digits(in_folder / "data", 12, "01")
    generate = {
        "per_class": 12,
        "wrong_labels": "keep",
        "near_copies": "keep",
    }  # such a short training may fail the checks
    path = config(in_folder, in_folder / "data", train={"steps": 40}, generate=generate)
    options = ["--output", in_folder / "data" / "out", "--json"]
    assert genset("run", path, *options).code == 0
    again = genset("run", path, *options)
    assert again.json["made"] is False
    assert again.json["counts"]["label"] == {"0": 24, "1": 24}
    result = genset("inspect", in_folder / "data", "--json").json
    assert result["counts"]["label"] == {"0": 12, "1": 12}
    assert result["problems"] == [
        {"path": "out", "kind": "made", "detail": "genset wrote this folder: its items are not real"}
    ]
    refused = genset("split", in_folder / "data" / "out" / "datasets" / "digits", "--output", in_folder / "new")
    assert refused.code == 2
    assert "this is an output folder of genset, not a folder of classes" in refused.stderr


@pytest.mark.slow
def test_files_that_are_equal_after_conversion_are_not_in_two_splits(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 20, "01")
    for path in sorted(source.rglob("*.png")):
        Image.open(path).resize((16, 16), Image.Resampling.NEAREST).save(path.with_name(f"n{path.name}"))
        rgba = Image.open(path).convert("RGBA")
        rgba.putalpha(Image.new("L", rgba.size, 255))
        rgba.save(path.with_name(f"a{path.name}"))
        transparent = Image.new("RGBA", rgba.size, (0, 0, 0, 0))
        transparent.save(path.with_name(f"t{path.name}")) if path.name == "0000.png" else None
    Image.new("L", (8, 8), 255).save(source / "1" / "white.png")
    path = config(tmp_path, source, modality={"kind": "image", "size": 8, "mode": "L"}, train={"steps": 40})
    outcome = genset("run", path, "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    details = [problem["detail"] for problem in outcome.json["problems"] if problem["kind"] == "exact_duplicate"]
    assert [detail for detail in details if detail.endswith(" after conversion, which is labelled '0', not '1'")]
    version = Path(outcome.json["version"]["path"])
    real = [
        hashlib.sha256(Image.open(version / split / line["file_name"]).tobytes()).digest()
        for split in ("train", "validation", "test")
        for line in rows(version / split)
        if line["source"] == "collected"
    ]
    assert len(real) == len(set(real))


def _interrupted_while_training(path: Path, out: Path, number: signal.Signals) -> str:
    """Start a training and send it a signal while it runs; returns its stderr."""
    command = [sys.executable, "-m", "genset", "train", str(path), "--output", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        output = ""
        for line in process.stderr:
            output += line
            if ": training for at most" in line:
                break
        time.sleep(3)  # the first step compiles
        process.send_signal(number)
        output += process.stderr.read()
        assert process.wait(timeout=60) == 130
    return output


@pytest.mark.slow
def test_an_interrupted_training_continues_and_gives_the_same_bytes(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 40), train={"steps": 1200, "patience": 40})
    out, straight = tmp_path / "out", tmp_path / "straight"
    first = _interrupted_while_training(path, out, signal.SIGTERM)
    assert first.endswith(
        "genset: interrupted; no incomplete file was left\n"
        "  Run the same command again to continue: the training so far is saved.\n"
    )
    second = _interrupted_while_training(path, out, signal.SIGINT)
    assert _visible(out) == []
    resumed = genset("train", path, "--output", out)
    assert resumed.code == 0, resumed.stderr
    steps = [int(output.split("at step ")[1].split(" of 1200")[0]) for output in (second, resumed.stderr)]
    assert 0 < steps[0] < steps[1] < 1200
    assert not (out / ".work/digits/checkpoint.npz").exists()
    assert genset("train", path, "--no-resume", "--output", straight).code == 0
    assert sums(out / "models/digits/v0001") == sums(straight / "models/digits/v0001")
