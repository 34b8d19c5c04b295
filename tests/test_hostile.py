"""Files and folders from strangers: no code runs, no path leads outside, and memory is limited."""

import ast
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.fuzz import TARGETS, rounds
from tests.helpers import ROOT, Trained, digits, genset


def problems(folder: Path, **environment: str) -> dict[str, tuple[str, str]]:
    """(kind, detail) of the problems that `inspect` reports, by path."""
    outcome = genset("inspect", folder, "--json", **environment)
    assert outcome.code == 0, outcome.stderr
    return {problem["path"]: (problem["kind"], problem["detail"]) for problem in outcome.json["problems"]}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height if width < 1000 else 10))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_image_files_that_expand_to_huge_memory_are_reported(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    (source / "0" / "bomb.png").write_bytes(png(60_000, 60_000))
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 50_000_000))
    (source / "0" / "text.png").write_bytes(png(8, 8, text))
    found = problems(source)
    assert found["0/bomb.png"] == ("undecodable", f"more than {PIL.Image.MAX_IMAGE_PIXELS:,} pixels")
    assert found["0/text.png"][0] == "undecodable"


def test_a_sound_with_a_false_length_in_its_header_is_undecodable(tmp_path: Path) -> None:
    samples = (8000 * np.sin(np.arange(4000) / 9)).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    for name, claimed in (("true", len(samples)), ("bomb", 2**31 - 40)):
        data = b"RIFF" + struct.pack("<I", 36 + claimed) + b"WAVEfmt " + struct.pack("<I", 16) + form
        (tmp_path / "sounds" / name[0]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sounds" / name[0] / f"{name}.wav").write_bytes(
            data + b"data" + struct.pack("<I", claimed) + samples
        )
    assert problems(tmp_path / "sounds")["b/bomb.wav"][0] == "undecodable"


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png"])
def test_metadata_cannot_name_files_outside_its_folder(name: str, tmp_path: Path) -> None:
    source = digits(tmp_path / "set" / "digits", 3, "01")
    PIL.Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    (source / "metadata.jsonl").write_text(json.dumps({"file_name": name, "label": "0"}) + "\n")
    outcome = genset("split", source, "--output", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.stderr.splitlines()[-2:] == [
        f"genset: {source}/metadata.jsonl:1: file_name must be a path inside {source}, got {name!r}",
        "  Give each line the file's path relative to this file.",
    ]


@pytest.mark.parametrize("label", ["../up", "a/b", ".hidden", "x\x1b[31m", "metadata.jsonl", "a" * 101])
def test_labels_with_paths_or_terminal_escapes_are_rejected(label: str, tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    (source / "metadata.jsonl").write_text(json.dumps({"file_name": "0/0000.png", "label": label}) + "\n")
    outcome = genset("split", source, "--output", tmp_path / "out")
    assert outcome.code == 2
    assert "cannot be the name of a folder" in outcome.stderr
    assert "\x1b" not in outcome.stderr


def test_terminal_escapes_in_file_names_are_printed_escaped(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    evil = "\x1b]0;owned\x07\u202egnp.exe\x9b31m.png"
    (source / "0" / evil).write_bytes(b"no picture")
    outcome = genset("inspect", source)
    assert outcome.code == 0
    for mark in ("\x1b", "\x07", "\u202e", "\x9b"):
        assert mark not in outcome.stdout + outcome.stderr
    assert "\\x1b]0;owned\\x07" in outcome.stdout.replace("\n", "").replace(" ", "")


def test_class_names_that_look_alike_are_reported(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    for name in ("cafe\u0301", "caf\u00e9", "p\u0430ypal"):  # decomposed, composed, a Cyrillic letter among Latin ones
        shutil.copytree(source / "0", source / name)
    messages = genset("inspect", source).stderr
    assert "the classes 'cafe\u0301', 'caf\u00e9' look alike and are kept apart" in messages
    assert "the class 'p\u0430ypal' mixes letters of CYRILLIC and LATIN" in messages


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "text", [DEEP, '{"file_name": ' + "9" * 5000 + "}", '{"a": "\\ud800"}', "{" * 100_000], ids=str.__len__
)
@pytest.mark.parametrize("place", ["metadata.jsonl", "rows.jsonl", "manifest.json", "SHA256SUMS"])
def test_deeply_nested_json_and_huge_numbers_are_errors_not_crashes(
    place: str, text: str, own: Trained, tmp_path: Path
) -> None:
    source = digits(tmp_path / "digits", 3, "01")
    if place == "metadata.jsonl":
        (source / place).write_text(text + "\n")
        outcome = genset("inspect", source)
        assert outcome.code == 2
    elif place == "rows.jsonl":
        (tmp_path / place).write_text('{"text": "one"}\n' + text + "\n")
        outcome = genset("inspect", tmp_path / place)
        assert outcome.code in (0, 2)
    else:
        (own.dataset / place).write_text(text)
        outcome = genset("verify", own.dataset)
        assert outcome.code in (1, 2)
    assert "Traceback" not in outcome.stderr


def replace_file(version: Path, name: str, data: bytes) -> None:
    """Replace a file of a version and its checksum."""
    (version / name).write_bytes(data)
    sums = [line for line in (version / "SHA256SUMS").read_text().splitlines() if not line.endswith(f"  {name}")]
    sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}")
    (version / "SHA256SUMS").write_text("\n".join(sorted(sums)) + "\n")


class _CodeInPickle:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch owned",)


def test_code_in_a_model_is_not_run_even_with_right_checksums(own: Trained, tmp_path: Path) -> None:
    model = own.model.resolve()
    for name in sorted(path.name for path in model.glob("*.npz")):
        original = (model / name).read_bytes()
        buffer = io.BytesIO()
        np.savez(buffer, a=np.array([_CodeInPickle()], dtype=object))
        replace_file(model, name, buffer.getvalue())
        outcome = genset("generate", model, "-n", 5, "--output", tmp_path / "new", cwd=tmp_path)
        assert outcome.code == 2, (name, outcome.stderr)
        assert "Traceback" not in outcome.stderr
        replace_file(model, name, original)
    assert not (tmp_path / "owned").exists()


def test_a_model_with_swapped_files_is_rejected(own: Trained, tmp_path: Path) -> None:
    (own.model / "generator.onnx").write_bytes((own.model / "encoder.onnx").read_bytes())
    outcome = genset("generate", own.model, "-n", 5, "--output", tmp_path / "new")
    assert outcome.code == 2
    assert "generator.onnx has changed since it was written" in outcome.stderr


def test_a_network_that_refers_to_other_files_is_rejected(own: Trained, tmp_path: Path) -> None:
    import onnx

    model = own.model.resolve()
    network = onnx.load(model / "generator.onnx")
    tensor = network.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../../../../../etc/passwd"
    replace_file(model, "generator.onnx", network.SerializeToString())
    outcome = genset("generate", model, "-n", 5, "--output", tmp_path / "new")
    assert outcome.code == 2
    assert "Traceback" not in outcome.stderr


def test_prune_does_not_follow_links_out_of_the_output_root(own: Trained, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    shutil.copytree(own.dataset, precious)
    (own.out / "datasets" / "digits" / "v0000").symlink_to(precious, target_is_directory=True)
    genset("prune", "--keep", 1, "--output", own.out)
    assert len(list(precious.rglob("*"))) == len(list(own.dataset.rglob("*")))


# Modules that reach outside of the process and that the package may import, with the reason.
ALLOWED = {
    "sweep.py": {"subprocess"},  # a process for each run
    "atomic.py": {"ctypes"},  # syncfs
    "memory.py": {"ctypes"},  # malloc_trim and madvise
    "ray_cluster.py": {"socket", "pickle"},  # checks whether the cluster answers; Ray transfers pickles
    "ray_worker.py": {"pickle"},  # the same on the worker, which runs code from Ray anyway
}
FORBIDDEN = {"socket", "ssl", "http", "urllib.request", "requests", "pickle", "marshal", "shelve", "dill", "subprocess", "ctypes", "ftplib",
             "smtplib", "multiprocessing", "xmlrpc", "webbrowser", "importlib.machinery", "runpy", "code"}  # fmt: skip


def test_the_package_uses_no_network_no_pickle_and_no_eval() -> None:
    found = {}
    for path in sorted((ROOT / "genset").rglob("*.py")):
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names} | {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, node.module.partition(".")[0]}
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("eval", "exec", "compile")
            ):
                names.add(node.func.id)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "os.system",
                "os.popen",
                "keras.models.load_model",
            ):
                names.add(ast.unparse(node.func))
        bad = names & {*FORBIDDEN, "eval", "exec", "compile", "os.system", "os.popen", "keras.models.load_model"}
        bad -= ALLOWED.get(path.name, set())
        if bad:
            found[str(path.relative_to(ROOT))] = bad
    assert found == {}


@pytest.mark.slow
def test_a_run_needs_no_network(tmp_path: Path) -> None:
    isolated = ["unshare", "--net", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow network namespaces")
    source = digits(tmp_path / "digits", 12, "01")
    values = {"name": "d", "modality": "image", "data": {"source": str(source)}, "train": {"steps": 5}}
    keep = {"per_class": 2, "near_copies": "keep", "wrong_labels": "keep"}
    (tmp_path / "c.yaml").write_text(json.dumps({**values, "generate": keep, "model": {"prior": "kde"}}))
    command = [
        *isolated,
        sys.executable,
        "-m",
        "genset",
        "train",
        str(tmp_path / "c.yaml"),
        "--output",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [*isolated, sys.executable, "-m", "genset", "inspect", str(source), "--report", str(tmp_path / "page.html")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_library_writes_usage_reports_or_machine_ids(own: Trained, tmp_path: Path) -> None:
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temporary"), "XDG_CACHE_HOME": ""}
    places["MPLCONFIGDIR"] = str(tmp_path)  # the font cache of matplotlib, which is no report
    trained = genset("run", own.config, "train.steps=30", "generate.near_copies=keep", "generate.wrong_labels=keep",
                     "model.prior=kde", "--output", tmp_path / "out", **places)  # fmt: skip
    assert trained.code == 0, trained.stderr
    assert genset("generate", own.model, "-n", 5, "--output", tmp_path / "new", **places).code == 0
    left = [str(path.relative_to(tmp_path)) for name in ("home", "temporary") for path in (tmp_path / name).rglob("*")]
    assert sorted(left) == ["home/.keras", "home/.keras/keras.json"]  # Keras's defaults


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_bytes_raise_only_the_documented_errors(name: str) -> None:
    count, failures = rounds(name, 300, seed=3)
    assert count == 300
    assert [message for _, message in failures] == []
