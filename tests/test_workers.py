"""Training by several workers: the same weights for all, the chief writes, and what happens when one is lost."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genset.errors import GensetError
from genset.models.distributed import Rank
from tests.helpers import Outcome, config, digits, genset

STEPS = 500


class Pair:
    """Two workers at one training, each with its own settings."""

    def __init__(self, path: Path, out: Path, chief: tuple[str, ...] = (), other: tuple[str, ...] = ()) -> None:
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        places = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
        for each in held:
            each.close()
        self.workers = []
        for index, settings in enumerate((chief, other)):
            told = json.dumps({"cluster": {"worker": places}, "task": {"type": "worker", "index": index}})
            command = [sys.executable, "-m", "genset", "train", str(path), *settings, "--output", str(out), "--json"]
            env = {**os.environ, "TF_CONFIG": told, "NO_COLOR": "1", "COLUMNS": "120"}
            pipe = subprocess.PIPE
            self.workers.append(subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True))

    def learning(self, seconds: float) -> None:
        """Wait until they have learned for so long."""
        stderr = self.workers[0].stderr
        assert stderr
        assert any("training for at most" in line for line in stderr), "it never began"
        time.sleep(seconds)

    def saving(self, checkpoint: Path) -> None:
        """Wait until they have learned and saved what they learned."""
        before = _written(checkpoint)
        while _written(checkpoint) == before and self.workers[0].poll() is None:
            time.sleep(0.1)

    def ended(self) -> list[Outcome]:
        """Wait for both."""
        try:
            told = [worker.communicate(timeout=300) for worker in self.workers]
            return [Outcome(worker.returncode, *each) for worker, each in zip(self.workers, told, strict=True)]
        finally:
            for worker in self.workers:
                worker.kill()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    return config(folder, digits(folder / "digits", 40), train={"steps": STEPS})


@pytest.fixture(scope="module")
def two(short: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome]]:
    """What two workers make together, undisturbed."""
    out = tmp_path_factory.mktemp("two")
    return out, Pair(short, out).ended()


def _written(path: Path) -> int:
    """When a file was written; 0 where there is none yet."""
    return path.stat().st_mtime_ns if path.is_file() else 0


def _sums(out: Path) -> str:
    return (out / "models/digits/latest/SHA256SUMS").read_text()


@pytest.mark.slow
def test_two_workers_learn_what_one_learns(short: Path, two: tuple[Path, list[Outcome]], tmp_path: Path) -> None:
    out, (chief, other) = two
    assert (chief.code, other.code) == (0, 0), chief.stderr + other.stderr
    told = {key: value for key, value in other.json.items() if key != "seconds"}
    assert told == {"command": "train", "made": True, "worker": 1, "workers": 2}
    assert chief.json["model"]["information"] == "trained by 2 workers together"
    alone = genset("train", short, "--output", tmp_path, "--json").json["model"]["losses"]
    together = chief.json["model"]["losses"]
    assert together["val_loss"] == pytest.approx(alone["val_loss"], abs=0.02 * abs(alone["val_loss"]))
    # The model is an ordinary one: no worker is asked of again
    assert genset("generate", out / "models/digits/latest", "-n", 10, "--output", out, "--json").code == 0
    again = Pair(short, out).ended()
    assert [worker.code for worker in again] == [0, 0]
    assert [worker.json["made"] for worker in again] == [False, False]


@pytest.mark.slow
def test_one_that_is_told_to_stop_stops_both_and_they_go_on_to_the_same_model(
    short: Path, two: tuple[Path, list[Outcome]], tmp_path: Path
) -> None:
    pair = Pair(short, tmp_path)
    pair.learning(3)
    pair.workers[1].send_signal(signal.SIGTERM)
    assert [worker.code for worker in pair.ended()] == [130, 130]
    ended = Pair(short, tmp_path).ended()
    assert [worker.code for worker in ended] == [0, 0], ended
    assert "continuing the training at step" in ended[0].stderr
    assert _sums(tmp_path) == _sums(two[0])


@pytest.mark.slow
def test_one_that_is_lost_ends_both_and_they_go_on_from_the_last_checkpoint(short: Path, tmp_path: Path) -> None:
    pair = Pair(short, tmp_path, ("train.steps=9000",), ("train.steps=9000",))
    saved = tmp_path / ".work/digits/checkpoint.npz"
    pair.saving(saved)
    pair.workers[1].kill()
    chief, _ = pair.ended()
    assert chief.code == 2
    assert re.search(r"^genset: TF_CONFIG: another worker was lost \(\w+Error\)$", chief.stderr, re.MULTILINE), (
        chief.stderr
    )
    assert chief.stderr.endswith(
        "  Start the command again on all workers: training continues from its last checkpoint.\n"
    )
    again = Pair(short, tmp_path, ("train.steps=9000",), ("train.steps=9000",))
    again.saving(saved)  # who is not learning yet stops alone, and the other one has lost it
    for worker in again.workers:
        worker.send_signal(signal.SIGINT)
    stopped = again.ended()
    assert [worker.code for worker in stopped] == [130, 130]
    assert "continuing the training at step" in stopped[0].stderr


@pytest.mark.slow
def test_workers_that_would_not_train_the_same_are_told(short: Path, tmp_path: Path) -> None:
    chief, other = Pair(short, tmp_path, ("model.latent_dim=8",), ("model.latent_dim=9",)).ended()
    expected = (
        "genset: TF_CONFIG: the workers have different configs, items or versions of genset\n"
        "  Use the same config, data and library versions on all workers.\n"
    )
    assert (chief.code, other.code) == (2, 2)
    assert chief.stderr.endswith(expected)
    assert other.stderr.endswith(expected)


@pytest.mark.slow
def test_a_batch_that_is_too_small_to_be_shared(short: Path, tmp_path: Path) -> None:
    for worker in Pair(short, tmp_path, ("train.batch_size=1",), ("train.batch_size=1",)).ended():
        assert worker.code == 2
        assert worker.stderr.endswith(
            "genset: train.batch_size: cannot split a batch of 1 items between 2 workers\n"
            "  Use fewer workers or a larger batch size.\n"
        )


@pytest.mark.slow
def test_two_devices_of_one_process_train_together(short: Path, tmp_path: Path) -> None:
    """As two GPUs would, on a processor that is taken for two."""
    code = """
import sys
import tensorflow as tf
from genset.cli import main
from genset.models.distributed import WorkerGroup

two = [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()]
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
WorkerGroup.from_rank = classmethod(lambda cls, rank: cls(rank, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])))
main()
"""
    command = [sys.executable, "-c", code, "train", str(short), "train.steps=60", "-o", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    both = json.loads(done.stdout)["model"]
    alone = genset("train", short, "train.steps=60", "--output", tmp_path / "alone", "--json").json["model"]
    assert both["information"] == "trained by 2 workers together"
    assert both["losses"]["val_loss"] == pytest.approx(alone["losses"]["val_loss"], rel=0.05)


@pytest.mark.slow
def test_run_is_not_for_workers(short: Path, tmp_path: Path) -> None:
    told = json.dumps({"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 0}})
    outcome = genset("run", short, "--output", tmp_path, TF_CONFIG=told)
    assert outcome.code == 2
    assert outcome.stderr.splitlines()[:2] == [
        "genset: TF_CONFIG: `genset run` uses one worker only, and this is one of several",
        "  Start `genset train` on all workers. Then unset the variable and start `genset run`, which uses that model.",
    ]


@pytest.mark.parametrize(
    "text",
    ["worker", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
     '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}'],
)  # fmt: skip
def test_what_tells_of_no_workers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(GensetError) as caught:
        Rank.from_environment()
    assert str(caught.value) == (
        "TF_CONFIG: invalid value: expected the addresses of all workers and the index of this one\n"
        '  Set it like {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}, '
        "or unset it to train with one worker."
    )


def test_who_is_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert Rank.from_environment() == Rank(0, 1)
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    for kind, index, rank in (("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
        assert Rank.from_environment() == Rank(rank, 3)
        assert Rank.from_environment().chief == (rank == 0)
