"""Assignment to train, validation and test: stratified, grouped, and a pure function of its inputs."""

import itertools
import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from genset.config.loading import dump, load
from genset.config.split_section import Split
from genset.dataset import Record
from genset.engine import Local
from genset.errors import GensetError
from genset.interfaces import Progress
from genset.pipeline.job import Job
from genset.pipeline.prepare import prepare
from genset.pipeline.split.assign import assign, deviations, folds, shares_of
from genset.versions.root import Root
from tests.helpers import SAMPLES, digits, genset
from tests.helpers import config as write_config

RATIOS = (0.8, 0.1, 0.1)


def records(counts: dict[str, int]) -> list[Record]:
    return [Record(f"{label}{n}", Path(), label) for label, count in counts.items() for n in range(count)]


def test_each_class_is_split_by_the_ratios() -> None:
    counts = Counter((r.label, r.split) for r in assign(records({"a": 100, "b": 50, "c": 10}), RATIOS, 0))
    assert counts == {
        ("a", "train"): 80, ("a", "validation"): 10, ("a", "test"): 10,
        ("b", "train"): 40, ("b", "validation"): 5, ("b", "test"): 5,
        ("c", "train"): 8, ("c", "validation"): 1, ("c", "test"): 1,
    }  # fmt: skip


def test_the_order_of_the_records_does_not_matter() -> None:
    first = records({"a": 31, "b": 17})
    second = random.Random(1).sample(first, len(first))
    assert {r.id: r.split for r in assign(first, RATIOS, 3)} == {r.id: r.split for r in assign(second, RATIOS, 3)}


def test_another_seed_gives_another_split() -> None:
    items = records({"a": 100})
    assert [r.split for r in assign(items, RATIOS, 0)] != [r.split for r in assign(items, RATIOS, 1)]


def test_a_class_of_one_goes_to_train() -> None:
    assert [r.split for r in assign(records({"a": 1}), RATIOS, 0)] == ["train"]


def test_a_group_is_in_one_split_even_across_classes() -> None:
    items = [Record(f"{s}{n}", Path(), str(n % 10), group=f"speaker{s}") for s in range(20) for n in range(30)]
    assigned = assign(items, RATIOS, 0)
    places = {group: {r.split for r in assigned if r.group == group} for group in {r.group for r in assigned}}
    assert all(len(splits) == 1 for splits in places.values())
    assert Counter(r.split for r in assigned) == {"train": 480, "validation": 60, "test": 60}


def test_splits_of_the_user_are_kept_and_missing_ones_filled_from_train() -> None:
    items = [Record(f"t{n}", Path(), "a", split="test") for n in range(20)]
    items += [Record(f"r{n}", Path(), "a", split="train") for n in range(90)]
    assigned = assign(items, RATIOS, 0)
    assert {r.id for r in assigned if r.split == "test"} == {f"t{n}" for n in range(20)}
    assert Counter(r.split for r in assigned) == {"train": 80, "validation": 10, "test": 20}


def test_many_small_classes_fill_every_split_together() -> None:
    for each in (3, 4, 5, 6):
        counts = Counter(r.split for r in assign(records({f"c{n}": each for n in range(50)}), RATIOS, 0))
        assert counts == {"train": 40 * each, "validation": 5 * each, "test": 5 * each}


def test_items_of_equal_content_stay_together() -> None:
    items = [Record(f"{n}-{k}", Path(), "a", content=str(n)) for n in range(40) for k in range(2)]
    places: dict[str, set[str]] = {}
    for record in assign(items, RATIOS, 0):
        places.setdefault(record.content, set()).add(record.split)
    assert all(len(splits) == 1 for splits in places.values())


def test_the_group_of_a_held_out_item_of_the_user_is_held_out() -> None:
    items = [Record(f"t{n}", Path(), "a", split="test", group="anna") for n in range(5)]
    items += [Record(f"r{n}", Path(), "a", split="train", group="anna") for n in range(5)]
    items += [Record(f"f{n}", Path(), "a", split="train") for n in range(80)]
    assert {r.split for r in assign(items, RATIOS, 0) if r.group == "anna"} == {"test"}


def test_everything_can_go_to_train() -> None:
    assert {r.split for r in assign(records({"a": 20}), (1.0, 0.0, 0.0), 0)} == {"train"}


def test_counts_are_met_and_the_remaining_items_left_out() -> None:
    items = records({"a": 70, "b": 41})
    for counts, expected in ((("rest", 20, 10), {"train": 81, "validation": 20, "test": 10}),
                             ((60, 7, 13), {"train": 60, "validation": 7, "test": 13, "": 31})):  # fmt: skip
        shares = shares_of(Split(counts=counts), items)
        assert Counter(r.split for r in assign(items, shares, 0)) == expected


def test_columns_are_stratified_besides_the_label() -> None:
    items = [
        Record(f"{label}{side}{n}", Path(), label, columns={"side": side})
        for label, side, count in (("a", "left", 60), ("a", "right", 20), ("b", "left", 20), ("b", "right", 100))
        for n in range(count)
    ]
    counts = Counter((r.label, r.columns["side"], r.split) for r in assign(items, RATIOS, 0, ["side"]))
    assert [counts["a", "left", s] for s in ("train", "validation", "test")] == [48, 6, 6]
    assert [counts["b", "right", s] for s in ("train", "validation", "test")] == [80, 10, 10]
    with pytest.raises(GensetError) as error:
        assign(items, RATIOS, 0, ["sid"])
    assert str(error.value) == (
        "split.stratify: no column 'sid' (did you mean `side`?)\n  Use one of the columns group, label, side."
    )


def test_small_strata_do_not_unbalance_the_labels() -> None:
    items = [Record(f"{n}", Path(), str(n % 2), columns={"who": str(n)}) for n in range(100)]
    counts = Counter((r.label, r.split) for r in assign(items, RATIOS, 0, ["who"]))
    assert counts == {
        (label, split): count for label in "01" for split, count in (("train", 40), ("validation", 5), ("test", 5))
    }


def test_every_item_is_tested_in_one_fold_and_groups_stay_together() -> None:
    items = [Record(f"{s}-{n}", Path(), str(n % 2), group=f"s{s}") for s in range(10) for n in range(8)]
    all_folds = folds(items, 5, 0)
    tested = Counter(r.id for fold in all_folds for r in fold if r.split == "test")
    assert tested == dict.fromkeys((r.id for r in items), 1)
    for fold in all_folds:
        assert Counter(r.split for r in fold) == {"train": 64, "test": 16}
        assert Counter(r.label for r in fold if r.split == "test") == {"0": 8, "1": 8}
        assert not {r.group for r in fold if r.split == "test"} & {r.group for r in fold if r.split == "train"}
    with pytest.raises(GensetError) as error:
        folds(items, 11, 0)
    assert error.value.message == "cannot make 11 folds from 10 groups: the items of a group stay together"


@pytest.mark.parametrize("seed", range(8))
def test_no_item_moves_from_test_to_train_when_a_dataset_grows(seed: int) -> None:
    rng = random.Random(seed)

    def grown(start: int, stop: int) -> list[Record]:
        """Groups of several sizes, and near-duplicates that later items link."""
        return [
            Record(f"i{n}", Path(), str(n % 3), group=rng.choice(["", "", f"g{n % 17}"]),
                   cluster=rng.choice(["", "", "", f"k{n % 29}"]))
            for n in range(start, stop)
        ]  # fmt: skip

    items = grown(0, 200)
    place = {r.id: r.split for r in assign(items, RATIOS, seed)}
    for stop in (230, 400, 1000):
        items += grown(len(items), stop)
        now = {r.id: r.split for r in assign(items, RATIOS, seed, previous=place)}
        moved = Counter((place[name], now[name]) for name in place if place[name] != now[name])
        assert not [pair for pair in moved if pair[0] == "test" or pair[1] == "train"], moved
        place = now
    units = {r.id: (r.group, r.cluster) for r in items}
    for which in (0, 1):
        parts: dict[str, set[str]] = {}
        for name, names in units.items():
            parts.setdefault(names[which], set()).add(place[name])
        assert all(len(splits) == 1 for name, splits in parts.items() if name)


@pytest.mark.parametrize("seed", range(6))
def test_sizes_are_as_close_to_the_ratios_as_large_groups_allow(seed: int) -> None:
    rng = random.Random(seed)
    sizes = [rng.randint(5, 60) for _ in range(8)]
    items = [Record(f"{g}-{n}", Path(), str(n % 3), group=f"g{g}") for g, size in enumerate(sizes) for n in range(size)]
    total = len(items)
    counts = Counter(r.split for r in assign(items, RATIOS, seed))
    got = sum(
        abs(counts[name] - share * total) for name, share in zip(("train", "validation", "test"), RATIOS, strict=True)
    )
    best = min(
        sum(
            abs(sum(s for s, p in zip(sizes, places, strict=True) if p == k) - share * total)
            for k, share in enumerate(RATIOS)
        )
        for places in itertools.product(range(3), repeat=len(sizes))
    )
    assert got <= best + 0.02 * total


def test_a_split_of_unexpected_size_is_reported_with_its_group() -> None:
    items = [Record(f"{s}{n}", Path(), str(n % 2), group=f"s{s}") for s in range(4) for n in range(50)]
    assigned = assign(items, RATIOS, 0)
    assert Counter(r.split for r in assigned) == {"train": 150, "test": 50}
    (test,) = {r.group for r in assigned if r.split == "test"}
    train = max(r.group for r in assigned if r.split == "train")
    assert deviations(items, assigned, dict(zip(("train", "validation", "test"), RATIOS, strict=True))) == [
        "train has 75.0% of the items instead of 80.0%",
        "validation has 0.0% of the items instead of 10.0%: group 's0' has 50 items (25.0%) that stay together, and no group is smaller",
        f"test has 25.0% of the items instead of 10.0%: group {test!r} has 50 items (25.0%) that stay together",
    ]
    assert train != test


def test_a_dataset_of_the_same_name_keeps_its_splits_and_grows(in_folder: Path) -> None:
    digits(in_folder / "plain", 20, "01")
    assert genset("split", "plain", "--name", "s", "--quiet").code == 0
    first = splits_by_name(in_folder / "out/datasets/s/v0001")
    for path in sorted((SAMPLES / "1").iterdir())[20:60]:
        shutil.copy(path, in_folder / "plain" / "1" / path.name)
    outcome = genset("split", "plain", "--name", "s", "--json")
    second = splits_by_name(in_folder / "out/datasets/s/v0002")
    assert {name: second[name] for name in first} == first
    assert outcome.json["notes"] == ["40 items keep the split that they have in s@v0001"]
    assert Counter(second.values()) == {"train": 64, "validation": 8, "test": 8}
    outcome = genset("split", "plain", "--name", "s", "--reassign", "--json")
    assert "notes" not in outcome.json
    (in_folder / "theirs").mkdir()
    for split in ("train", "test"):
        shutil.copytree(in_folder / "out/datasets/s/v0001" / split, in_folder / "theirs" / split)
        (in_folder / "theirs" / split / "metadata.jsonl").unlink()
    held_out = {name for name, split in first.items() if split == "test"}
    assert genset("split", "theirs", "--quiet").code == 0
    kept = splits_by_name(in_folder / "out/datasets/theirs/v0001")
    assert {name for name, split in kept.items() if split == "test"} == held_out
    assert Counter(kept.values())["validation"] > 0
    assert genset("split", "./theirs", "--reassign", "--name", "again", "--seed", 5, "--quiet").code == 0
    reassigned = splits_by_name(in_folder / "out/datasets/again/v0001")
    assert {name for name, split in reassigned.items() if split == "test"} != held_out


def splits_by_name(version: Path) -> dict[str, str]:
    return {path.stem: path.relative_to(version).parts[0] for path in version.rglob("*/*/*.png")}


def test_folds_are_versions_that_can_be_verified(in_folder: Path) -> None:
    digits(in_folder / "plain", 12, "01")
    assert genset("augment", "plain", "--copies", 1, "--name", "more", "--quiet").code == 0
    outcome = genset("split", "more", "--folds", 3, "--json")
    assert [version["name"] for version in outcome.json["versions"]] == ["more-fold1", "more-fold2", "more-fold3"]
    for version in outcome.json["versions"]:
        assert version["counts"]["split"] == {"test": 8, "train": 32}
        assert version["counts"]["source"] == {"augmented": 16, "collected": 24}
        assert genset("verify", version["path"]).code == 0


def test_a_pattern_on_file_names_keeps_each_speaker_in_one_split(in_folder: Path) -> None:
    for label in "01":
        (in_folder / "clips" / label).mkdir(parents=True)
        for number, path in enumerate(sorted((SAMPLES / label).iterdir())[:30]):
            shutil.copy(path, in_folder / "clips" / label / f"{label}_{'abcdefghij'[number % 10]}_{number}.png")
    pattern = r"^\d/\d_(?P<group>\w)_"
    assert genset("split", "clips", "--group-by", pattern, "--quiet").code == 0
    outcome = genset("verify", "clips@latest", "--group-by", pattern, "--json")
    assert outcome.code == 0 and outcome.json["problems"] == []
    counts: Counter[tuple[str, str]] = Counter()
    for split in ("train", "validation", "test"):
        for line in (in_folder / "out/datasets/clips/latest" / split / "metadata.jsonl").read_text().splitlines():
            counts[json.loads(line)["group"], split] += 1
    assert counts == dict.fromkeys(counts, 6) and len(counts) == 10
    assert Counter(split for _, split in counts) == {"train": 8, "validation": 1, "test": 1}


@pytest.mark.parametrize(
    "words, message",
    [
        (["--counts", "30,5,6"], "genset: split.counts: the counts are 30 + 5 + 6, but only 40 items are usable, and train needs at least one\n  Reduce the counts, or give train the remaining items, for example [rest, 100, 100].\n"),
        (["--counts", "0,5,5"], "genset: split.counts=[0,5,5]: split.counts[0]: must be 'rest' or a whole number of at least 1, got 0\n"),
        (["--counts", "5,5,5", "--ratios", "0.8,0.1,0.1"], "genset: split.ratios=[0.8,0.1,0.1]: split: give ratios or counts, not both\n"),
        (["--folds", "41"], "genset: --folds: cannot make 41 folds from 40 groups: the items of a group stay together\n  Request at most 40 folds. Without groups, each item counts as one.\n"),
        (["--folds", "3", "--ratios", "0.8,0.1,0.1"], "genset: --folds: folds have equal sizes and ignore earlier splits, so ratios cannot be set\n  Leave out --folds, or the other settings.\n"),
        (["--stratify", "speaker"], "genset: split.stratify: no column 'speaker'\n  Use one of the columns group, label.\n"),
    ],
)  # fmt: skip
def test_impossible_splits_are_errors(in_folder: Path, words: list[str], message: str) -> None:
    digits(in_folder / "plain", 20, "01")
    outcome = genset("split", "plain", *words)
    assert (outcome.code, outcome.stderr) == (2, message)
    assert not list((in_folder / "out").rglob("*.png"))


@pytest.mark.slow
def test_a_run_depends_on_the_splits_of_the_previous_version(in_folder: Path) -> None:
    digits(in_folder / "plain", 20, "01")
    path = write_config(in_folder, in_folder / "plain", split={"previous": "out/datasets/plain/latest"})
    job = Job("run", Root(in_folder / "out"), Local(workers=1), Progress.silent())
    results = []
    for seed in "12":  # `latest` has other splits each time
        assert genset("split", "./plain", "--seed", seed, "--reassign", "--quiet").code == 0
        prepared = prepare(load(path), job)
        results.append((prepared.items_key, {record.id: record.split for record in prepared.dataset}))
    assert results[0][0] != results[1][0]
    assert results[0][1] != results[1][1]


def test_training_items_that_all_repeat_in_test_are_an_error(in_folder: Path) -> None:
    digits(in_folder / "plain" / "train", 6, "01")
    shutil.copytree(in_folder / "plain" / "train", in_folder / "plain" / "test")
    outcome = genset("split", "plain")
    assert (outcome.code, outcome.stderr) == (
        2,
        "the items are already split and keep their splits: train, test\n"
        "genset: plain: no training items left: all of them also appear in validation or test\n"
        "  Remove the copies from validation and test, or run `genset split FOLDER --reassign`.\n",
    )


def test_files_of_versions_are_hard_linked_and_those_of_users_on_request(in_folder: Path) -> None:
    digits(in_folder / "plain", 20, "01")
    for words in (
        ["plain"],
        ["./plain", "--hard-links", "--name", "linked"],
        ["plain@latest", "--ratios", "0.5,0.25,0.25"],
    ):
        assert genset("split", *words, "--quiet").code == 0
    users = {path.stat().st_ino for path in (in_folder / "plain").rglob("*.png")}
    copied, again, linked = (
        {path.stat().st_ino for path in (in_folder / "out/datasets" / version).rglob("*.png")}
        for version in ("plain/v0001", "plain/v0002", "linked/v0001")
    )
    assert linked == users
    assert not copied & users
    assert again == copied
    sums = [(in_folder / "out/datasets" / name / "v0001/SHA256SUMS").read_bytes() for name in ("plain", "linked")]
    names = [[line for line in text.splitlines() if b".png" in line] for text in sums]
    assert names[0] == names[1]
    victim = next((in_folder / "plain" / "0").iterdir())
    victim.write_bytes(victim.read_bytes() + b"x")
    outcome = genset("verify", "linked", "--json")
    assert [problem["kind"] for problem in outcome.json["problems"]] == ["checksum"]


@pytest.mark.slow
def test_a_run_keeps_the_splits_of_a_previous_version_and_accepts_counts(in_folder: Path) -> None:
    digits(in_folder / "plain", 20, "01")
    assert genset("split", "plain", "--quiet").code == 0
    first = splits_by_name(in_folder / "out/datasets/plain/v0001")
    for path in sorted((SAMPLES / "1").iterdir())[20:60]:
        shutil.copy(path, in_folder / "plain" / "1" / path.name)
    job = Job("run", Root(in_folder / "out"), Local(workers=1), Progress.silent())

    def parts(**section: object) -> dict[str, str]:
        path = write_config(in_folder, in_folder / "plain", split=section)
        return {record.id: record.split for record in prepare(load(path), job).dataset}

    grown = parts(previous="out/datasets/plain/v0001")
    assert {name: grown[name] for name in first} == first
    assert Counter(grown.values()) == {"train": 64, "validation": 8, "test": 8}
    assert Counter(parts(counts=["rest", 6, 3]).values()) == {"train": 71, "validation": 6, "test": 3}
    counted = load(write_config(in_folder, in_folder / "plain", split={"counts": ["rest", 6, 3]}))
    resolved = in_folder / "resolved.yaml"
    resolved.write_text(dump(counted))
    assert load(resolved).split == counted.split
    planned = genset("run", resolved, "--dry-run", "--json").json
    assert planned["counts"]["split"] == {"train": 71 + 24, "validation": 6, "test": 3}  # with what is generated
    with pytest.raises(GensetError) as error:
        parts(previous="plain")
    assert str(error.value) == (
        f"{in_folder}/plain: not a dataset version\n  Give a folder such as out/datasets/NAME/v0001."
    )
