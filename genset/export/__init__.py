"""Forms in which a dataset version is written. A new one is one file here and one line in the table."""

from genset.export.folder import Folder
from genset.export.npz import Npz
from genset.export.parquet import Parquet
from genset.export.tfrecord import TFRecord
from genset.export.webdataset import WebDataset
from genset.interfaces import Exporter

EXPORTERS: dict[str, type[Exporter]] = {
    "folder": Folder,
    "webdataset": WebDataset,
    "parquet": Parquet,
    "tfrecord": TFRecord,
    "npz": Npz,
}
