"""Sampling from an exported model with ONNX Runtime: no TensorFlow, half a second to start."""

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from genset.errors import DamagedError
from genset.interfaces import Floats, Tensors

_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
BATCH = 64  # every run has this shape, padded, so that an item never depends on how many are made with it


class Exported:
    """A network that was exported, from some arrays of N rows to some others; threads may share it."""

    def __init__(self, model: bytes, where: str = "") -> None:
        """Raises DamagedError, with `where`, for bytes that are no such network."""
        import onnxruntime

        self._read_from = (model, where)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # batches run side by side instead: one thread has one order of additions
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's errors have no class in common but this
            raise DamagedError(f"a network that cannot be read: {str(error).splitlines()[0]}", where=where) from None
        self._inputs = [(port.name, _TYPES[port.type]) for port in self._session.get_inputs()]

    def __reduce__(self) -> tuple[type["Exported"], tuple[bytes, str]]:
        """As what it was read from: an engine may send it to another process."""
        return Exported, self._read_from

    @property
    def width(self) -> int:
        """Length of a row that goes in: of a generator, that of z."""
        return int(self._session.get_inputs()[0].shape[1])

    def __call__(self, *arrays: Tensors) -> list[Floats]:
        """What N rows of each input become, BATCH at a time."""
        rows = range(0, len(arrays[0]), BATCH)
        parts = [self._run([array[start : start + BATCH] for array in arrays]) for start in rows]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _run(self, arrays: list[Tensors]) -> list[Floats]:
        count = len(arrays[0])
        fed = {}
        for (name, kind), array in zip(self._inputs, arrays, strict=True):
            fed[name] = np.zeros((BATCH, *array.shape[1:]), kind)
            fed[name][:count] = array
        return [output[:count] for output in self._session.run(None, fed)]


def arrays_of(data: bytes, where: str) -> dict[str, Any]:
    """The arrays of an .npz: numbers and text, no objects. Raises DamagedError, with `where`, for anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedError(f"arrays that cannot be read: {error}", where=where) from None
