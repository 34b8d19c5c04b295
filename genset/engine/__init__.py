"""Where work on many independent items runs."""

from genset.engine.local import Engine, Local
from genset.interfaces import Section

ENGINES: dict[str, type[Section]] = {"local": Local}

__all__ = ["ENGINES", "Engine", "Local"]
