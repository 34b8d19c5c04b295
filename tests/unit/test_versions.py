"""Which version `latest` means and which ones can be removed; these versions consist of a manifest only."""

import json
from pathlib import Path
from typing import Any

import pytest

from genset.errors import GensetError
from genset.pipeline.job import up_to_date
from genset.versions.root import Root
from genset.versions.version import Version
from genset.workflows.list import list_versions
from genset.workflows.prune import prune
from tests.helpers import manifest_of


def version(root: Root, kind: str, name: str, number: str, **more: Any) -> Version:
    """A version that consists of a manifest."""
    path = root.path / kind / name / number
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps(manifest_of(kind, name, number, **more)), encoding="utf-8")
    return Version(path, kind, name, number)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "out")


def test_latest_is_the_version_that_the_link_points_to(root: Root) -> None:
    first, second = (version(root, "models", "m", number) for number in ("v0001", "v0002"))
    root.point(first)
    assert root.latest("models", "m") == first
    root.point(second)
    assert root.latest("models", "m") == second
    assert (first.path.parent / "latest").readlink() == Path("v0002")


def test_pointing_to_the_same_version_changes_nothing(root: Root) -> None:
    only = version(root, "models", "m", "v0001")
    root.point(only)
    link = only.path.with_name("latest")
    before = link.lstat().st_ino
    root.point(only)
    assert link.lstat().st_ino == before


def test_without_a_link_latest_is_the_newest_version_that_passed(root: Root) -> None:
    passed = version(root, "datasets", "d", "v0002")
    version(root, "datasets", "d", "v0010", status="failed")
    assert root.latest("datasets", "d") == passed


def test_a_link_to_a_removed_version_is_not_followed(root: Root) -> None:
    first, second = (version(root, "models", "m", number) for number in ("v0001", "v0002"))
    root.point(second)
    root.remove(second)
    assert root.latest("models", "m") == first


def test_no_latest_where_all_versions_failed(root: Root) -> None:
    version(root, "datasets", "d", "v0001", status="failed")
    assert root.latest("datasets", "d") is None


def test_no_latest_where_a_name_has_no_versions(root: Root) -> None:
    assert root.latest("models", "m") is None


def test_versions_are_in_the_order_of_their_numbers(root: Root) -> None:
    for number in ("v10000", "v0002", "v9999"):
        version(root, "models", "m", number)
    (root.path / "models" / "m" / ".v0003.partial").mkdir()
    assert [each.id for each in root.versions("models", "m")] == ["v0002", "v9999", "v10000"]


def test_the_newest_version_with_a_key_is_found(root: Root) -> None:
    for number, keys in (("v0001", ["x", "y"]), ("v0002", ["x"]), ("v0003", ["z"])):
        version(root, "models", "m", number, keys=keys)
    assert [getattr(up_to_date(root, "models", "m", key), "id", None) for key in "xyzw"] == [
        "v0002",
        "v0001",
        "v0003",
        None,
    ]


def removed(root: Root, name: str | None, keep: int) -> list[str]:
    return [each.version.reference for each in prune(root, name, keep).removed]


def test_prune_keeps_the_newest_and_the_latest(root: Root) -> None:
    versions = [version(root, "datasets", "d", f"v000{number}") for number in range(1, 6)]
    root.point(versions[1])
    assert removed(root, None, 2) == ["d@v0001", "d@v0003"]


def test_prune_keeps_what_a_kept_version_was_made_from(root: Root) -> None:
    for number in range(1, 4):
        version(root, "models", "m", f"v000{number}")
    version(root, "datasets", "d", "v0001", parents=["m@v0001"])
    assert removed(root, None, 1) == ["m@v0002"]
    assert removed(root, "d", 1) == []


def test_a_chain_of_parents_is_kept_to_its_beginning(root: Root) -> None:
    for number, parents in (("v0001", []), ("v0002", ["d@v0001"]), ("v0003", []), ("v0004", ["d@v0002"])):
        version(root, "datasets", "d", number, parents=parents)
    assert removed(root, "d", 1) == ["d@v0003"]


def test_a_damaged_version_is_never_removed(root: Root) -> None:
    for number in ("v0001", "v0002"):
        version(root, "models", "m", number)
    (root.path / "models" / "m" / "v0001" / "manifest.json").write_text("{", encoding="utf-8")
    assert removed(root, None, 1) == []
    assert [bool(each.fault) for each in list_versions(root)] == [True, False]


def test_a_name_without_versions_is_an_error_with_the_closest_name(root: Root) -> None:
    version(root, "models", "digits", "v0001")
    with pytest.raises(GensetError, match="digits"):
        list_versions(root, "digit")
