"""A trained model as files: model.keras for people, generator.onnx for sampling without TensorFlow."""

import contextlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genset.errors import GensetError
from genset.models.runtime import Sampler
from genset.seeds import generator

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold
_TOLERANCE = 1e-3  # of values in [0, 1]: a quarter of an 8-bit step


def keras_bytes(model: Any) -> bytes:
    """A .keras file without the dates that keras puts in: equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        out = io.BytesIO()
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as target:
            for name in sorted(archive.namelist()):
                data = archive.read(name)
                if name == "metadata.json":
                    known = {key: value for key, value in json.loads(data).items() if key != "date_saved"}
                    data = json.dumps(known, sort_keys=True).encode()
                target.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return out.getvalue()


def onnx_bytes(sampler: Any, seed: int) -> bytes:
    """The sampling side as ONNX, checked against keras. Raises GensetError when the two disagree."""
    latent_dim = sampler.input_shape[1]
    z = generator(seed, "export").standard_normal((8, latent_dim), dtype=np.float32)
    expected = np.asarray(sampler(z))  # keras exports only what has been called
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "generator.onnx"
        sampler.export(str(path), format="onnx", verbose=False)
        data = path.read_bytes()
    difference = float(np.abs(Sampler(data)(z) - expected).max())
    if not difference <= _TOLERANCE:
        raise GensetError(
            f"the exported generator differs from the trained one by {difference:.2g} (at most {_TOLERANCE:g} is right)",
            hint="Install the versions of constraints.txt.",
        )
    return data


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what native code prints on stdout during an export to nowhere: stdout may carry JSON."""
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
