"""Forms in which a dataset version is written. A new one is one file here and one line in the table."""

from genset.export.folder import Folder
from genset.interfaces import Exporter

EXPORTERS: dict[str, type[Exporter]] = {"folder": Folder}
