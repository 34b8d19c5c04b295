"""What every stage is handed: where it writes, how it maps over items, how it tells of progress; and the manifest."""

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
COUNT_KEYS = ("split", "label", "source")  # what items of a version are counted by


@dataclass(frozen=True)
class Job:
    """One command at work."""

    command: str
    root: Root
    engine: Engine
    progress: Progress
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def manifest(self, config: Config | None, **fields: Any) -> dict[str, Any]:
        """The manifest of a version made by this job: times stand here and nowhere else."""
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
    """A section of the config as a manifest holds it."""
    out: dict[str, Any] = json.loads(section.model_dump_json())
    return out


def cache_key(*parts: Any) -> str:
    """The key of some work: equal keys mean that it need not be done again."""
    text = json.dumps([__version__, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def up_to_date(root: Root, kind: str, name: str, key: str) -> Version | None:
    """The newest version made by equal work, if there is one."""
    versions = reversed(root.versions(kind, name))
    return next((version for version in versions if key in version.manifest.get("keys", ())), None)


def counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Items by split, class and source."""
    return {key: dataset.counts(key) for key in COUNT_KEYS}


def as_dicts(problems: Sequence[Any]) -> list[Mapping[str, str]]:
    """Problems as JSON holds them."""
    return [problem.as_dict() for problem in problems]
