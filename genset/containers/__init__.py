"""Files of many items that a dataset may come in. A new one is one file here and one line in the table."""

from collections.abc import Mapping

from genset.containers.arrow import Arrow, Parquet
from genset.containers.base import Container
from genset.containers.idx import Idx
from genset.containers.jsonl import JsonLines
from genset.containers.npz import Npz
from genset.containers.tar import Tar

CONTAINERS: Mapping[str, Container] = {
    each.kind: each for each in (Idx(), Npz(), Parquet(), Arrow(), Tar(), JsonLines())
}
