"""Kill every command at every moment at which it changes the disk: python benchmarks/soak.py [--minutes 10]

The long form of tests/test_crash.py: split, augment, generate and prune at all of their moments, each twice, the second
time with a torn file; then `run` at random moments until the time is over. Prints a line for each.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from genset.sums import verify_sums
from genset.versions import open_version

ROOT = Path(__file__).parents[1]
ITEMS = ROOT / "samples" / "image"


def main() -> None:
    """Exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    until = time.monotonic() + 60 * parser.parse_args().minutes
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
        faults = _boundaries(folder) + _moments(folder, whole, until)
    sys.exit(1 if faults else 0)


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
