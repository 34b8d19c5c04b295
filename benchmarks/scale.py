"""What more processes are worth: python benchmarks/scale.py OUT MODEL [--items 100000] [--nodes 1 2 4]

Items of a trained model, made into WebDataset files by threads and by Ray clusters of so many nodes of one CPU each,
all on this machine, side by side in one run; then transformed copies, the same way. Prints a line of JSON for each:
seconds of the process and of its stages, its peak memory, and whether the bytes are those of the first. The figures of
docs/scaling.md come from it. Needs `genset[ray]`.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="output root with the model")
    parser.add_argument("model")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="class folder that copies are made of, too")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    asked = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    jobs = {"generate": ["generate", asked.model, "-n", asked.items, "--format", "webdataset"]}
    if asked.folder:
        jobs["augment"] = ["augment", asked.folder, "--copies", asked.copies]
    for job, command in jobs.items():
        first: dict[str, str] = {}
        ways = [("threads", number) for number in asked.threads] + [("nodes", number) for number in asked.nodes]
        for kind, number in ways:
            with _engine(kind, number) as engine:
                told, sums = _run(command, asked.out, engine, number)
            first = first or sums
            print(json.dumps({"job": job, kind: number, **told, "same bytes": sums == first}), flush=True)


@contextlib.contextmanager
def _engine(kind: str, number: int) -> Iterator[str]:
    if kind == "threads":
        yield "local"
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(number - 1):
            cluster.add_node(num_cpus=1)
        yield f"ray={cluster.address}"
    finally:
        cluster.shutdown()


def _run(command: list[Any], out: Path, engine: str, workers: int) -> tuple[dict[str, Any], dict[str, str]]:
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "log.jsonl"
        options = [
            "--engine",
            engine,
            "--workers",
            workers,
            "--name",
            "scale",
            "--output",
            out,
            "--log-file",
            log,
            "-q",
        ]
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "genset", *map(str, [*command, *options])], check=True)
        seconds = time.monotonic() - started
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    version = sorted((out / "datasets/scale").glob("v*"))[-1]
    sums = (version / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    made = {name: digest for digest, name in (line.split("  ", 1) for line in sums) if name.startswith("train")}
    subprocess.run(["rm", "-r", str(version)], check=True)
    stages = {line["stage"]: line["seconds"] for line in lines if line["event"] == "stage"}
    return {"seconds": round(seconds, 1), "stages": stages, "peak_mb": lines[-1]["peak_mb"]}, made


if __name__ == "__main__":
    main()
