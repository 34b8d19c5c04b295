"""Invalid input gives one clear message with place, expectation and remedy, and no incomplete files are left."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import SAMPLES, Trained, config, digits, genset


def _missing(folder: Path) -> None:
    shutil.rmtree(folder)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _one(folder: Path) -> None:
    for path in sorted(folder.rglob("*.png"))[1:]:
        path.unlink()


def _all_bad(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no picture")


def _bad_class(folder: Path) -> None:
    (folder / "metadata.jsonl").write_text('{"file_name": "0/0000.png", "label": "../x"}\n')


def _long_class(folder: Path) -> None:
    shutil.copytree(folder / "0", folder / ("a" * 101))


def _a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"")


SOURCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing folder": (
        _missing,
        "{source}: the source does not exist\n"
        "  Point data.source at a folder. Relative paths start at the folder of the config file.",
    ),
    "a file": (
        _a_file,
        "{source}: the source is a file, expected a folder\n"
        "  Point data.source at a folder. Relative paths start at the folder of the config file.",
    ),
    "empty folder": (
        _empty,
        "{source}: no image files found (looked for .png, .jpg, .jpeg, .bmp, .gif, .tif, .tiff, .webp, .ppm, .pgm, .pbm)\n"
        "  Point data.source at a folder that contains one folder of files for each class.",
    ),
    "one class of one image": (
        _one,
        "{source}: 1 usable item, at least 10 are needed\n"
        "  Add items, or point data.source at a folder with more of them.",
    ),
    "no readable image": (
        _all_bad,
        "{source}: 0 usable items (24 left out; the first is 0/0000.png: not an image that Pillow can read), "
        "at least 10 are needed\n  Add items, or point data.source at a folder with more of them.",
    ),
    "a class named ../x": (
        _bad_class,
        "{source}/metadata.jsonl:1: the class name '../x' cannot be the name of a folder\n"
        "  Rename the class: no slash, backslash or control character, no dot at the start, no space at either end, not metadata.jsonl, at most 100 bytes.",
    ),
    "a class name that is too long": (
        _long_class,
        "{source}: the class name '" + "a" * 60 + "' cannot be the name of a folder\n"
        "  Rename the class: no slash, backslash or control character, no dot at the start, no space at either end, not metadata.jsonl, at most 100 bytes.",
    ),
}


@pytest.mark.parametrize("spoil, message", SOURCES.values(), ids=SOURCES.keys())
def test_a_bad_source_gives_one_message_and_exit_code_2(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    source = digits(tmp_path / "digits", 12, "01")
    path = config(tmp_path, source)
    spoil(source)
    outcome = genset("run", path, "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr == "genset: " + message.format(source=source) + "\n"
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.slow
def test_an_unreadable_image_is_quarantined_and_the_run_completes(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 15, "01")
    (source / "0" / "bad.png").write_bytes((SAMPLES / "0" / "0000.png").read_bytes()[:40])
    path = config(tmp_path, source, train={"steps": 40})
    outcome = genset("run", path, "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert genset("train", path, "--output", tmp_path / "out", "--json").code == 0  # reported, but not a failure
    assert [
        (problem["path"], problem["kind"]) for problem in outcome.json["problems"] if problem["path"].endswith(".png")
    ] == [("0/bad.png", "undecodable")]
    assert outcome.json["counts"]["source"]["collected"] == 30


def test_all_config_faults_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nmodality: {kind: image, size: 0}\ndata: {source: here, sourc: 1}\nseed: many\n")
    outcome = genset("run", path, "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr == (
        f"genset: {path}:2:25: modality.size: must be at least 8, got 0\n"
        f"{path}:3:22: data.sourc: unknown key (did you mean `source`?)\n"
        f"{path}:4:1: seed: must be a whole number, got 'many'\n"
    )
    assert not (tmp_path / "out").exists()


def test_errors_for_a_missing_config_or_model_say_what_to_give(tmp_path: Path) -> None:
    outcome = genset("run", tmp_path / "no.yaml")
    assert (outcome.code, outcome.stderr) == (
        2,
        f"genset: {tmp_path / 'no.yaml'}: cannot read the config: No such file or directory\n  Give the path of a YAML file.\n",
    )
    outcome = genset("generate", "nothing", "--output", tmp_path / "out")
    assert (outcome.code, outcome.stderr) == (
        2,
        "genset: no such model version or name: 'nothing'\n  Check the path, or train a model first: genset train CONFIG.\n",
    )


def test_an_error_is_one_json_object_with_the_json_option(tmp_path: Path) -> None:
    outcome = genset("generate", "nothing", "--json", "--output", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.json == {
        "command": "generate",
        "error": {
            "message": "no such model version or name: 'nothing'",
            "where": "",
            "hint": "Check the path, or train a model first: genset train CONFIG.",
        },
        "exit_code": 2,
    }


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["split", "{digits}", "--ratios", "0.5,0.5"], "split.ratios=[0.5,0.5]: split.ratios[2]: the list is too short: it has 2 values"),
        (["split", "{digits}", "--ratios", "a,b,c"], "\n".join(f"split.ratios=[a,b,c]: split.ratios[{n}]: must be a number, got '{c}'" for n, c in enumerate("abc"))),
        (["split", "{digits}", "--group-by", "(x"], "--group-by: invalid regular expression: missing ), unterminated subpattern at position 0"),
        (["split", "{digits}", "--name", "../x"], "--name: invalid name: '../x'\n  Use letters, digits, dots, dashes and underscores."),
        (["augment", "{digits}", "--balance", "most"], "balance.target=most: balance.target: must be max, median, a whole number, or a whole number for each label, got 'most'"),
        (["augment", "{digits}", "--balance", "{{7: 3}}"], "balance.target: no class '7'\n  Use one of the classes 0, 1."),
        (["augment", "{digits}", "train.steps=3"], "the command augment takes overrides of augment, balance and clean, not of 'train'\n  Write for example augment.copies=2."),
        (["augment", "{digits}", "augment.steps=[spin]"], "augment.steps=[spin]: augment.steps[0]: must be one of flip, flip_vertical, rotate, shift, zoom, affine, perspective, random_resized_crop, elastic, brightness, contrast, gamma, hue, saturation, posterise, invert, blur, sharpen, noise, jpeg, erase, mixup, cutmix, latent_mix, rand_augment, trivial_augment, one_of, some_of, all_of; got 'spin'"),
        (["inspect", "{digits}", "--gate", "lift > 0"], "--gate: a gate needs figures, and figures need a real dataset\n  Add --against and the real dataset, such as --against digits."),
        (["split", "{digits}", "--workers", "300"], "command line: engine.workers: must be at most 256, got 300"),
        (["inspect", "{digits}/0/0000.png"], "{digits}/0/0000.png: this file belongs to no version: inspect takes a dataset, a version, an item of a version, or a .yaml config\n  Give the folder that contains it."),
        (["inspect", "{digits}", "--against", "{digits}", "--gate", "label_acc >= 95"], "--gate: label_acc is always between 0 and 1, got 95"),
        (["inspect", "{digits}/none"], "no such folder or name: '{digits}/none'\n  Check the path, or create a version: genset run CONFIG."),
    ],
)  # fmt: skip
def test_wrong_usage_gives_one_message(tmp_path: Path, arguments: list[str], message: str) -> None:
    fill = {"digits": str(digits(tmp_path / "digits", 3, "01")), "out": str(tmp_path / "out")}
    outcome = genset(*(argument.format(**fill) for argument in arguments), "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr == f"genset: {message.format(**fill)}\n"


def test_a_class_that_a_model_does_not_have_is_named(own: Trained) -> None:
    outcome = genset("generate", own.model, "--label", "x", "--output", own.out)
    assert (outcome.code, outcome.stderr) == (
        2, "genset: the model has no class 'x'\n  Use one of its classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.\n",
    )  # fmt: skip


def test_unknown_options_and_commands_give_exit_code_2() -> None:
    assert genset("generate", "x", "--like", "y").code == 2
    assert genset("deploy").code == 2
    assert genset("run").code == 2
    result = genset("generate", "x", "--bogus", "--json")
    assert (result.code, result.json) == (2, {"error": {"message": "No such option: --bogus"}, "exit_code": 2})


def test_a_class_without_training_items_is_named(tmp_path: Path) -> None:
    source = digits(tmp_path / "s" / "train", 12, "0")
    digits(tmp_path / "s" / "test", 5, "1")
    outcome = genset("run", config(tmp_path, source.parent), "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stderr) == (
        2,
        "genset: data: class '1' has no training items\n"
        "  Add items of the class, give train a larger share in split.ratios, or remove the class from the source.\n",
    )


def test_an_output_root_that_is_a_file_gives_one_message(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    source = digits(tmp_path / "digits", 12, "01")
    outcome = genset("split", source, "--output", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.stderr) == (
        2,
        f"genset: {tmp_path / 'out'}: cannot write: file exists; no incomplete file was left\n"
        "  A file has this name: move it, or choose another place with --output.\n",
    )


def _in_mount(options: str, commands: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Run a shell in its own mount namespace with a small file system at tmp_path/out; skip if that is not permitted."""
    (tmp_path / "out").mkdir()
    mount = f"mount -t tmpfs -o {options} none {tmp_path}/out"
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"this machine allows no mount namespace: {probe.stderr.strip()}")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {commands}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_full_disk_gives_one_message_and_leaves_no_version(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 100)
    split = f"{sys.executable} -m genset split {source} --output {tmp_path}/out --quiet; echo code $?; find {tmp_path}/out -name 'v0*'"
    done = _in_mount("size=1m", split, tmp_path)
    assert done.stdout == "code 2\n"
    assert done.stderr.endswith(
        "cannot write: no space left on device; no incomplete file was left\n"
        "  Free some space, or choose another place with --output.\n"
    )


@pytest.mark.slow
def test_a_disk_that_fills_while_a_run_prepares_gives_one_message(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 100))
    run = f"{sys.executable} -m genset run {path} --output {tmp_path}/out --quiet; echo code $?; ls -A {tmp_path}/out/.work/*"
    done = _in_mount("size=40k", run, tmp_path)
    assert done.stdout == "code 2\n"
    assert "cannot write: no space left on device; no incomplete file was left\n" in done.stderr


def test_metadata_cannot_point_outside_a_version(own: Trained, tmp_path: Path) -> None:
    lines = own.dataset / "train" / "metadata.jsonl"
    lines.write_text(lines.read_text().replace('"label": "3"', '"label": "../../../../pwned"', 1))
    outcome = genset("split", own.dataset, "--output", tmp_path / "new", "--quiet")
    assert outcome.code == 2
    assert "the class name '../../../../pwned' cannot be the name of a folder" in outcome.stderr


def test_a_name_of_both_a_folder_and_a_version_is_an_error(own: Trained, in_folder: Path) -> None:
    digits(in_folder / "digits", 12, "01")
    outcome = genset("split", "digits", "--output", own.out, "--quiet")
    assert (outcome.code, outcome.stderr) == (
        2,
        f"genset: 'digits' is a folder here and a name under {own.out / 'datasets'}\n"
        "  Write ./digits for the folder, or digits@latest for the version.\n",
    )


def test_a_read_only_disk_gives_one_message(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 12, "01")
    split = f"{sys.executable} -m genset split {source} --output {tmp_path}/out --quiet; echo code $?"
    done = _in_mount("size=1m,ro", split, tmp_path)
    assert done.stdout == "code 2\n"
    assert done.stderr == (
        f"genset: {tmp_path}/out/.lock: cannot write: read-only file system; no incomplete file was left\n"
        "  Choose a place that can be written to, with --output.\n"
    )


def test_a_limit_on_file_sizes_gives_one_message_and_leaves_no_version(tmp_path: Path) -> None:
    source = digits(tmp_path / "digits", 30)
    path = config(tmp_path, source, train={"steps": 40})

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-m", "genset", "train", str(path), "--output", str(tmp_path / "out"), "--quiet"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, preexec_fn=limit, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "cannot write: file too large; no incomplete file was left\n"
        "  The file system or a limit forbids files of this size; choose another place with --output.\n"
    )
    assert not list((tmp_path / "out").rglob("*v0*"))
