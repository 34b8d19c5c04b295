"""`run --sweep`: every combination of some settings, one run after the other, and one table that compares them."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.cli.session import Command
from genset.config import EVERY_FIGURE
from genset.errors import ExitCode, GensetError, Interrupt
from genset.report import formatting

_CLOSES = {"[": "]", "{": "}", "(": ")", '"': '"', "'": "'"}
_WORST = (ExitCode.BUG, ExitCode.WRONG, ExitCode.LOCKED, ExitCode.FAILED)  # which exit code stands for all


@dataclass(frozen=True)
class Combination:
    """One of the runs."""

    values: Mapping[str, str]  # of the settings that are swept, by their keys
    overrides: tuple[str, ...]  # all that is laid over the config, its name included


def combinations(name: str, overrides: Sequence[str]) -> list[Combination]:
    """The product of the overrides that have alternatives, in the order in which they are written, each with a name of
    its own. Raises GensetError where there is none."""
    pairs = [text.partition("=") for text in overrides]
    alternatives = [list(_alternatives(value)) for _, _, value in pairs]
    swept = [row for row, values in enumerate(alternatives) if len(values) > 1]
    if not swept:
        raise GensetError(
            "nothing to sweep: no override has alternatives",
            where="--sweep",
            hint="Write them with commas, such as model.latent_dim=16,32 model.family=ae,vae.",
        )
    if any(pairs[row][0] == "name" for row in swept):
        raise GensetError("each run has a name of its own", where="--sweep", hint="Leave name out, or give one.")
    name = next((value for key, _, value in reversed(pairs) if key == "name"), name)
    out: list[Combination] = []
    taken: set[str] = set()
    for chosen in itertools.product(*alternatives):
        values = {pairs[row][0]: chosen[row] for row in swept}
        own = "-".join([name, *(_word(value) for value in values.values())])
        own = next(
            each for number in itertools.count(1) if (each := f"{own}-{number}" if number > 1 else own) not in taken
        )
        taken.add(own)
        texts = [f"{key}={value}" for (key, _, _), value in zip(pairs, chosen, strict=True)]
        out.append(Combination(values, (*texts, f"name={own}")))
    return out


def _alternatives(value: str) -> Iterator[str]:
    """What stands between the commas that are in no bracket and no quote."""
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


def _word(value: str) -> str:
    """A value as part of a name."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", value).strip("_.") or "none"


def sweep(config: Path, overrides: Sequence[str], options: Sequence[str], command: Command) -> int:
    """Run them all, each in a process of its own, so that none inherits another's memory; one that fails is told of,
    and the others still run. The exit code is the worst of theirs."""
    runs = combinations(command.config(config, None).name, overrides)
    for each in runs:
        command.config(config, list(each.overrides))  # what is wrong with any is told before the first is trained
    rows = []
    for number, each in enumerate(runs, 1):
        told = ", ".join(f"{key}={value}" for key, value in each.values.items())
        command.console.warn(f"run {number} of {len(runs)}: {told}")
        rows.append(_one(config, each, options, command))
    _show(rows, command)
    command.finish(sweep=rows)
    codes = {row["exit_code"] for row in rows}
    return int(next((code for code in _WORST if code in codes), ExitCode.DONE))


def _one(config: Path, of: Combination, options: Sequence[str], command: Command) -> dict[str, Any]:
    """What came of one run, as JSON tells it."""
    quiet = ["--quiet"] if command.console.quiet else []
    call = [sys.executable, "-m", "genset", "run", str(config), *of.overrides, *options, *quiet, "--json"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            printed = process.communicate()[0]
        except BaseException:
            process.terminate()  # it writes its checkpoint and ends
            raise
    if process.returncode == ExitCode.INTERRUPTED:
        raise Interrupt
    made = json.loads(printed) if printed.strip() else {}
    row: dict[str, Any] = {"settings": dict(of.values), "exit_code": process.returncode}
    for key in ("version", "made", "figures", "failed_gates", "seconds", "error"):
        row |= {key: made[key]} if key in made else {}
    return row


def _show(rows: Sequence[Mapping[str, Any]], command: Command) -> None:
    keys = list(rows[0]["settings"])
    figures = [name for name, figure in EVERY_FIGURE.items() if figure.headline]
    figures = [name for name in figures if any(name in row.get("figures", {}) for row in rows)]
    body = []
    for row in rows:
        own = row.get("figures", {})
        values = [formatting.number(own[name]) if name in own else "" for name in figures]
        failed = row.get("failed_gates", [])
        ended = f"{len(failed)} gate{'s' * (len(failed) != 1)} failed" if failed else ""
        ended = row["error"]["message"] if "error" in row else ended
        place = f"{row['version']['name']}@{row['version']['id']}" if "version" in row else ""
        body.append([*row["settings"].values(), *values, place, ended])
    head = [
        *(key.rpartition(".")[2] for key in keys),
        *figures,
        "dataset",
        "" if not any(r[-1] for r in body) else "fault",
    ]
    command.console.table(f"{len(rows)} runs", body, head)
    made = [row["version"]["path"] for row in rows if "version" in row]
    if len(made) > 1:
        command.console.say(f"next: genset inspect {made[-1]} --against {made[0]}")
