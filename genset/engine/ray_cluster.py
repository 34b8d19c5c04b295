"""Ray: the same map on the cores of many machines. Ray itself starts, watches and retries the workers."""

import contextlib
import importlib
import logging
import os
import pickle
import re
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pydantic

from genset import __version__
from genset.engine.base import Engine, In, Out
from genset.engine.ray_worker import BatchResult, Mismatch, WorkerRequirements, libraries, path_fingerprint
from genset.errors import GensetError

TRIES = 3  # of a batch whose worker is lost
_PENDING_PER_WORKER = 2  # batches in progress for each worker, so that none idles and memory does not grow
_BATCH_SECONDS = 0.5  # of work in a batch: sending it costs little in comparison, and so does losing it
_MAX_BATCH = 1024  # items
_PROBE = ".work/engine/.probe-{}.partial"  # the next command removes it after a crash
_ADDRESS = re.compile(r"(ray://)?(?P<host>\[.+\]|[^:/]+):(?P<port>\d+)")
_TIMEOUT_SECONDS = 10.0  # for a cluster to accept a connection
_START_HINT = (
    "Start a cluster with `ray start --head`, or leave the address out to start Ray on this machine. "
    "Set RAY_AUTH_MODE=token for a cluster that requires a token."
)


class Ray(Engine):
    """Workers of a Ray cluster, or of one started on this machine. Needs the extra `genset[ray]`."""

    kind: Literal["ray"] = "ray"
    address: str | None = pydantic.Field(None, min_length=1)
    """HOST:PORT or ray://HOST:PORT of the cluster, or `auto` for the cluster that this machine belongs to. Default: the
    cluster that this machine belongs to, otherwise Ray is started here for this command."""
    _requirements: WorkerRequirements = pydantic.PrivateAttr(default_factory=WorkerRequirements)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order; at most a few batches for each worker are in progress.

        Raises GensetError for a cluster that does not answer or cannot be used, and for items whose workers were lost
        `TRIES` times.
        """
        cluster = _connection_for(self)
        function_ref = cluster.ray.put(function)  # once, for all batches
        pending: deque[_Batch] = deque()
        sizer = _BatchSizer()
        first = 0
        max_pending = (self.workers or cluster.cpus) * _PENDING_PER_WORKER
        try:
            for batch in _batches(items, sizer):
                pending.append(_Batch(first, len(batch), cluster.submit(self._requirements, function_ref, batch)))
                first += len(batch)
                if len(pending) >= max_pending:
                    result = cluster.result(pending.popleft())
                    sizer.update(result)
                    yield from result.results
            while pending:
                yield from cluster.result(pending.popleft()).results
        finally:
            for waiting in pending:
                cluster.ray.cancel(waiting.reference, force=False)

    @contextlib.contextmanager
    def sharing(self, root: Path) -> Iterator[None]:
        """Write a probe file into the root, which every worker must see before it starts."""
        path = Path(os.path.abspath(root)) / _PROBE.format(os.getpid())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self._requirements = replace(self._requirements, probe=str(path))
        try:
            yield
        finally:
            self._requirements = replace(self._requirements, probe="")
            path.unlink(missing_ok=True)

    def require_paths(self, paths: Sequence[Path]) -> None:
        """Every worker must see the same content at these paths."""
        fingerprints = {path: path_fingerprint(path) for path in map(os.path.abspath, paths)}
        self._requirements = replace(self._requirements, paths={**self._requirements.paths, **fingerprints})


@dataclass(frozen=True)
class _Batch:
    """Consecutive items that one worker processes."""

    first: int  # number of its first item, from 0
    count: int
    reference: Any  # Ray's, to its result


@dataclass(frozen=True)
class _Cluster:
    """A connection to Ray."""

    ray: Any  # the module: importing it takes a second that only this engine pays
    task: Any  # the remote function that workers run
    address: str
    cpus: int

    def submit(self, requirements: WorkerRequirements, function_ref: Any, items: Sequence[Any]) -> Any:
        """Submit a batch; the reference to its result."""
        complete = replace(requirements, libraries=libraries(), folder=os.getcwd())
        # A worker unpickles it only after checking that it has the same version of genset.
        message = pickle.dumps((complete, function_ref.hex(), items))
        return self.task.remote(__version__, message, [function_ref])

    def result(self, batch: _Batch) -> BatchResult:
        """The result of a batch, once it is there.

        Raises what its function raised, and GensetError for a worker that is lost or cannot be used.
        """
        try:
            result = self.ray.get(batch.reference)
        except self.ray.exceptions.RayTaskError:
            raise  # a bug: the task returns what functions raise
        except self.ray.exceptions.RayError as error:
            raise _lost(error, batch, self.address) from None
        if isinstance(result, BatchResult):
            if result.raised:
                raise result.raised
            return result
        mismatch = result if isinstance(result, Mismatch) else _version_mismatch(result)
        raise GensetError(f"a cluster node cannot be used: {mismatch.reason}", where=self.address, hint=mismatch.hint)


class _BatchSizer:
    """Number of items in a batch: as many as take about `_BATCH_SECONDS`, by the batches that are finished."""

    def __init__(self) -> None:
        self.size = 1

    def update(self, result: BatchResult) -> None:
        """Adapt the size of the next batches to the speed of a finished one."""
        fitting = int(_BATCH_SECONDS * len(result.results) / max(result.seconds, 1e-6))
        self.size = max(1, min(fitting, 2 * self.size, _MAX_BATCH))


def _batches(items: Iterable[In], sizer: _BatchSizer) -> Iterator[list[In]]:
    batch: list[In] = []
    for item in items:
        batch.append(item)
        if len(batch) >= sizer.size:
            yield batch
            batch = []
    if batch:
        yield batch


def _task() -> Callable[..., Any]:
    """The function that workers run. Ray sends its code, so that it can report a missing or different genset."""

    def genset_task(version: str, message: bytes, function_ref: list[Any]) -> Any:
        try:
            import genset
        except ImportError:
            return ""
        if genset.__version__ != version:
            return genset.__version__
        import ray

        from genset.engine.ray_worker import run_batch

        return run_batch(message, lambda: ray.get(function_ref[0]))

    return genset_task


def _version_mismatch(version: str) -> Mismatch:
    installed = f"it has genset {version}" if version else "it does not have genset"
    return Mismatch(
        f"{installed}, this command is version {__version__}", f"Install genset {__version__} on every node."
    )


def _lost(error: Exception, batch: _Batch, address: str) -> GensetError:
    """The error for items that no worker could process."""
    first, last = batch.first + 1, batch.first + batch.count
    items = f"item {first:,}" if first == last else f"items {first:,} to {last:,}"
    reason = str(error).strip().splitlines()[0]
    return GensetError(
        f"{items} failed {TRIES} times: the worker was lost each time ({type(error).__name__}: {reason})",
        where=address,
        hint="Check the memory of the nodes and Ray's logs. Finished items are kept for the next run.",
    )


_connection: list[_Cluster] = []  # at most one in a process, as in Ray


def _connection_for(engine: Ray) -> _Cluster:
    """The connection of this process. Raises GensetError where Ray is not installed or does not answer."""
    if not _connection:
        _connection.append(_connect(engine))
    return _connection[0]


def _connect(engine: Ray) -> _Cluster:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends usage statistics by default
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise GensetError(
            "Ray is not installed", where="engine: ray", hint="Install it: pip install 'genset[ray]'."
        ) from None
    with _keep_signal_handlers():
        address = engine.address or os.environ.get("RAY_ADDRESS")
        if address:
            _init(ray, address)
        else:
            try:
                _init(ray, "auto")
            except GensetError:  # this machine does not belong to a cluster
                _init(ray, "local", num_cpus=engine.slots())
    task = ray.remote(_task()).options(max_retries=TRIES - 1, num_cpus=1, name="genset")
    cpus = int(ray.cluster_resources().get("CPU", 0))
    where = address or "Ray on this machine"
    if not cpus:
        raise GensetError("the cluster has no CPUs", where=where, hint="Start nodes with CPUs.")
    return _Cluster(ray, task, where, cpus)


def _init(ray: Any, address: str, **options: Any) -> None:
    _check_reachable(address)
    quiet = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **quiet, **options)
    except Exception as error:  # Ray's errors have no other class in common
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _no_answer(address, reason) from None


def _check_reachable(address: str) -> None:
    """Raises GensetError where no process listens at an address: Ray itself would retry for minutes."""
    match = _ADDRESS.fullmatch(address)
    if match:
        try:
            target = match["host"].strip("[]"), int(match["port"])
            socket.create_connection(target, timeout=_TIMEOUT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _no_answer(address, getattr(error, "strerror", None) or str(error)) from None


def _no_answer(address: str, reason: str) -> GensetError:
    return GensetError(f"no Ray cluster answers: {reason}", where=f"engine: ray={address}", hint=_START_HINT)


@contextlib.contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Restore the signal handlers afterwards: Ray replaces that of SIGTERM when it starts."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if main else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
