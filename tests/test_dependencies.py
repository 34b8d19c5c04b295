"""What genset imports is declared in pyproject.toml, and without an extra the message says what to install."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("parquet", "ray", "s3", "tfrecord")  # for users; the others are for developers


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """The distributions of the dependencies and of some extras."""
    texts = [*PROJECT["dependencies"], *(text for name in extras for text in PROJECT["optional-dependencies"][name])]
    return {normal(Requirement(text).name) for text in texts}


def imported(path: Path) -> Iterator[str]:
    """Top-level modules that a file imports, anywhere in it, also by `importlib.import_module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [each.value for each in node.args if isinstance(each, ast.Constant)]
            yield from (str(name).partition(".")[0] for name in names)


def test_every_import_is_a_declared_dependency() -> None:
    files = sorted((ROOT / "genset").rglob("*.py"))
    modules = {name for path in files for name in imported(path)} - set(sys.stdlib_module_names) - {"genset"}
    distributions = packages_distributions()
    allowed = declared(*EXTRAS)
    undeclared = {
        module for module in modules if not {normal(name) for name in distributions.get(module, ())} & allowed
    }
    assert undeclared == set()


def closure(names: set[str]) -> set[str]:
    """Distributions with all that they require, so far as they are installed."""
    found: set[str] = set()
    todo = sorted(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        todo += [normal(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


BLOCKING = """
import sys
blocked = set(sys.argv.pop(1).split(","))
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from genset.cli import main
main()
"""


def blocked(modules: set[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in an environment without some modules."""
    command = [sys.executable, "-c", BLOCKING, ",".join(sorted(modules)), *map(str, arguments)]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["schema"], ["split", "samples/text"]])
def test_commands_run_with_the_declared_dependencies_alone(arguments: list[str], tmp_path: Path) -> None:
    kept = closure(declared())
    others = {
        module
        for module, names in packages_distributions().items()
        if not {normal(name) for name in names} & kept and module not in ("genset", "tests")
    }
    assert {"pyarrow", "ray", "pytest"} <= others
    output = ["--output", tmp_path] if arguments[0] == "split" else []
    words = [str(ROOT / word) if word.startswith("samples") else word for word in arguments]
    outcome = blocked(others, *words, *output)
    assert outcome.returncode == 0, outcome.stderr


def test_a_parquet_file_without_pyarrow_names_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    path.write_bytes(b"PAR1....PAR1")
    outcome = blocked({"pyarrow"}, "split", path, "--output", tmp_path / "out", "--quiet")
    assert (outcome.returncode, outcome.stderr) == (
        2,
        f"genset: {path}: pyarrow is needed to read this file, but not installed\n  Install it: pip install 'genset[parquet]'.\n",
    )


def test_ray_without_ray_names_the_extra(tmp_path: Path) -> None:
    source = ROOT / "samples" / "text"
    outcome = blocked({"ray"}, "split", source, "--engine", "ray", "--output", tmp_path / "out", "--quiet")
    assert (outcome.returncode, outcome.stderr) == (
        2,
        "genset: engine: ray: Ray is not installed\n  Install it: pip install 'genset[ray]'.\n",
    )


@pytest.mark.parametrize(
    ("modules", "remedy"),
    [
        pytest.param({"s3fs"}, "Install s3fs to access S3", id="s3fs"),
        pytest.param({"fsspec", "s3fs"}, "Install fsspec", id="fsspec", marks=pytest.mark.slow),
    ],
)
def test_publish_without_its_packages_names_the_extra(modules: set[str], remedy: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert blocked(set(), "split", ROOT / "samples" / "text", "--name", "d", "--output", out).returncode == 0
    outcome = blocked(modules, "publish", "d", "s3://bucket/folder", "--output", out, "--quiet")
    assert (outcome.returncode, outcome.stderr) == (
        2,
        f"genset: s3://bucket/folder: the package for this URL is not installed: {remedy}\n"
        "  For s3://: pip install 'genset[s3]'.\n",
    )
