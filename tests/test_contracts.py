"""What every modality, family, network, transform and metric of the tables must keep, without a line of new test code."""

import functools
import hashlib
import html.parser
import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest

from genset.dataset import Record
from genset.engine import Local
from genset.interfaces import ItemArray, Items, ItemSource, Kinds, Modality, Progress, Step
from genset.modalities import MODALITIES
from genset.modalities.composition import COMPOSITE_STEPS, POLICIES, step_kinds
from genset.models import FAMILIES
from genset.models.priors import GaussianMixture
from genset.pipeline import export_items
from genset.pipeline.augment import copies, copy_job
from genset.pipeline.augment.mixing import PartnerPool, TrainContext
from genset.pipeline.job import Job
from genset.quality import METRICS
from genset.report.media import element
from genset.versions.root import Root
from genset.workflows import replay
from tests.helpers import SAMPLES

# Real files of each modality: a new modality adds its samples folder and nothing here.
SOURCES = {kind: SAMPLES.parent / kind for kind in MODALITIES}


# What the samples lack: words, numbers and marks that every transform finds something in.
TEXTS: list[ItemSource] = [
    "On 2024-03-01, Anna saw 12 big dogs and 4 cats (all of them brown) run 5 km.",
    "Yes: my own mother likes the old song; did you buy it for 30 euros?",
]
# What a transform may find nothing to change in, in most items.
SELDOM = ("hue", "saturation")


@functools.cache
def opened(kind: str) -> Modality:
    table = MODALITIES[kind]
    return table(table.resolve_settings(found(kind).settings, [found(kind).probe(raw) for raw in raws(kind)]))


@functools.cache
def files(kind: str) -> list[Path]:
    return [path for path in sorted(SOURCES[kind].rglob("*")) if path.suffix in MODALITIES[kind].suffixes]


@functools.cache
def found(kind: str) -> Modality:
    table = MODALITIES[kind]
    return table(table.Settings()).for_files(files(kind))


@functools.cache
def raws(kind: str, count: int = 32) -> list[ItemSource]:
    entries = [(path, entry) for path in files(kind) for entry in found(kind).entries(path, top=True)]
    every = [path if entry.content is None else entry.content for path, entry in entries]
    return every[:: len(every) // count][:count]


def items(kind: str) -> Items:
    modality = opened(kind)
    return np.stack([modality.decode(raw) for raw in raws(kind)])


def colours() -> ItemArray:
    """A grey digit, another and their negative as red, green and blue."""
    first, second = items("image")[0], items("image")[9]
    return np.concatenate([first, second, 255 - first], axis=2)


def varied(kind: str) -> list[ItemArray]:
    extra = {"text": lambda: [opened("text").decode_native(raw) for raw in TEXTS], "image": lambda: [colours()]}
    return [*items(kind), *extra.get(kind, list)()]


ONE_WAY = ("flip", "flip_vertical", "invert", "casing", "synonyms")  # with few outcomes
# What a transform cannot do without.
NEEDS: dict[str, Any] = {"synonyms": {"table": {"Anna": ["Anja"], "Maria": ["Marie"]}}, "some_of": {"count": 2}}


def made_step(kind: str, step: str) -> Step:
    first = [{"kind": name} for name in MODALITIES[kind].augmentations if name not in ONE_WAY][:3]
    parts = {step: first} if step in COMPOSITE_STEPS else {}
    (made,) = pydantic.TypeAdapter(list[Annotated[Step, Kinds(step_kinds(MODALITIES[kind]))]]).validate_python(
        [{"kind": step, **NEEDS.get(step, {}), **parts}]
    )
    return made.for_modality(opened(kind))


# Every step but the one that needs a model.
STEPS = [(kind, step) for kind, table in MODALITIES.items() for step in step_kinds(table) if step != "latent_mix"]


def records(kind: str, count: int = 8) -> list[Record]:
    """Real items of two classes."""
    every = [*TEXTS, *raws(kind)] if kind == "text" else raws(kind)
    return [
        Record(
            f"c{n:015x}",
            raw if isinstance(raw, Path) else Path(),
            "ab"[n % 2],
            split="train",
            text=raw if isinstance(raw, str) else None,
        )
        for n, raw in enumerate(every[:count])
    ]


def context(kind: str, parent: Record, item: ItemArray) -> TrainContext:
    """An item among other real ones; all of them look like the one that is given, upside down."""
    others = [parent, *records(kind)]
    return TrainContext(parent, PartnerPool(others), lambda record: np.ascontiguousarray(item[::-1]), None)


@pytest.mark.parametrize("kind", MODALITIES)
def test_a_file_round_trips(kind: str, tmp_path: Path) -> None:
    modality = opened(kind)
    for item in items(kind):
        path = tmp_path / f"x{modality.suffix}"
        path.write_bytes(modality.encode(item))
        assert (modality.decode(path) == item).all()
        if modality.rows:
            assert modality.from_row({**modality.to_row(item), "other": 1}) == (
                modality.encode(item).decode(),
                {"other": 1},
            )
        else:
            assert (modality.decode_native(path) == item).all()
            assert modality.probe(path).loadable == modality.suffix


@pytest.mark.parametrize("kind", MODALITIES)
def test_tensors_are_in_range_and_come_back(kind: str) -> None:
    real = items(kind)
    modality = opened(kind).fitted(real, np.arange(len(real)) % 2)
    modality = opened(kind).with_state(modality.state)
    tensor = modality.to_tensor(real)
    assert tensor.shape == (len(real), *modality.tensor_shape)
    assert tensor.dtype == modality.tensor_dtype
    assert tensor.min() >= 0
    assert tensor.dtype == np.int32 or tensor.max() <= 1
    if modality.round_trip(real) is None:
        assert (modality.from_tensor(tensor) == real).all()
        return
    for back in (modality.from_tensor(tensor), modality.round_trip(real)):
        assert (back.shape, back.dtype) == (real.shape, modality.item_dtype)
        lost = np.linalg.norm(modality.closeness(back) - modality.closeness(real), axis=1)
        apart = np.linalg.norm(modality.closeness(real) - modality.closeness(np.roll(real, 1, axis=0)), axis=1)
        assert np.median(lost) < 0.2 * np.median(apart)


@pytest.mark.parametrize("kind", MODALITIES)
def test_features_and_closeness_are_a_row_an_item_whoever_stands_beside_it(kind: str) -> None:
    modality, real = opened(kind), items(kind)
    for space in (modality.features, modality.closeness):
        rows = space(real)
        assert rows.shape[0] == len(real)
        assert np.isfinite(rows).all()
        assert np.allclose(rows[3:5], space(real[3:5]), atol=1e-6)


@pytest.mark.parametrize("kind, step", STEPS)
def test_a_transform_keeps_shape_dtype_and_range_and_is_made_again_from_what_was_drawn(kind: str, step: str) -> None:
    transform = made_step(kind, step)

    def made_of(item: ItemArray, parent: Record, seed: int) -> copies.TransformedItem | None:
        recipe = copies.Recipe((transform,), seed)
        return copies.transform_copy(item, copies.Copy(parent, 0), recipe, context(kind, parent, item))

    changed = 0
    for number, item in enumerate(varied(kind)):
        parent = Record(f"c{number}", Path(), "a", split="train")
        made = made_of(item, parent, 7)
        if made is None:
            continue  # nothing in this item can be changed so
        assert made.item.dtype == MODALITIES[kind].item_dtype
        assert made.item.shape == item.shape or not MODALITIES[kind].fixed_shape
        if step in MODALITIES[kind].augmentations:
            assert not MODALITIES[kind](MODALITIES[kind].Settings()).faults(made.item[None])[0]
        again = made_of(item, parent, 7)
        assert (again.item == made.item).all()
        assert again.drawn == made.drawn
        assert json.loads(json.dumps(made.drawn)) == made.drawn
        assert {row["kind"] for row in made.drawn} <= {step} or step in {**COMPOSITE_STEPS, **POLICIES}
        others = [other.item for seed in (8, 9, 10) if (other := made_of(item, parent, seed))]
        varies = any(not np.array_equal(other, made.item) for other in others)
        changed += not np.array_equal(made.item, item) and (step in ONE_WAY or varies)
    assert changed >= (1 if kind == "text" or step in SELDOM else len(items(kind)) // 2)


@pytest.mark.parametrize("kind, step", STEPS)
def test_a_transform_makes_the_same_bytes_with_any_number_of_workers_and_for_one_item_alone(
    kind: str, step: str, tmp_path: Path
) -> None:
    modality = opened(kind)
    real = records(kind)
    form = modality.settings.model_dump(mode="json")
    recipe = copies.Recipe((made_step(kind, step),), 7, form, True)
    copying = copy_job.CopyJob(copies.numbered_copies(real, 2, {}), recipe, None)
    parents = [(record, functools.partial(modality.decode_native, record.raw)) for record in real]
    outcomes = []
    for workers in (1, 2, 4):
        job = Job("augment", Root(tmp_path), Local(workers=workers), Progress())
        outcomes.append(list(copy_job.augmented_copies(parents, copying, modality, job, [])))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    by_id = {record.id: record for record in real}
    for item in outcomes[0][::5] or outcomes[0][:1]:
        (noted,) = recipe.as_dict().values()
        again, same = replay.replay_copy(item.record, by_id, json.loads(json.dumps(noted)), type(modality))
        assert export_items.to_export_item(item.record, again, same) == item


@pytest.mark.parametrize("kind", MODALITIES)
def test_a_sheet_shows_items_and_descriptions_count_every_item(kind: str) -> None:
    modality = opened(kind)
    sheet = modality.sheet(items(kind)[:6], ["one", "two <b>"])
    if modality.sheet_suffix == ".png":
        assert sheet.startswith(b"\x89PNG")
    else:
        assert sheet.decode().startswith("# one\n" + modality.encode(items(kind)[0]).decode() + "\n")
    probes = [modality.probe(raw) for raw in raws(kind)]
    assert all(sum(counts.values()) == len(probes) for counts in modality.describe(probes).values())


@pytest.mark.parametrize("kind", MODALITIES)
def test_what_a_page_shows_of_an_item_is_small_and_cannot_break_out_of_it(kind: str) -> None:
    modality = opened(kind)
    exhibits = modality.preview(items(kind)[0])
    assert exhibits
    for exhibit in exhibits:
        assert 0 < len(exhibit.data) < 250_000
        (shown,) = _Page().fed(element(exhibit, '"><script>alert("a & b")</script>')).elements
        assert '"><script>alert("a & b")</script>' in (shown[1].get("alt"), shown[1].get("aria-label"))
        assert shown[0] in ("img", "audio", "blockquote")


class _Page(html.parser.HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def fed(self, text: str) -> "_Page":
        self.feed(text)
        self.close()
        return self


def test_figures_have_one_name_each() -> None:
    own = [figure for table in MODALITIES.values() for figure in table.figures]
    names = [figure.name for figure in [*own, *(figure for metric in METRICS for figure in metric.figures)]]
    assert len(names) == len(set(names))


MODELS = [(f, kind, network) for f, kind in product(FAMILIES, MODALITIES) for network in MODALITIES[kind].networks]
MODELS += [("gan of items", "text", network) for network in MODALITIES["text"].networks]
DEFAULT_NETWORKS = {kind: next(iter(modality.networks)) for kind, modality in MODALITIES.items()}
# Each family and each modality once in the fast tests, all pairs in the slow ones.
FAST_MODELS = {("ae", "text"), ("vae", "sound"), ("gan", "image")}
DEFAULT_MODELS = [
    pytest.param(family, kind, marks=[] if (family, kind) in FAST_MODELS else pytest.mark.slow)
    for family, kind in product(FAMILIES, MODALITIES)
]


@dataclass(frozen=True)
class TrainedModel:
    """The files of a model after a short training, and what it reports."""

    exported: dict[str, bytes]
    saved: bytes
    history: list[dict[str, float]]
    density: dict[str, Any]


class ShortTraining:
    """A family and a network of a modality, to be trained on a few samples of two classes."""

    def __init__(self, family: str, kind: str, network: str, folder: Path) -> None:
        # Two characters of each text: TensorFlow takes minutes for graphs of loops over many tokens
        short = [raw[:2] if isinstance(raw, str) else raw for raw in raws(kind)]
        self.items = np.stack([opened(kind).decode(raw) for raw in short])
        self.labels = np.arange(len(self.items)) % 2
        self.modality = opened(kind).fitted(self.items, self.labels)
        name, _, space = family.partition(" of ")
        settings = {"space": space} if space else {}
        self.family = FAMILIES[name](kind=name, **settings).for_modality(type(self.modality))
        self.prior, self.network, self.folder = GaussianMixture(), network, folder

    def trained(self, steps: int) -> TrainedModel:
        import keras

        from genset.models.export import keras_bytes, onnx_bytes
        from genset.models.schedule import Train
        from genset.models.trainer import Trainer
        from genset.models.training_task import Examples, TrainingTask

        keras.utils.clear_session()
        nets = self.family.build(self.modality, self.modality.networks[self.network](kind=self.network), 5, 2)
        train, validation = Examples(self.items, self.labels), Examples(self.items[:8], self.labels[:8])
        task = TrainingTask(
            self.family, self.prior, nets, self.modality, train, validation, classes=2, code_length=5, seed=3,
            make_scorer=lambda train, validation: lambda samples, labels: {
                "frechet": float(abs(samples.mean() - train.mean()))
            },
        )  # fmt: skip
        checkpoint, settings = self.folder / "c.npz", Train(steps=steps, batch_size=8)
        outcome = Trainer(task).fit(settings, checkpoint, "key", resume=False, progress=Progress())
        assert outcome.steps_done == steps
        exported = {name: onnx_bytes(net, 0) for name, net in self.family.sampler(nets, self.modality).items()}
        return TrainedModel(
            exported, keras_bytes(self.family.keras_model(nets, self.modality)), outcome.history, outcome.prior
        )

    def check(self, model: TrainedModel) -> None:
        """Losses are finite, samples have the modality's form and depend on their own seed alone, the file loads."""
        import keras

        from genset.models.onnx_network import OnnxNetwork

        assert all(np.isfinite(value) for row in model.history for value in row.values())
        networks = {name: OnnxNetwork(data) for name, data in model.exported.items()}
        rngs = [np.random.default_rng(n) for n in range(70)]
        z = self.family.density(self.prior).draw(model.density, 1, rngs)
        if "codes" in networks:
            (z,) = networks["codes"](z)
        assert z.shape == (70, 5)
        label = np.tile(np.float32([0, 1]), (70, 1))

        def rendered(rows: slice) -> Items:
            drawn = [np.random.default_rng(n) for n in range(70)[rows]]
            return self.modality.render(networks, z[rows], label[rows], drawn, self.modality.Sampling())

        synthetic = rendered(slice(0, 70))
        assert (synthetic.shape, synthetic.dtype) == ((70, *self.modality.item_shape), self.modality.item_dtype)
        assert all((rendered(slice(n, n + 1))[0] == synthetic[n]).all() for n in (0, 1, 63, 64, 69))
        errors = self.modality.errors(networks, z, label, synthetic)
        assert errors.shape == (70,)
        assert (errors >= 0).all()
        (self.folder / "m.keras").write_bytes(model.saved)
        assert keras.models.load_model(self.folder / "m.keras", safe_mode=True).count_params() > 0


@pytest.mark.parametrize("family, kind", DEFAULT_MODELS)
def test_a_family_with_the_default_network_trains_exports_and_samples(family: str, kind: str, tmp_path: Path) -> None:
    training = ShortTraining(family, kind, DEFAULT_NETWORKS[kind], tmp_path)
    training.check(training.trained(steps=4))


@pytest.mark.slow
@pytest.mark.parametrize("family, kind, network", MODELS)
def test_a_model_trains_saves_exports_and_samples_the_same_under_the_same_seed(
    family: str, kind: str, network: str, tmp_path: Path
) -> None:
    training = ShortTraining(family, kind, network, tmp_path)
    first = training.trained(steps=8)
    if network == DEFAULT_NETWORKS[kind]:  # most of a short training is the compilation of its graph
        second = training.trained(steps=8)
        assert first.history == second.history
        assert [name for name, data in first.exported.items() if data != second.exported[name]] == []
        assert hashlib.sha256(first.saved).digest() == hashlib.sha256(second.saved).digest()
        assert all((first.density[name] == second.density[name]).all() for name in first.density)
    training.check(first)


@pytest.mark.parametrize(
    "size, mode", [(8, "L"), (9, "RGB"), (15, "L"), (28, "L"), (32, "RGB"), (45, "L"), (64, "RGB")]
)
@pytest.mark.parametrize("kind", MODALITIES["image"].networks)
def test_image_networks_take_every_size(size: int, mode: str, kind: str) -> None:
    table = MODALITIES["image"]
    modality = table(table.Settings(size=size, mode=mode))
    network = modality.networks[kind](kind=kind, width=8)
    x = np.zeros((2, *modality.tensor_shape), np.float32)
    features = network.trunk(modality, "encoder")(x)
    assert features.ndim == 2
    assert features.shape[0] == 2
    assert network.decoder(modality, 3, 1)(np.zeros((2, 3), np.float32)).shape == x.shape


def test_losses_have_their_known_values() -> None:
    import keras

    from genset.models.losses import bernoulli_loss, gaussian_loss, kl_loss

    zeros = np.zeros((2, 3), np.float32)
    assert keras.ops.convert_to_numpy(kl_loss(zeros, zeros)) == pytest.approx(zeros)
    # KL of N(m, s^2) from N(0, 1): (s^2 + m^2 - 1) / 2 - log s, three times
    mean, log_var = np.full((1, 3), 2.0, np.float32), np.full((1, 3), np.log(0.25), np.float32)
    assert float(np.sum(kl_loss(mean, log_var))) == pytest.approx(3 * ((0.25 + 4 - 1) / 2 - np.log(0.5)), rel=1e-5)
    x, y = np.zeros((2, 4), np.float32), np.full((2, 4), 0.5, np.float32)
    # -log N(0; 0.5, 0.25) for each of four values
    assert float(gaussian_loss(x, y)) == pytest.approx(4 * (0.5 * np.log(2 * np.pi * 0.25) + 0.5), rel=1e-5)
    assert float(bernoulli_loss(x, y)) == pytest.approx(4 * np.log(2), rel=1e-5)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_engine_keeps_order_and_holds_few_results_back(workers: int) -> None:
    taken = []

    def source():  # type: ignore[no-untyped-def]
        for n in range(1000):
            taken.append(n)
            yield n

    results = Local(workers=workers).map(lambda n: n * n, source())
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(taken) < 40
    assert list(results) == [n * n for n in range(5, 1000)]


def test_an_error_of_one_item_comes_out_of_the_engine() -> None:
    with pytest.raises(ZeroDivisionError):
        list(Local(workers=2).map(lambda n: 1 // n, [1, 0, 1]))
