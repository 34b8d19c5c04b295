"""Containers: files of many items that genset reads. A new kind is one file here and one line in `CONTAINERS`."""

from collections.abc import Mapping

from genset.containers.arrow import ArrowContainer, ParquetContainer
from genset.containers.base import Container
from genset.containers.idx import IdxContainer
from genset.containers.jsonl import JsonLinesContainer
from genset.containers.npz import NpzContainer
from genset.containers.tar import TarContainer

CONTAINERS: Mapping[str, Container] = {
    container.kind: container
    for container in (
        IdxContainer(),
        NpzContainer(),
        ParquetContainer(),
        ArrowContainer(),
        TarContainer(),
        JsonLinesContainer(),
    )
}
