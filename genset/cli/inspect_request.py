"""The options of `genset inspect`, and their checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genset.cli.console import Console
from genset.cli.flag_values import check_writable
from genset.config.by_modality import EVERY_FIGURE
from genset.errors import GensetError
from genset.quality import gates


@dataclass(frozen=True)
class InspectRequest:
    """The arguments and options of `inspect`."""

    path: str
    against: str | None = None
    model: str | None = None
    gates: Sequence[str] = ()
    quick: bool = False
    report: Path | None = None
    summary: Path | None = None
    rules: Sequence[str] = ()  # overrides of cleaning and evaluation

    @property
    def files(self) -> dict[str, Path]:
        """The files to write, by option."""
        return {name: path for name, path in (("--report", self.report), ("--summary", self.summary)) if path}

    def check(self) -> None:
        """Check gates and files before any work is done. Raises GensetError."""
        self.check_gates(self.gates)
        for option, path in self.files.items():
            check_writable(path, option)

    def check_gates(self, conditions: Sequence[str]) -> None:
        """Check that gates are valid and that there will be figures for them. Raises GensetError."""
        for condition in conditions:
            try:
                gates.parse(condition, EVERY_FIGURE)
            except ValueError as error:
                raise GensetError(str(error), where="--gate") from None
            if not self.against:
                raise GensetError(
                    "a gate needs figures, and figures need a real dataset",
                    where="--gate",
                    hint="Add --against and the real dataset, such as --against digits.",
                )

    def forbid_files(self, kind: str) -> None:
        """Raises GensetError if a report or summary is requested for something without one, such as "a config"."""
        for option in self.files:
            raise GensetError(
                f"{kind} has no {option[2:]}", where=option, hint="Give a dataset, a model or a version of one."
            )

    def forbid_rules(self) -> None:
        """Raises GensetError if cleaning rules are given for something without items."""
        if self.rules:
            raise GensetError(
                f"{self.rules[0]} applies to the items of a dataset, and this is not a dataset",
                where=self.path,
                hint="Leave it out.",
            )

    def forbid_beside_comparison(self) -> None:
        """Raises GensetError for options that have no effect when two versions are compared."""
        options = {"--quick": self.quick, "--model": self.model, **dict.fromkeys(self.rules[:1], True)}
        for option in (name for name, value in options.items() if value):
            raise GensetError(
                f"{option} has no effect when two versions are compared",
                where=f"--against {self.against}",
                hint="Leave it out. To evaluate synthetic items, give --against the folder of the real items.",
            )

    def print_files(self, console: Console) -> dict[str, dict[str, str]]:
        """Print which files were written; returns the same as keys of the JSON object."""
        for option, path in self.files.items():
            console.say(f"{option[2:]} {path}")
        files = {option[2:]: str(path) for option, path in self.files.items()}
        return {"files": files} if files else {}
