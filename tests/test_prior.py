"""Densities on z: what is drawn comes from the class, and each item from its own generator alone."""

import numpy as np
import pytest

from genset.errors import GensetError
from genset.interfaces import Prior
from genset.models import PRIORS
from genset.models.priors import GaussianMixture, KernelDensity, Normal
from genset.seeds import rng_for

CODES = np.concatenate(
    [np.random.default_rng(0).normal(-2, 0.5, (200, 4)), np.random.default_rng(1).normal(2, 0.5, (200, 4))]
)
LABELS = np.repeat([0, 1], 200).astype(np.int64)


def rngs(n: int) -> list[np.random.Generator]:
    return [rng_for(7, "test", number) for number in range(n)]


SMALL = {"flow": {"width": 32, "steps": 4}}  # settings that make a prior cheap


@pytest.mark.parametrize("prior", [kind(**SMALL.get(name, {})) for name, kind in PRIORS.items()], ids=PRIORS.keys())
def test_an_item_does_not_depend_on_who_is_drawn_beside_it(prior: Prior) -> None:
    arrays = prior.fit(CODES, LABELS, 2, 0)
    together = prior.draw(arrays, 1, rngs(20))
    alone = np.concatenate([prior.draw(arrays, 1, [one]) for one in rngs(20)])
    assert together.shape == (20, 4)
    assert together.dtype == np.float32
    assert (together == alone).all()


def test_a_mixture_draws_from_the_class_with_its_mean_and_spread() -> None:
    prior = GaussianMixture(shrinkage=0)
    drawn = prior.draw(prior.fit(CODES, LABELS, 2, 0), 1, rngs(2000))
    assert drawn.mean(axis=0) == pytest.approx(CODES[200:].mean(axis=0), abs=0.05)
    assert drawn.std(axis=0) == pytest.approx(CODES[200:].std(axis=0), abs=0.05)


@pytest.mark.parametrize(("items", "asked", "components"), [(200, None, 10), (3000, None, 64), (200, 3, 3), (2, 3, 2)])
def test_a_class_has_a_gaussian_for_each_twenty_items(items: int, asked: int | None, components: int) -> None:
    codes = np.random.default_rng(5).normal(0, 1, (items, 4))
    arrays = GaussianMixture(components=asked).fit(codes, np.zeros(items, np.int64), 1, 0)
    assert (arrays["weights"][0] > 0).sum() == components


def test_a_mixture_follows_a_class_where_it_bends() -> None:
    rng = np.random.default_rng(6)
    angle, radius = rng.uniform(0, 2 * np.pi, 600), rng.normal(1, 0.02, 600)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    prior = GaussianMixture(shrinkage=0)
    drawn = np.linalg.norm(prior.draw(prior.fit(ring, np.zeros(600, np.int64), 1, 0), 0, rngs(500)), axis=1)
    assert np.abs(drawn - 1).mean() < 0.1
    assert (drawn > 0.6).all()


def test_kernels_are_narrow_where_a_class_falls_into_clusters_and_usual_where_it_does_not() -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 3, (4, 8))
    clusters = np.concatenate([centre + rng.normal(0, 0.3, (50, 8)) for centre in centres])
    alone = rng.normal(0, 3, (200, 8))
    zeros = np.zeros(200, np.int64)
    spread = []
    for codes in (clusters, alone):
        factor = KernelDensity().fit(codes, zeros, 1, 0)["factors"][0, 0]
        spread.append(np.trace(factor @ factor.T) / codes.var(axis=0).sum())
    assert spread[0] < 0.05
    assert spread[1] == pytest.approx(0.25, rel=0.25)  # the bandwidth, squared


def test_a_class_of_one_item_varies_as_the_others_do() -> None:
    codes, labels = np.concatenate([CODES, [[9.0, 9.0, 9.0, 9.0]]]), np.append(LABELS, 2)
    prior = GaussianMixture()
    drawn = prior.draw(prior.fit(codes, labels, 3, 0), 2, rngs(500))
    assert drawn.mean(axis=0) == pytest.approx([9, 9, 9, 9], abs=0.1)
    assert drawn.std(axis=0) == pytest.approx([0.25] * 4, abs=0.05)  # half of theirs


def test_a_class_of_few_items_is_drawn_about_each_of_them_at_its_own_scale() -> None:
    narrow = np.random.default_rng(2).normal(0, 0.01, (3, 4)) + np.array([[9.0], [10.0], [11.0]])
    codes, labels = np.concatenate([CODES, narrow]), np.append(LABELS, [2] * 3)
    prior = GaussianMixture()
    drawn = prior.draw(prior.fit(codes, labels, 3, 0), 2, rngs(500))
    nearest = np.abs(drawn.mean(axis=1)[:, None] - [9, 10, 11]).argmin(axis=1)
    assert np.bincount(nearest, minlength=3) == pytest.approx([167] * 3, abs=40)
    shared = np.sqrt(((CODES.reshape(2, 200, 4) - CODES.reshape(2, 200, 4).mean(axis=1, keepdims=True)) ** 2).mean())
    own = narrow.var(axis=0).sum() / (4 * shared**2)
    expected = 0.5 * shared * np.sqrt((3 * own + 2) / 4)
    deviation = (drawn - narrow[nearest]).std()
    assert deviation == pytest.approx(expected, rel=0.1)


def test_a_kernel_draws_about_each_item_with_half_the_spread_of_the_class() -> None:
    prior = KernelDensity()
    drawn = prior.draw(prior.fit(CODES, LABELS, 2, 0), 1, rngs(2000))
    assert drawn.mean(axis=0) == pytest.approx(CODES[200:].mean(axis=0), abs=0.05)
    variance = CODES[200:].var() * (1 + 0.5**2)  # of the items, and about each
    assert drawn.var(axis=0) == pytest.approx([variance] * 4, rel=0.15)
    tight = KernelDensity(bandwidth=0.01)
    drawn = tight.draw(tight.fit(CODES, LABELS, 2, 0), 0, rngs(50))
    nearest = np.abs(drawn[:, None] - CODES[:200]).max(axis=2).min(axis=1)
    assert (nearest < 0.06).all()  # 4 deviations, and the floor


def test_temperature_scales_the_spread() -> None:
    cold, warm = (GaussianMixture(temperature=scale, shrinkage=0, components=1) for scale in (0.5, 1))
    spread = [prior.draw(prior.fit(CODES, LABELS, 2, 0), 0, rngs(500)).std() for prior in (cold, warm)]
    assert spread[0] == pytest.approx(spread[1] / 2, rel=0.01)


def test_normal_draws_fall_into_the_class_asked_for() -> None:
    prior = Normal()
    arrays = prior.fit(CODES, LABELS, 2, 0)
    assert (prior.draw(arrays, 0, rngs(50)).sum(axis=1) < 0).all()
    assert (prior.draw(arrays, 1, rngs(50)).sum(axis=1) > 0).all()


def test_a_class_that_n01_hardly_holds_is_an_error_with_its_cure() -> None:
    codes, labels = np.concatenate([CODES, np.full((50, 4), 60.0)]), np.append(LABELS, [2] * 50)
    prior = Normal()
    with pytest.raises(GensetError) as error:
        prior.draw(prior.fit(codes, labels, 3, 0), 2, rngs(1))
    assert str(error.value) == (
        "model.prior: N(0, I) hardly covers class number 3: 4,096 draws gave no code of it\n"
        "  Set model.prior=gmm, which has a density for each class."
    )
