"""Documents name files, config keys and decisions that exist."""

import re
from collections.abc import Iterator

import pytest

from genset.config.sections import Config
from genset.interfaces import Section
from tests.helpers import ROOT

PAGES = [
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "decisions").glob("*.md")),
    *("docs/design.md", "docs/style.md", "README.md", "CONTRIBUTING.md", "SECURITY.md"),
]
# Paths in the pages start at one of these.
STARTS = ("", "genset", "tests", "docs", "docs/decisions")
EXAMPLES = {"<m>": "text", "<family>": "vae", "COMMAND": "split", "STAGE": "split", "X.py": "split.py"}
# Code of other projects that docs/design.md recommends.
ELSEWHERE = {"model.py", "training/loss.py", "cli.py", "utils/_param_validation.py", "base.py"}


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.<>-]+/)*[\w.<>-]+\.(?:py|css|j2)|(?:[\w<>-]+/)+)`", text))
    missing = []
    for name in sorted(named - ELSEWHERE):
        example = name
        for word, instance in EXAMPLES.items():
            example = example.replace(word, instance)
        exists = any((ROOT / start / example).exists() for start in STARTS)
        known = exists or name.startswith("out/") or ("/" not in name and any((ROOT / "genset").rglob(name)))
        missing += [] if known else [name]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_links_in_a_page_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []


def test_every_decision_is_in_the_index_and_keeps_its_old_number() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md") if path.name != "README.md"}
    assert sorted(set(re.findall(r"\((\S+\.md)\)", index))) == sorted(files)
    numbers = {
        number: name
        for name, text in files.items()
        for number in re.findall(r"^## .*\((?:was )?(\d{4})\)$", text, re.M)
    }
    listed = dict(re.findall(r"^\| (\d{4}) \| .*\((\S+\.md)\) \|$", index, re.M))
    assert listed == numbers
    assert len(numbers) >= 59


def _sections(kind: type[Section]) -> Iterator[type[Section]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _sections(below)


def test_the_changelog_lists_every_renamed_key() -> None:
    assert issubclass(Config, Section)  # importing it imports every section
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    pairs = {pair for kind in _sections(Section) for pair in kind.renamed.items()}
    pairs |= {pair for kind in _sections(Section) for words in kind.renamed_values.values() for pair in words.items()}
    missing = [f"{old} -> {new}" for old, new in sorted(pairs) if f"`{old}`" not in text or f"`{new}`" not in text]
    assert missing == []
