"""What the documents say is what the program does: commands run, links lead somewhere, generated parts are current."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from genset.cli import app
from genset.config import loading
from tests.helpers import ROOT, genset

README = (ROOT / "README.md").read_text(encoding="utf-8")
HOWTO = (ROOT / "docs" / "howto.md").read_text(encoding="utf-8")
SET_UP = [
    "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt . && .venv/bin/genset run configs/quickstart.yaml",
    "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt '.[test]' && .venv/bin/python -m pytest -n 2 --dist worksteal",
]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_two_commands_stand_in_the_readme_and_ci_runs_the_second() -> None:
    assert [line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv")] == SET_UP
    taken = subprocess.run(
        ["sed", "-n", r"/\[test\]/s/^ *\(python3 -m venv .*\)$/\1/p", "README.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert taken.stdout.strip() == SET_UP[1]
    assert r"""sed -n '/\[test\]/s/^ *\(python3 -m venv .*\)$/\1/p' README.md""" in (ROOT / ".ci/run").read_text()


def test_no_place_holder_is_left_in_what_users_read() -> None:
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        assert not re.search(r"^[A-Z]{4,}$|\bTODO\b|\bTBD\b|\bFIXME\b", path.read_text("utf-8"), re.MULTILINE), path


def documented_commands() -> list[list[str]]:
    """The words after `genset` of each command line of the README and the how-to pages."""
    lines = [line for page in (README, HOWTO) for block in blocks("sh", page) for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("genset ")]


def test_every_documented_command_has_arguments_and_options_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("samples", "configs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    commands = typer.main.get_group(app).commands
    assert len(documented_commands()) >= 25
    for name, *words in documented_commands():
        commands[name].make_context(name, list(words))  # raises for an argument or option that does not exist


@pytest.mark.slow
def test_every_command_of_the_tour_and_of_the_how_to_pages_runs_as_written(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    for folder in (tmp_path / "samples" / "image").iterdir():  # fewer digits: most of an hour would go to judging them
        for path in sorted(folder.glob("*.png"))[30 + int(folder.name) :] if folder.is_dir() else ():
            path.unlink()
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    # The training is cut short: to steps, as seconds of a busy machine may be too few to learn anything
    quick, slow = (["quality.gates=[]", f"train={{steps: {steps}}}"] for steps in (150, 50))
    assert genset("run", "configs/quickstart.yaml", *quick, "generate.per_class=30", cwd=tmp_path).code == 0
    for words in documented_commands():
        shorter = [*(quick if "configs/quickstart.yaml" in words else slow)]
        shorter += [] if any(word.startswith("generate.per_class=") for word in words) else ["generate.per_class=30"]
        outcome = genset(*words, *(shorter if words[0] == "run" else []), cwd=tmp_path)
        stale = words[0] == "status"  # the test's own overrides are not in the config
        assert outcome.code == int(stale), f"{words}\n{outcome.stdout}{outcome.stderr}"
    code = "\n".join(blocks("python", HOWTO))
    loaded = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr


def test_units_of_systemd_are_valid(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on this machine")
    for name, unit in zip(("genset.service", "genset.timer"), blocks("ini", HOWTO), strict=True):
        (tmp_path / name).write_text(
            unit.replace("/srv/sets/.venv/bin/genset", sys.executable).replace("/srv/sets", "/")
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_config_of_the_readme_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    path = tmp_path / "shapes.yaml"
    path.write_text(text, encoding="utf-8")
    assert loading.load(path).name == yaml.safe_load(text)["name"]


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/design.md", "docs/howto.md", "docs/glossary.md"]
)
def test_links_lead_to_files_that_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []


def test_generated_pages_are_current() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate
    finally:
        sys.path.pop(0)
    for name, made in generate.pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == made, "run: python docs/generate.py"


def test_samples_are_made_by_their_script() -> None:
    code = (
        "import sys, hashlib; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import make_image\n"
        "make_image.FOLDER = Path(sys.argv[2]); make_image.main()\n"
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", code, str(ROOT / "samples"), folder], check=True, timeout=120)
        made = {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*.png")}
    shipped = ROOT / "samples" / "image"
    assert made == {path.relative_to(shipped): path.read_bytes() for path in shipped.rglob("*.png")}


def test_a_licence_that_binds_what_is_made_with_genset_is_refused() -> None:
    from email.message import Message

    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate
    finally:
        sys.path.pop(0)
    for licence, free in (
        ("MIT", True),
        ("LGPL-2.1-or-later", True),
        ("GPL-3.0-only", False),
        ("AGPL-3.0 OR GPL-2.0", False),
        ("", False),
    ):
        told = Message()
        told["License-Expression"] = licence
        if free:
            assert generate.licence_of("x", told) == licence
        else:
            with pytest.raises(ValueError, match="has the licence"):
                generate.licence_of("x", told)
