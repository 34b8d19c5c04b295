"""Connected components."""

from genset.pipeline.components import connected_components


def test_links_without_a_common_name_are_separate() -> None:
    assert connected_components([("b", "a"), ("d", "c")]) == [["a", "b"], ["c", "d"]]


def test_a_link_of_one_name_is_a_component() -> None:
    assert connected_components([("x",), ("y",), ("x",)]) == [["x"], ["y"]]


def test_a_link_of_many_names_connects_all_of_them() -> None:
    assert connected_components([(5, 1, 3), (2, 4), (9, 3)]) == [[1, 3, 5, 9], [2, 4]]


def test_a_long_chain_is_one_component_in_either_direction() -> None:
    chain = [(n, n + 1) for n in range(5000)]
    assert connected_components(chain) == connected_components(chain[::-1]) == [list(range(5001))]
