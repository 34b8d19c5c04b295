"""Call genset again and again in one process: python tests/repeat_command.py ROUNDS ARGUMENTS ..., with {seed} for the round's number.

Prints a JSON line for each round: resident memory in MB, open files, threads, and files in the temporary folder.
"""

import json
import os
import sys
import tempfile
import threading
from pathlib import Path

from genset.cli import main


def run() -> None:
    """Exit code 1 when a round fails."""
    rounds, asked = int(sys.argv[1]), sys.argv[2:]
    for number in range(1, rounds + 1):
        sys.argv = ["genset", *(part.replace("{seed}", str(number)) for part in asked)]
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                raise
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        told = {
            "round": number,
            "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            "files": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "tasks": len(os.listdir("/proc/self/task")),
            "temporary": len(os.listdir(tempfile.gettempdir())),
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    run()
