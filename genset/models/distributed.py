"""Several processes, or several GPUs of one process, train the same weights together.

Each replica gets its share of every batch, and all add up their gradients (tf.distribute: MultiWorkerMirroredStrategy
for processes, MirroredStrategy for the GPUs of one), so all have the same weights after every step. The batch size is
that of a training by one worker, so the learning rate stays as it is. Decisions that depend on a clock, a signal or a
figure are made by the chief for all.
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
TrainStep = Callable[..., Mapping[str, Any]]
"""(batch, weight, numbers...) to the named losses; `weight` is the share's part of the batch, None for one replica."""


@dataclass(frozen=True)
class Rank:
    """Which of the processes of a training this one is."""

    index: int = 0
    count: int = 1

    @classmethod
    def from_environment(cls) -> Self:
        """Read TF_CONFIG, in the form of TensorFlow's guide; a single process without it. Raises GensetError."""
        text = os.environ.get(VARIABLE, "")
        if not text:
            return cls()
        try:
            details = json.loads(text)
            cluster, kind = details["cluster"], details["task"]["type"]
            chiefs, workers = cluster.get("chief", []), cluster.get("worker", [])
            index = int(details["task"]["index"]) + (len(chiefs) if kind == "worker" else 0)
            count = len(chiefs) + len(workers)
            valid = kind in ("chief", "worker") and set(cluster) <= {"chief", "worker"} and 0 <= index < count
        except (ValueError, KeyError, TypeError, AttributeError):
            valid, index, count = False, 0, 0
        if not valid:
            raise GensetError(
                "invalid value: expected the addresses of all workers and the index of this one",
                where=VARIABLE,
                hint='Set it like {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}, '
                "or unset it to train with one worker.",
            )
        return cls(index, count)

    @property
    def chief(self) -> bool:
        """Whether this process writes the files."""
        return self.index == 0


@dataclass(frozen=True)
class WorkerGroup:
    """The processes and devices that train together, as one of the processes sees them."""

    rank: Rank = Rank()
    strategy: Any = None  # of tf.distribute; None for one process with one device

    @classmethod
    def from_rank(cls, rank: Rank) -> Self:
        """Connect to the other processes. Waits for all of them, and must come before any other use of TensorFlow."""
        import tensorflow as tf

        if rank.count > 1:
            return cls(rank, tf.distribute.MultiWorkerMirroredStrategy())
        if len(tf.config.list_physical_devices("GPU")) > 1:
            return cls(rank, tf.distribute.MirroredStrategy())
        return cls(rank)

    @property
    def replicas(self) -> int:
        """Devices that hold the weights, over all processes."""
        return int(self.strategy.num_replicas_in_sync) if self.strategy else 1

    def scope(self) -> AbstractContextManager[Any]:
        """Variables created in this context exist on all replicas."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def distributed(self, step: TrainStep) -> TrainStep:
        """`step` on all replicas at once, each on its share of the batch; the losses are added up.

        The result takes what `split_batch` returns, then the numbers.
        """
        import tensorflow as tf

        if not self.strategy:
            return lambda batch, *numbers: step(batch, None, *numbers)

        def on_all(batch: Mapping[str, Any], weight: Any, *numbers: Any) -> Mapping[str, Any]:
            losses = self.strategy.run(step, args=(batch, weight, *numbers))
            total = tf.distribute.ReduceOp.SUM
            return {name: self.strategy.reduce(total, value, None) for name, value in losses.items()}

        return on_all

    def split_batch(self, batch: Mapping[str, Any]) -> tuple[Any, ...]:
        """A batch (B, ...) as `distributed` steps take it: each replica's share, and the weight of that share."""
        import tensorflow as tf

        if not self.strategy:
            return (batch,)
        size = len(next(iter(batch.values())))

        def per_replica(function: Callable[[int], Any]) -> Any:
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(function(int(context.replica_id_in_sync_group)))
            )

        def share(value: Any) -> Any:
            return per_replica(lambda replica: value[replica :: self.replicas])

        weight = per_replica(lambda replica: len(range(replica, size, self.replicas)) / size)
        return {name: share(value) for name, value in batch.items()}, weight

    def from_chief(self, *values: float) -> list[float]:
        """The chief's values, for all processes."""
        if self.rank.count == 1:
            return [*values]
        return self._sum_over_processes([value if self.rank.chief else 0.0 for value in values])

    def figures_from_chief(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The chief's figures, for all processes."""
        return dict(zip(figures, self.from_chief(*figures.values()), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any of the processes."""
        return self._sum_over_processes([float(flag)])[0] > 0 if self.rank.count > 1 else flag

    def all_equal(self, *arrays: Any) -> bool:
        """Whether all processes hold the same bytes."""
        total = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
        own = [float(part) for part in total]
        return not self.any(own != self.from_chief(*own))

    def _sum_over_processes(self, values: Sequence[float]) -> list[float]:
        sums: Sequence[float] = self._reduce(np.array(values, np.float64)).numpy().tolist()
        return [*sums]

    @cached_property
    def _reduce(self) -> Any:
        """(N,) values of each process to their sums."""
        import tensorflow as tf

        devices = self.replicas // self.rank.count  # of each process, of which one contributes

        def contribution(values: Any) -> Any:
            device = tf.distribute.get_replica_context().replica_id_in_sync_group % devices
            return tf.where(tf.equal(device, 0), values, tf.zeros_like(values))

        def total(values: Any) -> Any:
            contributions = self.strategy.run(contribution, args=(values,))
            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, contributions, None)

        return tf.function(total, reduce_retracing=True)
