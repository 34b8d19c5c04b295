"""Sampling from an exported model with ONNX Runtime: no TensorFlow, half a second to start."""

from pathlib import Path
from typing import Any

import numpy as np

from genset.interfaces import Floats

BATCH = 64  # every run has this shape, padded, so that an item never depends on how many are made with it


class Exported:
    """A network that was exported, from rows (N, ...) to rows (N, ...); threads may share it."""

    def __init__(self, model: bytes | Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # batches run side by side instead: one thread has one order of additions
        options.log_severity_level = 3
        source: Any = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    @property
    def width(self) -> int:
        """Length of a row that goes in: of a generator, that of z."""
        return int(self._session.get_inputs()[0].shape[1])

    def __call__(self, rows: Floats) -> Floats:
        """What N rows become, BATCH at a time."""
        parts = [self._run(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
        return np.concatenate(parts)

    def _run(self, rows: Floats) -> Floats:
        padded = np.zeros((BATCH, *rows.shape[1:]), np.float32)
        padded[: len(rows)] = rows
        output: Floats = self._session.run(None, {self._input: padded})[0][: len(rows)]
        return output
