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
    """What was measured, and what was found wrong."""

    figures: Mapping[str, float]
    skipped: Mapping[str, str]
    sizes: Mapping[str, int]  # items of each part
    space: str
    failed_gates: Sequence[str] = ()
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of each figure: `judge.detail`
    spaces: Mapping[str, str] = field(default_factory=dict)  # where figures look, by the name that they call it
    suspicious: Sequence[Mapping[str, Any]] = ()  # made items that are much like a train item, the worst first
    notes: Sequence[str] = ()  # what is to be kept in mind

    def as_dict(self) -> dict[str, Any]:
        """As quality.json holds it."""
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
    """What was measured when a dataset version was made, by figures that are still known; empty where nothing was.

    Raises DamagedError where the file cannot be read.
    """
    path = version.path / QUALITY if version else None
    if path is None or not path.is_file():
        return {}
    try:
        told: Any = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedError(f"cannot be read: {error}", where=str(path), hint="Make the version again.") from None
    figures = told.get("figures", {}) if isinstance(told, dict) else None
    if not isinstance(figures, dict) or not all(isinstance(value, int | float) for value in figures.values()):
        raise DamagedError("its `figures` are of no use", where=str(path), hint="Make the version again.")
    known = {name: value for name, value in figures.items() if name in EVERY_FIGURE}
    return {**told, "figures": known} if known else {}
