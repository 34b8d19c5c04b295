"""What a command leaves for machines: the log, the line for monitoring, the summary for CI."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from genset.cli.run_log import RunLog
from genset.interfaces import Progress
from tests.helpers import Trained, config, digits, genset

RUN = r"\d{8}T\d{6}Z-\d+"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_log_has_the_start_stages_and_end_of_each_run(tmp_path: Path) -> None:
    source, log = digits(tmp_path / "digits", 12, "01"), tmp_path / "night.jsonl"
    options = ["--output", tmp_path / "out", "--log-file", log, "--quiet"]
    assert genset("split", source, *options).code == 0
    assert genset("split", tmp_path / "none", *options).code == 2
    events = lines(log)
    assert {"time", "run", "event"} <= set.intersection(*(set(row) for row in events))
    runs = list(dict.fromkeys(row["run"] for row in events))
    assert len(runs) == 2
    assert all(re.fullmatch(RUN, run) for run in runs)
    first, second = ([row for row in events if row["run"] == run] for run in runs)
    assert (first[0]["event"], first[0]["command"]) == ("start", "split")
    assert first[0]["arguments"] == ["split", str(source), *map(str, options)]
    stages = {row["stage"]: row for row in first if row["event"] == "stage"}
    assert (stages["clean"]["done"], stages["clean"]["total"]) == (24, 24)
    assert all(row["seconds"] >= 0 and row["peak_mb"] > 10 for row in stages.values())
    end = first[-1]
    assert (end["event"], end["status"], end["exit_code"]) == ("end", "ok", 0)
    assert end["counts"]["label"] == {"0": 12, "1": 12}
    assert end["version"]["id"] == "v0001"
    wrong = second[-1]
    assert (wrong["status"], wrong["exit_code"]) == ("error", 2)
    assert wrong["error"]["message"] == f"no such folder or name: '{tmp_path / 'none'}'"


def test_a_log_that_cannot_be_written_ends_the_command_at_its_start(tmp_path: Path) -> None:
    source, log = digits(tmp_path / "digits", 3, "01"), tmp_path / "none" / "night.jsonl"
    outcome = genset("split", source, "--output", tmp_path / "out", "--log-file", log)
    assert outcome.code == 2
    assert outcome.stderr == (
        f"genset: --log-file {log}: cannot write the log: no such file or directory\n"
        "  Give the name of a file in an existing folder.\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_ends_the_log_with_a_message_but_not_the_command() -> None:
    messages: list[str] = []
    run_log = RunLog("run", messages.append)
    run_log.open(Path("/dev/full"))
    run_log.watching(Progress.silent()).say("the work continues")
    run_log.end(0, 1.0, None)
    assert messages == ["genset: the log ends here: no space left on device"]


def test_run_prints_a_line_for_monitoring_and_writes_a_summary_for_ci(trained: Trained, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    command = ["run", trained.config, "--output", trained.out]
    outcome = genset(*command, "--summary", summary)
    assert outcome.code == 0, outcome.stderr
    last = outcome.stdout.splitlines()[-1]
    assert re.fullmatch(rf"genset: ok run={RUN} exit=0 dataset=digits@v0001 made=no seconds=[\d.]+", last)
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("### digits@v0001\n")
    assert r"| cas\_ratio |" in text
    assert "genset: ok" not in genset(*command, "--quiet").stdout
    rejected = genset(*command, "--summary", tmp_path / "none" / "summary.md")
    assert rejected.code == 2
    assert rejected.stderr.startswith(f"genset: --summary {tmp_path / 'none' / 'summary.md'}: there is no folder ")
    assert re.fullmatch(rf"genset: error run={RUN} exit=2 seconds=[\d.]+\n", rejected.stdout)


def test_with_json_standard_output_is_one_object(tmp_path: Path) -> None:
    path = config(tmp_path, tmp_path / "none")
    outcome = genset("run", path, "--output", tmp_path / "out", "--json")
    assert outcome.json["exit_code"] == outcome.code == 2
    assert re.search(rf"^genset: error run={RUN} exit=2 seconds=[\d.]+$", outcome.stderr, re.MULTILINE)


@pytest.mark.slow
def test_two_parallel_runs_share_a_log_without_mixing_lines(tmp_path: Path) -> None:
    log = tmp_path / "night.jsonl"
    logs = [RunLog("run", pytest.fail) for _ in range(2)]
    for number, run_log in enumerate(logs):
        run_log.run = str(number)
        run_log.open(log)
    watched = [run_log.watching(Progress.silent()) for run_log in logs]
    for number in range(200):
        watched[number % 2].say(os.fsdecode(b"\xff") + "x" * number)
    assert [row["run"] for row in lines(log) if row["event"] == "note"] == ["0", "1"] * 100
