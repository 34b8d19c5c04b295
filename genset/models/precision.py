"""The number format of layers: bfloat16 where the hardware multiplies it faster. Weights stay float32."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from genset.interfaces import Networks

Precision = Literal["float32", "bfloat16"]
_BFLOAT16_CAPABILITY = (8, 0)  # CUDA compute capability from which the hardware multiplies bfloat16


def resolve_precision(setting: Literal["auto", "float32", "bfloat16"]) -> Precision:
    """What `setting` means on this machine: auto is bfloat16 if all GPUs support it, and never on a CPU, where it is
    mostly emulated and slower."""
    if setting != "auto":
        return setting
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    capabilities = [detail.get("compute_capability", (0, 0)) for detail in details]
    return "bfloat16" if capabilities and min(capabilities) >= _BFLOAT16_CAPABILITY else "float32"


@contextlib.contextmanager
def default_precision(precision: Precision) -> Iterator[None]:
    """Layers created in this context compute in this precision, unless they name their own."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def use_float32(nets: Networks) -> None:
    """Make trained networks compute in float32 from now on, as every runtime can."""
    for net in nets.models.values():
        for layer in net.layers:
            layer.dtype_policy = "float32"
