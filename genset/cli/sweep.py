"""`genset run --sweep`: every combination of some settings, one run after the other, and a table that compares them."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.cli.json_output.sweep import SweepOutput
from genset.cli.session import Session
from genset.config.by_modality import EVERY_FIGURE
from genset.config.loading import load
from genset.errors import ExitCode, GensetError, Interrupt
from genset.report import formatting

_CLOSES = {"[": "]", "{": "}", "(": ")", '"': '"', "'": "'"}
_WORST_FIRST = (ExitCode.BUG, ExitCode.WRONG, ExitCode.LOCKED, ExitCode.FAILED)
_REPORTED = ("version", "made", "figures", "failed_gates", "seconds", "error")  # keys of a run's JSON object


@dataclass(frozen=True)
class SweepRun:
    """One of the runs of a sweep."""

    values: Mapping[str, str]  # values of the settings that vary, by key
    overrides: tuple[str, ...]  # all overrides of the config, the last one is the name of the run


def sweep_runs(name: str, overrides: Sequence[str]) -> list[SweepRun]:
    """A run for each combination of the alternatives, in the order in which they are written, each with its own name.

    Raises GensetError if no override has alternatives.
    """
    pairs = [text.partition("=") for text in overrides]
    alternatives = [list(_alternatives(value)) for _, _, value in pairs]
    varying = [row for row, values in enumerate(alternatives) if len(values) > 1]
    if not varying:
        raise GensetError(
            "nothing to sweep: no override has alternatives",
            where="--sweep",
            hint="Write them with commas, such as model.latent_dim=16,32 model.family=ae,vae.",
        )
    if any(pairs[row][0] == "name" for row in varying):
        raise GensetError("name cannot vary: each run gets its own", where="--sweep", hint="Give one name, or none.")
    name = next((value for key, _, value in reversed(pairs) if key == "name"), name)
    runs: list[SweepRun] = []
    taken: set[str] = set()
    for chosen in itertools.product(*alternatives):
        values = {pairs[row][0]: chosen[row] for row in varying}
        own = _free_name("-".join([name, *(_name_part(value) for value in values.values())]), taken)
        taken.add(own)
        texts = [f"{key}={value}" for (key, _, _), value in zip(pairs, chosen, strict=True)]
        runs.append(SweepRun(values, (*texts, f"name={own}")))
    return runs


def _alternatives(value: str) -> Iterator[str]:
    """The parts between the commas that are outside brackets and quotes."""
    start, open_marks = 0, list[str]()
    for place, mark in enumerate(value):
        if open_marks and mark == open_marks[-1]:
            open_marks.pop()
        elif mark in _CLOSES and not (open_marks and open_marks[-1] in "\"'"):
            open_marks.append(_CLOSES[mark])
        elif mark == "," and not open_marks:
            yield value[start:place]
            start = place + 1
    yield value[start:]


def _name_part(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", value).strip("_.") or "none"


def _free_name(name: str, taken: set[str]) -> str:
    """The name; if it is taken, with the first free number from 2 on."""
    candidates = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(candidate for candidate in candidates if candidate not in taken)


def run_sweep(config: Path, overrides: Sequence[str], options: Sequence[str], session: Session) -> int:
    """Execute all runs, each in its own process, so that its memory is free afterwards. If a run fails, the others
    still run. Returns the worst of their exit codes."""
    runs = sweep_runs(load(config).name, overrides)
    for run in runs:
        load(config, list(run.overrides))  # reports the errors of all runs before the first one starts
    rows = []
    for number, run in enumerate(runs, 1):
        values = ", ".join(f"{key}={value}" for key, value in run.values.items())
        session.console.warn(f"run {number} of {len(runs)}: {values}")
        rows.append(_execute_run(config, run, options, session))
    _print_table(rows, session)
    session.finish(SweepOutput, sweep=rows)
    codes = {row["exit_code"] for row in rows}
    return int(next((code for code in _WORST_FIRST if code in codes), ExitCode.DONE))


def _execute_run(config: Path, run: SweepRun, options: Sequence[str], session: Session) -> dict[str, Any]:
    """Execute one run; returns the part of its JSON object that the sweep reports."""
    quiet = ["--quiet"] if session.console.quiet else []
    call = [sys.executable, "-m", "genset", "run", str(config), *run.overrides, *options, *quiet, "--json"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            printed = process.communicate()[0]
        except BaseException:
            process.terminate()  # the run saves a checkpoint and exits
            raise
    if process.returncode == ExitCode.INTERRUPTED:
        raise Interrupt
    result = json.loads(printed) if printed.strip() else {}
    reported = {key: result[key] for key in _REPORTED if key in result}
    return {"settings": dict(run.values), "exit_code": process.returncode, **reported}


def _print_table(rows: Sequence[Mapping[str, Any]], session: Session) -> None:
    """Print a row for each run: its settings, headline figures, dataset, and the reason of a failure."""
    headline = [name for name, figure in EVERY_FIGURE.items() if figure.headline]
    figures = [name for name in headline if any(name in row.get("figures", {}) for row in rows)]
    body = []
    for row in rows:
        values = row.get("figures", {})
        cells = [formatting.number(values[name]) if name in values else "" for name in figures]
        place = f"{row['version']['name']}@{row['version']['id']}" if "version" in row else ""
        body.append([*row["settings"].values(), *cells, place, _failure(row)])
    keys = [key.rpartition(".")[2] for key in rows[0]["settings"]]
    fault = "fault" if any(cells[-1] for cells in body) else ""
    session.console.table(f"{len(rows)} runs", body, [*keys, *figures, "dataset", fault])
    paths = [row["version"]["path"] for row in rows if "version" in row]
    if len(paths) > 1:
        session.console.say(f"next: genset inspect {paths[-1]} --against {paths[0]}")


def _failure(row: Mapping[str, Any]) -> str:
    """The reason why a run failed; empty if it succeeded."""
    if "error" in row:
        return str(row["error"]["message"])
    failed = row.get("failed_gates", [])
    return f"{len(failed)} gate{'s' * (len(failed) != 1)} failed" if failed else ""
