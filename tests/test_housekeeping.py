"""genset status, list, prune and schema; run --dry-run; every JSON object matches the printed schema."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from genset.cli import app
from genset.cli.json_output import output_schema
from genset.engine import Local
from genset.errors import GensetError
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.versions.root import Root
from genset.workflows.list import list_versions
from genset.workflows.prune import prune, remove
from tests.helpers import ROOT, Trained, config, genset, manifest_of


def made(
    root: Root,
    kind: str,
    name: str,
    parents: list[str],
    sources: list[str] | None = None,
    **more: Any,
) -> str:
    """A version that says of itself what it was made from."""
    with root.draft(kind, name) as draft:
        draft.write("x", b"12345")
        fields = {"parents": parents, "sources": sources or [], **more}
        return root.commit(draft, manifest_of(kind, name, draft.id, **fields)).reference


def references(versions: Any) -> list[str]:
    return [version.reference for version in versions]


def test_versions_that_others_are_based_on_are_not_pruned(tmp_path: Path) -> None:
    root = Root(tmp_path)
    models = [made(root, "models", "m", []) for _ in range(4)]
    base = made(root, "datasets", "base", [models[0]])
    derived = [made(root, "datasets", "derived", [base]) for _ in range(3)]
    for _ in range(2):
        made(root, "datasets", "base", [models[1]])
    found = prune(root, None, 1)
    assert references(each.version for each in found.removed) == [models[2], "base@v0002", *derived[:2]]
    assert {v.reference: why for v, why in found.needed.items()} == {
        base: "dataset derived@v0003 is based on it",
        models[0]: "dataset base@v0001 is based on it",
        models[1]: "dataset base@v0003 is based on it",
    }


def test_prune_takes_one_name_and_keeps_latest(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for _ in range(3):
        made(root, "datasets", "a", [])
    made(root, "datasets", "b", [])
    made(root, "datasets", "b", [])
    os.remove(tmp_path / "datasets/a/latest")
    os.symlink("v0001", tmp_path / "datasets/a/latest")
    found = prune(root, "a", 1)
    assert references(each.version for each in found.removed) == ["a@v0002"]
    assert list(found.needed.values()) == ["`latest` points to it"]
    with root.lock(0, print):
        remove(found, Job("prune", root, Local(), Progress.silent()))
    assert references(each.version for each in list_versions(root, "a")) == ["a@v0001", "a@v0003"]
    assert sorted(path.name for path in (tmp_path / "datasets/a").iterdir()) == ["latest", "v0001", "v0003"]


def test_a_version_that_another_was_collected_from_is_kept(tmp_path: Path) -> None:
    root = Root(tmp_path)
    base, _ = (made(root, "datasets", "base", []) for _ in range(2))
    made(root, "datasets", "child", [], [str(tmp_path / "datasets" / "base" / "v0001")])
    assert references(prune(root, None, 1).needed) == [base]


@pytest.mark.parametrize(
    "name, text, fault",
    [
        ("quality.json", "{", "quality.json: cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("quality.json", "[]", "quality.json: field `figures` is invalid"),
        ("quality.json", '{"figures": {"cas": "high"}}', "quality.json: field `figures` is invalid"),
        ("manifest.json", "{", "manifest.json: cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("manifest.json", "[]", "manifest.json: it is not a JSON object"),
        ("manifest.json", '{"kind": "dataset", "status": "ok"}', "manifest.json: manifest field `ended` is missing or invalid"),
        ("manifest.json", None, "manifest.json: cannot be read: [Errno 2] No such file or directory: '{manifest}'"),
    ],
)  # fmt: skip
def test_a_damaged_version_is_reported_and_kept_and_others_are_listed_and_pruned(
    tmp_path: Path, printed: "Printed", capfd: pytest.CaptureFixture[str], name: str, text: str | None, fault: str
) -> None:
    root = Root(tmp_path)
    for _ in range(4):
        made(root, "datasets", "d", [])
    path = tmp_path / "datasets" / "d" / "v0004" / name
    path.write_text(text) if text is not None else path.unlink()
    fault = fault.replace("{manifest}", str(path))
    code, listed = printed("list", "--output", tmp_path, "--json")
    assert (code, [each["status"] for each in valid(listed)["versions"]]) == (0, ["ok", "ok", "ok", "damaged"])
    with pytest.raises(SystemExit) as end:
        app(["list", "--output", str(tmp_path)])
    assert (end.value.code, capfd.readouterr().out.splitlines()[-1]) == (0, f"damaged: dataset d@v0004: {fault}")
    code, pruned = printed("prune", "--keep", "1", "--output", tmp_path, "--json")
    assert (code, [each["id"] for each in valid(pruned)["removed"]]) == (0, ["v0001", "v0002"])
    assert [(each["id"], each["why"]) for each in pruned["needed"]] == [
        ("v0004", f"it is damaged ({fault}): remove it yourself")
    ]
    assert sorted(each.name for each in (tmp_path / "datasets/d").iterdir()) == ["latest", "v0003", "v0004"]


@pytest.mark.parametrize("command", ["inspect", "split", "augment"])
def test_reading_a_damaged_version_ends_with_one_message(tmp_path: Path, printed: "Printed", command: str) -> None:
    made(Root(tmp_path), "datasets", "d", [])
    path = tmp_path / "datasets" / "d" / "v0001" / "manifest.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "modality"}))
    for version in ("d", path.parent):
        code, told = printed(command, version, "--output", tmp_path, "--json")
        assert (code, told["error"]["message"]) == (2, "manifest field `modality` is missing or invalid")


def test_latest_ignores_a_damaged_version(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for _ in range(2):
        made(root, "datasets", "d", [])
    os.remove(tmp_path / "datasets/d/latest")  # as a copy to a file system without links leaves it
    (tmp_path / "datasets/d/v0002/manifest.json").write_text("{")
    latest = root.latest("datasets", "d")
    assert latest is not None and latest.id == "v0001"


@pytest.mark.parametrize("way", ["config", "settings"])
def test_a_version_whose_splits_another_keeps_is_kept(tmp_path: Path, way: str) -> None:
    root = Root(tmp_path)
    base, _ = (made(root, "datasets", "base", []) for _ in range(2))
    keep = {"split": {"previous": str(tmp_path / "datasets" / "base" / "v0001")}}
    made(root, "datasets", "child", [], **{way: keep})
    assert references(prune(root, None, 1).needed) == [base]


def test_leftovers_of_an_interrupted_removal_are_removed(tmp_path: Path) -> None:
    (tmp_path / "datasets" / "a" / ".v0001.removed").mkdir(parents=True)
    with Root(tmp_path).lock(0, print):
        assert list((tmp_path / "datasets" / "a").iterdir()) == []


def test_a_name_without_versions_is_answered_with_existing_names(tmp_path: Path) -> None:
    made(Root(tmp_path), "datasets", "digits", [])
    with pytest.raises(GensetError) as error:
        list_versions(Root(tmp_path), "digit")
    assert str(error.value) == (
        f"{tmp_path}: no version has the name 'digit' (did you mean `digits`?)\n  Use one of digits."
    )


def valid(value: Any) -> Any:
    """A JSON object, once the schema that the program prints has nothing against it."""
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    return value


SCHEMA = output_schema()


def test_the_schema_rejects_objects_that_no_command_prints() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert not validator.is_valid({"command": "list", "versions": [], "seconds": 1.0, "more": 1})
    assert not validator.is_valid({"command": "list", "versions": []})
    assert not validator.is_valid({})


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, Any]]]:
    """(exit code, JSON object) of commands, in this process: a start takes longer than most of them."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: object) -> tuple[int, Any]:
        with pytest.raises(SystemExit) as end:
            app(list(map(str, arguments)))
        return int(end.value.code or 0), json.loads(capfd.readouterr().out)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.slow
def test_every_json_object_matches_the_schema(own: Trained, printed: Callable[..., tuple[int, Any]]) -> None:
    valid(own.outcome.json)
    out = ["--output", own.out, "--json"]
    made = valid(printed("generate", "digits", "-n", "3", *out)[1])
    item = next((Path(made["version"]["path"]) / "train").rglob("*.png")).stem
    for arguments, code in [
        (["train", own.config], 0),
        (["augment", "digits-generated"], 0),
        (["augment", own.source, "--copies", "1", "--dry-run"], 0),
        (["augment", "digits-generated", "--replay", item], 0),
        (["split", own.source], 0),
        (["split", own.source, "--folds", "3", "--name", "folds"], 0),
        (["verify", "digits"], 0),
        (["verify", own.model], 0),
        (["inspect", own.source], 0),
        (["inspect", "digits"], 0),
        (["inspect", own.model, "--report", own.out.parent / "model.html"], 0),
        (["inspect", own.config], 0),
        (["inspect", item], 0),
        (["inspect", "digits-generated", "--against", "digits", "--quick", "quality.seeds=1"], 0),
        (["list"], 0),
        (["status", own.config], 0),
        (["prune", "--keep", "1", "--dry-run"], 0),
        (["prune", "nothing"], 2),
    ]:
        ended, value = printed(*arguments, *out)
        assert ended == code, (arguments, value)
        valid(value)
    again = valid(printed("generate", "digits", "-n", "3", *out)[1])
    _, pruned = printed("prune", "digits-generated", "--keep", "1", *out)
    assert [version["id"] for version in valid(pruned)["removed"]] == ["v0001", "v0002"]  # made, and augmented above
    assert not Path(made["version"]["path"]).exists() and Path(again["version"]["path"]).is_dir()
    valid(printed("init", own.source, "--json")[1])
    valid(genset("split", own.source, "--ratio", "1", "--json").json)  # no such option


Printed = Callable[..., tuple[int, Any]]


def test_a_dry_run_plans_the_result_of_a_run_and_writes_nothing(
    trained: Trained, in_folder: Path, printed: Printed
) -> None:
    ended, planned = printed("run", trained.config, "--dry-run", "--json")
    assert ended == 0
    valid(planned)
    made = trained.outcome.json
    for key in ("split", "source"):
        assert sum(abs(made["counts"][key][name] - n) for name, n in planned["counts"][key].items()) <= 4  # of 800
    assert planned["config"]["modality"] == made_config(trained)["modality"]
    assert (planned["model"]["version"], planned["estimate"]["training"]) == (None, "400 steps")
    written = sum(path.stat().st_size for path in (trained.dataset / "train").rglob("*.png"))
    assert 0.5 * written < planned["estimate"]["bytes"] < 3 * written
    assert [(row["label"], row["generated"]) for row in planned["plan"]] == [(str(n), 12) for n in range(10)]
    assert list(in_folder.iterdir()) == []


def made_config(trained: Trained) -> Any:
    return json.loads((trained.dataset / "manifest.json").read_bytes())["config"]


def test_a_dry_run_reports_versions_that_are_up_to_date(own: Trained, printed: Printed) -> None:
    ended, planned = printed("run", own.config, "--dry-run", "--output", own.out, "--json")
    assert (ended, planned["model"]["reasons"], planned["dataset"]["reasons"]) == (0, [], [])
    assert planned["estimate"] == {"bytes": 0, "seconds": 0.0, "training": None}


def test_a_dry_run_rejects_a_config_that_a_run_would_reject(
    trained: Trained, in_folder: Path, printed: Printed
) -> None:
    ended, told = printed("run", trained.config, "augment.steps=[{kind: flip, not_for: [x]}]", "--dry-run", "--json")
    assert (ended, told["error"]["message"]) == (2, "no class 'x'")


def test_status_reports_changes_and_exits_with_1(own: Trained, tmp_path: Path) -> None:
    source = shutil.copytree(own.source, tmp_path / "digits")
    place = config(tmp_path, source, augment={"copies": 1})

    def told(*arguments: str) -> tuple[int, list[str]]:
        outcome = genset("status", place, *arguments, "--output", own.out)
        assert "Traceback" not in outcome.stderr, outcome.stderr
        return outcome.code, outcome.stdout.splitlines()

    model, dataset = (own.out / kind / "digits" / "v0001" for kind in ("models", "datasets"))
    current = [f"model {model}: up to date", f"dataset {dataset}: up to date"]
    assert told() == (0, current)
    assert told("generate.per_class=13") == (1, [
        current[0], f"dataset {dataset}: not up to date", "  generate.per_class: was 12, is now 13",
        "next: genset run CONFIG",
    ])  # fmt: skip
    assert told("modality.size=8") == (0, current)  # what the data say anyway
    gone = min(source.rglob("*.png"))
    gone.unlink()
    name = str(gone.relative_to(source))
    code, lines = told("model.latent_dim=5")
    assert (code, lines[1:3]) == (1, [
        "  data: the items have changed since it was trained", "  model.latent_dim: was not set, is now 5",
    ])  # fmt: skip
    assert lines[4] == "  its model is not up to date"
    assert lines[5] == f"  data: 1 item was removed: {name}"


def test_status_before_the_first_run_writes_nothing(trained: Trained, in_folder: Path) -> None:
    outcome = genset("status", trained.config, "--json", cwd=in_folder)
    assert (outcome.code, outcome.json["up_to_date"]) == (1, False)
    told = {key: [reason["detail"] for reason in outcome.json[key]["reasons"]] for key in ("model", "dataset")}
    assert told == {"model": ["no model was trained yet"], "dataset": ["no dataset was written yet"]}
    assert list(in_folder.iterdir()) == []  # nothing is written


def test_list_shows_all_versions(own: Trained) -> None:
    outcome = genset("list", "--output", own.out, COLUMNS="200")
    lines = outcome.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["models"], ["size", "train"], ["digits@v0001", "latest"],
        ["datasets"], ["size", "train"], ["digits@v0001", "latest"],
    ]  # fmt: skip
    assert "cas_ratio 0." in lines[5] or "cas_ratio 1." in lines[5]


def test_both_schemas_are_printed(printed: Callable[..., tuple[int, Any]]) -> None:
    assert printed("schema", "--output") == (0, SCHEMA)
    assert printed("schema")[1] == json.loads((ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8"))
