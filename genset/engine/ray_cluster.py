"""Ray: the same map on the cores of many machines. Ray starts, watches and retries; nothing of that is done here."""

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
from genset.engine.ray_worker import Done, Strange, Surroundings, libraries, print_of
from genset.errors import GensetError

TRIES = 3  # of a stretch whose worker is lost
_WAITING_PER_WORKER = 2  # stretches under way for each worker, so that none waits and memory does not grow
_SECONDS = 0.5  # of work in a stretch: enough that sending it costs little, and a lost one as well
_MOST = 1024  # items in a stretch
_PROBE = ".work/engine/.probe-{}.partial"  # swept away by the next command where a dead one left it
_PLACE = re.compile(r"(ray://)?(?P<host>\[.+\]|[^:/]+):(?P<port>\d+)")
_PATIENCE = 10.0  # seconds for a cluster to answer at all
_START_ONE = (
    "Start one with `ray start --head`, or leave the address out to have Ray started here. "
    "A cluster that wants a token gets it with RAY_AUTH_MODE=token."
)


class Ray(Engine):
    """Workers of a Ray cluster, or of one that Ray starts on this machine. Needs the extra `genset[ray]`."""

    kind: Literal["ray"] = "ray"
    address: str | None = pydantic.Field(None, min_length=1)
    """HOST:PORT or ray://HOST:PORT of the cluster, or `auto` for the one that this machine belongs to; when not given,
    the one that this machine belongs to, or else Ray is started here for this command."""
    _wanted: Surroundings = pydantic.PrivateAttr(default_factory=Surroundings)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order; at most a few stretches for each worker are under way.

        Raises GensetError for a cluster that is not there or not fit, and for items whose workers were lost again and
        again.
        """
        cluster = _connected(self)
        sent = cluster.ray.put(function)  # once, however many stretches there are
        waiting: deque[_Stretch] = deque()
        pace = _Pace()
        first = 0
        most = (self.workers or cluster.cpus) * _WAITING_PER_WORKER
        try:
            for own in _stretches(items, pace):
                waiting.append(_Stretch(first, len(own), cluster.send(self._wanted, sent, own)))
                first += len(own)
                if len(waiting) >= most:
                    done = cluster.done(waiting.popleft())
                    pace.follow(done)
                    yield from done.results
            while waiting:
                yield from cluster.done(waiting.popleft()).results
        finally:
            for stretch in waiting:
                cluster.ray.cancel(stretch.reference, force=False)

    @contextlib.contextmanager
    def sharing(self, root: Path) -> Iterator[None]:
        """A file of the root that every worker must see before it does anything."""
        path = Path(os.path.abspath(root)) / _PROBE.format(os.getpid())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self._wanted = replace(self._wanted, written=str(path))
        try:
            yield
        finally:
            self._wanted = replace(self._wanted, written="")
            path.unlink(missing_ok=True)

    def see(self, paths: Sequence[Path]) -> None:
        """What the paths hold here, which every worker must find as well."""
        found = {path: print_of(path) for path in map(os.path.abspath, paths)}
        self._wanted = replace(self._wanted, probes={**self._wanted.probes, **found})


@dataclass(frozen=True)
class _Stretch:
    """Some items, one after the other, that one worker does."""

    first: int
    count: int
    reference: Any  # of what will be done


@dataclass(frozen=True)
class _Cluster:
    """A connection to Ray."""

    ray: Any  # the module: importing it takes a second that only this engine pays
    task: Any  # what workers run
    address: str
    cpus: int

    def send(self, wanted: Surroundings, function: Any, items: Sequence[Any]) -> Any:
        """A stretch on its way: what its result comes by."""
        here = replace(wanted, libraries=libraries(), folder=os.getcwd())
        # Opened by a worker only once it is known to have this genset.
        sent = pickle.dumps((here, function.hex(), items))
        return self.task.remote(__version__, sent, [function])

    def done(self, stretch: _Stretch) -> Done:
        """What a worker made of a stretch. Raises what its function raised, and GensetError for a worker that is
        lost, or of no use."""
        try:
            done = self.ray.get(stretch.reference)
        except self.ray.exceptions.RayTaskError:
            raise  # not of our making, nor of the user's
        except self.ray.exceptions.RayError as error:
            raise _lost(error, stretch, self.address) from None
        if isinstance(done, Done):
            if done.raised:
                raise done.raised
            return done
        strange = done if isinstance(done, Strange) else _other_genset(done)
        raise GensetError(f"a node of the cluster is of no use: {strange.what}", where=self.address, hint=strange.cure)


class _Pace:
    """How many items a stretch has: as many as take about `_SECONDS`, by those that were done."""

    def __init__(self) -> None:
        self.size = 1

    def follow(self, done: Done) -> None:
        """Let the next stretches be as long as one that was done tells."""
        fitting = int(_SECONDS * len(done.results) / max(done.seconds, 1e-6))
        self.size = max(1, min(fitting, 2 * self.size, _MOST))


def _stretches(items: Iterable[In], pace: _Pace) -> Iterator[list[In]]:
    stretch: list[In] = []
    for item in items:
        stretch.append(item)
        if len(stretch) >= pace.size:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _task() -> Callable[..., Any]:
    """What a worker is sent. It travels whole, so that it can tell of a worker that has another genset, or none."""

    def genset_task(version: str, sent: bytes, function: list[Any]) -> Any:
        try:
            import genset
        except ImportError:
            return ""
        if genset.__version__ != version:
            return genset.__version__
        import ray

        from genset.engine.ray_worker import work

        return work(sent, lambda: ray.get(function[0]))

    return genset_task


def _other_genset(version: str) -> Strange:
    has = f"it has genset {version}" if version else "it has no genset"
    return Strange(f"{has}, this command is of {__version__}", f"Install genset {__version__} on every node.")


def _lost(error: Exception, stretch: _Stretch, address: str) -> GensetError:
    """What is to be told of items that no worker could do."""
    first, last = stretch.first + 1, stretch.first + stretch.count
    which, whose = (
        (f"item {first:,}", "its worker was")
        if first == last
        else (f"items {first:,} to {last:,}", "their workers were")
    )
    reason = str(error).strip().splitlines()[0]
    return GensetError(
        f"{which} failed {TRIES} times, as {whose} lost ({type(error).__name__}: {reason})",
        where=address,
        hint="Look at the memory of the nodes and at Ray's logs; what was finished is kept for the next run.",
    )


_connection: list[_Cluster] = []  # one a process, as Ray has it


def _connected(engine: Ray) -> _Cluster:
    """The connection of this process. Raises GensetError where there can be none."""
    if not _connection:
        _connection.append(_connect(engine))
    return _connection[0]


def _connect(engine: Ray) -> _Cluster:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports on its users unless told otherwise
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise GensetError(
            "Ray is not installed", where="engine: ray", hint="Install it: pip install 'genset[ray]'."
        ) from None
    with _own_signals():
        address = engine.address or os.environ.get("RAY_ADDRESS")
        if address:
            _init(ray, address)
        else:
            try:
                _init(ray, "auto")
            except GensetError:  # this machine belongs to no cluster
                _init(ray, "local", num_cpus=engine.slots())
    task = ray.remote(_task()).options(max_retries=TRIES - 1, num_cpus=1, name="genset")
    cpus = int(ray.cluster_resources().get("CPU", 0))
    where = address or "a Ray of this machine"
    if not cpus:
        raise GensetError("the cluster has no CPU to work with", where=where, hint="Start nodes with CPUs.")
    return _Cluster(ray, task, where, cpus)


def _init(ray: Any, address: str, **options: Any) -> None:
    _reach(address)
    quiet = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **quiet, **options)
    except Exception as error:  # Ray's have no class in common but this
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _no_answer(address, reason) from None


def _reach(address: str) -> None:
    """Whether anybody listens at an address: Ray itself would ask for minutes. Raises GensetError."""
    found = _PLACE.fullmatch(address)
    if found:
        try:
            socket.create_connection((found["host"].strip("[]"), int(found["port"])), timeout=_PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise _no_answer(address, getattr(error, "strerror", None) or str(error)) from None


def _no_answer(address: str, reason: str) -> GensetError:
    return GensetError(f"no Ray cluster answers: {reason}", where=f"engine: ray={address}", hint=_START_ONE)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it starts: it is given back, so that a command ends as it should."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if main else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
