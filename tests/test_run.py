"""The whole pipeline in processes of its own, on real digits: what it writes, that it can be trusted, that it comes again."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import yaml
from conftest import STEPS, Trained, config, digits, genset
from PIL import Image

from genset.versions import open_version, verify_sums


def rows(split: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]


def sums(path: Path) -> bytes:
    return (path / "SHA256SUMS").read_bytes()


def test_a_run_writes_what_the_contract_says(trained: Trained) -> None:
    assert {path.name for path in trained.model.iterdir()} == {
        "README.md", "SHA256SUMS", "config.yaml", "curves.png", "generator.onnx", "history.csv", "manifest.json",
        "model.keras", "prior.npz", "samples.png",
    }  # fmt: skip
    assert {path.name for path in trained.dataset.iterdir()} == {
        "README.md", "SHA256SUMS", "config.yaml", "manifest.json", "quality.json", "test", "train", "validation",
    }  # fmt: skip
    manifest = json.loads((trained.dataset / "manifest.json").read_text())
    assert manifest["counts"]["split"] == {"test": 40, "train": 320 + 120 + 320, "validation": 40}
    assert manifest["counts"]["source"] == {"augmented": 320, "collected": 400, "generated": 120}
    assert manifest["parents"] == ["digits@v0001"]


def test_the_json_of_a_run_is_one_object_with_what_scripts_need(trained: Trained) -> None:
    told = trained.outcome.json
    assert told["command"] == "run"
    assert told["version"] == {"path": str(trained.out / "datasets/digits/v0001"), "name": "digits", "id": "v0001"}
    assert told["counts"]["split"]["test"] == 40
    assert {"real_acc", "cas", "cas_ratio", "both_acc", "lift", "label_acc", "copies"} <= told["figures"].keys()
    assert told["skipped"] == {}
    assert told["seconds"] > 0


def test_metadata_lists_every_file_with_the_same_columns_everywhere(trained: Trained) -> None:
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


def test_made_items_stand_in_train_alone_and_nothing_in_train_comes_from_held_out_items(trained: Trained) -> None:
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


def test_real_items_are_the_users_pixels_with_the_name_of_his_file(trained: Trained) -> None:
    for line in rows(trained.dataset / "test"):
        made = Image.open(trained.dataset / "test" / line["file_name"])
        assert made.tobytes() == Image.open(trained.source / line["origin"]).tobytes()


def test_generated_items_are_distinct_pictures_of_the_configured_form(trained: Trained) -> None:
    generated = [line for line in rows(trained.dataset / "train") if line["source"] == "generated"]
    assert Counter(line["label"] for line in generated) == dict.fromkeys("0123456789", 12)
    pictures = [Image.open(trained.dataset / "train" / line["file_name"]) for line in generated]
    assert {(picture.size, picture.mode) for picture in pictures} == {((8, 8), "L")}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_checksums_hold_and_card_has_readable_front_matter(trained: Trained) -> None:
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


def test_losses_are_logged_separately_on_train_and_validation_and_fall(trained: Trained) -> None:
    head, *lines = (trained.model / "history.csv").read_text().splitlines()
    names = head.split(",")
    assert {"loss", "reconstruction_loss", "kl_loss", "val_loss", "val_reconstruction_loss", "val_kl_loss"} <= set(
        names
    )
    values = [dict(zip(names, map(float, line.split(",")), strict=True)) for line in lines]
    assert values[-1]["step"] == STEPS
    assert values[-1]["reconstruction_loss"] < values[0]["reconstruction_loss"]
    assert values[-1]["learning_rate"] < 1e-4 < values[0]["learning_rate"]


def test_the_same_again_is_up_to_date_and_makes_nothing(own: Trained) -> None:
    again = genset("run", own.config, "--output", own.out, "--json")
    assert again.code == 0
    assert (again.json["made"], again.json["version"]["id"], again.json["figures"]) == (
        False, "v0001", own.outcome.json["figures"],
    )  # fmt: skip
    assert "up to date" in again.stderr
    assert len(list((own.out / "datasets/digits").iterdir())) == 2


def test_a_change_of_generation_makes_a_new_dataset_from_the_same_model(own: Trained) -> None:
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


def test_the_resolved_config_gives_the_same_bytes_in_another_root_with_other_workers(
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


def test_a_budget_in_seconds_becomes_steps_and_force_makes_the_same_again(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 20, "01"), train={"seconds": 6})
    first = genset("train", path, "--output", tmp_path / "out", "--json")
    assert first.code == 0, first.stderr
    model = tmp_path / "out/models/digits/v0001"
    resolved = yaml.safe_load((model / "config.yaml").read_text())["train"]
    assert set(resolved) >= {"steps", "batch_size"}
    assert "seconds" not in resolved
    assert genset("train", path, "--output", tmp_path / "out", "--json").json["made"] is False
    forced = genset("train", model / "config.yaml", "--force", "--output", tmp_path / "out", "--json")
    assert forced.json["version"]["id"] == "v0002"
    assert sums(tmp_path / "out/models/digits/v0002") == sums(model)


def test_generate_is_the_same_for_any_number_of_workers_and_other_for_another_seed(own: Trained) -> None:
    made = {}
    for name, more in {"one": ["--workers", 1], "four": ["--workers", 4], "seed": ["--seed", 8]}.items():
        outcome = genset("generate", own.model, "-n", 50, "--name", name, "--output", own.out, "--json", *more)
        assert outcome.code == 0, outcome.stderr
        made[name] = Path(outcome.json["version"]["path"])
    items = {name: [line for line in sums(path).splitlines() if b" train/" in line] for name, path in made.items()}
    assert len(items["one"]) == 51
    assert items["one"] == items["four"]
    assert items["one"] != items["seed"]


def test_an_item_is_the_same_whatever_else_is_asked_for(own: Trained) -> None:
    few = genset("generate", own.model, "--label", "3", "-n", 4, "--name", "few", "--output", own.out, "--json").json
    many = genset("generate", own.model, "--per-class", 70, "--name", "many", "--output", own.out, "--json").json
    assert (few["counts"]["label"], many["counts"]["label"]) == ({"3": 4}, dict.fromkeys("0123456789", 70))
    for path in Path(few["version"]["path"], "train", "3").iterdir():
        assert path.read_bytes() == Path(many["version"]["path"], "train", "3", path.name).read_bytes()


def test_no_generated_item_is_a_near_copy_of_a_train_item(own: Trained) -> None:
    limit = json.loads((own.model / "manifest.json").read_text())["model"]["copy_limit"]
    load = lambda paths: np.stack([np.asarray(Image.open(p), np.float32).ravel() / 255 for p in paths])  # noqa: E731
    train = load(sorted((own.dataset / "train").rglob("c*.png")))
    made = load(sorted((own.dataset / "train").rglob("g*.png")))
    assert limit > 0
    assert np.linalg.norm(made[:, None] - train[None], axis=2).min() > limit


def test_generation_without_the_train_items_is_refused_or_asked_for(own: Trained, tmp_path: Path) -> None:
    moved = tmp_path / "digits"
    shutil.copytree(own.source, moved)
    path = config(tmp_path, moved, name="moved", train={"steps": 5})
    assert genset("train", path, "--output", own.out).code == 0
    shutil.rmtree(own.out / ".work")
    shutil.rmtree(moved)
    refused = genset("generate", "moved", "-n", 5, "--output", own.out)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr.endswith(
        f"genset: {moved}: near copies cannot be told: what moved@v0001 learned from cannot be read (the source does not exist)\n"
        "  Bring the items back, or add --near-copies keep to generate without this check.\n"
    )
    assert genset("generate", "moved", "-n", 5, "--near-copies", "keep", "--output", own.out).code == 0


def test_split_keeps_the_bytes_and_leaks_no_group(tmp_path: Path) -> None:
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


def test_splitting_a_version_anew_drops_what_was_made_from_items_that_leave_train(own: Trained) -> None:
    outcome = genset("split", "digits", "--seed", 99, "--output", own.out, "--json")
    version = Path(outcome.json["version"]["path"])
    assert {line["source"] for split in ("validation", "test") for line in rows(version / split)} == {"collected"}
    train = rows(version / "train")
    real = {Path(line["file_name"]).stem for line in train if line["source"] == "collected"}
    assert {line["origin"] for line in train if line["source"] == "augmented"} <= real
    leaks = [problem for problem in outcome.json["problems"] if problem["kind"] == "leak"]
    assert len(leaks) == 120 + 320 - sum(line["source"] == "augmented" for line in train)
    assert not [line for line in train if line["source"] == "generated"]


def test_augment_balances_with_copies_or_with_a_model_and_plans_without_writing(own: Trained, tmp_path: Path) -> None:
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
    bounded = genset("augment", source, "--balance", "max", "balance.most_copies=2", "--name", "bounded", *common)
    assert bounded.json["problems"] == [
        {"path": "1", "kind": "too_small", "detail": "9 items are lacking, 2 copies of each of its 3 items give 6"}
    ]


def test_inspect_tells_contents_and_problems_of_any_folder(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 5, "01")
    shutil.copy(source / "0" / "0000.png", source / "1" / "again.png")
    (source / "0" / "bad.png").write_bytes(b"no")
    told = genset("inspect", source, "--json").json
    assert told["counts"] == {"split": {"": 11}, "label": {"0": 5, "1": 6}, "source": {"collected": 11}}
    assert told["traits"] == {"size": {"8x8": 11}, "mode": {"L": 11}}
    assert sorted((problem["path"], problem["kind"]) for problem in told["problems"]) == [
        ("0/bad.png", "undecodable"),
        ("1/again.png", "exact_duplicate"),
    ]


def test_inspect_of_a_damaged_version_fails_and_names_the_file(own: Trained) -> None:
    victim = next((own.dataset / "train" / "3").iterdir())
    victim.write_bytes(victim.read_bytes()[:-20])
    outcome = genset("inspect", "digits", "--output", own.out, "--json")
    assert outcome.code == 1
    assert {
        "path": f"train/3/{victim.name}",
        "kind": "checksum",
        "detail": "missing or changed since it was written",
    } in outcome.json["problems"]


def test_inspect_against_judges_and_gates_decide_the_exit_code(trained: Trained) -> None:
    base = ["inspect", trained.dataset, "--against", trained.dataset, "--json"]
    good = genset(*base, "--gate", "distinct >= 0.5", "--gate", "copies <= 1")
    assert good.code == 0
    assert good.json["n"] == {"train": 320, "test": 40, "made": 120}
    assert good.json["figures"] == trained.outcome.json["figures"]
    bad = genset(*base, "--gate", "distinct >= 2")
    assert bad.code == 1
    assert bad.json["failed_gates"] == ["distinct >= 2: is 1, off by 1"]
    assert "gate failed: distinct >= 2: is 1, off by 1" in bad.stderr


def test_inspect_of_a_model_tells_family_losses_and_sheets(trained: Trained) -> None:
    told = genset("inspect", trained.model, "--json").json["model"]
    assert (told["family"], told["latent_dim"], told["train_items"], told["planned_steps"]) == ("vae", 16, 320, STEPS)
    assert {"reconstruction_loss", "kl_loss", "val_loss"} <= told["losses"].keys()


def test_a_failing_gate_of_a_run_marks_the_version_and_leaves_latest(own: Trained) -> None:
    failed = genset("run", own.config, "quality.gates=[distinct > 2]", "--output", own.out, "--json")
    assert failed.code == 1
    assert failed.json["failed_gates"] == ["distinct > 2: is 1, off by 1"]
    version = Path(failed.json["version"]["path"])
    assert json.loads((version / "manifest.json").read_text())["status"] == "failed"
    assert os.readlink(own.out / "datasets/digits/latest") == "v0001"


def _start(*arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "genset", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _visible(out: Path) -> list[Path]:
    return [path for kind in ("models", "datasets") for path in (out / kind).glob("*/v*")]


def test_runs_killed_at_random_moments_leave_nothing_partial_and_the_next_completes(
    trained: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rng = random.Random(11)
    whole = trained.outcome.json["seconds"]
    for _ in range(4):  # benchmarks/kill.py does it more often
        with _start("run", trained.config, "--output", out) as process:
            time.sleep(rng.uniform(0.1, whole))
            process.kill()
        for path in _visible(out):
            version = open_version(path)
            assert version is not None
            assert verify_sums(version) == []
    done = genset("run", trained.config, "--output", out, "--json")
    assert done.code == 0, done.stderr
    assert sums(out / "datasets/digits/latest") == sums(trained.dataset)
    assert not list(out.rglob("*.partial"))


def _interrupted_while_training(path: Path, out: Path, number: signal.Signals) -> str:
    """Start a training, send it a signal when it is under way; what it said."""
    command = [sys.executable, "-m", "genset", "train", str(path), "--output", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("training for"):
                break
        time.sleep(4)  # the first step compiles
        process.send_signal(number)
        said += process.stderr.read()
        assert process.wait(timeout=60) == 130
    return said


def test_an_interrupted_training_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 40), train={"steps": 2500, "patience": 40})
    out, straight = tmp_path / "out", tmp_path / "straight"
    first = _interrupted_while_training(path, out, signal.SIGTERM)
    assert first.endswith(
        "genset: interrupted; nothing was left half-written\n"
        "  Run the same command again to go on: what was trained so far is kept.\n"
    )
    second = _interrupted_while_training(path, out, signal.SIGINT)
    assert _visible(out) == []
    resumed = genset("train", path, "--output", out)
    assert resumed.code == 0, resumed.stderr
    steps = [int(said.split("at step ")[1].split(" of 2500")[0]) for said in (second, resumed.stderr)]
    assert 0 < steps[0] < steps[1] < 2500
    assert not (out / ".work/digits/checkpoint.npz").exists()
    assert genset("train", path, "--no-resume", "--output", straight).code == 0
    assert sums(out / "models/digits/v0001") == sums(straight / "models/digits/v0001")
