"""Several processes, or several GPUs of one, that train the same weights together.

Each sees its own share of every batch, and all add up their gradients (tf.distribute: MultiWorkerMirroredStrategy for
processes, MirroredStrategy for the GPUs of one), so after every step all have the same weights. A batch has as many
items as it would have with one worker, so the learning rate stays as it is. Where something is decided by a clock, a
signal or a figure, the chief decides for all.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from genset.errors import GensetError

VARIABLE = "TF_CONFIG"
Step = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class Place:
    """Which of the processes of a training this one is."""

    index: int = 0
    count: int = 1

    @classmethod
    def told(cls) -> Self:
        """As TF_CONFIG tells, in the form of TensorFlow's guide; alone without it. Raises GensetError."""
        text = os.environ.get(VARIABLE, "")
        if not text:
            return cls()
        try:
            told = json.loads(text)
            workers = [*told["cluster"].get("chief", []), *told["cluster"].get("worker", [])]
            before = len(told["cluster"].get("chief", [])) if told["task"]["type"] == "worker" else 0
            place = before + int(told["task"]["index"])
            known = told["task"]["type"] in ("chief", "worker") and set(told["cluster"]) <= {"chief", "worker"}
        except (ValueError, KeyError, TypeError, AttributeError):
            known, place, workers = False, 0, []
        if not known or not 0 <= place < len(workers):
            raise GensetError(
                "it does not tell of workers and which of them this is",
                where=VARIABLE,
                hint='Such as {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}; '
                "unset it to train alone.",
            )
        return cls(place, len(workers))

    @property
    def chief(self) -> bool:
        """Whether this is the one that writes."""
        return self.index == 0


@dataclass(frozen=True)
class Workers:
    """Those who train together, as one of them sees them."""

    place: Place = Place()
    strategy: Any = None  # of tf.distribute; None where one process trains on one device

    @classmethod
    def of(cls, place: Place) -> Self:
        """The workers of a place, connected: it waits for all of them, and comes before all else of TensorFlow."""
        import tensorflow as tf

        if place.count > 1:
            return cls(place, tf.distribute.MultiWorkerMirroredStrategy())
        if len(tf.config.list_physical_devices("GPU")) > 1:
            return cls(place, tf.distribute.MirroredStrategy())
        return cls(place)

    @property
    def replicas(self) -> int:
        """Devices that hold the weights, over all processes."""
        return int(self.strategy.num_replicas_in_sync) if self.strategy else 1

    def scope(self) -> AbstractContextManager[Any]:
        """Variables that are made in here are held by all."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def together(self, step: Step) -> Step:
        """A step of all: each runs `step` (batch, weight, numbers...) on its share, `weight` being that of the share in
        the batch, None for one alone; losses are added up."""
        import tensorflow as tf

        if not self.strategy:
            return lambda batch, *numbers: step(batch, None, *numbers)

        def of_all(batch: Mapping[str, Any], weight: Any, *numbers: Any) -> Mapping[str, Any]:
            losses = self.strategy.run(step, args=(batch, weight, *numbers))
            added = tf.distribute.ReduceOp.SUM
            return {name: self.strategy.reduce(added, value, None) for name, value in losses.items()}

        return of_all

    def shared_out(self, batch: Mapping[str, Any]) -> tuple[Any, ...]:
        """What `together` takes of a batch (B, ...): each replica's share of it, and the weight of that."""
        import tensorflow as tf

        if not self.strategy:
            return (batch,)
        size = len(next(iter(batch.values())))

        def dealt(function: Callable[[int], Any]) -> Any:
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(function(int(context.replica_id_in_sync_group)))
            )

        def share(value: Any) -> Any:
            return dealt(lambda own: value[own :: self.replicas])

        weight = dealt(lambda own: len(range(own, size, self.replicas)) / size)
        return {name: share(value) for name, value in batch.items()}, weight

    def agree(self, *values: float) -> list[float]:
        """The chief's values, whatever the others have."""
        if self.place.count == 1:
            return [*values]
        return self._added([value if self.place.chief else 0.0 for value in values])

    def agreed(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The chief's figures."""
        return dict(zip(figures, self.agree(*figures.values()), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether any of the processes says so."""
        return self._added([float(flag)])[0] > 0 if self.place.count > 1 else flag

    def check_same(self, *arrays: Any) -> bool:
        """Whether all processes hold the same bytes."""
        total = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
        own = [float(part) for part in total]
        return not self.any(own != self.agree(*own))

    def _added(self, values: Sequence[float]) -> list[float]:
        added: Sequence[float] = self._sum(np.array(values, np.float64)).numpy().tolist()
        return [*added]

    @cached_property
    def _sum(self) -> Any:
        """(N,) values of each process to their sums."""
        import tensorflow as tf

        devices = self.replicas // self.place.count  # of each process, of which one speaks

        def own(values: Any) -> Any:
            device = tf.distribute.get_replica_context().replica_id_in_sync_group % devices
            return tf.where(tf.equal(device, 0), values, tf.zeros_like(values))

        def of_all(values: Any) -> Any:
            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, self.strategy.run(own, args=(values,)), None)

        return tf.function(of_all, reduce_retracing=True)
