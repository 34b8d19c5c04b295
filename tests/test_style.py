"""Texts that users read are plain English: phrases that docs/style.md replaces do not come back."""

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT

# Each phrase with what to write in its place. docs/style.md has the rules and the word table.
BANNED = {
    r"\b(told|tells?|telling) of\b": "report",
    r"\b(is|are|was|were|be|been) told\b": "is reported",
    r"\bof (no )?use\b": "invalid, unusable",
    r"\b(stands?(?! for| in for)|stood)\b": "is, appears, is listed",
    r"(?<!-)\banew\b": "again",
    r"\bmade (items?|ones?|clips?|texts?|sounds?|images?|pictures?|lines?|captions|drums|copies)\b": "synthetic, generated, augmented",
    r"\bas it was found\b": "unchanged",
    r"\b(is|are) asked (of|for)\b": "is requested",
    r"\b(take|takes|took|taken|taking) away\b": "remove",
    r"\b(bring|brings|brought) (it |them )?to\b": "convert, resize",
    r"(?<!not )\bhave it\b": "support it",
    r"\bof (ours|our own)\b": "genset's own",
    r"\bwhole\b(?! numbers?)": "complete",
    r"\btrain (items?|part|parts|clips?|texts?)\b": "training items, training set",
    r"\bjudg(e|es|ed|ing)\b(?!\.npz)": "evaluate",
    r"\b(doubt|doubts|doubted)\b": "check, label error",
    r"\bsystem refuses\b": "operating system error",
    r"\bgenset itself failed\b": "internal error",
    r"\bat work\b": "running",
    r"\b(go|goes|going|gone) on with\b": "continue",
    r"\bcure\b": "remedy, hint",
}
PHRASES = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in BANNED.items()}

# Names of random streams, caches and manifest keys: to change them would change bytes.
KEYS = {"judge", "judges"}

# A table of the words to replace; the names of licences.
NOT_CHECKED = ("docs/style.md", "docs/licences.md")

Text = tuple[Path, int, str]  # a file, the number of a line, the line


def pages() -> Iterator[Text]:
    """Every line of the documents."""
    for pattern in ("*.md", "docs/*.md", "samples/*/SOURCE.md", "genset/report/*.j2"):
        for path in sorted(ROOT.glob(pattern)):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield path, number, "" if line.startswith(">") else line  # licences are quoted


def configs() -> Iterator[Text]:
    """The comments of the configs that are shipped."""
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield path, number, line.partition("#")[2]


def strings() -> Iterator[Text]:
    """String literals of the package: messages, help, docstrings, among them those that describe config keys."""
    for path in sorted((ROOT / "genset").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in KEYS:
                for offset, line in enumerate(node.value.splitlines()):
                    yield path, node.lineno + offset, line


def comments() -> Iterator[Text]:
    """Comments of the package."""
    for path in sorted((ROOT / "genset").rglob("*.py")):
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.COMMENT:
                    yield path, token.start[0], token.string


def faults(texts: Iterator[Text]) -> list[str]:
    """What is wrong: file:line, the phrase, and what to write in its place."""
    listed = []
    for path, number, line in texts:
        name = path.relative_to(ROOT).as_posix()
        if name in NOT_CHECKED:
            continue
        for phrase, instead in PHRASES.items():
            listed += [f"{name}:{number}: {found.group()!r}: {instead}" for found in phrase.finditer(line)]
    return listed


@pytest.mark.parametrize("texts", [pages, configs, strings, comments])
def test_no_banned_phrase_is_used(texts: Callable[[], Iterator[Text]]) -> None:
    assert faults(texts()) == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("12 files are told of, and what is of no use is taken away", 4),
        ("made items stand in train anew", 3),
        ("`key: kind` stands for `key: {kind: kind}`; the standard deviation is a whole number", 0),
    ],
)
def test_banned_phrases_are_found_and_others_are_not(line: str, count: int) -> None:
    assert len(faults(iter([(ROOT / "any.md", 1, line)]))) == count
