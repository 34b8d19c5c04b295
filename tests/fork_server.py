"""A process that has imported everything that commands import, and forks for each command.

Importing Python's libraries and TensorFlow for each command took most of the time of the tests. A fork has its own memory,
working directory, environment and streams, as a new process has. What is imported when is tested by test_architecture.py
in new processes.
"""

import atexit
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

TERMINAL = {"COLUMNS": "120", "NO_COLOR": "1"}  # as every command of the tests sees it
_ENVIRONMENT = {**TERMINAL, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
_TIMEOUT_SECONDS = 600
_LIBRARIES = (
    "keras",
    "tensorflow",
    "tf2onnx",
    "onnxruntime",
    "matplotlib.pyplot",
    "jinja2",
    "scipy.signal",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.mixture",
    "sklearn.neighbors",
    "sklearn.model_selection",
)


class ForkServer:
    """The process, from outside. Starts with the first command; runs one command at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of `genset ARGUMENTS`. Needs the lock."""
        if self._process is None:
            command = [sys.executable, __file__]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, env={**os.environ, **_ENVIRONMENT}, stdin=pipe, stdout=pipe)
        with tempfile.TemporaryDirectory() as folder:
            streams = [os.path.join(folder, name) for name in ("stdout", "stderr")]
            request = {
                "arguments": list(arguments),
                "cwd": str(cwd),
                "env": {**env, **_ENVIRONMENT},
                "streams": streams,
            }
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin and stdout
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
            watch = threading.Timer(_TIMEOUT_SECONDS, self._process.kill)
            watch.start()
            code = stdout.readline()
            watch.cancel()
            assert code, f"it took longer than {_TIMEOUT_SECONDS} s, or the fork server ended: {arguments}"
            out, err = (Path(path).read_text(encoding="utf-8") for path in streams)
        return int(code), out, err

    def close(self) -> None:
        """End it."""
        if self._process:
            for stream in (self._process.stdin, self._process.stdout):
                if stream:
                    stream.close()
            self._process.wait()
            self._process = None


def prepare() -> None:
    """Import everything that a command may import."""
    import genset

    for name in _LIBRARIES:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(genset.__path__, "genset."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _serve(requests: IO[bytes], answers: int) -> None:
    prepare()
    for line in iter(requests.readline, b""):
        pid = os.fork()
        if not pid:
            os.close(answers)
            become(json.loads(line))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(answers, f"{code}\n".encode())


def become(request: Mapping[str, object]) -> None:
    """Become the command of a request, to its end: arguments, cwd, env, and the paths of stdout and stderr."""
    code = 1
    try:
        for number, path in enumerate((os.devnull, *request["streams"])):  # type: ignore[misc]
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        os.chdir(str(request["cwd"]))
        os.environ.clear()
        os.environ.update(request["env"])  # type: ignore[call-overload]
        sys.argv = ["genset", *request["arguments"]]  # type: ignore[misc]
        from genset.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path.pop(0)  # the tests' own folder, which commands do not see
    kept = os.dup(1)
    os.dup2(2, 1)  # what libraries print while they are imported is no answer
    _serve(os.fdopen(os.dup(0), "rb"), kept)
