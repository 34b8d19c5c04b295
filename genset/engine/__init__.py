"""Engines: where functions over many independent items run."""

from genset.engine.base import Engine
from genset.engine.local import Local
from genset.engine.ray_cluster import Ray

ENGINES: dict[str, type[Engine]] = {"local": Local, "ray": Ray}

__all__ = ["ENGINES", "Engine", "Local", "Ray"]
