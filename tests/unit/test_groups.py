"""Groups by a column or by a pattern on the path, and groups that are guessed from names."""

import pytest

from genset.errors import GensetError
from genset.pipeline.collect.groups import guess_grouping, with_groups
from tests.unit.builders import record, records


def test_without_a_setting_records_stay_the_same() -> None:
    every = records(3)
    assert with_groups(every, None) == tuple(every)


def test_a_group_is_a_column_of_the_user_also_one_named_like_ours() -> None:
    every = [record("x", columns={"speaker": "s1"}), record("y", columns={"user_speaker": "s2"}), record("z")]
    assert [each.group for each in with_groups(every, "speaker")] == ["s1", "s2", ""]


def test_a_group_is_what_a_pattern_finds_in_the_path() -> None:
    every = [record("anna_1.png"), record("b/bert_2.png"), record("plain.png")]
    assert [each.group for each in with_groups(every, r"(?P<group>[a-z]+)_\d")] == ["anna", "bert", ""]


@pytest.mark.parametrize("group", ["speaker", "(?P<group>writer)"])
def test_a_setting_that_no_item_fits_is_an_error_with_an_example(group: str) -> None:
    with pytest.raises(GensetError, match=r"gives no item a group; the first item is 'a0'"):
        with_groups(records(2), group)


def test_a_column_with_a_typical_name_is_guessed_before_file_names() -> None:
    every = [record(f"w{n % 3}_{n}.png", "ab"[n % 2], columns={"patient": f"p{n % 4}"}) for n in range(12)]
    found = guess_grouping(every)
    assert found is not None
    assert (found.group, found.why) == ("patient", "4 groups: p0 (3), p1 (3), p2 (3), ...")


@pytest.mark.parametrize(
    "names",
    [
        [f"w{n}_{n}" for n in range(12)],  # a group for each item
        ["w0_1"] * 9 + ["w1_1"] * 3,  # most items in one group
        [*[f"w{n % 3}_{n}" for n in range(11)], "other"],  # an item without a group
    ],
    ids=["single items", "one large group", "no group"],
)
def test_implausible_groups_are_not_guessed(names: list[str]) -> None:
    assert guess_grouping([record(name, "ab"[n % 2]) for n, name in enumerate(names)]) is None
