"""Augmented copies: mixing, replay and lineage; balancing of classes."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from genset.dataset import Record
from genset.pipeline.augment.copies import TransformedItem
from tests.helpers import Trained, digits, genset


def rows(version: Path) -> list[dict[str, Any]]:
    lines = (version / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def sums(version: Path) -> str:
    return (version / "SHA256SUMS").read_text()


def test_mixed_copies_record_both_parents_and_shares_and_can_be_replayed(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "digits", 6, "01"), tmp_path / "out"
    steps = "augment.steps=[{one_of: [mixup, cutmix]}, {kind: flip, only_for: ['1'], p: 1}, {kind: noise, p: 0.5}]"
    outcomes = [
        genset("augment", source, "--copies", 2, steps, "--workers", workers, "--output", out, "--json")
        for workers in (1, 4)
    ]
    version, other = (Path(outcome.json["version"]["path"]) for outcome in outcomes)
    assert sums(version) == sums(other)
    table = rows(version)
    real = {Path(row["file_name"]).stem: row for row in table if row["source"] == "collected"}
    copies = [row for row in table if row["source"] == "augmented"]
    assert len(copies) == 24
    assert {row["soft_label"] for row in real.values()} == {""}
    for row in copies:
        first, second = row["origin"].split()
        assert {first, second} <= set(real)
        assert real[first]["label"] == row["label"]
        soft = json.loads(row["soft_label"])
        assert set(soft) == {real[first]["label"], real[second]["label"]}
        assert abs(sum(soft.values()) - 1) < 1e-5
        assert soft[row["label"]] >= 0.5
        kinds = [step["kind"] for step in json.loads(row["transform"])["steps"]]
        assert ("flip" in kinds) == (row["label"] == "1")
    name = Path(copies[7]["file_name"]).stem
    again = genset("augment", "digits", "--replay", name, "--output", out, "--json")
    assert (again.code, again.json["same"]) == (0, True)
    assert Path(again.json["path"]).read_bytes() == (version / "train" / copies[7]["file_name"]).read_bytes()
    item = genset("inspect", name, "--output", out, "--json").json["item"]
    assert [parent["id"] for parent in item["parents"]] == copies[7]["origin"].split()
    for parent in item["parents"]:
        assert parent["sources"] == [str(source)]
        assert (source / parent["file"]).is_file()
    rejected = genset("augment", "digits", "--replay", next(iter(real)), "--output", out)
    assert (rejected.code, rejected.stderr) == (
        2,
        f"genset: digits@v0002: {next(iter(real))} is a real item, so it cannot be created again\n"
        "  Give the id of a generated or augmented item.\n",
    )  # fmt: skip


def test_a_replayed_item_whose_file_was_edited_ends_with_exit_code_1(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "digits", 3, "01"), tmp_path / "out"
    version = Path(genset("augment", source, "--copies", 1, "--output", out, "--json").json["version"]["path"])
    (row, *_) = [row for row in rows(version) if row["source"] == "augmented"]
    path = version / "train" / row["file_name"]
    path.write_bytes(path.read_bytes() + b"x")
    assert genset("augment", "digits", "--replay", path.stem, "--output", out, "--json").json["same"] is False
    assert genset("augment", "digits", "--replay", path.stem, "--output", out).code == 1


def test_generated_and_augmented_items_of_a_run_can_be_replayed(own: Trained) -> None:
    table = rows(own.dataset)
    for source in ("generated", "augmented"):
        name = next(Path(row["file_name"]).stem for row in table if row["source"] == source)
        assert genset("augment", "digits", "--replay", name, "--output", own.out, "--json").json["same"] is True
    item = genset("inspect", name, "--output", own.out, "--json").json["item"]
    assert (own.source / item["parents"][0]["file"]).is_file()


@pytest.mark.slow
def test_latent_mix_needs_a_model_and_records_it(own: Trained) -> None:
    common = ["--copies", 1, "augment.steps=[latent_mix]", "--name", "between", "--output", own.out, "--json"]
    rejected = genset("augment", "digits", *common)
    assert (rejected.code, rejected.json["error"]["message"]) == (2, "`latent_mix` needs a model")
    late = genset(
        "augment", "digits", *[*common[:2], "augment.steps=[flip, latent_mix]", *common[3:]], "--model", "digits"
    )
    assert late.json["error"]["message"] == "`latent_mix` starts from two real items, so it must be the first transform"
    mixed = genset("augment", "digits", *common, "--model", "digits")
    assert mixed.code == 0, mixed.stderr
    copies = [row for row in rows(Path(mixed.json["version"]["path"])) if "latent_mix" in row["transform"]]
    assert len(copies) == 320
    reference = json.loads((own.model / "manifest.json").read_text())["model"]["reference"]
    assert {row["model"] for row in copies} == {reference}
    name = Path(copies[0]["file_name"]).stem
    assert genset("augment", "between", "--replay", name, "--output", own.out, "--json").json["same"] is True


def test_large_classes_can_be_reduced_and_any_column_can_be_balanced(tmp_path: Path) -> None:
    source, out = digits(tmp_path / "digits", 8, "01"), tmp_path / "out"
    for path in sorted((source / "1").iterdir())[4:]:
        path.unlink()
    lines = [
        {"file_name": f"{path.parent.name}/{path.name}", "label": path.parent.name, "pen": "ab"[n % 4 == 0]}
        for n, path in enumerate(sorted(source.rglob("*.png")))
    ]
    (source / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in source.rglob("*.png")}
    shrink = ["--balance", "5", "balance.shrink=true", "--output", out, "--json"]
    planned = genset("augment", source, *shrink, "--dry-run").json
    assert planned["plan"] == [
        {"label": "0", "real": 5, "augmented": 0, "generated": 0, "left_out": 3, "total": 5},
        {"label": "1", "real": 4, "augmented": 1, "generated": 0, "left_out": 0, "total": 5},
    ]
    assert planned["estimate"]["bytes"] > 0
    reduced = genset("augment", source, *shrink)
    assert reduced.json["counts"]["label"] == {"0": 5, "1": 5}
    assert reduced.json["problems"] == [{"path": "0", "kind": "left_out", "detail": "3 of 8 items, down to 5"}]
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in source.rglob("*.png")} == before
    by_pen = genset("augment", source, "--balance", "max", "balance.by=pen", "--name", "p", "--output", out, "--json")
    assert Counter(row["pen"] for row in rows(Path(by_pen.json["version"]["path"]))) == {"a": 9, "b": 9}
    wrong = genset("augment", source, "--balance", "max", "balance.by=pem", "--output", out, "--json")
    assert wrong.json["error"] == {
        "message": "no column 'pem' (did you mean `pen`?)",
        "where": "balance.by",
        "hint": "Use one of the columns group, label, pen.",
    }
    unknown = genset("augment", source, "--copies", 1, "augment.steps=[{kind: flip, not_for: ['11']}]", "--output", out)
    assert (
        unknown.stderr == "genset: augment.steps: no class '11' (did you mean `1`?)\n  Use one of the classes 0, 1.\n"
    )


def test_shares_of_two_mixes_multiply() -> None:
    drawn = [
        {"kind": "mixup", "partner": "x", "partner_label": "b", "share": 0.25},
        {"kind": "mixup", "partner": "y", "partner_label": "a", "share": 0.5},
    ]
    mixed = TransformedItem(Record("z", Path()), 0, drawn)  # type: ignore[arg-type]
    assert mixed.soft_label("a") == {"a": 0.875, "b": 0.125}
    assert mixed.partners == ["x", "y"]
