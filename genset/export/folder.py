"""The folder format, which the common loaders read directly.

Files are SPLIT/LABEL/ID.png with SPLIT/metadata.jsonl; items that are rows are in SPLIT.jsonl.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from genset.dataset import ExportItem
from genset.interfaces import Exporter, Modality
from genset.metadata import METADATA, rows_file, write_rows
from genset.versions.draft import Draft

UNLABELLED = "unlabelled"  # folder of items without a label, as class-folder loaders need one


class FolderExporter(Exporter):
    """Files in class folders with a metadata.jsonl in each split, which lists all of them; or one row for each item."""

    kind: Literal["folder"] = "folder"
    loader: ClassVar[str] = "folder"  # imagefolder, audiofolder or json, depending on the files

    def pattern(self, split: str, *, rows: bool) -> str:
        return rows_file(split) if rows else f"{split}/**"

    def write(self, draft: Draft, items: Iterable[ExportItem], modality: Modality) -> None:
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for item in items:
            record = item.record
            if item.fields is not None:
                rows[rows_file(record.split)].append({"id": record.id, **item.fields, **record.row()})
                continue
            name = f"{record.label or UNLABELLED}/{record.id}{item.suffix}"
            draft.write(f"{record.split}/{name}", item.data, item.link)
            rows[f"{record.split}/{METADATA}"].append({"file_name": name, **record.row()})
        for name, lines in rows.items():
            draft.write(name, write_rows(lines))
