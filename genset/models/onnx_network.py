"""Sampling from an exported model with ONNX Runtime: without TensorFlow, so it starts in half a second."""

from typing import Any

import numpy as np

from genset.errors import DamagedError
from genset.interfaces import Floats, Tensors

_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(int32)": np.int32}
BATCH = 64  # every call of the network gets this many rows, padded, so no item depends on how many are generated


class OnnxNetwork:
    """An exported network: some arrays of N rows in, others out. Threads may share it."""

    def __init__(self, model: bytes, where: str = "") -> None:
        """Raises DamagedError, which names `where`, for bytes that are no ONNX model."""
        import onnxruntime

        self._source = (model, where)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one thread has one order of additions; batches run in parallel instead
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no other base class
            raise DamagedError(f"cannot read this network: {str(error).splitlines()[0]}", where=where) from None
        self._inputs = [(port.name, _TYPES[port.type]) for port in self._session.get_inputs()]

    def __reduce__(self) -> tuple[type["OnnxNetwork"], tuple[bytes, str]]:
        """Pickled as its bytes, so an engine can send it to another process."""
        return OnnxNetwork, self._source

    @property
    def input_width(self) -> int:
        """Length of a row of the first input: of a generator, that of z."""
        return int(self._session.get_inputs()[0].shape[1])

    def __call__(self, *arrays: Tensors) -> list[Floats]:
        """The outputs (N, ...) for N rows of each input, computed BATCH rows at a time."""
        starts = range(0, len(arrays[0]), BATCH)
        parts = [self._run([array[start : start + BATCH] for array in arrays]) for start in starts]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _run(self, arrays: list[Tensors]) -> list[Floats]:
        count = len(arrays[0])
        feed = {}
        for (name, dtype), array in zip(self._inputs, arrays, strict=True):
            feed[name] = np.zeros((BATCH, *array.shape[1:]), dtype)
            feed[name][:count] = array
        return [output[:count] for output in self._session.run(None, feed)]
