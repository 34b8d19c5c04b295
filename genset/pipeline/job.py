"""The job of a command: its output root, its engine, its progress and the manifest that it writes."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from genset import __version__
from genset.config.loading import dump
from genset.config.sections import Config
from genset.dataset import Dataset
from genset.engine import Engine
from genset.interfaces import Progress, Section
from genset.versions.root import Root
from genset.versions.version import Version

LIBRARIES = (
    "keras",
    "tensorflow",
    "numpy",
    "scikit-learn",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "scipy",
    "tokenizers",
)
COUNT_KEYS = ("split", "label", "source")  # a manifest counts the items by each of these


@dataclass(frozen=True)
class Job:
    """What every stage of a command gets."""

    command: str
    root: Root
    engine: Engine
    progress: Progress
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def manifest(self, config: Config | None, **fields: Any) -> dict[str, Any]:
        """The manifest of a version that this job writes. No other file of a version contains times."""
        text = dump(config) if config else ""
        return {
            "genset": __version__,
            "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
            "command": self.command,
            **fields,
            "config": as_json(config) if config else {},
            "config_sha256": hashlib.sha256(text.encode()).hexdigest() if config else "",
            "started": self.started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def as_json(section: Section) -> dict[str, Any]:
    """A section of the config as a JSON object, as in the manifest."""
    values: dict[str, Any] = json.loads(section.model_dump_json())
    return values


def cache_key(*parts: Any) -> str:
    """A hash of everything that a result depends on, and of the genset version: an equal key means an equal result."""
    text = json.dumps([__version__, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def up_to_date(root: Root, kind: str, name: str, key: str) -> Version | None:
    """The newest version that was written with this key; None if there is none."""
    versions = reversed(root.versions(kind, name))
    return next((version for version in versions if key in version.manifest.get("keys", ())), None)


def counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """The number of items of each split, label and source."""
    return {key: dataset.counts(key) for key in COUNT_KEYS}


def as_dicts(problems: Sequence[Any]) -> list[Mapping[str, str]]:
    """The problems as JSON objects."""
    return [problem.as_dict() for problem in problems]
