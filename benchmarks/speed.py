"""Images a second in training: genset beside the same networks in plain Keras `fit`, by turns in one run.

    python benchmarks/speed.py [--size 28] [--mode L] [--seconds 10] [--rounds 3]

The Keras side is written as in Keras's own examples: a `keras.Model` with a `train_step`, compiled with what `compile`
chooses; the GAN computes its gradient penalty in every step, as the WGAN-GP example does. genset's side is the trainer
itself, with drawing of batches and codes, running means, and a penalty every fourth step at four times the weight.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from genset.interfaces import LossContext, Modality
from genset.modalities import MODALITIES
from genset.models import FAMILIES
from genset.models.losses import gaussian_loss, kl_loss
from genset.models.priors import GaussianMixture
from genset.models.schedule import StagePlan
from genset.models.stage_run import StageRun
from genset.models.trainer import Trainer
from genset.models.training_task import Examples, TrainingTask

CLASSES, ITEMS = 10, 4096


def main() -> None:
    """Print images a second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--mode", default="L")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    table = MODALITIES["image"]
    modality = table(table.Settings(size=arguments.size, mode=arguments.mode))
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, (ITEMS, *modality.item_shape)).astype(np.uint8)
    labels = rng.integers(0, CLASSES, ITEMS)
    keras.utils.set_random_seed(0)
    plain = {"vae": _keras_vae(modality), "gan": _keras_gan(modality)}
    # Keras's side first: genset asks for deterministic kernels, which stays for the process
    keras_fits = {name: _fit(model, modality, items, labels, name) for name, model in plain.items()}
    slow = {name: _rate(fit, arguments.seconds) for name, fit in keras_fits.items()}
    ours = {name: _genset(name, modality, items, labels) for name in plain}
    for name, ours_step in ours.items():
        pairs = []
        for _ in range(arguments.rounds):
            fast, plain_rate = _rate(ours_step, arguments.seconds), _rate(keras_fits[name], arguments.seconds)
            pairs.append((fast, plain_rate, fast / plain_rate))
        fast, plain_rate, ratio = (statistics.median(column) for column in zip(*pairs, strict=True))
        before = f"{slow[name]:.0f} before deterministic kernels"
        print(f"{name}: genset {fast:.0f} images/s, keras fit {plain_rate:.0f} ({before}), ratio {ratio:.2f}")


def _rate(work: Callable[[], int], seconds: float) -> float:
    """Images a second of calls that return how many they saw; the first call compiles and does not count."""
    work()
    seen, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        seen += work()
    return seen / (time.perf_counter() - started)


def _fit(model: Any, modality: Modality, items: Any, labels: Any, name: str) -> Callable[[], int]:
    x = modality.to_tensor(items)
    data = (x, np.eye(CLASSES, dtype=np.float32)[labels]) if name == "gan" else (x,)
    size = 64 if name == "gan" else 128

    def epoch() -> int:
        model.fit(*data, batch_size=size, epochs=1, verbose=0)
        return len(x) // size * size

    return epoch


def _genset(name: str, modality: Modality, items: Any, labels: Any) -> Callable[[], int]:
    """The last stage of a family, stepped by the trainer's own code."""
    family = FAMILIES[name](kind=name)
    nets = family.build(modality, modality.networks["conv"](kind="conv"), modality.latent_dim, CLASSES)
    train, none = Examples(items, labels), Examples(items[:0], labels[:0])
    task = TrainingTask(
        family, GaussianMixture(), nets, modality, train, none, CLASSES, code_length=modality.latent_dim, seed=0
    )
    run: StageRun = Trainer(task).runs[-1]
    plan = StagePlan(10_000, run.stage.max_batch_size, run.stage.learning_rate, 12, run.stage.validations)
    rng = np.random.default_rng(0)
    density = {
        "weights": np.ones((CLASSES, 1)),
        "means": rng.standard_normal((CLASSES, 1, modality.latent_dim)),
        "factors": np.tile(np.eye(modality.latent_dim), (CLASSES, 1, 1, 1)),
        "last": np.zeros(CLASSES, np.int64),
    }
    run.prepare(density if run.stage.samples else None)
    count = iter(range(10**9))

    def steps() -> int:
        for _ in range(8):
            run.step(plan, next(count) % plan.steps)
        return 8 * plan.batch_size

    return steps


def _nets(name: str, modality: Modality) -> Any:
    network = modality.networks["conv"](kind="conv")
    return FAMILIES[name](kind=name).build(modality, network, modality.latent_dim, CLASSES)


def _keras_vae(modality: Modality) -> Any:
    nets = _nets("vae", modality)

    class VAE(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nets["encoder"], nets["decoder"]
            self.seeds = keras.random.SeedGenerator(0)
            self.means = {name: keras.metrics.Mean(name) for name in ("loss", "reconstruction_loss", "kl_loss")}

        def train_step(self, x: Any) -> Any:
            with tf.GradientTape() as tape:
                z_mean, z_log_var = ops.split(self.encoder(x, training=True), 2, axis=-1)
                z = z_mean + ops.exp(0.5 * z_log_var) * keras.random.normal(ops.shape(z_mean), seed=self.seeds)
                made = keras.ops.sigmoid(self.decoder(z, training=True))
                reconstruction_loss, kl = gaussian_loss(x, made), ops.mean(kl_loss(z_mean, z_log_var))
                loss = reconstruction_loss + kl
            self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
            for mean, value in zip(self.means.values(), (loss, reconstruction_loss, kl), strict=True):
                mean.update_state(value)
            return {name: mean.result() for name, mean in self.means.items()}

    model = VAE()
    model.compile(keras.optimizers.Adam(2e-3))
    return model


def _keras_gan(modality: Modality) -> Any:
    family, nets = FAMILIES["gan"](kind="gan"), _nets("gan", modality)

    def gradient(function: Callable[[Any], Any], x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x)

    class GAN(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = nets["decoder"], nets["discriminator"]
            self.seeds = keras.random.SeedGenerator(0)
            self.d_optimizer, self.g_optimizer = (keras.optimizers.Adam(rate, 0.0, 0.99) for rate in (4e-4, 2e-4))

        def train_step(self, data: Any) -> Any:
            x, label = data
            loss = family.loss
            z = keras.random.normal((ops.shape(x)[0], modality.latent_dim), seed=self.seeds)

            def d(items: Any) -> Any:
                return self.discriminator([items, label], training=True)[:, 0]

            made = keras.ops.sigmoid(self.generator(z, training=True))
            moment = LossContext(tf.constant(0.0), True, True, tf.constant(0.3), gradient)
            with tf.GradientTape() as tape:
                d_loss = ops.mean(loss.d_loss(d(x), d(made)))
                d_loss = d_loss + 0.3 * loss.penalty_loss(d, x, made, x, moment)
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
            with tf.GradientTape() as tape:
                made = keras.ops.sigmoid(self.generator(z, training=True))
                g_loss = ops.mean(loss.g_loss(d(x), d(made)))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
            return {"d_loss": d_loss, "g_loss": g_loss}

    model = GAN()
    model.compile()
    return model


if __name__ == "__main__":
    main()
