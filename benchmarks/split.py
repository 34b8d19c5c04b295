"""Splitting many small files in groups, beside split-folders: wall clock and processor seconds, one after the other.

    pip install 'genset[peers]'; python benchmarks/split.py --items 50000

genset decodes every file, leaves out equal ones, looks for near-duplicates, writes metadata and checksums, and flushes
all of it to the disk; split-folders copies. So genset stands here thrice: as it is by default, without the search for
near-duplicates, and that with links in place of copies. Each runs in a process of its own, start-up and all.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CLASSES = 10
PEER = """
import sys, splitfolders
splitfolders.ratio(sys.argv[1], sys.argv[2], ratio=(0.8, 0.1, 0.1), group_prefix=2, move=False)
"""


def pictures(folder: Path, items: int) -> None:
    """Grey 28x28 PNGs in class folders, two of each group: one name, two endings, as split-folders wants them."""
    draw = np.random.default_rng(3)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(items // CLASSES):
            picture = cv2.GaussianBlur(draw.integers(0, 256, (28, 28), dtype=np.uint8), (0, 0), 2.0)
            done, data = cv2.imencode(".png", cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX))  # type: ignore[call-overload]
            assert done
            ending = (".png", ".PNG")[number % 2]
            (folder / f"class{label}" / f"c{label}p{number // 2:05}{ending}").write_bytes(data.tobytes())


def seconds(command: Sequence[str]) -> tuple[float, float]:
    """(wall clock, processor) of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one row for each, in the order in which they ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--only", nargs="*", help="names of the rows to run; all by default")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pictures(folder / "pictures", wanted.items)
        source = str(folder / "pictures")
        ours = [sys.executable, "-m", "genset", "split", source, "--group-by", r"(?P<group>c\dp\d+)\.", "--quiet"]
        fast = "clean.near_duplicates=off"
        rows = {  # each ends with where to
            "split-folders": [sys.executable, "-c", PEER, source],
            "genset": [*ours, "--output"],
            "genset, equal files alone": [*ours, fast, "--output"],
            "genset, that with links": [*ours, fast, "--hard-links", "--output"],
        }
        print(f"{wanted.items:,} files\n{'':28}{'wall s':>10}{'processor s':>14}")
        # Nothing is taken away before the end: ext4 looks past files that were deleted a moment ago for new ones, which
        # costs whoever comes next half a minute of the processor.
        for number, (name, command) in enumerate(rows.items()):
            if not wanted.only or name in wanted.only:
                wall, processor = seconds([*command, str(folder / f"made{number}")])
                print(f"{name:28}{wall:10.1f}{processor:14.1f}", flush=True)


if __name__ == "__main__":
    main()
