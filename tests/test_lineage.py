"""Every item of every version can be traced to the user's files, or to a model and the files it was trained on."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from genset.metadata import read_version
from genset.pipeline.reading import reader
from genset.versions.root import Root
from genset.versions.version import open_version
from genset.workflows.lineage import VersionItem, ancestry, ancestry_lines
from tests.helpers import Trained, genset

COMMANDS = {
    "run": [],
    "generated": [["generate", "{model}", "-n", 6, "--name", "generated"]],
    "like": [["generate", "{model}", "--like", "{file}", "-n", 3, "--name", "like"]],
    "augmented": [["augment", "{source}", "--copies", 1, "--name", "augmented"]],
    "balanced": [["augment", "{run}", "--balance", 75, "--model", "{model}", "--name", "balanced"]],
    "mixed": [["augment", "{run}", "--copies", 1, "augment.steps=[mixup]", "--name", "mixed"]],
    "split": [
        ["augment", "{source}", "--copies", 1, "--name", "before"],
        ["split", "before", "--ratios", "0.5,0.25,0.25", "--name", "split"],
    ],
}
FAST = {"run", "like", "balanced"}  # everything that an item can come from: a file, another item, a model
WAYS = [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in COMMANDS]


def ends(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The ends of an ancestry: items that have no parents."""
    if tree.get("parents"):
        for parent in tree["parents"]:
            yield from ends(parent)
    else:
        yield tree


@pytest.fixture(scope="module")
def roots(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A copy of the run, to which the tests of this module add versions."""
    folder = tmp_path_factory.mktemp("lineage")
    shutil.copytree(trained.out, folder / "out", symlinks=True)
    return Trained(folder / "out", trained.source, trained.config, trained.outcome)


@pytest.mark.parametrize("name", WAYS)
def test_every_item_of_every_version_is_traced_to_the_users_files(roots: Trained, name: str) -> None:
    places = {
        "model": roots.model,
        "run": roots.dataset,
        "source": roots.source,
        "file": next((roots.source / "3").iterdir()),
    }
    for words in COMMANDS[name]:
        command = [str(word).format(**places) for word in words]
        outcome = genset(*command, "--output", roots.out, "--quiet")
        assert outcome.code == 0, outcome.stderr
    target = "digits" if name == "run" else name
    version = open_version(roots.out / "datasets" / target / "latest")
    assert version is not None
    records = {record.id: record for record in read_version(version.path, reader(version))}
    sources = set()
    for record in records.values():
        tree = ancestry(VersionItem(version, record, records), Root(roots.out))
        sources.add(tree["source"])
        for end in ends(tree):
            if end.get("source") == "collected":
                assert any((Path(folder) / end["file"]).is_file() for folder in end["sources"]), end
            elif end.get("source") == "generated":
                assert end["model"]["learned_from"] == [str(roots.source)], end
                assert end["seed"] and end["drawn"], end
            else:
                assert name == "like" and tree["model"]["learned_from"] == [str(roots.source)], end
        assert ancestry_lines(tree)
    assert sources - {"collected"} or name == "split"


def test_inspect_prints_the_ancestry_of_an_item(roots: Trained) -> None:
    rows = (roots.dataset / "train" / "metadata.jsonl").read_text().splitlines()
    copy = next(row for row in map(json.loads, rows) if row["source"] == "augmented")
    outcome = genset("inspect", roots.dataset / "train" / copy["file_name"], "--json")
    item = outcome.json["item"]
    assert (item["source"], item["parents"][0]["id"]) == ("augmented", copy["origin"])
    assert (Path(item["parents"][0]["sources"][0]) / item["parents"][0]["file"]).is_file()
