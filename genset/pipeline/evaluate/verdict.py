"""The result of an evaluation, as quality.json holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.errors import DamagedError
from genset.safe_json import parse_json
from genset.versions.version import Version

QUALITY = "quality.json"


@dataclass(frozen=True)
class Verdict:
    """The figures of an evaluation, and the gates that failed."""

    figures: Mapping[str, float]
    skipped: Mapping[str, str]
    sizes: Mapping[str, int]  # items of each kind: train, test, made
    space: str
    failed_gates: Sequence[str] = ()
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of each figure: `evaluator.figure_details`
    spaces: Mapping[str, str] = field(default_factory=dict)  # descriptions of the feature spaces by name
    suspicious: Sequence[Mapping[str, Any]] = ()  # near copies of training items, the nearest first
    notes: Sequence[str] = ()  # caveats about the figures

    def as_dict(self) -> dict[str, Any]:
        """The value for quality.json."""
        return {
            "figures": dict(self.figures),
            "skipped": dict(self.skipped),
            "n": dict(self.sizes),
            "space": self.space,
            "failed_gates": list(self.failed_gates),
            "notes": list(self.notes),
            "spaces": dict(self.spaces),
            "details": dict(self.details),
            "suspicious": list(self.suspicious),
        }


def stored_verdict(version: Version | None) -> dict[str, Any]:
    """The stored evaluation of a dataset version, with the figures that this genset knows; empty if there is none.

    Raises DamagedError if the file is invalid.
    """
    path = version.path / QUALITY if version else None
    if path is None or not path.is_file():
        return {}
    try:
        stored: Any = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedError(f"cannot be read: {error}", where=str(path), hint="Create the version again.") from None
    figures = stored.get("figures", {}) if isinstance(stored, dict) else None
    if not isinstance(figures, dict) or not all(isinstance(value, int | float) for value in figures.values()):
        raise DamagedError("field `figures` is invalid", where=str(path), hint="Create the version again.")
    known = {name: value for name, value in figures.items() if name in EVERY_FIGURE}
    return {**stored, "figures": known} if known else {}
