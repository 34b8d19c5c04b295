"""The interface for scripts and shells: exit codes of every command, completion, help examples, broken configs."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import jsonschema
import pytest
import typer.core

from genset.cli import app
from genset.cli.json_output import output_schema
from genset.config import loading
from genset.config.yaml_reader import ConfigError
from tests.helpers import ROOT, Trained, digits, genset

BROKEN = [json.loads(line) for line in (ROOT / "tests" / "broken_configs.jsonl").read_text("utf-8").splitlines()]
COMMANDS = (
    "run",
    "train",
    "generate",
    "augment",
    "split",
    "inspect",
    "verify",
    "init",
    "list",
    "status",
    "prune",
    "publish",
    "schema",
    "bench",
)
LOCKING = ("run", "train", "generate", "augment", "split", "prune", "publish")


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_all_faults_of_a_broken_config_are_reported_with_their_places(number: int, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BROKEN[number]["config"], encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        loading.load(path)
    assert str(error.value).splitlines() == [f"{path}:{fault}" for fault in BROKEN[number]["faults"]]


@pytest.fixture
def ended(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """(exit code, stdout, stderr) of a command in this process."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            app(list(map(str, arguments)))
        captured = capfd.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


Ended = Callable[..., tuple[int, str, str]]


def test_a_broken_config_gives_exit_code_2_without_traceback_in_every_command(ended: Ended, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for number, broken in enumerate(BROKEN):
        path.write_text(broken["config"], encoding="utf-8")
        code, _, stderr = ended(("run", "train", "status", "inspect")[number % 4], path)
        assert (code, stderr.splitlines()) == (
            2,
            [f"genset: {path}:{fault}" if not row else f"{path}:{fault}" for row, fault in enumerate(broken["faults"])],
        ), broken


def argument(command: str, trained: Trained) -> list[object]:
    """Arguments with which a command succeeds."""
    return {
        "run": [trained.config],
        "train": [trained.config],
        "generate": [trained.model, "-n", 5, "--near-copies", "keep", "--wrong-labels", "keep"],
        "augment": [trained.dataset],
        "split": [trained.dataset],
        "inspect": [trained.dataset],
        "verify": [trained.dataset],
        "init": [trained.source],
        "status": [trained.config],
        "publish": [trained.dataset, f"file://{trained.out.parent}/published"],
    }.get(command, [])


@pytest.mark.parametrize("command", COMMANDS)
def test_exit_codes_of_a_command_in_every_state(command: str, own: Trained, tmp_path: Path, ended: Ended) -> None:
    place = [] if command in ("init", "schema", "bench") else ["--output", own.out]
    arguments = [*argument(command, own), *place]
    if command != "bench":  # success; `bench` takes a minute, and has its own test
        code, out, stderr = ended(command, *arguments, *(["--json"] if command != "schema" else []))
        assert code == 0, stderr
        printed = json.loads(out)
        if command != "schema":
            jsonschema.Draft202012Validator(output_schema()).validate(printed)
            assert printed["command"] == command
    # wrong usage
    assert ended(command, "--nothing")[0] == 2
    # missing path
    if argument(command, own):
        code, _, stderr = ended(command, tmp_path / "nothing", *place)
        assert (code, "Traceback" in stderr) == (2, False)
    # another run holds the lock
    if command in LOCKING:
        with filelock.FileLock(own.out / ".lock"):
            code, _, stderr = ended(
                command, *arguments, "--lock-timeout", 0, *(["--force"] if command in ("run", "train") else [])
            )
        assert (code, "lock" in stderr) == (75, True), stderr
    # a gate or a verification fails
    if command == "inspect":
        code, _, stderr = ended(
            "inspect", own.dataset, "quality.seeds=1", "--against", own.source, "--gate", "lift >= 0.99", *place
        )
        assert code == 1, stderr
    if command == "status":
        assert ended("status", own.config, "seed=99", *place)[0] == 1
    if command == "verify":
        (next((own.dataset / "train").rglob("*.png"))).write_bytes(b"other")
        assert ended("verify", own.dataset)[0] == 1


def completed(line: str, cwd: Path) -> list[str]:
    words = line.split(" ")
    environment = {
        **os.environ,
        "_GENSET_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    call = "import sys; sys.argv[0] = 'genset'; from genset.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.split()


def test_a_shell_completes_versions_keys_values_and_files(own: Trained, tmp_path: Path) -> None:
    assert own.out == tmp_path / "out"
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "notes.txt").write_text("")
    assert completed("genset inspect dig", tmp_path) == ["digits"]  # a model and a dataset of one name
    assert completed("genset generate digits@", tmp_path) == ["digits@latest", "digits@v0001"]
    assert completed("genset run mi", tmp_path) == ["mine.yaml"]
    assert completed("genset run mine.yaml model.family=", tmp_path) == [
        "model.family=ae",
        "model.family=gan",
        "model.family=vae",
    ]
    assert "train.seconds=" in completed("genset run mine.yaml train.s", tmp_path)
    assert completed("genset split digits clean.wrong", tmp_path)[0] == "clean.wrong_labels="
    assert "--ratios" in completed("genset split digits --ra", tmp_path)


def test_completion_imports_nothing_heavy() -> None:
    code = "import sys; import genset.cli; print([name for name in ('numpy', 'pydantic', 'rich.console', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def example(command: str) -> list[str]:
    """The words after `genset` of the one example in the help of a command."""
    shown = genset(command, "--help").stdout
    lines = [line.strip() for line in shown.splitlines() if line.strip().startswith("Example: genset")]
    assert len(lines) == 1, shown
    words = shlex.split(lines[0].removeprefix("Example: genset ").partition(">")[0])
    assert words[0] == command
    return words


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_the_help_of_a_command_has_valid_options(command: str) -> None:
    commands = typer.main.get_command(app)
    assert isinstance(commands, typer.core.TyperGroup)
    commands.commands[command].make_context(command, example(command)[1:])  # parses and converts, runs nothing


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_with_a_working_example(command: str, own: Trained, in_folder: Path) -> None:
    words = example(command)
    (in_folder / "samples").symlink_to(ROOT / "samples")
    (in_folder / "configs").symlink_to(ROOT / "configs")
    assert own.out == in_folder / "out"
    if command in ("run", "train", "bench", "prune", "publish"):
        words = [
            *words,
            "--help",
        ]  # checks the options only: the tour runs the commands, and test_publish.py has a bucket
    outcome = genset(*words, cwd=in_folder)
    assert outcome.code in ((0, 1) if command == "status" else (0,)), outcome.stderr


@pytest.mark.slow
def test_bench_reports_every_stage(in_folder: Path) -> None:
    outcome = genset("bench", "--steps", 100, "--json", cwd=in_folder)
    assert outcome.code == 0, outcome.stderr
    jsonschema.Draft202012Validator(output_schema()).validate(outcome.json)
    stages: list[dict[str, Any]] = outcome.json["stages"]
    assert [each["stage"] for each in stages] == [
        "read and find duplicates", "augment and write", "train, default network", "generate and write", "evaluate",
    ]  # fmt: skip
    assert all(each["items"] > 0 and each["items_per_second"] > 0 for each in stages)
    assert not list(in_folder.iterdir())


@pytest.mark.slow
def test_a_folder_of_images_becomes_a_dataset_in_three_commands(tmp_path: Path) -> None:
    digits(tmp_path / "mine", 20, "012")
    assert genset("init", "mine", "--yes", cwd=tmp_path).code == 0
    outcome = genset("run", "mine.yaml", "train={steps: 200}", "quality.gates=[]", cwd=tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert genset("inspect", "mine", cwd=tmp_path).code == 0


@pytest.mark.parametrize(("old", "new"), [("--anew", "--reassign"), ("--link", "--hard-links")])
def test_an_old_flag_is_answered_with_the_new_one(old: str, new: str, ended: Ended, tmp_path: Path) -> None:
    code, _, printed = ended("split", tmp_path, old)
    assert code == 2
    assert f"{old} is now called {new}" in printed


def test_an_old_flag_is_answered_in_json_too(tmp_path: Path) -> None:
    outcome = genset("split", tmp_path, "--anew", "--json")
    assert (outcome.code, outcome.json) == (
        2,
        {"error": {"message": "--anew is now called --reassign"}, "exit_code": 2},
    )


def test_help_lists_the_common_options_with_their_defaults() -> None:
    shown = genset("split", "--help", COLUMNS="160").stdout.partition("Common options")[2].partition("Example:")[0]
    options = [word for line in shown.splitlines() for word in line.split() if word.startswith("--")]
    assert options == [
        "--output",
        "--workers",
        "--engine",
        "--lock-timeout",
        "--log-file",
        "--json",
        "--quiet",
        "--debug",
    ]
    assert "folder for all results (default: out)" in shown
    assert "[default: 600.0]" in shown
    assert "--lock-timeout" not in genset("verify", "--help").stdout
