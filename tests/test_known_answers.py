"""What figures say of sets whose worth is known, through the real features of every modality."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from genset.config.loading import load
from genset.dataset import Record
from genset.engine import Local
from genset.interfaces import Items, Progress
from genset.pipeline.evaluate.cache import FeatureCache
from genset.pipeline.evaluate.evaluator import Evaluator, LabelledItems
from genset.pipeline.evaluate.verdict import Verdict
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared, prepare
from genset.versions.root import Root
from tests.helpers import ROOT

SAMPLES = ["image", pytest.param("text", marks=pytest.mark.slow), pytest.param("sound", marks=pytest.mark.slow)]


def _noisy_pictures(items: Items, rng: np.random.Generator) -> Items:
    return rng.integers(0, 256, items.shape).astype(items.dtype)


def _noisy_clips(items: Items, rng: np.random.Generator) -> Items:
    return rng.integers(-3000, 3000, items.shape).astype(items.dtype)


def _noisy_lines(items: Items, rng: np.random.Generator) -> Items:
    made = np.zeros_like(items)  # bytes, then zeros
    made[:, :12] = rng.choice(np.frombuffer(b"bcdfghjklmnpqrstvwxz0123456789", np.uint8), (len(items), 12))
    return made


NOISE: dict[str, Callable[[Items, np.random.Generator], Items]] = {
    "image": _noisy_pictures,
    "text": _noisy_lines,
    "sound": _noisy_clips,
}


@dataclass(frozen=True)
class Known:
    """Real items of a modality in three parts: to learn from, to test on, and to pass off as made."""

    prepared: Prepared
    kept: FeatureCache  # what is computed of the real items, once for all tests of a modality

    def side(self, split: str) -> LabelledItems:
        records = [record for record in self.prepared.dataset if record.split == split]
        return LabelledItems(records, self.prepared.split_items(split)[0])

    @functools.cached_property
    def of_unseen_items(self) -> Verdict:
        """The verdict on real items that no part of training or testing has."""
        return self.verdict(self.side("validation"))

    def verdict(self, made: LabelledItems) -> Verdict:
        judge = Evaluator(
            self.prepared.modality, Local(workers=2), self.kept, seeds=3, no_augmented_reason="not asked for"
        )
        return judge.verdict(self.prepared.classes, self.side("train"), self.side("test"), made)


@pytest.fixture(scope="module", params=SAMPLES)
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("known")
    source = ROOT / "samples" / request.param
    path = folder / "known.yaml"
    path.write_text(f"""name: known
modality: {request.param}
data: {{source: {source}}}
split: {{ratios: [0.5, 0.25, 0.25]}}
""")
    job = Job("test", Root(folder / "out"), Local(workers=2), Progress.silent())
    return Known(prepare(load(path), job), FeatureCache(job.root, job.progress))


@pytest.mark.slow
def test_real_items_that_were_never_seen_are_as_good_as_real(known: Known) -> None:
    figures = known.of_unseen_items.figures
    assert figures["lift_low"] <= 0 <= figures["lift_high"]
    assert figures["cas_ratio"] > 0.85
    assert figures["frechet_ratio"] < 1.3  # not above the floor, but for chance
    assert figures["coverage"] > 0.9
    assert figures["distinct"] == 1
    assert figures["copies"] < 0.06
    assert abs(figures["c_t"]) < 3
    assert figures["mia_auc"] == pytest.approx(0.5, abs=0.05)


def test_copies_of_train_fail_loudly(known: Known) -> None:
    verdict = known.verdict(known.side("train"))
    figures = verdict.figures
    assert [figures[name] for name in ("copies", "dcr_share", "authenticity", "mia_auc", "label_acc")] == [
        1,
        1,
        0,
        1,
        1,
    ]
    assert figures["c_t"] < -5
    # About 1, and above it where items are known by heart: half of them the space was learned on
    assert 0.8 < figures["frechet_ratio"] < 2
    assert len(verdict.suspicious) == len(known.side("train").records)
    assert all(pair["made"] == pair["real"] for pair in verdict.suspicious)


@pytest.mark.slow
def test_noise_is_no_good(known: Known) -> None:
    real = known.side("validation")
    made = NOISE[known.prepared.modality.kind](real.items, np.random.default_rng(0))
    figures = known.verdict(LabelledItems(_with_other_content(real.records), made)).figures
    chance = 1 / len(known.prepared.classes)
    assert figures["cas"] < 2 * chance
    assert figures["label_acc"] < 2 * chance
    assert figures["copies"] == 0
    if "perplexity" in figures:
        # Short texts share so few n-grams with each other that random letters lie among them: perplexity tells more
        assert figures["perplexity"] > 3 * figures["perplexity_real"]
        assert figures["coverage"] < 0.7
        assert figures["frechet_ratio"] > 2
    else:
        assert figures["coverage"] < 0.2
        assert figures["frechet_ratio"] > 10


@pytest.mark.slow
def test_a_missing_class_shows(known: Known) -> None:
    real, missing = known.side("validation"), max(known.prepared.classes)
    rows = [row for row, record in enumerate(real.records) if record.label != missing]
    whole = known.of_unseen_items
    part = known.verdict(LabelledItems([real.records[row] for row in rows], real.items[rows]))
    for name in ("coverage", "recall"):
        assert part.figures[name] <= whole.figures[name]
    assert missing not in part.details["label_acc"]["classes"]


@pytest.mark.slow
@pytest.mark.parametrize("known", SAMPLES[:2], indirect=True)
def test_planted_near_copies_are_found(known: Known) -> None:
    real, train = known.side("validation"), known.side("train")
    made, rng = real.items.copy(), np.random.default_rng(0)
    planted = rng.permutation(len(made))[: max(8, len(made) // 20)]
    for row in planted:
        made[row] = _changed_a_little(train.items[row])
    records = [replace(record, id=f"made{row}", origin=f"made{row}") for row, record in enumerate(real.records)]
    found = {pair["made"] for pair in known.verdict(LabelledItems(_with_other_content(records), made)).suspicious}
    assert sum(f"made{row}" in found for row in planted) >= 0.95 * len(planted)
    assert len(found) <= len(planted) + 0.06 * len(made)


def _with_other_content(records: Sequence[Record]) -> list[Record]:
    """Records whose items are not those of their files: nothing is kept of them."""
    return [replace(record, content="") for record in records]


def _changed_a_little(item: Items) -> Items:
    """One pixel a little lighter or darker; the Latin letters of a text in other case."""
    out = item.copy()
    if item.ndim == 3:
        out[4, 4] ^= 32
        return out
    latin = ((out | 32) >= ord("a")) & ((out | 32) <= ord("z"))
    out[latin] ^= 32
    return out
