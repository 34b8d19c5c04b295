"""WebDataset: tar files in which the members of an item are adjacent, such as KEY.json and KEY.png."""

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from genset.dataset import ExportItem
from genset.export.shards import ShardedExporter
from genset.interfaces import Modality


class WebDatasetExporter(ShardedExporter):
    """Shards for `webdataset`, and for everything that streams tar files."""

    kind: Literal["webdataset"] = "webdataset"
    suffix: ClassVar[str] = ".tar"
    loader: ClassVar[str] = "webdataset"
    media_type: ClassVar[str] = "application/x-tar"

    def file(self, items: Sequence[ExportItem], modality: Modality) -> bytes:
        return _tar(items)


def _tar(items: Iterable[ExportItem]) -> bytes:
    """A tar file without times and owners, so that equal items give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as file:
        for item in items:
            key = item.record.id.replace(".", "_")  # the first dot starts the type of a member
            columns = json.dumps({**(item.fields or {}), **item.record.row()}, ensure_ascii=False).encode()
            members = {".json": columns, **({item.suffix: item.data} if item.fields is None else {})}
            for suffix, data in sorted(members.items()):
                member = tarfile.TarInfo(key + suffix)
                member.size = len(data)
                file.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
