"""Export a trained model: model.keras for Keras users, generator.onnx for sampling without TensorFlow."""

import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from genset.errors import GensetError
from genset.models.onnx_network import OnnxNetwork
from genset.models.silence import STDOUT, silenced
from genset.seeds import rng_for

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip file
_TOLERANCE = 1e-3  # of values in [0, 1], a quarter of an 8-bit step; of the largest where they are larger


def keras_bytes(model: Any) -> bytes:
    """A .keras file without the dates and memory addresses that keras writes: equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        out = io.BytesIO()
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as target:
            for name in sorted(archive.namelist()):
                data = archive.read(name)
                if name.endswith(".json"):
                    data = json.dumps(_canonical(json.loads(data), {}), sort_keys=True).encode()
                target.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return out.getvalue()


def onnx_bytes(model: Any, seed: int) -> bytes:
    """A model as ONNX, compared with keras. Raises GensetError if their outputs differ."""
    rows = [_rows(port, rng_for(seed, "export", number)) for number, port in enumerate(model.inputs)]
    # keras exports only models that have been called
    expected = [np.asarray(output) for output in _as_list(model(rows if len(rows) > 1 else rows[0]))]
    with tempfile.TemporaryDirectory() as folder, silenced(STDOUT), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx warns about NumPy
        path = Path(folder) / "model.onnx"
        model.export(str(path), format="onnx", verbose=False)
        data = _canonical_onnx(path.read_bytes())
    pairs = zip(OnnxNetwork(data)(*rows), expected, strict=True)
    difference = max(float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) for a, b in pairs)
    if not difference <= _TOLERANCE:
        raise GensetError(
            f"the exported network deviates from the trained one by {difference:.2g}, more than {_TOLERANCE:g}",
            hint="Install the versions of constraints.txt.",
        )
    return data


def _rows(port: Any, rng: np.random.Generator) -> Any:
    """Eight random rows for an input of a network: float values, or token numbers 0 and 1."""
    shape = (8, *port.shape[1:])
    return rng.integers(0, 2, shape, np.int32) if port.dtype == "int32" else rng.standard_normal(shape, np.float32)


def _as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _canonical(value: Any, numbers: dict[int, int]) -> Any:
    """keras's JSON without the date, and with objects numbered in order instead of by their address."""
    if isinstance(value, dict):
        kept = {key: _canonical(child, numbers) for key, child in value.items() if key != "date_saved"}
        if "shared_object_id" in kept:
            kept["shared_object_id"] = numbers.setdefault(kept["shared_object_id"], len(numbers))
        return kept
    return [_canonical(child, numbers) for child in value] if isinstance(value, list) else value


def _topological_order(graph: Any) -> list[Any]:
    """The nodes of a graph, each after those whose outputs it uses."""
    producers = {port: number for number, node in enumerate(graph.node) for port in node.output}
    visited: set[int] = set()
    out: list[Any] = []

    def visit(port: str) -> None:
        number = producers.get(port)
        if number is None or number in visited:
            return
        visited.add(number)
        for source in graph.node[number].input:
            visit(source)
        out.append(graph.node[number])

    for port in graph.output:
        visit(port.name)
    return out


def _canonical_onnx(data: bytes) -> bytes:
    """The same graph with its nodes in topological order and its inner names numbered in that order: tf2onnx orders and
    numbers some of them by the order of a set."""
    import onnx

    model = onnx.load_model_from_string(data)
    graph = model.graph
    ordered = _topological_order(graph)
    del graph.node[:]
    graph.node.extend(ordered)
    constants = {constant.name: constant for constant in graph.initializer}
    names = {port.name: port.name for port in [*graph.input, *graph.output]}
    used: list[str] = []
    for node in graph.node:
        for port in node.input:
            if port in constants and port not in names:
                used.append(port)
            names.setdefault(port, f"t{len(names)}" if port else "")
        for port in node.output:
            names.setdefault(port, f"t{len(names)}" if port else "")
    for number, node in enumerate(graph.node):
        inputs, outputs = [names[port] for port in node.input], [names[port] for port in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = f"n{number}"
    kept = [constants[name] for name in used]
    del graph.initializer[:], graph.value_info[:]
    for constant in kept:
        constant.name = names[constant.name]
        graph.initializer.append(constant)
    for port in [*graph.input, *graph.output]:
        port.type.tensor_type.shape.dim[0].dim_param = "N"  # tf2onnx numbers unknown sizes by a counter of the process
    graph.doc_string = ""
    onnx.checker.check_model(model)
    canonical: bytes = model.SerializeToString(deterministic=True)
    return canonical
