"""The plan of the house holds: imports point down, and the door to TensorFlow stays shut."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import genset

PACKAGE = Path(genset.__file__).parent
# From the top down; siblings in one layer do not import each other.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"pipeline"},
    {"schema"},
    {"config"},
    {"modalities", "models", "quality", "report", "export", "engine", "containers"},
    {
        "dataset",
        "versions",
        "store",
        "yaml_source",
        "interfaces",
        "errors",
        "seeds",
        "sums",
        "jsons",
        "memory",
    },
]
GROUND = LAYERS[-1]
# The same within cli/.
CLI_LAYERS = [
    {"__init__"},
    {"housekeeping"},
    {"inspect", "init", "upkeep", "sweep"},
    {"rendering"},
    {"options"},
    {"session"},
    {"console", "run_log", "completion", "json_output"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("genset"):
            names = [f"genset.{alias.name}" for alias in node.names] if node.module == "genset" else [node.module]
            found |= {_room(name) for name in names}
    return {room for room in found if room in LEVEL}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    room = relative.parts[0].removesuffix(".py")
    if room == "__init__":
        assert not _imports(path)
        return
    wrong = [
        other
        for other in _imports(path)
        if other != room and (LEVEL[other] < LEVEL[room] or (LEVEL[other] == LEVEL[room] and room not in GROUND))
    ]
    assert not wrong, f"{relative} imports {wrong}, which stand above it or beside it"


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.name)
def test_imports_within_cli_point_down(path: Path) -> None:
    level = {name: number for number, names in enumerate(CLI_LAYERS) for name in names}
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "genset.cli":
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genset.cli."):
            imported.add((node.module or "").split(".")[2])
    wrong = sorted(name for name in imported if level[name] <= level[path.stem])
    assert not wrong, f"{path.name} imports {wrong}, which stand above it or beside it"


def test_no_room_but_modalities_asks_which_modality_it_is() -> None:
    for path in PACKAGE.rglob("*.py"):
        if "modalities" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not [word for word in ('"image"', '"text"', '"sound"') if f"== {word}" in text], path


HEAVY = {"tensorflow", "keras", "tf2onnx", "matplotlib", "torch", "ray", "fsspec"}


def _modules_after(*arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it ends well."""
    code = (
        "import sys\nfrom genset.cli import app\n"
        f"try:\n    app({list(arguments)!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_help_imports_next_to_nothing() -> None:
    assert not _modules_after("--help") & (HEAVY | {"numpy", "pydantic", "sklearn", "scipy", "PIL", "onnxruntime"})


def test_commands_that_do_not_train_never_enter_tensorflow(own) -> None:  # type: ignore[no-untyped-def]
    out = ["--output", str(own.out), "--json"]
    commands = [
        ["generate", str(own.model), "-n", "5", *out],
        ["split", str(own.source), *out],
        ["augment", str(own.source), "--copies", "1", *out],
        ["augment", str(own.source), "--balance", "45", "--model", str(own.model), "--name", "filled", *out],
        ["inspect", str(own.source), *out],
        ["inspect", str(own.model), *out],
        ["verify", str(own.dataset), *out],
        ["inspect", str(own.dataset), "--against", str(own.dataset), *out],
        ["run", str(own.config), *out],  # up to date
    ]
    for command in commands:
        assert not _modules_after(*command) & HEAVY, command


def test_a_report_page_needs_no_tensorflow(own, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = ["--output", str(own.out), "--report", str(tmp_path / "page.html"), "--json"]
    for path in (own.model, own.dataset):
        assert not _modules_after("inspect", str(path), *out) & (HEAVY - {"matplotlib"}), path
