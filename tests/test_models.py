"""Losses with their published values, and what a training does when it goes wrong."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genset.errors import GensetError, Interrupt
from genset.interfaces import Items, Labels, LossContext, Progress
from genset.modalities import MODALITIES
from genset.models import FAMILIES
from genset.models.adversarial_losses import LOSSES
from genset.models.priors import GaussianMixture
from genset.quality.label_filter import LabelFilter, label_limit
from genset.quality.sample_score import SampleScore

REAL, MADE = np.array([2.0, -1.0], np.float32), np.array([0.5, 1.0], np.float32)
SOFTPLUS = lambda x: np.log1p(np.exp(x))  # noqa: E731
EXPECTED: dict[str, tuple[Any, Any]] = {
    "non_saturating": (SOFTPLUS(-REAL) + SOFTPLUS(MADE), SOFTPLUS(-MADE)),
    "hinge": (np.maximum(0, 1 - REAL) + np.maximum(0, 1 + MADE), -MADE),
    "wgan_gp": (MADE - REAL, -MADE),
    "relativistic": (SOFTPLUS(MADE - REAL), SOFTPLUS(REAL - MADE)),
}


def gradient(function: Callable[[Any], Any], x: Any) -> Any:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


@pytest.mark.parametrize("kind", LOSSES)
def test_adversarial_losses_have_their_published_values(kind: str) -> None:
    loss = LOSSES[kind](kind=kind)
    d, g = EXPECTED[kind]
    assert np.asarray(loss.d_loss(REAL, MADE)) == pytest.approx(d, rel=1e-5)
    assert np.asarray(loss.g_loss(REAL, MADE)) == pytest.approx(g, rel=1e-5)


# D(x) = 3 x1 has slope 3 everywhere: R1 is 9/2, R1 and R2 together are 9, (|slope| - 1)^2 is 4.
@pytest.mark.parametrize(
    "kind, penalty", [("non_saturating", 4.5), ("hinge", 4.5), ("relativistic", 9.0), ("wgan_gp", 4.0)]
)
def test_gradient_penalties_of_a_linear_discriminator(kind: str, penalty: float) -> None:
    import tensorflow as tf

    context = LossContext(tf.constant(0.0), True, True, tf.constant(1.0), gradient)
    real, made, mix = tf.ones((5, 2)), tf.zeros((5, 2)), tf.fill((5, 1), 0.3)
    loss = LOSSES[kind](kind=kind).penalty_loss(lambda x: 3 * x[:, 0], real, made, mix, context)
    assert float(loss) == pytest.approx(penalty, rel=1e-4)


def test_the_classic_networks_have_the_textbooks_layers() -> None:
    table = MODALITIES["image"]
    modality = table(table.Settings(size=28, mode="L"))
    network = modality.networks["mlp"](kind="mlp")
    nets = FAMILIES["gan"](kind="gan", warm_start=0.0).build(modality, network, 100, 1)
    units = [
        [layer.units for layer in nets[role].layers if hasattr(layer, "units")] for role in ("decoder", "discriminator")
    ]
    assert units == [[128, 256, 512, 1024, 784], [1024, 512, 256, 256, 1]]  # 256 more: the label's projection


def blobs(count: int) -> tuple[Any, Any]:
    """Two classes of 8x8 pictures: bright above, bright below."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    items = rng.integers(0, 60, (count, 8, 8, 1)).astype(np.uint8)
    items[labels == 0, :4] += 150
    items[labels == 1, 4:] += 150
    return items, labels


def trained(
    family: Any,
    scorer: Callable[[Items, Labels], Mapping[str, float]] | None,
    tmp_path: Path,
    *,
    resume: bool = False,
    stop_at: int | None = None,
    **train: Any,
) -> Any:
    import keras

    from genset.models.schedule import Train
    from genset.models.trainer import Trainer
    from genset.models.training_task import Examples, TrainingTask

    keras.utils.clear_session()
    table = MODALITIES["image"]
    modality = table(table.Settings(size=8, mode="L"))
    items, labels = blobs(64)
    family = family.for_modality(table)
    nets = family.build(modality, modality.networks["conv"](kind="conv", width=8), 4, 2)
    task = TrainingTask(
        family,
        GaussianMixture(),
        nets,
        modality,
        Examples(items, labels),
        Examples(*blobs(20)),
        classes=2,
        code_length=4,
        seed=0,
        make_scorer=scorer and (lambda train, validation: scorer),
    )
    said: list[str] = []

    def tick(stage: str, done: int, total: int, note: str) -> None:
        if done == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = Trainer(task).fit(
        Train(**{"steps": 40, "batch_size": 8, **train}),
        tmp_path.with_suffix(".npz"),
        "key",
        resume=resume,
        progress=Progress(say=said.append, tick=tick),
    )
    return outcome, said, [variable.numpy() for variable in task.variables()]


@pytest.fixture
def fake_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training steps that compute nothing, in tests of what is decided between them."""
    from genset.models.stage_run import StageRun

    monkeypatch.setattr(StageRun, "step", lambda self, plan, step: {"loss": 1.0})


@pytest.mark.usefixtures("fake_steps")
def test_collapsed_samples_end_the_stage_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    told = iter([(9.0, 0.9), (5.0, 0.9), *[(50.0, 0.1)] * 40])

    def judge(made: Items, labels: Labels) -> Mapping[str, float]:
        distance, coverage = next(told)
        return {"frechet": distance, "coverage": coverage}

    outcome, _, _ = trained(FAMILIES["gan"](kind="gan"), judge, tmp_path)
    told_of = dict(outcome.notes)
    assert outcome.stopped_early
    assert outcome.steps_done < 40
    best = [row for row in outcome.history if row["step"] == outcome.best_step and "val_frechet" in row]
    assert best[-1]["val_frechet"] == 5.0
    assert told_of["mode_collapse"] == (
        f"the samples covered 0.10 of the validation set, after 0.90: stopped at step {outcome.steps_done}; "
        f"kept step {outcome.best_step}"
    )


@pytest.mark.usefixtures("fake_steps")
def test_samples_that_never_get_better_than_the_start_are_waited_for_and_told_of(tmp_path: Path) -> None:
    scores = iter([1.0, *[5.0] * 60])
    outcome, _, _ = trained(FAMILIES["gan"](kind="gan"), lambda made, labels: {"frechet": next(scores)}, tmp_path)
    assert (outcome.steps_done, outcome.stopped_early, outcome.best_step) == (40, False, 12)
    assert dict(outcome.notes)["start_kept"] == (
        "the adversarial stage did not improve the samples, so the model from before this stage is kept: train for "
        "longer, or reduce model.family.warm_start"
    )


@pytest.mark.usefixtures("fake_steps")
def test_a_stage_that_diverges_goes_back_to_its_best_weights_and_says_so(tmp_path: Path) -> None:
    scores = iter([9.0, 4.0, float("nan")])
    outcome, _, _ = trained(FAMILIES["gan"](kind="gan"), lambda made, labels: {"frechet": next(scores)}, tmp_path)
    assert "a loss was not finite; kept step" in dict(outcome.notes)["diverged"]
    assert outcome.stopped_early


@pytest.mark.slow
def test_a_training_without_anything_to_go_back_to_fails_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(GensetError) as error:
        trained(FAMILIES["vae"](kind="vae"), None, tmp_path, learning_rate=1e18)
    assert str(error.value).startswith("train.learning_rate: the training diverged: at step ")
    assert str(error.value).endswith("Lower it, for example train.learning_rate=2.5e+17.")


@pytest.mark.slow
def test_a_gan_that_is_interrupted_in_both_its_stages_ends_with_the_same_bits(tmp_path: Path) -> None:
    def judge(made: Items, labels: Labels) -> Mapping[str, float]:
        return {"frechet": float(np.abs(made.mean() - 100)), "coverage": 1.0}

    loss = LOSSES["relativistic"](kind="relativistic", penalty="auto")
    family = FAMILIES["gan"](kind="gan", loss=loss, warm_start=0.5)
    straight, _, expected = trained(family, judge, tmp_path / "a")
    for place in (7, 33):
        with pytest.raises(Interrupt):
            trained(family, judge, tmp_path / "b", resume=True, stop_at=place)
    resumed, _, weights = trained(family, judge, tmp_path / "b", resume=True)
    assert all((a == b).all() for a, b in zip(expected, weights, strict=True))
    assert resumed.history == straight.history
    assert [step for step, _ in resumed.frames] == [step for step, _ in straight.frames]
    assert all((a[1] == b[1]).all() for a, b in zip(resumed.frames, straight.frames, strict=True))
    assert (resumed.family, resumed.best_step) == (straight.family, straight.best_step)


@pytest.mark.parametrize(
    ("warm_start", "seconds", "shares", "steps"),
    [
        (None, 1000, [0.3, 0.7], [1200, 2800]),  # time enough: the usual share
        (None, 200, [0.5, 0.5], [400, 400]),
        (None, 80, [0.75, 0.25], [240, 80]),  # all that it may have
        (0.3, 80, [0.3, 0.7], [96, 224]),  # what was asked for
    ],
)
def test_a_gan_on_a_short_budget_gives_its_warm_start_the_steps_that_it_needs(
    warm_start: float | None, seconds: float, shares: list[float], steps: list[int]
) -> None:
    from genset.models.schedule import Train, plan_training

    table = MODALITIES["image"]
    family = FAMILIES["gan"](kind="gan", warm_start=warm_start).for_modality(table)
    stages = family.stages(table(table.Settings(size=8, mode="L")), 16, 1000)
    plan = plan_training(Train(seconds=seconds), 1000, stages, lambda number, leg, given: (round(4 * given), 20))
    assert [stage.share for stage in plan.stages] == pytest.approx(shares)
    assert [stage.steps for stage in plan.stages] == steps


def test_a_plan_that_is_revised_is_gone_through_evenly_from_there() -> None:
    from genset.models.schedule import StagePlan

    leg = StagePlan(100, 8, 1.0, patience=12, validations=10)
    assert [leg.progress(step) for step in (0, 25, 100)] == [0, 0.25, 1]
    slow = leg.revised(50, step_seconds=2.0, seconds_left=40.0)  # 20 steps more, not 50
    assert (slow.steps, slow.revisions) == (70, ((50, 70),))
    assert [slow.progress(step) for step in (0, 25, 50, 60, 70)] == [0, 0.25, 0.5, 0.75, 1]
    assert [step for step in range(1, 71) if slow.validates_after(step)] == [10, 20, 30, 40, 50, 57, 64, 70]
    assert [slow.rate(step) for step in range(50)] == [leg.rate(step) for step in range(50)]
    assert leg.revised(50, step_seconds=1.0, seconds_left=45.0) is leg  # about what was planned
    assert leg.revised(50, step_seconds=1.0, seconds_left=-9.0).steps == 60  # a fifth of what was left
    assert leg.revised(50, step_seconds=0.01, seconds_left=90.0).steps == 300  # five times what was left


def test_evaluations_take_a_quarter_of_a_budget_at_most() -> None:
    from genset.models.schedule import steps_within

    assert steps_within(100, step_seconds=0.5, validation_seconds=0.5, validations=40) == (160, 40)
    assert steps_within(100, step_seconds=0.5, validation_seconds=5.0, validations=40) == (150, 5)
    assert steps_within(100, step_seconds=0.5, validation_seconds=60.0, validations=40) == (80, 1)
    assert steps_within(1, step_seconds=5.0, validation_seconds=5.0, validations=40) == (1, 1)


@pytest.mark.slow
def test_a_budget_in_seconds_that_was_planned_wrongly_is_kept_and_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genset.models.schedule import Train
    from genset.models.stage_run import StageRun

    # As on a machine that has other work to do once the first steps are measured
    monkeypatch.setattr(StageRun, "measure", lambda self, draft, seconds: (50_000, draft.validations))
    outcome, said, weights = trained(FAMILIES["vae"](kind="vae"), None, tmp_path / "a", steps=None, seconds=5.0)
    assert any(line.endswith(" instead of 50000") for line in said)
    assert outcome.plan.steps < 50_000
    resolved = outcome.plan.resolved(Train(seconds=5.0, batch_size=8))
    again, _, same = trained(FAMILIES["vae"](kind="vae"), None, tmp_path / "b", **resolved.model_dump())
    assert again.history == outcome.history
    assert all((a == b).all() for a, b in zip(weights, same, strict=True))


@pytest.mark.slow
def test_an_anchored_generator_goes_on_rebuilding_items(tmp_path: Path) -> None:
    losses = {}
    for weight in (1e-9, 10.0):  # all but none, and much
        outcome, _, _ = trained(
            FAMILIES["gan"](kind="gan", reconstruction_weight=weight, warm_start=0.5),
            None,
            tmp_path,
            steps=60,
            learning_rate=2e-3,
        )
        losses[weight] = outcome.history[-1]["anchor_loss"]
    assert losses[10.0] < losses[1e-9] - 0.01


def test_small_sets_are_learned_in_small_batches() -> None:
    from genset.models.schedule import default_batch_size

    told = {items: default_batch_size(items, 128) for items in (6400, 3600, 1440, 400, 87, 3)}
    assert told == {6400: 128, 3600: 128, 1440: 60, 400: 32, 87: 10, 3: 1}
    assert default_batch_size(6400, 64) == 64


@pytest.mark.usefixtures("fake_steps")
def test_the_penalty_is_chosen_by_trials_and_told(tmp_path: Path) -> None:
    loss = LOSSES["relativistic"](kind="relativistic", penalty="auto")
    scores = iter([3.0, 1.0, 2.0, *[5.0] * 60])
    outcome, said, _ = trained(
        FAMILIES["gan"](kind="gan", loss=loss), lambda made, labels: {"frechet": next(scores)}, tmp_path
    )
    assert outcome.family.loss.penalty == 0.3
    assert "penalty by short trials, Frechet distance on validation: 0.03 gives 3, 0.3 gives 1, 3 gives 2" in said


@pytest.mark.slow
def test_frames_show_the_same_codes_as_they_improve(tmp_path: Path) -> None:
    outcome, _, _ = trained(FAMILIES["vae"](kind="vae"), None, tmp_path)
    assert len(outcome.frames) >= 3
    assert all(items.shape == (12, 8, 8, 1) for _, items in outcome.frames)
    assert (outcome.frames[0][1] != outcome.frames[-1][1]).any()


def test_made_items_are_refused_until_wrong_ones_are_as_rare_as_among_real_ones() -> None:
    sure = lambda p: np.stack([p, 1 - p], axis=1)  # noqa: E731
    real = sure(np.full(198, 0.9))  # no error in 198: counted as 1 in 200
    made = sure(np.concatenate([np.full(190, 0.9), np.linspace(0.05, 0.4, 10)]))  # ten look like the other class
    zeros = np.zeros(200, np.int64)
    limit = label_limit(made, zeros, real, zeros[:198])
    kept = made[made[:, 0] >= limit]
    assert (kept[:, 0] < 0.5).sum() == 0
    assert len(kept) == 190
    assert label_limit(real, zeros[:198], real, zeros[:198]) == 0  # as good as real: nothing is refused


@pytest.mark.parametrize("classes", [2, 3])
def test_the_judge_of_labels_tells_classes_apart_and_is_arrays_alone(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), 50)
    features = (rng.standard_normal((len(labels), 5)) + 4 * labels[:, None]).astype(np.float32)
    judge = LabelFilter(dict(LabelFilter.train(features.copy(), labels, classes).arrays))
    probabilities = judge.probabilities(features)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(labels)))
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.95


def test_the_yardstick_sees_wrong_labels_and_missing_kinds() -> None:
    items, labels = blobs(200)
    table = MODALITIES["image"]
    features = table(table.Settings(size=8, mode="L")).features
    told = features(items)
    measure = SampleScore(told, told, labels, 2)
    same, swapped, half = (
        measure(told, labels),
        measure(told, 1 - labels),
        measure(np.tile(told[labels == 0], (2, 1)), np.repeat(labels[labels == 0], 2)),
    )
    assert same["frechet"] == pytest.approx(0, abs=1e-4)
    assert swapped["frechet"] > 1
    assert half["coverage"] < 0.6 < same["coverage"]


def test_an_encoder_that_says_far_too_much_does_not_end_a_training() -> None:
    import tensorflow as tf

    table = MODALITIES["image"]
    modality = table(table.Settings(size=8, mode="L"))
    family = FAMILIES["vae"](kind="vae")
    nets = family.build(modality, modality.networks["conv"](kind="conv", width=8), 4, 2)
    last = nets["encoder"].layers[-1]
    last.bias.assign(np.array([0.0] * 4 + [200.0] * 4))  # exp(200) is beyond float32
    items, _ = blobs(6)
    (stage,) = family.stages(modality, 4, 6)
    batch = {
        "x": modality.to_tensor(items),
        "label": np.eye(2, dtype=np.float32)[[0] * 6],
        **stage.draw(np.random.default_rng(0), 6),
    }
    context = LossContext(tf.constant(1.0), True, True, tf.constant(0.0), gradient)
    losses = stage.updates[0].loss(nets, batch, context)
    assert all(np.isfinite(float(value)) for value in losses.values())


@pytest.mark.slow
def test_codes_that_tell_no_item_from_another_are_reported(tmp_path: Path) -> None:
    family = FAMILIES["ae"](kind="ae", code_penalty=1e6, penalty_warmup=0.0)
    outcome, _, _ = trained(family, None, tmp_path, steps=300)
    assert outcome.notes == [("idle_codes", "the codes do not distinguish items: all generated items will look alike")]


def test_an_epoch_shows_equal_classes_once_and_others_by_the_root_of_their_size() -> None:
    from genset.models.stage_steps import epoch_order

    even = epoch_order(np.repeat([0, 1], 50), np.random.default_rng(0))
    assert sorted(even) == list(range(100))
    labels = np.repeat([0, 1], [400, 4])
    times = np.bincount(labels[epoch_order(labels, np.random.default_rng(0))])
    assert times == pytest.approx([404 * 20 / 22, 404 * 2 / 22], abs=1)


def test_layers_compute_in_bfloat16_while_learning_and_in_float32_when_exported() -> None:
    from genset.models import precision
    from genset.models.export import onnx_bytes

    table = MODALITIES["image"]
    modality = table(table.Settings(size=8, mode="L"))
    family = FAMILIES["vae"](kind="vae")
    with precision.default_precision("bfloat16"):
        nets = family.build(modality, modality.networks["conv"](kind="conv", width=8), 4, 2)
    x, z = modality.to_tensor(blobs(4)[0]), np.ones((4, 4), np.float32)
    narrow = np.asarray(family.sampler(nets, modality)["generator"](z))
    assert np.asarray(family.codes(nets, x)).dtype == narrow.dtype == np.float32
    assert {layer.kernel.dtype for net in nets.models.values() for layer in net.layers if hasattr(layer, "kernel")} == {
        "float32"
    }
    precision.use_float32(nets)
    sampler = family.sampler(nets, modality)["generator"]
    wide = np.asarray(sampler(z))
    assert (wide != narrow).any()
    assert wide == pytest.approx(narrow, abs=0.02)
    onnx_bytes(sampler, 0)  # raises where ONNX Runtime, which computes in float32, disagrees
