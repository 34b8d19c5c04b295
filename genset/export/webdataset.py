"""WebDataset: tar files in which the members of one item stand together, as KEY.json and KEY.png, say."""

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from genset.dataset import Item
from genset.export.shards import Sharded
from genset.interfaces import Modality


class WebDataset(Sharded):
    """Shards for `webdataset`, and for anything that streams tar files."""

    kind: Literal["webdataset"] = "webdataset"
    suffix: ClassVar[str] = ".tar"
    loader: ClassVar[str] = "webdataset"
    media_type: ClassVar[str] = "application/x-tar"

    def file(self, items: Sequence[Item], modality: Modality) -> bytes:
        return _tar(items)


def _tar(items: Iterable[Item]) -> bytes:
    """Without times and owners, so that equal items give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as file:
        for item in items:
            key = item.record.id.replace(".", "_")  # what follows the first dot is the name of a member's kind
            told = json.dumps({**(item.fields or {}), **item.record.row()}, ensure_ascii=False).encode()
            members = {".json": told, **({item.suffix: item.data} if item.fields is None else {})}
            for suffix, data in sorted(members.items()):
                about = tarfile.TarInfo(key + suffix)
                about.size = len(data)
                file.addfile(about, io.BytesIO(data))
    return buffer.getvalue()
