"""The one training loop, for every family and modality. The only file that knows TensorFlow.

Nothing here draws from a global generator: the order of the items and the noise of each step come from the seed and
the number of the step, so an interrupted training goes on, bit for bit, from its last checkpoint.
"""

import contextlib
import io
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.errors import GensetError, Interrupt
from genset.interfaces import Family, Items, Modality, Nets, Progress
from genset.models.schedule import Plan, Train, plan, steps_within
from genset.seeds import generator
from genset.versions import write_atomically

CHECKPOINT_SECONDS = 10.0
_MEASURED_SHARE = 0.04  # of a budget in seconds, spent on measuring the first steps
_MOST_VALIDATION = 2000  # items: more would only cost time


@dataclass
class Outcome:
    """What a training left behind, beside the weights in the nets."""

    plan: Plan
    history: list[dict[str, float]]
    best_step: int
    steps_done: int

    @property
    def stopped_early(self) -> bool:
        return self.steps_done < self.plan.steps


@dataclass
class _State:
    """Where a training stands: what a checkpoint holds beside the variables."""

    step: int
    best_loss: float
    best_step: int
    best: list[npt.NDArray[Any]]
    history: list[dict[str, float]]
    sums: dict[str, Any]  # of the losses since the last evaluation
    since: int = 0  # steps


class Trainer:
    """Trains the nets of one family on the train part; keeps the weights of the best validation loss."""

    def __init__(
        self,
        family: Family,
        nets: Nets,
        modality: Modality,
        train: Items,
        validation: Items,
        *,
        latent_dim: int,
        seed: int,
    ) -> None:
        tf.config.experimental.enable_op_determinism()
        self.family, self.nets, self.modality = family, nets, modality
        self.train, self.validation = train, validation[:_MOST_VALIDATION]
        self.latent_dim, self.seed = latent_dim, seed
        self.updates = family.updates(modality)
        _initialise(nets, seed)

    def fit(self, settings: Train, checkpoint: Path, key: str, *, resume: bool, progress: Progress) -> Outcome:
        """Train as the settings say. Raises GensetError when the losses are no longer numbers."""
        started = time.monotonic()
        saved = _load(checkpoint, key) if resume else None
        if saved is None:
            chosen = plan(settings, len(self.train), lambda draft, seconds: self._measure(draft, seconds, started))
            self._compile(chosen)
            state = _State(0, float("inf"), 0, self._weights(), [], {})
        else:
            chosen = Plan(**saved["plan"])
            self._compile(chosen)
            state = self._restore(saved)
            progress.say(f"going on with the training at step {state.step} of {chosen.steps}")
        progress.say(f"training for at most {chosen.steps} steps of {chosen.batch_size} items")
        self._warn_if_short(chosen, progress)
        with _signals_held() as stop:
            self._loop(chosen, state, checkpoint, key, stop, progress)
        for variable, value in zip(self._variables(), state.best, strict=True):
            variable.assign(value)
        return Outcome(chosen, state.history, state.best_step, state.step)

    def codes(self, items: Items, batch_size: int = 256) -> npt.NDArray[np.float64]:
        """(N, latent_dim) codes of items under the trained encoder."""
        encode = tf.function(lambda x: self.family.codes(self.nets, x), reduce_retracing=True)
        parts = [
            encode(tf.constant(self.modality.to_tensor(items[start : start + batch_size]))).numpy()
            for start in range(0, len(items), batch_size)
        ]
        return np.concatenate(parts).astype(np.float64)

    def _loop(
        self, plan: Plan, state: _State, checkpoint: Path, key: str, stop: threading.Event, progress: Progress
    ) -> None:
        saved_at = time.monotonic()
        while state.step < plan.steps and not self._out_of_patience(plan, state):
            losses = self._step(*self._batch(plan, state.step))
            state.sums = {name: state.sums.get(name, 0.0) + value for name, value in losses.items()}
            state.step += 1
            state.since += 1
            note = ""
            if state.step % plan.evaluate_every == 0 or state.step == plan.steps:
                self._evaluate(plan, state)
                note = _note(state.history[-1])
            progress.tick("train", state.step, plan.steps, note)
            if stop.is_set() or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                self._save(plan, state, checkpoint, key)
                saved_at = time.monotonic()
            if stop.is_set():
                raise Interrupt("Run the same command again to go on: what was trained so far is kept.")

    def _compile(self, plan: Plan) -> None:
        self.optimizers = [
            keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps, alpha=0.01))
            for _ in self.updates
        ]
        for update, optimizer in zip(self.updates, self.optimizers, strict=True):
            optimizer.build(self._trainable(update.roles))

        def step(x: Any, noise: Mapping[str, Any], progress: Any) -> Mapping[str, Any]:
            losses: dict[str, Any] = {}
            for update, optimizer in zip(self.updates, self.optimizers, strict=True):
                variables = self._trainable(update.roles)
                with tf.GradientTape() as tape:
                    named = update.loss(self.nets, x, noise, progress)
                optimizer.apply(tape.gradient(named["loss"], variables), variables)
                losses |= named
            return losses

        def losses(x: Any, noise: Mapping[str, Any]) -> Mapping[str, Any]:
            named = [update.loss(self.nets, x, noise, tf.constant(1.0)) for update in self.updates]
            return {name: value for part in named for name, value in part.items()}

        self._step = tf.function(step, jit_compile=True)
        self._losses = tf.function(losses, reduce_retracing=True)

    def _measure(self, draft: Plan, seconds: float, started: float) -> int:
        """The number of steps that a budget in seconds allows: time the first ones, then forget them."""
        initial = self._weights()
        self._compile(draft)
        self._step(*self._batch(draft, 0))  # compiles
        self._validation_losses()
        times: list[float] = []
        until = time.monotonic() + max(0.5, _MEASURED_SHARE * seconds)
        while len(times) < 3 or time.monotonic() < until:
            before = time.perf_counter()
            self._step(*self._batch(draft, len(times)))
            times.append(time.perf_counter() - before)
        before = time.perf_counter()
        self._validation_losses()
        evaluation = time.perf_counter() - before
        for variable, value in zip(self._variables(), initial, strict=True):
            variable.assign(value)
        spent = time.monotonic() - started
        return steps_within(seconds - 1.5 * spent, float(np.mean(times)), evaluation)  # half again: compiled anew

    def _batch(self, plan: Plan, step: int) -> tuple[Any, Any, Any]:
        """The items, noise and progress of one step: a pure function of seed and step."""
        per_epoch = len(self.train) // plan.batch_size
        epoch, place = divmod(step, per_epoch)
        order = generator(self.seed, "order", epoch).permutation(len(self.train))
        index = np.sort(order[place * plan.batch_size : (place + 1) * plan.batch_size])
        noise = self.family.noise(generator(self.seed, "noise", step), plan.batch_size, self.latent_dim)
        return (
            tf.constant(self.modality.to_tensor(self.train[index])),
            {name: tf.constant(value) for name, value in noise.items()},
            tf.constant(step / plan.steps, tf.float32),
        )

    def _evaluate(self, plan: Plan, state: _State) -> None:
        validation = self._validation_losses()
        losses = {name: float(value) / state.since for name, value in state.sums.items()}
        state.sums, state.since = {}, 0
        row = {
            "step": float(state.step),
            "epoch": state.step * plan.batch_size / len(self.train),
            "learning_rate": float(self.optimizers[0].learning_rate.numpy()),
            **losses,
            **{f"val_{name}": value for name, value in validation.items()},
        }
        if not all(np.isfinite(value) for value in row.values()):
            raise GensetError(
                f"the training diverged: at step {state.step} a loss is no longer a number",
                where="train.learning_rate",
                hint=f"Lower it, for example train.learning_rate={plan.learning_rate / 4:g}.",
            )
        state.history.append(row)
        score = validation.get("loss", -float(state.step))  # without a validation part, later is better
        if score < state.best_loss:
            state.best_loss, state.best_step, state.best = score, state.step, self._weights()

    def _validation_losses(self, batch_size: int = 256) -> dict[str, float]:
        totals: dict[str, float] = {}
        for start in range(0, len(self.validation), batch_size):
            items = self.validation[start : start + batch_size]
            noise = self.family.noise(generator(self.seed, "validation", start), len(items), self.latent_dim)
            losses = self._losses(tf.constant(self.modality.to_tensor(items)), noise)
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(items) / len(self.validation)
        return totals

    @staticmethod
    def _out_of_patience(plan: Plan, state: _State) -> bool:
        return state.step - state.best_step >= plan.patience * plan.evaluate_every

    def _warn_if_short(self, plan: Plan, progress: Progress) -> None:
        if plan.steps * plan.batch_size < len(self.train):
            progress.say(
                f"the budget allows {plan.steps} steps of {plan.batch_size} items: less than one pass over the "
                f"{len(self.train)} train items; give it longer, with train.seconds, epochs or steps"
            )

    def _trainable(self, roles: tuple[str, ...]) -> list[Any]:
        return [variable for role in roles for variable in self.nets[role].trainable_variables]

    def _variables(self) -> list[Any]:
        return [variable for net in self.nets.models.values() for variable in net.variables]

    def _weights(self) -> list[npt.NDArray[Any]]:
        return [variable.numpy().copy() for variable in self._variables()]

    def _optimizer_variables(self) -> list[Any]:
        return [variable for optimizer in self.optimizers for variable in optimizer.variables]

    def _save(self, plan: Plan, state: _State, path: Path, key: str) -> None:
        meta = {"key": key, "plan": asdict(plan), "step": state.step, "history": state.history}
        meta |= {"best_loss": state.best_loss, "best_step": state.best_step, "since": state.since}
        meta["sums"] = {name: float(value) for name, value in state.sums.items()}
        arrays = {f"w{i}": value for i, value in enumerate(self._weights())}
        arrays |= {f"b{i}": value for i, value in enumerate(state.best)}
        arrays |= {f"o{i}": variable.numpy() for i, variable in enumerate(self._optimizer_variables())}
        buffer = io.BytesIO()
        np.savez(buffer, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())

    def _restore(self, saved: Mapping[str, Any]) -> _State:
        variables = self._variables()
        for i, variable in enumerate(variables):
            variable.assign(saved[f"w{i}"])
        for i, variable in enumerate(self._optimizer_variables()):
            variable.assign(saved[f"o{i}"])
        best = [saved[f"b{i}"] for i in range(len(variables))]
        state = _State(saved["step"], saved["best_loss"], saved["best_step"], best, saved["history"], saved["sums"])
        state.since = saved["since"]
        return state


def _load(path: Path, key: str) -> dict[str, Any] | None:
    """The checkpoint of exactly this training, or None."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        if meta["key"] != key:
            return None
        return meta | {name: arrays[name] for name in arrays.files if name != "meta"}


def _initialise(nets: Nets, seed: int) -> None:
    """Draw every kernel anew by its own layer's rule, from the seed: keras would draw from global state."""
    for role, net in nets.models.items():
        rng = generator(seed, "weights", role)
        for layer in net.layers:
            if getattr(layer, "kernel", None) is not None:
                rule = layer.kernel_initializer
                rule = type(rule).from_config({**rule.get_config(), "seed": int(rng.integers(2**31))})
                layer.kernel.assign(rule(layer.kernel.shape))


@contextlib.contextmanager
def _signals_held() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into a flag that is looked at between steps, when all variables agree."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _note(row: Mapping[str, float]) -> str:
    """The losses in few words: "reconstruction" is reconstruction_loss, "val" is val_loss."""
    names = [name for name in row if (name.endswith("_loss") and not name.startswith("val_")) or name == "val_loss"]
    return "  ".join(f"{name.removesuffix('_loss')} {row[name]:.4g}" for name in names)
