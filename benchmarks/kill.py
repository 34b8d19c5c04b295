"""Kill `genset run` at random moments, then look: python benchmarks/kill.py [KILLS] [STEPS]

After each kill every visible version must be whole; at the end a run must complete and equal an undisturbed one.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from genset.sums import verify_sums
from genset.versions import open_version

ROOT = Path(__file__).parents[1]


def main(kills: int, steps: int) -> None:
    """Print one line a kill and a verdict."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        out, straight = Path(folder, "out"), Path(folder, "straight")
        started = time.monotonic()
        subprocess.run(_command(straight, steps), check=True)
        whole = time.monotonic() - started
        print(f"an undisturbed run takes {whole:.1f} s")
        for number in range(1, kills + 1):
            while True:
                moment = rng.uniform(0, whole)
                with subprocess.Popen(_command(out, steps)) as process:
                    try:
                        process.wait(timeout=moment)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        break
                shutil.rmtree(out)  # it had ended before: a kill that hit nothing does not count, begin anew
            versions = [path for kind in ("models", "datasets") for path in (out / kind).glob("*/v*")]
            broken = [path for path in versions if (version := open_version(path)) is None or verify_sums(version)]
            print(f"{number:3d}: killed at {moment:5.1f} s; {len(versions)} versions visible, {len(broken)} broken")
            if broken:
                sys.exit(f"broken: {broken}")
        subprocess.run(_command(out, steps), check=True)
        for kind in ("models", "datasets"):
            sums = [(root / kind / "digits/latest/SHA256SUMS").read_bytes() for root in (out, straight)]
            print(f"{kind}: {'identical to' if sums[0] == sums[1] else 'DIFFER from'} the undisturbed run")
            if sums[0] != sums[1]:
                sys.exit(1)


def _command(out: Path, steps: int) -> list[str]:
    overrides = ["train.seconds=null", f"train.steps={steps}", "quality.gates=[]"]
    run = [sys.executable, "-m", "genset", "run", str(ROOT / "configs/quickstart.yaml"), *overrides]
    return [*run, "--output", str(out), "--quiet"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else 1500)
