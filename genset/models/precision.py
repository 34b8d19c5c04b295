"""What layers compute in: half-width numbers where the hardware multiplies them faster. Weights stay float32."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from genset.interfaces import Nets

Precision = Literal["float32", "bfloat16"]
_CAPABLE = (8, 0)  # CUDA compute capability from which bfloat16 is multiplied in hardware


def settled(asked: Literal["auto", "float32", "bfloat16"]) -> Precision:
    """What "auto" means on this machine. Not bfloat16 on a CPU: emulated on most, it would be slower there."""
    if asked != "auto":
        return asked
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    told = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    return "bfloat16" if told and min(told) >= _CAPABLE else "float32"


@contextlib.contextmanager
def building(precision: Precision) -> Iterator[None]:
    """Layers that are made in here compute in this precision, unless they name their own."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def widen(nets: Nets) -> None:
    """Let trained networks compute in float32 from now on, as every runtime can."""
    for net in nets.models.values():
        for layer in net.layers:
            layer.dtype_policy = "float32"
