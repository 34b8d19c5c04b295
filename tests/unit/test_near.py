"""Near-duplicates: which pairs are compared, and which rows are linked to clusters."""

import random

import numpy as np
import pytest

from genset.pipeline.clean.near_duplicates import NearPair, candidates, clusters


def pairs(*rows: tuple[int, int]) -> list[NearPair]:
    return [NearPair(first, second, 1.0) for first, second in rows]


def test_the_other_of_a_pair() -> None:
    pair = NearPair(3, 8, 0.9)
    assert (pair.other(3), pair.other(8)) == (8, 3)


def test_no_pairs_make_no_clusters() -> None:
    assert clusters([]) == []


def test_pairs_in_a_chain_make_one_cluster() -> None:
    assert clusters(pairs((7, 9), (1, 3), (3, 7))) == [[1, 3, 7, 9]]


def test_clusters_and_their_rows_are_in_order() -> None:
    assert clusters(pairs((8, 9), (2, 5), (0, 6), (5, 6), (1, 7))) == [[0, 2, 5, 6], [1, 7], [8, 9]]


def test_a_row_paired_with_itself_is_a_cluster_of_one() -> None:
    assert clusters(pairs((4, 4), (2, 3))) == [[2, 3], [4]]


@pytest.mark.parametrize("seed", range(10))
def test_clusters_equal_those_of_a_search(seed: int) -> None:
    rng = random.Random(seed)
    links = [(rng.randrange(60), rng.randrange(60)) for _ in range(30)]
    left = {row for link in links for row in link}
    expected = []
    while left:
        own, grown = set(), {min(left)}
        while grown != own:
            own = grown
            grown = own | {row for link in links if own & {*link} for row in link}
        expected.append(sorted(own))
        left -= own
    assert clusters(pairs(*links)) == expected


def test_only_rows_with_equal_keys_are_candidates_each_pair_once() -> None:
    keys = np.array([[1, 5], [2, 5], [1, 6], [2, 7], [1, 8]], np.uint64)
    assert sorted(map(tuple, candidates(keys, 0).tolist())) == [(0, 2), (0, 4), (1, 3), (2, 4)]
    assert candidates(keys, 1).tolist() == [[0, 1]]


def test_keys_that_all_differ_give_no_candidates() -> None:
    assert candidates(np.arange(20, dtype=np.uint64)[:, None], 0).shape == (0, 2)
