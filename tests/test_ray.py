"""Ray in place of threads: the same bytes, whatever becomes of a node, and clear words where it cannot be used."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genset.engine import Engine, Local, Ray, ray_cluster
from genset.errors import GensetError
from tests.helpers import ROOT, Trained, digits, genset

ray = pytest.importorskip("ray", reason="genset[ray] is not installed")


@contextlib.contextmanager
def _nodes(number: int) -> Iterator[Any]:
    """A cluster of so many nodes of one CPU each, all on this machine, as processes of their own."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # no token is left in somebody's home
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(number - 1):
            started.add_node(num_cpus=1)
        yield started
    finally:
        started.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    with _nodes(2) as started:
        yield started


@pytest.fixture
def connected(nodes: Any) -> Iterator[Ray]:
    """An engine of this process, connected to the cluster."""
    yield Ray(address=nodes.address)
    ray_cluster._connection.clear()
    ray.shutdown()


def _bytes(folder: Path) -> dict[str, bytes]:
    """All files of a version but those that hold times and paths."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("manifest.json", "config.yaml"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("augment", ROOT / "samples/image", "--copies", 1),
        ("augment", ROOT / "samples/sound", "--copies", 1),
        ("augment", ROOT / "samples/text", "--copies", 1),
        ("split", ROOT / "samples/sound"),
        ("generate", "digits", "--per-class", 30),
        ("generate", "digits", "--per-class", 30, "--format", "webdataset"),
    ],
    ids=lambda command: " ".join([command[0], *map(str, command[2:])]),
)
def test_threads_and_nodes_make_the_same_bytes(
    command: tuple[Any, ...], nodes: Any, own: Trained, tmp_path: Path
) -> None:
    made = []
    for number, engine in enumerate((("local", 1), ("local", 2), (f"ray={nodes.address}", 2))):
        options = ("--engine", engine[0], "--workers", engine[1], "--name", f"made{number}")
        outcome = genset(*command, *options, "--output", own.out, "--json")
        assert outcome.code == 0, outcome.stderr
        made.append(_bytes(Path(outcome.json["version"]["path"])))
    plain = [{name: data for name, data in each.items() if name not in _NAMED} for each in made]
    assert len(plain[0]) >= 2
    assert plain[0] == plain[1] == plain[2]


_NAMED = ("README.md", "croissant.json", "SHA256SUMS")  # that hold the name of the version


@pytest.mark.slow
def test_nodes_send_the_files_of_a_version(nodes: Any, trained: Trained, tmp_path: Path) -> None:
    command = ("publish", trained.dataset, f"file://{tmp_path}/shared", "--output", trained.out, "--json")
    outcome = genset(*command, "--engine", f"ray={nodes.address}")
    assert outcome.code == 0, outcome.stderr
    assert _bytes(tmp_path / "shared/datasets/digits/v0001") == _bytes(trained.dataset.resolve())
    assert genset(*command).json["made"] is False


@pytest.mark.slow
def test_inspect_says_the_same_on_a_cluster(nodes: Any, trained: Trained) -> None:
    said = [
        genset("inspect", trained.dataset, "--against", trained.dataset, "--engine", engine, "--json").json
        for engine in ("local", f"ray={nodes.address}")
    ]
    for each in said:
        del each["seconds"]
    assert said[0] == said[1]


@pytest.mark.slow
def test_a_killed_node_changes_no_byte(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 40)
    steps = "augment.steps=[elastic, {kind: perspective}, noise]"
    expected = genset("augment", source, "--copies", 20, steps, "--name", "a", "--output", tmp_path / "local")
    assert expected.code == 0, expected.stderr
    with _nodes(1) as started:
        lost = started.add_node(num_cpus=1)
        command = [sys.executable, "-m", "genset", "augment", source, "--copies", 20, steps, "--name", "a"]
        command += ["--output", tmp_path / "ray", "--engine", f"ray={started.address}"]
        running = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        partial = tmp_path / "ray/datasets/a/.v0001.partial/train"
        while not (partial.is_dir() and len(list(partial.rglob("*.png"))) > 600) and running.poll() is None:
            time.sleep(0.02)
        assert running.poll() is None, "it was over before a node could be killed"
        started.remove_node(lost, allow_graceful=False)
        _, told = running.communicate(timeout=300)
        assert running.returncode == 0, told
    assert _bytes(tmp_path / "ray/datasets/a/v0001") == _bytes(tmp_path / "local/datasets/a/v0001")


@pytest.mark.slow
def test_results_come_in_order_and_few_items_are_read_ahead(connected: Ray) -> None:
    read = []

    def items() -> Iterator[int]:
        for number in range(100_000):
            read.append(number)
            yield number

    results = connected.map(lambda number: (number, time.sleep(0.002))[0], items())
    assert [next(results) for _ in range(200)] == [*range(200)]
    assert len(read) < 4_000
    results.close()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_fault_of_an_item_is_told_as_threads_tell_it(connected: Ray) -> None:
    def fails(number: int) -> int:
        if number == 30:
            raise GensetError("no such thing", where=f"item {number}", hint="Leave it out.")
        return number

    for engine in (Local(), connected):
        with pytest.raises(GensetError) as caught:
            list(engine.map(fails, range(100)))
        assert str(caught.value) == "item 30: no such thing\n  Leave it out."


@pytest.mark.slow
def test_items_whose_worker_dies_three_times_are_named(connected: Ray, tmp_path: Path) -> None:
    tries = tmp_path / "tries"

    def dies(number: int) -> int:
        if number == 3:
            with tries.open("a") as file:
                file.write("x")
            os._exit(1)
        return number

    done = []
    with pytest.raises(GensetError) as caught:
        for result in connected.map(dies, range(5)):
            done.append(result)  # noqa: PERF402
    assert done == [0, 1, 2]
    assert tries.read_text() == "xxx"
    first, *_, hint = str(caught.value).splitlines()
    assert "item 4 failed 3 times: the worker was lost each time (WorkerCrashedError: " in first
    assert hint == "  Check the memory of the nodes and Ray's logs. Finished items are kept for the next run."


def _refused(engine: Engine) -> str:
    with pytest.raises(GensetError) as caught:
        list(engine.map(abs, [1]))
    return str(caught.value)


@pytest.mark.slow
def test_a_worker_with_another_genset_is_refused(connected: Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    from genset import __version__

    monkeypatch.setattr(ray_cluster, "__version__", "9.9.9")
    assert _refused(connected) == (
        f"{connected.address}: a cluster node cannot be used: it has genset {__version__}, this command is version 9.9.9\n"
        "  Install genset 9.9.9 on every node."
    )


@pytest.mark.slow
def test_a_worker_with_other_libraries_is_refused(connected: Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy

    monkeypatch.setattr(ray_cluster, "libraries", lambda: {"numpy": "1.2.3"})
    assert _refused(connected) == (
        f"{connected.address}: a cluster node cannot be used: its library versions differ, so results could differ: "
        f"numpy {numpy.__version__} instead of 1.2.3\n"
        "  Install the same versions on every node: pip install -c constraints.txt."
    )


@pytest.mark.slow
def test_a_source_that_looks_otherwise_to_a_worker_is_refused(connected: Ray, tmp_path: Path) -> None:
    connected.require_paths([tmp_path])
    (tmp_path / "new").touch()
    assert _refused(connected) == (
        f"{connected.address}: a cluster node cannot be used: it does not see the same files as this command at {tmp_path}: "
        "the content differs\n"
        "  Use a file system that all nodes share, mounted under the same path."
    )


@pytest.mark.slow
def test_an_output_root_that_a_worker_does_not_see_is_refused(connected: Ray, tmp_path: Path) -> None:
    with connected.sharing(tmp_path):
        (probe,) = tmp_path.rglob(".probe-*")
        probe.unlink()
        assert _refused(connected) == (
            f"{connected.address}: a cluster node cannot be used: it does not see the same files as this command at "
            f"{probe.parent}: missing (no such file or directory)\n"
            "  Use a file system that all nodes share, mounted under the same path."
        )


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    outcome = genset("split", ROOT / "samples/text", "--engine", "ray=127.0.0.1:1", "--output", tmp_path)
    assert outcome.code == 2
    assert outcome.stderr == (
        "genset: engine: ray=127.0.0.1:1: no Ray cluster answers: Connection refused\n"
        "  Start a cluster with `ray start --head`, or leave the address out to start Ray on this machine. "
        "Set RAY_AUTH_MODE=token for a cluster that requires a token.\n"
    )
    assert not (tmp_path / "datasets").exists()


def test_without_the_extra(tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from genset.cli import main; main()"
    command = [sys.executable, "-c", code, "split", str(ROOT / "samples/text"), "--engine", "ray", "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "genset: engine: ray: Ray is not installed\n  Install it: pip install 'genset[ray]'.\n"


@pytest.mark.parametrize(
    "engine, told",
    [
        ("rya", "--engine: unknown engine: 'rya' (did you mean `ray`?)\n  Choose one of local, ray.\n"),
        ("local=here", "command line: engine.address: unknown key\n"),
        pytest.param("ray=", "", marks=pytest.mark.slow),
    ],
)
def test_engines_that_are_none(engine: str, told: str, tmp_path: Path) -> None:
    outcome = genset("split", ROOT / "samples/text", "--engine", engine, "--output", tmp_path)
    assert outcome.stderr == (f"genset: {told}" if told else outcome.stderr)
    assert outcome.code == (2 if told else 0), outcome.stderr


def test_threads_do_not_import_ray(tmp_path: Path) -> None:
    code = (
        "import sys; from genset.cli import main\n"
        "try: main()\nexcept SystemExit: print(json := sorted({'ray', 'fsspec'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "augment", str(ROOT / "samples/text"), "--copies", "1", "-q", "-o", tmp_path]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr) == []
