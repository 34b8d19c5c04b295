"""The folder form: SPLIT/LABEL/ID.png with SPLIT/metadata.jsonl, which the common loaders read as it is."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from genset.dataset import METADATA, Item, write_metadata
from genset.interfaces import Exporter
from genset.versions import Draft

UNLABELLED = "unlabelled"  # the folder of items without a label: class-folder loaders want one


class Folder(Exporter):
    """Files in class folders, and one metadata.jsonl a split that lists every one of them."""

    kind: Literal["folder"] = "folder"

    def write(self, draft: Draft, items: Iterable[Item]) -> None:
        rows: dict[str, list[dict[str, str]]] = defaultdict(list)
        for item in items:
            record = item.record
            name = f"{record.label or UNLABELLED}/{record.id}{item.suffix}"
            draft.write(f"{record.split}/{name}", item.data)
            rows[record.split].append(record.row(name))
        for split, lines in rows.items():
            draft.write(f"{split}/{METADATA}", write_metadata(lines))
