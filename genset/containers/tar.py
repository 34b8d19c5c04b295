"""WebDataset shards, tar files in which KEY.png, KEY.cls and KEY.json are adjacent; or archives of class folders."""

import tarfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from genset.containers.base import MAX_ITEM_BYTES, Container, ContainerRow, file_row, split_of, too_large, unreadable
from genset.safe_json import parse_json

_ENDINGS = (".tar", ".tar.gz", ".tgz")


class TarContainer(Container):
    """Read as a stream: no file is written under the name of a member."""

    kind: ClassVar[str] = "webdataset"

    @classmethod
    def matches(cls, name: str) -> bool:
        return name.lower().endswith(_ENDINGS)

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        split = split_of(path)
        try:
            with tarfile.open(path, "r|*") as archive:
                key, members = "", dict[str, bytes | int]()
                for member in archive:
                    if not member.isfile():
                        continue
                    member_key, ending = _key(member.name)
                    if member_key != key and members:
                        yield from _items(key, members, split, suffixes, files=files)
                        members = {}
                    key = member_key
                    opened = archive.extractfile(member) if member.size <= MAX_ITEM_BYTES else None
                    members[ending] = opened.read() if opened else member.size
                if members:
                    yield from _items(key, members, split, suffixes, files=files)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise unreadable(path, error) from None


def _key(name: str) -> tuple[str, str]:
    """(key, ending) of a member: its file name is divided at the first dot."""
    path = PurePosixPath(name)
    stem, dot, ending = path.name.partition(".")
    return str(path.parent / stem) if stem else name, f"{dot}{ending}".lower()


def _items(
    key: str, members: dict[str, bytes | int], split: str, suffixes: Collection[str], *, files: bool
) -> Iterator[ContainerRow]:
    values: dict[str, Any] = {}
    fault = ""
    for ending in [name for name in members if name.endswith(".json")]:
        try:
            content = parse_json(members.pop(ending))  # type: ignore[arg-type]
            values |= content if isinstance(content, dict) else {"json": content}
        except (ValueError, TypeError):
            fault = f"{key}{ending} is not JSON"
    label = _decoded(members.pop(".cls", None))
    items = [ending for ending in members if f".{ending.rpartition('.')[2]}" in suffixes]
    text = _decoded(members.get(".txt"))
    if text is not None and (not files or "text" not in values):
        values["text"] = text
    if not files:
        if values:
            yield ContainerRow(key, name=key, values=values, label=label, split=split, fault=fault)
        return
    inner = PurePosixPath(key).parts  # class folders, where there are any
    if label is None and "label" not in values and len(inner) > 1:
        label = inner[-2]
    for ending in items:
        data = members[ending]
        columns = {"values": values, "label": label, "split": split}
        if isinstance(data, int):
            yield ContainerRow(key, name=key, fault=too_large(data), **columns)  # type: ignore[arg-type]
        else:
            yield file_row(f"{key}{ending}", data, f"{key}{ending}", fault=fault, **columns)


def _decoded(data: bytes | int | None) -> str | None:
    return data.decode("utf-8", "backslashreplace").strip() if isinstance(data, bytes) else None
