"""Sampling from an exported model with ONNX Runtime: no TensorFlow, half a second to start."""

from pathlib import Path
from typing import Any

import numpy as np

from genset.interfaces import Floats, Tensors

_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
BATCH = 64  # every run has this shape, padded, so that an item never depends on how many are made with it


class Exported:
    """A network that was exported, from some arrays of N rows to some others; threads may share it."""

    def __init__(self, model: bytes | Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # batches run side by side instead: one thread has one order of additions
        options.log_severity_level = 3
        source: Any = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._inputs = [(port.name, _TYPES[port.type]) for port in self._session.get_inputs()]

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
