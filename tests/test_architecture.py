"""The layout of docs/design.md: imports point down, only training imports TensorFlow, files and functions are short."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import genset
from tests.helpers import digits

PACKAGE = Path(genset.__file__).parent
# From the top down; siblings in one layer do not import each other.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"workflows"},
    {"pipeline"},
    {"config"},
    {"modalities", "models", "quality", "report", "export", "engine", "containers"},
    {"dataset", "metadata", "versions", "interfaces", "atomic", "safe_json", "errors", "seeds", "memory"},
]
GROUND = LAYERS[-1]
# The same within cli/.
CLI_LAYERS = [
    {"__init__"},
    {"run", "train", "generate", "augment", "split", "inspect", "verify"}
    | {"init", "list", "status", "prune", "publish", "schema", "bench"},
    {"command", "sweep", "inspect_any"},
    {"inspect_dataset"},
    {"inspect_versions"},
    {"inspect_request", "rendering"},
    {"session"},
    {"console", "run_log", "flag_values", "lookup", "options", "json_output"},
    {"completion"},
]
# The stages of pipeline/ in order: each imports those before it.
STAGES = [
    "__init__",
    "job",
    "components",
    "reading",
    "export_items",
    "collect",
    "clean",
    "split",
    "prepare",
    "generate",
    "augment",
    "evaluate",
    "pages",
    "write",
    "train",
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
    assert not wrong, f"{relative} imports {wrong}, which are above it or beside it"


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
    assert not wrong, f"{path.name} imports {wrong}, which are above it or beside it"


@pytest.mark.parametrize("path", sorted((PACKAGE / "pipeline").rglob("*.py")), ids=lambda path: str(path.name))
def test_a_stage_imports_only_stages_before_it(path: Path) -> None:
    stage = path.relative_to(PACKAGE / "pipeline").parts[0].removesuffix(".py")
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "genset.pipeline":
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genset.pipeline."):
            imported.add((node.module or "").split(".")[2])
    later = sorted(name for name in imported if STAGES.index(name) > STAGES.index(stage))
    assert not later, f"{path.name} of {stage} imports {later}, which come after it"


def test_no_room_but_modalities_asks_which_modality_it_is() -> None:
    for path in PACKAGE.rglob("*.py"):
        if "modalities" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not [word for word in ('"image"', '"text"', '"sound"') if f"== {word}" in text], path


HEAVY = {"tensorflow", "keras", "tf2onnx", "matplotlib", "torch", "ray", "fsspec"}


def _modules_after(*commands: list[str]) -> list[set[str]]:
    """The top-level modules that one process has imported after each of some commands, all of which end well."""
    code = (
        "import json, sys\nfrom genset.cli import app\n"
        f"for command in {commands!r}:\n"
        "    try:\n        app(command)\n    except SystemExit as end:\n        assert not end.code, (command, end.code)\n"
        "    print('modules', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return [set(line.split()[1:]) for line in done.stderr.splitlines() if line.startswith("modules ")]


def test_help_imports_next_to_nothing() -> None:
    (modules,) = _modules_after(["--help"])
    assert not modules & (HEAVY | {"numpy", "pydantic", "sklearn", "scipy", "PIL", "onnxruntime", "ftfy", "fontTools"})


def test_commands_that_do_not_train_never_enter_tensorflow(own, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    few, out = str(digits(tmp_path / "few", 5)), ["--output", str(own.out), "--json"]
    filled = str(own.out / "datasets" / "filled" / "latest")
    commands = [
        ["generate", str(own.model), "-n", "5", *out],
        ["split", few, *out],
        ["augment", few, "--copies", "1", *out],
        ["augment", few, "--balance", "7", "--model", str(own.model), "--name", "filled", *out],
        ["inspect", few, *out],
        ["inspect", str(own.model), *out],
        ["verify", filled, *out],
        ["inspect", filled, "--against", few, "quality.seeds=1", *out],
        ["run", str(own.config), *out],  # up to date
    ]
    for command, modules in zip(commands, _modules_after(*commands), strict=True):
        assert not modules & HEAVY, command


@pytest.mark.slow
def test_a_report_page_needs_no_tensorflow(own, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = ["--output", str(own.out), "--report", str(tmp_path / "page.html"), "--json"]
    commands = [["inspect", str(path), *out] for path in (own.model, own.dataset)]
    for command, modules in zip(commands, _modules_after(*commands), strict=True):
        assert not modules & (HEAVY - {"matplotlib"}), command


# Caps without exceptions: cut along meaning, or find a better place.
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40


def _lines_of_functions() -> dict[str, int]:
    """The longest function of each "file.py:name", with its decorators and docstring."""
    longest: dict[str, int] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                name = f"{path.name}:{node.name}"
                longest[name] = max(longest.get(name, 0), (node.end_lineno or start) - start + 1)
    return longest


def _classes() -> list[str]:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py")))
    return [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_files_are_short() -> None:
    lines = [(path.name, len(path.read_text(encoding="utf-8").splitlines())) for path in sorted(PACKAGE.rglob("*.py"))]
    assert {name: count for name, count in lines if count > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    functions = _lines_of_functions()
    assert {name: count for name, count in functions.items() if count > MAX_FUNCTION_LINES} == {}


def test_no_two_classes_have_the_same_name() -> None:
    names = Counter(_classes())
    assert [name for name, count in names.items() if count > 1] == []
