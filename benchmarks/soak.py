"""What a night may bring: python benchmarks/soak.py [--minutes 10] [--only moments kills rounds items]

The long form of tests/test_crash.py and tests/test_unattended.py. moments: split, augment, generate and prune killed at
all moments at which they change the disk, each twice, the second time with a torn file. kills: `run` killed at random
moments until the time is over. rounds: 200 generations in one process. items: the whole way with 200,000 tiny pictures,
its peak memory. Prints a line for each.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image

from genset.sums import verify_sums
from genset.versions import open_version

ROOT = Path(__file__).parents[1]
ITEMS = ROOT / "samples" / "image"
_PARTS = ("moments", "kills", "rounds", "items")
_SHOWN = ("stage", "seconds", "done", "peak_mb", "status")


def main() -> None:
    """Exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of random kills")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for label in "01":
            (folder / "few" / label).mkdir(parents=True)
            for path in sorted((ITEMS / label).iterdir())[:4]:
                (folder / "few" / label / path.name).write_bytes(path.read_bytes())
        started = time.monotonic()
        _genset(*_run(folder / "out"))
        whole = time.monotonic() - started
        for _ in range(2):
            _genset("split", folder / "few", "--anew", "--output", folder / "out", "--quiet")
        parts = {
            "moments": lambda: _boundaries(folder),
            "kills": lambda: _moments(folder, whole, time.monotonic() + 60 * asked.minutes),
            "rounds": lambda: _rounds(folder),
            "items": lambda: _items(folder),
        }
        faults = sum(parts[name]() for name in asked.only)
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
    call = [sys.executable, str(ROOT / "tests" / "loop.py"), str(rounds), *command]
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
                str(ROOT / "tests/crash.py"),
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


def _moments(folder: Path, whole: float, until: float) -> int:
    rng, out, kills, faults = random.Random(0), folder / "killed", 0, 0
    while time.monotonic() < until:
        with subprocess.Popen([sys.executable, "-m", "genset", *map(str, _run(out))]) as process:
            try:
                process.wait(timeout=rng.uniform(0, whole))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
        versions = [path for kind in ("models", "datasets") for path in (out / kind).glob("*/v*")]
        faults += sum((version := open_version(path)) is None or bool(verify_sums(version)) for path in versions)
    _genset(*_run(out))
    for kind in ("models", "datasets"):
        same = len({(root / kind / "digits/latest/SHA256SUMS").read_bytes() for root in (out, folder / "out")}) == 1
        faults += not same
    print(f"run       killed at {kills} random moments, {faults} faults; the next one completes", flush=True)
    return faults


def _run(out: Path) -> list[object]:
    overrides = ["train.seconds=null", "train.steps=150", "generate.per_class=5", "quality.gates=[]"]
    return ["run", ROOT / "configs/quickstart.yaml", *overrides, "--output", out, "--quiet"]


def _genset(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "genset", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
