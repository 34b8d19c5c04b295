"""The folder form, which the common loaders read as it is: SPLIT/LABEL/ID.png with SPLIT/metadata.jsonl where items are
files, SPLIT.jsonl where they are rows."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal

from genset.dataset import METADATA, Item, rows_file, write_rows
from genset.interfaces import Exporter
from genset.versions import Draft

UNLABELLED = "unlabelled"  # the folder of items without a label: class-folder loaders want one


class Folder(Exporter):
    """Files in class folders, and one metadata.jsonl a split that lists every one of them; or one row for each item."""

    kind: Literal["folder"] = "folder"

    def write(self, draft: Draft, items: Iterable[Item]) -> None:
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
