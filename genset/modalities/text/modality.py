"""Texts to compact arrays and back: lines, files and rows of tables, in any script."""

import codecs
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import (
    Choice,
    Entry,
    Exhibit,
    Floats,
    Item,
    Items,
    Labels,
    Likeness,
    Modality,
    Network,
    Probe,
    Raw,
    Section,
    Sketch,
    Step,
    Tensor,
    Tensors,
)
from genset.modalities.text import (
    augment,
    codec,
    diff_augment,
    features,
    item_rules,
    metrics,
    near_duplicates,
    networks,
    preview,
    table_files,
)
from genset.modalities.text.token_sampling import TokenSampling, nats, write
from genset.modalities.text.tokens import Kind, Tokens

TOKENS = "tokens.json"
_LINES = "lines"  # the name of a file of lines without a label
_MODELS = Mapping[str, Callable[..., Sequence[Tensors]]]


class TextSettings(Section):
    """How texts are read, and what they are made of for the networks."""

    kind: Literal["text"] = "text"
    encoding: str = "utf-8"
    """Of the files that are read; what is written is UTF-8."""
    fields: list[str] | None = pydantic.Field(None, min_length=1)
    """Columns of a table that are one item together, such as [prompt, response]; usual names are found without it."""
    label: str | None = None
    """Column of a table that is the class; `label` when not given."""
    turn_keys: list[str] = pydantic.Field(default_factory=list, max_length=2)
    """Keys of a turn in a list of turns, such as [role, content]; taken from the data."""
    longest_text: int = pydantic.Field(2000, ge=1, le=20_000)
    """Characters of an item at most: a longer one is left out, and told of."""
    length: int | None = pydantic.Field(None, ge=1)
    """Bytes that an item has room for; taken from the data when not given."""
    tokens: Kind = "bpe"
    """bpe (pieces of words, any script, nothing unknown), words or characters."""
    vocabulary: int | None = pydantic.Field(None, ge=10, le=50_000)
    """Tokens there are; chosen for the size of the train part when not given."""
    longest: int | None = pydantic.Field(None, ge=2, le=1024)
    """Tokens that a model reads and writes at most; when not given, as many as 99.5% of the train items have, and 96 at
    most."""

    @pydantic.field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"no such encoding: {value!r}") from None


class Text(Modality):
    """Texts as UTF-8 bytes (L,), padded with zeros."""

    kind = "text"
    Settings = TextSettings
    suffixes = (".txt", *table_files.TABLES)
    suffix = ".txt"
    networks: ClassVar[Mapping[str, type[Network]]] = networks.NETWORKS
    augmentations: ClassVar[Mapping[str, type[Step]]] = augment.AUGMENTATIONS
    default_steps = augment.DEFAULT_STEPS
    Sampling = TokenSampling
    sheet_suffix = ".txt"
    state_files = (TOKENS,)
    adversarial_space = "codes"
    adversarial_warm_start = 0.8
    free_bits = 0.25
    tensor_dtype = "int32"
    denoises = True
    shared_unit = True  # counts: a word that hardly stands anywhere is no news
    fixed_shape = False
    rows = True
    class_column = "label"
    near = 0.8
    rules = item_rules.RULES
    figures = metrics.FIGURES
    faults_told = metrics.FAULTS
    settings: TextSettings

    def __init__(self, settings: TextSettings, tokens: Tokens | None = None) -> None:
        self.settings = settings
        self._tokens = tokens

    @property
    def tokens_known(self) -> Tokens:
        """The tokens, once they are learned."""
        if self._tokens is None:
            raise ValueError("the tokens are not learned yet")
        return self._tokens

    def opened(self, files: Sequence[Path]) -> Self:
        tables = (path for path in files if path.suffix.lower() in table_files.TABLES)
        settings = self.settings
        for path in tables:
            found = table_files.found_form(path, settings.encoding, settings.fields, settings.label)
            if found:
                update = {"fields": list(found.fields), "turn_keys": settings.turn_keys or list(found.turn_keys)}
                settings = settings.model_copy(update=update)
                break
        return type(self)(settings, self._tokens)

    def entries(self, path: Path, *, top: bool) -> Iterable[Entry]:
        settings = self.settings
        if path.suffix.lower() in table_files.TABLES:
            return table_files.table_entries(path, settings.encoding, self._form, settings.longest_text)
        if not top:
            return (Entry(),)
        return table_files.line_entries(path.read_bytes(), settings.encoding, settings.longest_text)

    def file_label(self, path: Path) -> str:
        table = path.suffix.lower() in table_files.TABLES
        return "" if table or path.stem.lower() == _LINES else path.stem

    @property
    def _form(self) -> table_files.Form:
        settings = self.settings
        return table_files.Form(
            tuple(settings.fields or ["text"]), settings.label or "label", tuple(settings.turn_keys)
        )

    def probe(self, raw: Raw, *, sketched: bool = False, measured: bool = False) -> Probe:
        text = self._read(raw)
        data = text.encode()
        traits = {"bytes": len(data), "characters": len(text), "script": metrics.script(text)}
        drawn = near_duplicates.of(text) if sketched or measured else None  # what is gibberish is told by it
        return Probe(hashlib.sha256(data).hexdigest(), traits, "", drawn, item_rules.values(text) if measured else {})

    def measured(self, probes: Sequence[Probe]) -> Mapping[str, npt.NDArray[Any]]:
        own = {name: np.array([probe.values[name] for probe in probes]) for name in item_rules.OF_ONE}
        scripts = [probe.traits["script"] for probe in probes]
        sketches = [probe.sketch for probe in probes if probe.sketch is not None]
        return {**own, item_rules.GIBBERISH: item_rules.unlikelihood(sketches, scripts)}

    @classmethod
    def settle(cls, settings: TextSettings, probes: Sequence[Probe]) -> TextSettings:
        """Room for the longest item."""
        longest = max((probe.traits["bytes"] for probe in probes), default=1)
        return settings.model_copy(update={"length": settings.length or longest})

    def choices(self, probes: Sequence[Probe]) -> Sequence[Choice]:
        settings = self.settings
        longest = max(probe.traits["characters"] for probe in probes)
        scripts = Counter(probe.traits["script"] for probe in probes)
        fields = [Choice("fields", settings.fields, "these columns are the item")] if settings.fields else []
        script = scripts.most_common(1)[0][0]
        tokens = f"pieces of words, for any script; most are {script}, of at most {longest:,} characters"
        return (*fields, Choice("tokens", settings.tokens, tokens))

    def _read(self, raw: Raw) -> str:
        if isinstance(raw, Path):
            return table_files.whole(raw.read_bytes(), self.settings.encoding, self.settings.longest_text)
        assert isinstance(raw, str), raw
        return raw

    def native(self, raw: Raw) -> Item:
        return codec.item_of(self._read(raw))

    def decode(self, raw: Raw) -> Item:
        item: Item = codec.items_of([self._read(raw)], self.item_shape[0])[0]
        return item

    def encode(self, item: Item) -> bytes:
        return codec.text_of(item).encode()

    def raw(self, text: str) -> Raw:
        if os.path.isfile(text):  # False, where Path.is_file raises: a text that is too long for a name
            return Path(text)
        return table_files.given(text, self._form, self.settings.longest_text)

    def fields(self, item: Item) -> Mapping[str, Any]:
        return table_files.divide(codec.text_of(item), self._form)

    @property
    def form(self) -> Mapping[str, Any]:
        return {"fields": list(self._form.fields), "turn_keys": list(self._form.turn_keys)}

    def content(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return table_files.join(row, self._form)

    def learned(self, items: Items, labels: Labels) -> Self:
        settings = self.settings
        texts = codec.texts_of(items)
        return type(self)(settings, Tokens.learn(texts, settings.tokens, settings.vocabulary, settings.longest))

    @property
    def state(self) -> Mapping[str, bytes]:
        return {TOKENS: self.tokens_known.as_bytes()}

    def restored(self, state: Mapping[str, bytes]) -> Self:
        return type(self)(self.settings, Tokens.read(state[TOKENS]))

    @property
    def item_shape(self) -> tuple[int, ...]:
        if self.settings.length is None:
            raise ValueError("the length of texts is not settled yet")
        return (self.settings.length,)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        return (self.tokens_known.length,)

    @property
    def latent_dim(self) -> int:
        return 32 if self.item_shape[0] <= 64 else 64

    def to_tensor(self, items: Items) -> Tensors:
        return self.tokens_known.encode(codec.texts_of(items))

    def from_tensor(self, tensor: Tensors) -> Items:
        return codec.items_of([text.strip() for text in self.tokens_known.decode(tensor)], self.item_shape[0])

    def render(
        self, models: _MODELS, z: Floats, label: Floats, rngs: Sequence[np.random.Generator], sampling: Any
    ) -> Items:
        return self.from_tensor(write(models, z, label, rngs, self.tensor_shape[0], sampling))

    def errors(self, models: _MODELS, z: Floats, label: Floats, items: Items) -> Floats:
        return nats(models, z, label, self.tokens_known.encode(codec.texts_of(items)))

    def faults(self, items: Items) -> npt.NDArray[np.str_]:
        return metrics.faults(codec.texts_of(items), len(self._form.fields))

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        return metrics.measure(*(codec.texts_of(items) for items in (train, test, made)))

    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        return diff_augment.draw(rng, size, self.tensor_shape[0])

    def draw_noise(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        shape = (size, *self.tensor_shape, self.tokens_known.size)
        return {"exponential": rng.standard_exponential(shape, dtype=np.float32)}

    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return diff_augment.apply(x, drawn) if len(x.shape) == 2 else diff_augment.apply_to_one_hot(x, drawn)

    def features(self, items: Items) -> Floats:
        return features.grams(codec.texts_of(items))

    def closeness(self, items: Items) -> Floats:
        return features.shingles(codec.texts_of(items))

    def likeness(self, sketches: Sequence[Sketch]) -> Likeness:
        return near_duplicates.Shingles(sketches)

    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        return preview.sheet(codec.texts_of(items), titles)

    def exhibit(self, item: Item) -> Sequence[Exhibit]:
        return (Exhibit("text/plain; charset=utf-8", codec.plain(codec.text_of(item)).encode()),)

    def describe(self, probes: Sequence[Probe]) -> Mapping[str, Mapping[str, int]]:
        sizes = Counter(_size(probe.traits["characters"]) for probe in probes)
        scripts = Counter(probe.traits["script"] for probe in probes)
        return {
            "characters": dict(sorted(sizes.items(), key=lambda pair: len(pair[0]))),
            "script": dict(scripts.most_common()),
        }


def _size(characters: int) -> str:
    """The power of two that a text is not longer than, as people read it."""
    most = 1
    while most < characters:
        most *= 2
    return f"up to {most:,}"
