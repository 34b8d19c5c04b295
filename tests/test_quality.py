"""Figures with known answers."""

import gc
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genset.interfaces import MetricInputs, Progress
from genset.pipeline.evaluate.cache import FeatureCache
from genset.quality import FIGURES, gates, measure
from genset.quality.classifier import StackedRows
from genset.quality.diversity import vendi
from genset.quality.feature_space import Embedding, Scale, unseen_rows
from genset.quality.fidelity import frechet, kernel_distance, manifold
from genset.quality.metric_inputs import ItemFeatures, build_inputs, standardise_in_place
from genset.quality.neighbours import nearest, nearest_others
from genset.quality.privacy import Privacy, data_copying, suspects
from genset.quality.round_trip import RoundTrip
from genset.versions.root import Root


def points(n: int, d: int = 6, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, d)) + shift).astype(np.float32)


def inputs_of(
    *parts: ItemFeatures, back: tuple[ItemFeatures, ...] = (), names: tuple[str, ...] = ("a", "b")
) -> MetricInputs:
    """Of copies, as standardised features take the place of those that were given."""
    own = [replace(part, features=part.features.copy()) for part in (*parts, *back)]
    standardise_in_place(own, shared=False)
    return build_inputs(names, *own[:3], own[3:])


def judged(*parts: ItemFeatures) -> dict[str, float]:
    """The values of all figures."""
    return {name: one.value for name, one in measure(inputs_of(*parts))[0].items()}


def classes(n: int, seed: int) -> ItemFeatures:
    """Two classes far apart, n items of each."""
    features = np.concatenate([points(n, seed=seed), points(n, seed=seed + 1, shift=4.0)])
    return ItemFeatures(features, features, np.repeat([0, 1], n).astype(np.int64))


def test_frechet_distance_of_a_set_to_itself_is_zero() -> None:
    assert frechet(points(200), points(200)) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_shifted_sets_is_the_squared_shift() -> None:
    assert frechet(points(200), points(200) + np.float32(2)) == pytest.approx(6 * 2**2, rel=1e-4)


def test_frechet_distance_of_scaled_sets_follows_the_formula() -> None:
    a = points(4000, d=1)
    mean, deviation = float(a.mean()), float(a.std(ddof=1))
    assert frechet(a, 3 * a) == pytest.approx((2 * mean) ** 2 + (2 * deviation) ** 2, rel=1e-4)


@pytest.mark.slow
def test_the_ceiling_is_that_of_real_data_where_nothing_is_lost_and_lower_where_much_is() -> None:
    train, test, made = classes(60, 0), classes(60, 2), classes(60, 4)
    fresh = unseen_rows(len(train.labels))
    other = train.features[::-1][fresh]  # each looks like the other class
    lost = ItemFeatures(other, train.closeness[fresh], train.labels[fresh])
    unharmed = ItemFeatures(train.features[fresh], train.closeness[fresh], train.labels[fresh])
    told = [
        RoundTrip().compute(inputs_of(train, test, made, back=back)) for back in ((), (unharmed, test), (lost, lost))
    ]
    assert told[0] == {}
    told = [{name: one.value for name, one in figures.items()} for figures in told]
    assert told[1]["frechet_ratio_ceiling"] == pytest.approx(1, abs=1e-6)
    assert told[1]["label_ratio_ceiling"] == 1
    assert told[1]["coverage_ceiling"] > 0.9
    assert told[2]["label_ratio_ceiling"] < 0.1


@pytest.mark.slow
def test_the_floor_is_taken_from_items_that_the_space_was_not_learned_on() -> None:
    def noise(seed: int) -> ItemFeatures:  # labels that nothing but memory can tell
        rows = points(100, d=200, seed=seed)
        return ItemFeatures(rows, rows, np.tile([0, 1], 50).astype(np.int64))

    figures = judged(noise(0), noise(1), noise(2))
    assert figures["frechet_ratio"] == pytest.approx(1, abs=0.25)
    assert figures["vendi_ratio"] == pytest.approx(1, abs=0.1)


def test_a_feature_that_hardly_varies_has_no_unit_of_its_own() -> None:
    usual = points(1000, d=3)
    rare = np.zeros((1000, 1), np.float32)
    rare[0] = 1
    features = np.hstack([usual, rare])
    scale = Scale.from_features(features)
    assert np.allclose(scale(features)[:, :3].std(axis=0), 1, atol=1e-3)
    assert scale(features)[0, 3] < 7  # in units of its own spread it would be 31
    assert np.ptp(Scale.from_features(features, shared=True).unit) == 0


def test_a_space_is_the_same_when_it_was_kept() -> None:
    part = classes(60, 0)
    learned = Embedding.learn(part.features, part.labels, 2)
    assert np.array_equal(learned(part.features), Embedding.from_arrays(learned.arrays)(part.features))
    alone = Embedding.learn(part.features, np.zeros(120, np.int64), 1)
    assert np.array_equal(alone(part.features), Embedding.from_arrays(alone.arrays)(part.features))
    assert alone.description(120) == "6 principal components, learned from half of 120 real training items"


def test_density_and_coverage_of_a_set_around_itself() -> None:
    figures = manifold(points(300), points(300))
    density = figures.pop("density")
    assert figures == {"precision": 1, "recall": 1, "coverage": 1}
    # Naeem et al.: each item lies in as many balls as there are items that count it among their k nearest (itself too).
    assert density == pytest.approx(1, abs=0.05)


def test_precision_recall_density_and_coverage_follow_their_published_definitions() -> None:
    real, made, k = points(60, seed=1), points(40, seed=2, shift=0.5), 5

    def balls(rows: np.ndarray) -> np.ndarray:
        return np.array([sorted(row)[k] for row in np.linalg.norm(rows[:, None].astype(float) - rows[None], axis=2)])

    between = np.linalg.norm(real[:, None].astype(float) - made[None], axis=2)
    within = between < balls(real)[:, None]
    expected = {
        "precision": within.any(axis=0).mean(),
        "recall": (between < balls(made)[None]).any(axis=1).mean(),
        "density": within.sum() / (k * len(made)),
        "coverage": within.any(axis=1).mean(),
    }
    assert manifold(real, made) == pytest.approx(expected, abs=1e-9)


def test_kernel_distance_follows_its_published_definition() -> None:
    a, b = points(50, seed=1), points(50, seed=2, shift=0.3)

    def mean(x: np.ndarray, y: np.ndarray, leave_out: bool) -> float:
        kernel = (x.astype(float) @ y.astype(float).T / x.shape[1] + 1) ** 3
        pairs = [kernel[i, j] for i in range(50) for j in range(50) if i != j or not leave_out]
        return float(np.mean(pairs))

    assert kernel_distance(a, b)[0] == pytest.approx(mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False))


def test_kernel_distance_of_equal_distributions_is_0_within_its_interval() -> None:
    inside = [
        abs(value) <= half
        for value, half in (kernel_distance(points(80, seed=n), points(80, seed=n + 100)) for n in range(40))
    ]
    assert np.mean(inside) >= 0.9


@pytest.mark.parametrize("shape", [(50, 8), (6, 20)])
def test_vendi_follows_its_published_definition(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).standard_normal(shape)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    shares = np.linalg.eigvalsh(unit @ unit.T / len(rows))
    entropy = -sum(share * np.log(share) for share in shares if share > 1e-12)
    assert vendi(rows) == pytest.approx(np.exp(entropy), abs=1e-6)


def test_vendi_counts_wholly_different_items() -> None:
    assert vendi(np.repeat(np.eye(4), 5, axis=0)) == pytest.approx(4)
    assert vendi(np.ones((9, 3))) == pytest.approx(1)


def test_the_data_copying_test_follows_its_published_definition() -> None:
    from scipy.stats import mannwhitneyu

    train, test, made = points(90, seed=1), points(60, seed=2), points(70, seed=3) * np.float32(0.8)
    cells = tuple((part[:, 0] > 0).astype(np.int64) for part in (train, test, made))
    scores, weights = [], []
    for cell in (0, 1):
        of = [part[rows == cell] for part, rows in zip((train, test, made), cells, strict=True)]
        far = [np.linalg.norm(part[:, None] - of[0][None], axis=2).min(axis=1) for part in of[1:]]
        n, m = len(far[0]), len(far[1])
        u = mannwhitneyu(far[1], far[0]).statistic
        scores.append((u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5)
        weights.append(n)
    expected = float(np.average(scores, weights=weights))
    assert data_copying((train, test, made), cells) == pytest.approx(expected, abs=1e-6)


def test_a_set_without_a_class_shows_it_in_that_classes_row() -> None:
    train, test = classes(150, 0), classes(100, 10)
    half = ItemFeatures(points(150, seed=20), points(150, seed=20), np.zeros(150, np.int64))
    figures, _ = measure(inputs_of(train, test, half))
    assert (figures["coverage"].classes["b"], figures["recall"].classes["b"]) == (0, 0)
    assert figures["coverage"].classes["a"] > 0.8
    assert figures["coverage"].value < 0.6
    assert list(figures["label_acc"].classes) == ["a"]


def test_planted_near_copies_are_found_and_named_with_their_train_item() -> None:
    train, test, made = classes(200, 0), classes(100, 10), classes(200, 20)
    rng = np.random.default_rng(0)
    close, planted = made.closeness.copy(), rng.permutation(400)[:20]
    close[planted] = train.closeness[planted] + rng.normal(0, 0.02, (20, 6)).astype(np.float32)
    seen = inputs_of(train, test, ItemFeatures(made.features, close, made.labels))
    found = {suspect.synthetic: suspect.train for suspect in suspects(seen)}
    assert sum(found.get(int(row)) == row for row in planted) >= 19
    assert len(found) <= 20 + 0.05 * 400
    assert Privacy().compute(seen)["copies"].value >= 0.045


def test_copies_are_found_among_near_twins() -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (40, 3072)).astype(np.float32) / 255
    twins = original.copy()
    twins[:, 7] += np.float32(1 / 255)
    assert (nearest(original, np.concatenate([twins, original])) == 0).all()
    assert nearest_others(np.concatenate([original, original[:1]]))[[0, 40]].tolist() == [0, 0]
    assert (nearest_others(original) > 1).all()


def test_far_away_items_cover_nothing() -> None:
    assert set(manifold(points(100), points(100, shift=50)).values()) == {0}


def test_nearest_distances_are_exact_and_zero_for_copies() -> None:
    a, b = points(50, seed=1), np.concatenate([points(70, seed=2), points(50, seed=1)[:10]])
    expected = np.linalg.norm(a[:, None].astype(float) - b[None], axis=2).min(axis=1)
    assert nearest(a, b) == pytest.approx(expected, abs=1e-6)
    assert (nearest(a, b)[:10] == 0).all()


def test_real_data_made_again_is_as_good_as_real_and_copies_are_told() -> None:
    train, test = classes(150, 0), classes(100, 10)
    told, skipped = measure(inputs_of(train, test, classes(150, 20)))
    assert skipped == {"augmented_acc": "no augmented copies were generated"}
    figures = {name: one.value for name, one in told.items()}
    assert figures["cas_ratio"] == pytest.approx(1, abs=0.02)
    assert figures["label_ratio"] == pytest.approx(1, abs=0.02)
    assert figures["lift"] == pytest.approx(0, abs=0.02)
    assert figures["copies"] < 0.05
    assert figures["vendi_ratio"] == pytest.approx(1, abs=0.1)
    assert (figures["dcr_share"], figures["mia_auc"]) == (pytest.approx(0.5, abs=0.1), pytest.approx(0.5, abs=0.06))
    assert abs(figures["c_t"]) < 3
    assert figures["lift_low"] <= 0 <= figures["lift_high"]
    copied = judged(train, test, train)
    assert [copied[name] for name in ("copies", "distinct", "dcr_share", "authenticity", "mia_auc", "mia_tpr")] == [
        1, 1, 1, 0, 1, 1,
    ]  # fmt: skip
    assert copied["c_t"] < -3


def test_noise_is_at_the_bad_end_of_every_figure() -> None:
    noise = ItemFeatures(points(200, shift=20), points(200, shift=20), np.tile([0, 1], 100).astype(np.int64))
    figures = judged(classes(150, 0), classes(100, 10), noise)
    assert (figures["precision"], figures["recall"]) == (0, 0)
    assert figures["kernel_distance"] > 1
    assert figures["coverage"] == 0
    assert figures["density"] == 0
    assert figures["frechet_ratio"] > 10
    assert figures["label_acc"] == pytest.approx(0.5, abs=0.1)


def test_rows_of_several_arrays_are_those_of_all_of_them_one_after_the_other() -> None:
    parts, rows = [points(n, seed=n) for n in (5, 0, 3, 7)], np.array([14, 0, 4, 5, 7, 8, 8, 2])
    assert (StackedRows(parts)[rows] == np.concatenate(parts)[rows]).all()


@pytest.mark.slow
def test_the_same_evidence_gives_the_same_figures() -> None:
    assert measure(inputs_of(classes(50, 0), classes(50, 10), classes(50, 20))) == measure(
        inputs_of(classes(50, 0), classes(50, 10), classes(50, 20))
    )


def test_what_cannot_be_computed_is_absent_and_says_why() -> None:
    one = ItemFeatures(points(30), points(30), np.zeros(30, np.int64))
    empty = ItemFeatures(points(0), points(0), np.zeros(0, np.int64))
    figures, skipped = measure(inputs_of(one, empty, one, names=("",)))
    assert figures.keys() | skipped.keys() == FIGURES.keys() - {figure.name for figure in RoundTrip.figures}
    assert figures.keys() == {"distinct"}
    assert skipped["lift"] == "needs at least two classes"
    assert skipped["copies"] == "needs real held-out and synthetic items"
    assert skipped["frechet"] == "needs at least two real training, real held-out and synthetic items"


@pytest.mark.parametrize(
    "text, value, holds",
    [
        ("cas_ratio >= 0.9", 0.9, True),
        ("cas_ratio>0.9", 0.9, False),
        (" copies <= 3e-2 ", 0.02, True),
        ("lift == 0", 0.0, True),
        ("lift < -.5", 0.0, False),
    ],
)
def test_a_gate_compares(text: str, value: float, holds: bool) -> None:
    gate = gates.parse(text, FIGURES)
    assert (gate.failure({gate.figure: value}, {}) is None) == holds


def test_a_failed_gate_says_by_how_much_and_one_without_its_figure_fails() -> None:
    parsed = [gates.parse("cas_ratio >= 0.95", FIGURES), gates.parse("copies <= 0.03", FIGURES)]
    assert gates.failures(parsed, {"cas_ratio": 0.9}, {"copies": "no test part"}) == [
        "cas_ratio >= 0.95: is 0.9, off by 0.05",
        "copies <= 0.03: not computed: no test part",
    ]


@pytest.mark.parametrize(
    "text", ["cas_ratio", "cas_ratio >= x", "cas_ratio >= 1; exit()", "__import__ > 1", "lift = 1", ""]
)
def test_nothing_but_a_gate_is_a_gate(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be FIGURE OPERATOR NUMBER|no such figure"):
        gates.parse(text, FIGURES)


def test_a_damaged_cached_result_is_computed_again_and_reported(tmp_path: Path) -> None:
    said: list[str] = []
    kept = FeatureCache(Root(tmp_path), Progress(say=said.append))
    made = {"a": np.arange(1000.0)}
    assert kept.arrays(["x"], lambda: made)["a"].tolist() == made["a"].tolist()
    assert kept.arrays(["x"], pytest.fail)["a"].tolist() == made["a"].tolist()
    (path,) = (tmp_path / ".work" / "_features").glob("*.npz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert kept.arrays(["x"], lambda: made)["a"].tolist() == made["a"].tolist()
    assert len(said) == 1
    assert said[0].startswith(f"a cached result is damaged and will be computed again: {path}: ")
    assert kept.arrays(["x"], pytest.fail)["a"].tolist() == made["a"].tolist()


def test_a_damaged_file_of_the_cache_is_closed(tmp_path: Path) -> None:
    cache = FeatureCache(Root(tmp_path), Progress.silent())
    cache.arrays(["x"], lambda: {"a": np.arange(1000.0)})
    (path,) = (tmp_path / ".work" / "_features").glob("*.npz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cache.arrays(["x"], lambda: {"a": np.zeros(1)})
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
