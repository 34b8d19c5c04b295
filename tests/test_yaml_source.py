"""The strict reader: values mean what they say, and every value knows its place."""

import pytest

from genset.config.yaml_reader import ConfigError, override, parse
from genset.errors import GensetError


def test_yaml_traps_are_read_as_written() -> None:
    tree = parse("a: 1e-3\nb: no\nc: 1:30\nd: 2026-01-02\ne: true\nf: ~\ng: 007\n", "x.yaml")
    assert tree.values == {"a": 0.001, "b": "no", "c": "1:30", "d": "2026-01-02", "e": True, "f": None, "g": 7}


def test_keys_are_text_so_a_class_called_7_stays_7() -> None:
    assert parse("7: 1\nno: 2\n", "x.yaml").values == {"7": 1, "no": 2}


def test_a_key_given_twice_names_both_lines() -> None:
    assert [str(fault) for fault in parse("a: 1\nb:\n  c: 1\n  c: 2\n", "x.yaml").faults] == [
        "x.yaml:4:3: b.c: given twice (first in line 3)"
    ]


def test_a_tag_that_would_run_code_is_a_fault() -> None:
    faults = parse("a: !!python/object/apply:os.system [ls]\n", "x.yaml").faults
    assert [str(fault) for fault in faults] == [
        "x.yaml:1:4: a: the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed: write a plain value"
    ]


def test_an_empty_file_says_what_is_needed() -> None:
    assert [str(fault) for fault in parse("# nothing\n", "x.yaml").faults] == [
        "x.yaml:1:1: the file is empty: name, modality and data are needed"
    ]


def test_a_syntax_error_has_line_and_column() -> None:
    with pytest.raises(ConfigError) as error:
        parse("a: [1\nb: 2\n", "x.yaml")
    assert str(error.value) == "x.yaml:2:2: not valid YAML: expected ',' or ']', but got ':'"


def test_aliases_that_unfold_without_end_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        parse("\n".join(lines), "x.yaml")


def test_an_override_reaches_into_sections_and_expands_a_bare_kind() -> None:
    tree = override(parse("modality: image\n", "x.yaml"), ["modality.size=16", "train.steps=5", "a.b=[1, {c: no}]"])
    assert tree.values == {
        "modality": {"kind": "image", "size": 16},
        "train": {"steps": 5},
        "a": {"b": [1, {"c": "no"}]},
    }


def test_a_value_of_an_override_is_placed_at_the_override() -> None:
    tree = override(parse("train: {steps: 3}\n", "x.yaml"), ["train.steps=5"])
    assert str(tree.place(("train", "steps"))) == "train.steps=5"


def test_an_override_without_equals_says_how_to_write_one() -> None:
    with pytest.raises(GensetError) as error:
        override(parse("a: 1\n", "x.yaml"), ["train.steps"])
    assert str(error.value) == "not an override: 'train.steps'\n  Write key.path=value, such as train.epochs=5."
