"""What a night may bring: python benchmarks/soak.py [--minutes 10] [--only moments kills rounds items]

The long form of tests/test_crash.py and tests/test_unattended.py. moments: split, augment, generate and prune killed at
all moments at which they change the disk, each twice, the second time with a torn file. kills: `run` killed (SIGKILL)
or told to stop (SIGTERM, SIGINT) at random moments and started again until it is done, over and over until the time is
over. rounds: 200 generations in one process. items: the whole way with 200,000 tiny pictures, its peak memory. Prints a
line for each.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from genset.versions.checksums import verify_sums
from genset.versions.version import KINDS, open_version

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.fork_server import become, prepare  # noqa: E402

ITEMS = ROOT / "samples" / "image"
_PARTS = ("moments", "kills", "rounds", "items")
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_ENDS = {  # exit codes, also of a process that has not come so far as to hear of signals
    signal.SIGKILL: (-signal.SIGKILL,),
    signal.SIGTERM: (130, -signal.SIGTERM),
    signal.SIGINT: (130,),
}
_MOST_SECONDS = 5  # from a signal to the end
_SHOWN = ("stage", "seconds", "done", "peak_mb", "status")


def main() -> None:
    """Exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of random kills")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())  # no TemporaryDirectory: a fork that ends would take it away
    try:
        for label in "01":
            (folder / "few" / label).mkdir(parents=True)
            for path in sorted((ITEMS / label).iterdir())[:4]:
                (folder / "few" / label / path.name).write_bytes(path.read_bytes())
        _genset(*_run(folder / "out"))
        for _ in range(2):
            _genset("split", folder / "few", "--reassign", "--output", folder / "out", "--quiet")
        parts = {
            "moments": lambda: _boundaries(folder),
            "kills": lambda: _kills(folder, 60 * asked.minutes),
            "rounds": lambda: _rounds(folder),
            "items": lambda: _items(folder),
        }
        faults = sum(parts[name]() for name in asked.only)
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if faults else 0)


def _rounds(folder: Path, rounds: int = 200) -> int:
    """Memory, files and threads after the 20th generation of a process and after the last."""
    command = [
        "generate",
        "digits",
        "--per-class",
        "20",
        "--seed",
        "{seed}",
        "--output",
        str(folder / "out"),
        "--quiet",
    ]
    call = [sys.executable, str(ROOT / "tests" / "repeat_command.py"), str(rounds), *command]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    for number in (20, 100, rounds):
        print("rounds   ", told[number - 1], flush=True)
    early, late = told[19], told[-1]
    grown = [key for key in ("files", "threads", "tasks") if late[key] > early[key]]
    return len(grown) + (late["megabytes"] > 1.05 * early["megabytes"])


def _items(folder: Path, count: int = 200_000) -> int:
    """Peak memory of the whole way with very many pictures of 8x8 in ten classes; 1.5 GB is the bar."""
    rng = np.random.default_rng(0)
    for label in range(10):
        (folder / "many" / str(label)).mkdir(parents=True)
    for number in range(count):
        real = rng.integers(0, 192, (8, 8), dtype=np.uint8)
        real[:, number % 10 : number % 10 + 1] = 255
        PIL.Image.fromarray(real).save(folder / "many" / str(number % 10) / f"{number}.png", compress_level=1)
    config = {
        "name": "many",
        "modality": "image",
        "data": {"source": str(folder / "many")},
        "train": {"steps": 300},
        "generate": {"per_class": 100, "near_copies": "keep", "wrong_labels": "keep"},
    }
    (folder / "many.yaml").write_text(json.dumps(config), encoding="utf-8")
    out, log = folder / "out-many", folder / "many.jsonl"
    _genset("run", folder / "many.yaml", "--output", out, "--quiet", "--log-file", log)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["event"] in ("stage", "end"):
            print("items    ", {key: line[key] for key in line if key in _SHOWN}, flush=True)
    return int(lines[-1]["peak_mb"] > 1500)


def _boundaries(folder: Path) -> int:
    keep = ["--near-copies", "keep", "--wrong-labels", "keep"]
    commands = {
        "split": ["split", str(folder / "few")],
        "augment": ["augment", str(folder / "few"), "--copies", "1"],
        "generate": ["generate", "digits", "--per-class", "1", *keep],
        "prune": ["prune", "--keep", "1"],
    }
    faults = 0
    for name, command in commands.items():
        for torn in ([], ["--torn"]):
            asked = json.dumps([*command, "--output", "{out}", "--quiet"])
            call = [
                sys.executable,
                str(ROOT / "tests/crash_points.py"),
                str(folder / "out"),
                str(folder / "trial"),
                asked,
                *torn,
            ]
            done = subprocess.run(call, check=True, capture_output=True, text=True)
            told = json.loads(done.stdout.splitlines()[-1])
            faults += len(told["faults"])
            print(f"{name:9} {'torn' if torn else 'killed':7} {told['tried']:4} of {told['moments']} moments, ", end="")
            print(f"{len(told['faults'])} faults", *told["faults"], sep="\n  ", flush=True)
    return faults


def _kills(folder: Path, seconds: float) -> int:
    """Every command is a fork of this process: importing TensorFlow anew would take most of the time."""
    prepare()
    started = time.monotonic()
    assert _Forked(_run(folder / "timed"), folder).ended() == 0
    whole = time.monotonic() - started
    rng, out, faults = random.Random(0), folder / "killed", list[str]()
    signals: Counter[str] = Counter()
    done, slowest = 0, 0.0
    while time.monotonic() - started < seconds or out.exists():
        late = time.monotonic() - started >= seconds
        forked = _Forked(_run(out), folder)
        sent = None if late or forked.done_within(rng.uniform(0, whole)) else rng.choice(_SIGNALS)
        if sent:
            asked = time.monotonic()
            os.kill(forked.pid, sent)
            signals[sent.name] += 1
        code = forked.ended()
        if sent and sent != signal.SIGKILL:
            slowest = max(slowest, time.monotonic() - asked)
        if code not in (0, *(_ENDS[sent] if sent else ())):
            faults.append(f"it ended with {code} after {sent}: {forked.told()}")
        versions = [path for kind in KINDS for path in (out / kind).glob("*/v*")]
        faults += [f"{path} is not whole" for path in versions if not _whole(path)]
        if code == 0:
            faults += [
                f"{kind} are others than undisturbed"
                for kind in KINDS
                if _sums(out, kind) != _sums(folder / "out", kind)
            ]
            shutil.rmtree(out)
            done += 1
    print(f"run       {dict(sorted(signals.items()))} at random moments, {done} times to its end, ", end="")
    print(f"stops within {slowest:.1f} s, {len(faults)} faults", *faults, sep="\n  ", flush=True)
    return len(faults) + (slowest > _MOST_SECONDS)


class _Forked:
    """A command in a process of its own."""

    def __init__(self, arguments: Sequence[object], folder: Path) -> None:
        self._places = [folder / name for name in ("stdout", "stderr")]
        for place in self._places:
            place.unlink(missing_ok=True)
        told = {"cwd": str(folder), "env": dict(os.environ), "streams": list(map(str, self._places))}
        self.pid = os.fork()
        if not self.pid:
            become({"arguments": [str(each) for each in arguments], **told})
        self._code: int | None = None

    def done_within(self, seconds: float) -> bool:
        """Wait for its end, but no longer."""
        until = time.monotonic() + seconds
        while self._code is None and time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
            time.sleep(0.01)
        return self._code is not None

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def told(self) -> str:
        """What it said of itself."""
        return "".join(place.read_text() for place in self._places if place.exists())


def _whole(path: Path) -> bool:
    version = open_version(path)
    return version is not None and not verify_sums(version)


def _sums(out: Path, kind: str) -> bytes:
    return (out / kind / "digits/latest/SHA256SUMS").read_bytes()


def _run(out: Path) -> list[object]:
    overrides = ["train.seconds=null", "train.steps=150", "generate.per_class=5", "quality.gates=[]"]
    return ["run", ROOT / "configs/quickstart.yaml", *overrides, "--output", out, "--quiet"]


def _genset(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "genset", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
