"""Formats of dataset versions. A new format is one file here and one line in `EXPORTERS`."""

from genset.export.folder import FolderExporter
from genset.export.npz import NpzExporter
from genset.export.parquet import ParquetExporter
from genset.export.tfrecord import TFRecordExporter
from genset.export.webdataset import WebDatasetExporter
from genset.interfaces import Exporter

EXPORTERS: dict[str, type[Exporter]] = {
    "folder": FolderExporter,
    "webdataset": WebDatasetExporter,
    "parquet": ParquetExporter,
    "tfrecord": TFRecordExporter,
    "npz": NpzExporter,
}
