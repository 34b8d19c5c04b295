"""Texts as a modality: lines, files and rows of tables, in any script."""

import codecs
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import (
    DecodedInfo,
    Fingerprint,
    Floats,
    ItemArray,
    Items,
    ItemSource,
    Labels,
    Modality,
    Network,
    Preview,
    Section,
    Similarity,
    SourceEntry,
    Step,
    SuggestedSetting,
    Tensor,
    Tensors,
    TrainingDefaults,
)
from genset.modalities.text import (
    augment,
    codec,
    diff_augment,
    features,
    item_rules,
    letter_model,
    metrics,
    near_duplicates,
    networks,
    preview,
    table_files,
    text_files,
)
from genset.modalities.text.token_sampling import Models, TokenSampling, generate_tokens, mean_nats
from genset.modalities.text.tokens import TextTokenizer, TokenKind

TOKENS = "tokens.json"
_UNLABELLED = "lines"  # name of a file with lines that have no label


class TextSettings(Section):
    """How texts are read, and divided into tokens for the networks."""

    kind: Literal["text"] = "text"
    encoding: str = "utf-8"
    """Encoding of the source files; genset writes UTF-8."""
    fields: list[str] | None = pydantic.Field(None, min_length=1)
    """Columns of a table that together are one item, such as [prompt, response]. Default: columns with common names."""
    label: str | None = None
    """Column of a table with the class. Default: `label`."""
    turn_keys: list[str] = pydantic.Field(default_factory=list, max_length=2)
    """For lists of turns: the keys of speaker and text in each turn, such as [role, content]. Default: taken from the
    data."""
    max_characters: int = pydantic.Field(2000, ge=1, le=20_000)
    """Maximum length of an item in characters: longer items are left out and reported."""
    max_bytes: int | None = pydantic.Field(None, ge=1)
    """Maximum size of a synthetic item in bytes of UTF-8. Default: that of the longest real item."""
    tokens: TokenKind = "bpe"
    """bpe (parts of words; any script, no unknown tokens), words or characters."""
    vocabulary_size: int | None = pydantic.Field(None, ge=10, le=50_000)
    """Number of different tokens. Default: 300 to 4,000, depending on the size of the training set."""
    max_tokens: int | None = pydantic.Field(None, ge=2, le=1024)
    """Tokens of a text that the model uses. Default: enough for 99.5% of the training items, at most 96."""

    renamed: ClassVar[Mapping[str, str]] = {
        "longest_text": "max_characters",
        "length": "max_bytes",
        "vocabulary": "vocabulary_size",
        "longest": "max_tokens",
    }

    @pydantic.field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"no such encoding: {value!r}") from None


class Text(Modality):
    """Texts as bytes of UTF-8 (L,), padded with zeros."""

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
    training = TrainingDefaults(gan_space="codes", gan_warm_start=0.8, free_bits=0.25, clean_targets=True)
    tensor_dtype = "int32"
    shared_unit = True  # counts of words: a rare word is no strong evidence
    fixed_shape = False
    rows = True
    class_column = "label"
    near_duplicate_threshold = 0.8
    rules = item_rules.RULES
    figures = metrics.FIGURES
    fault_messages = metrics.FAULTS
    settings: TextSettings

    def __init__(self, settings: TextSettings, tokenizer: TextTokenizer | None = None) -> None:
        self.settings = settings
        self._tokenizer = tokenizer

    @property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer. Raises ValueError before it is trained."""
        if self._tokenizer is None:
            raise ValueError("the tokenizer is not trained yet")
        return self._tokenizer

    def for_files(self, files: Sequence[Path]) -> Self:
        settings = self.settings
        layout = table_files.detect_layout(files, settings.encoding, settings.fields, settings.label)
        if layout:
            update = {"fields": list(layout.fields), "turn_keys": settings.turn_keys or list(layout.turn_keys)}
            settings = settings.model_copy(update=update)
        return type(self)(settings, self._tokenizer)

    def entries(self, path: Path, *, top: bool) -> Iterable[SourceEntry]:
        settings = self.settings
        if path.suffix.lower() in table_files.TABLES:
            return table_files.table_entries(path, settings.encoding, self._layout, settings.max_characters)
        if not top:
            return (SourceEntry(),)
        return text_files.line_entries(path.read_bytes(), settings.encoding, settings.max_characters)

    def file_label(self, path: Path) -> str:
        is_table = path.suffix.lower() in table_files.TABLES
        return "" if is_table or path.stem.lower() == _UNLABELLED else path.stem

    @property
    def _layout(self) -> table_files.RowLayout:
        settings = self.settings
        fields = tuple(settings.fields or ["text"])
        return table_files.RowLayout(fields, settings.label or "label", tuple(settings.turn_keys))

    def probe(self, raw: ItemSource, *, fingerprinted: bool = False, measured: bool = False) -> DecodedInfo:
        text = self._read(raw)
        data = text.encode()
        traits = {"bytes": len(data), "characters": len(text), "script": item_rules.script_of(text)}
        drawn = near_duplicates.fingerprint(text) if fingerprinted or measured else None  # `gibberish` needs it, too
        return DecodedInfo(
            hashlib.sha256(data).hexdigest(), traits, "", drawn, item_rules.values(text) if measured else {}
        )

    def measured(self, probes: Sequence[DecodedInfo]) -> Mapping[str, npt.NDArray[Any]]:
        own = {name: np.array([probe.values[name] for probe in probes]) for name in item_rules.SINGLE_ITEM_RULES}
        scripts = [probe.traits["script"] for probe in probes]
        fingerprints = [probe.fingerprint for probe in probes if probe.fingerprint is not None]
        return {**own, item_rules.GIBBERISH: letter_model.unlikelihood(fingerprints, scripts)}

    @classmethod
    def resolve_settings(cls, settings: TextSettings, probes: Sequence[DecodedInfo]) -> TextSettings:
        """The settings with the length of the longest item."""
        longest = max((probe.traits["bytes"] for probe in probes), default=1)
        return settings.model_copy(update={"max_bytes": settings.max_bytes or longest})

    def suggested_settings(self, probes: Sequence[DecodedInfo]) -> Sequence[SuggestedSetting]:
        settings = self.settings
        longest = max(probe.traits["characters"] for probe in probes)
        scripts = Counter(probe.traits["script"] for probe in probes)
        fields = [SuggestedSetting("fields", settings.fields, "these columns are one item")] if settings.fields else []
        script = scripts.most_common(1)[0][0]
        tokens = f"parts of words, for any script; most texts are {script}, with at most {longest:,} characters"
        return (*fields, SuggestedSetting("tokens", settings.tokens, tokens))

    def _read(self, raw: ItemSource) -> str:
        if isinstance(raw, Path):
            return text_files.read_single(raw.read_bytes(), self.settings.encoding, self.settings.max_characters)
        assert isinstance(raw, str), raw
        return raw

    def decode_native(self, raw: ItemSource) -> ItemArray:
        return codec.encode(self._read(raw))

    def decode(self, raw: ItemSource) -> ItemArray:
        item: ItemArray = codec.encode_all([self._read(raw)], self.item_shape[0])[0]
        return item

    def encode(self, item: ItemArray) -> bytes:
        return codec.decode(item).encode()

    def raw(self, text: str) -> ItemSource:
        if os.path.isfile(text):  # Path.is_file raises an error for a text that is too long for a file name
            return Path(text)
        return table_files.parse_argument(text, self._layout, self.settings.max_characters)

    def to_row(self, item: ItemArray) -> Mapping[str, Any]:
        return table_files.split_fields(codec.decode(item), self._layout)

    @property
    def form(self) -> Mapping[str, Any]:
        return {"fields": list(self._layout.fields), "turn_keys": list(self._layout.turn_keys)}

    def from_row(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return table_files.join_fields(row, self._layout)

    def fitted(self, items: Items, labels: Labels) -> Self:
        settings = self.settings
        texts = codec.decode_all(items)
        return type(self)(
            settings, TextTokenizer.train(texts, settings.tokens, settings.vocabulary_size, settings.max_tokens)
        )

    @property
    def state(self) -> Mapping[str, bytes]:
        return {TOKENS: self.tokenizer.to_bytes()}

    def with_state(self, state: Mapping[str, bytes]) -> Self:
        return type(self)(self.settings, TextTokenizer.from_bytes(state[TOKENS]))

    @property
    def item_shape(self) -> tuple[int, ...]:
        if self.settings.max_bytes is None:
            raise ValueError("modality.max_bytes is not known yet")
        return (self.settings.max_bytes,)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        return (self.tokenizer.length,)

    @property
    def latent_dim(self) -> int:
        return 32 if self.item_shape[0] <= 64 else 64

    def to_tensor(self, items: Items) -> Tensors:
        return self.tokenizer.encode(codec.decode_all(items))

    def from_tensor(self, tensor: Tensors) -> Items:
        return codec.encode_all([text.strip() for text in self.tokenizer.decode(tensor)], self.item_shape[0])

    def render(
        self, models: Models, z: Floats, label: Floats, rngs: Sequence[np.random.Generator], sampling: Any
    ) -> Items:
        return self.from_tensor(generate_tokens(models, z, label, rngs, self.tensor_shape[0], sampling))

    def errors(self, models: Models, z: Floats, label: Floats, items: Items) -> Floats:
        return mean_nats(models, z, label, self.tokenizer.encode(codec.decode_all(items)))

    def faults(self, items: Items) -> npt.NDArray[np.str_]:
        return metrics.faults(codec.decode_all(items), len(self._layout.fields))

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        return metrics.measure(*(codec.decode_all(items) for items in (train, test, made)))

    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        return diff_augment.draw(rng, size, self.tensor_shape[0])

    def draw_noise(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        shape = (size, *self.tensor_shape, self.tokenizer.size)
        return {"exponential": rng.standard_exponential(shape, dtype=np.float32)}

    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return diff_augment.apply(x, drawn) if len(x.shape) == 2 else diff_augment.apply_to_one_hot(x, drawn)

    def features(self, items: Items) -> Floats:
        return features.ngrams(codec.decode_all(items))

    def closeness(self, items: Items) -> Floats:
        return features.character_ngrams(codec.decode_all(items))

    def similarity(self, fingerprints: Sequence[Fingerprint]) -> Similarity:
        return near_duplicates.TextSimilarity(fingerprints)

    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        return preview.sheet(codec.decode_all(items), titles)

    def preview(self, item: ItemArray) -> Sequence[Preview]:
        return (Preview("text/plain; charset=utf-8", codec.readable(codec.decode(item)).encode()),)

    def describe(self, probes: Sequence[DecodedInfo]) -> Mapping[str, Mapping[str, int]]:
        powers_of_two = (1 << max(0, probe.traits["characters"] - 1).bit_length() for probe in probes)
        sizes = Counter(f"up to {size:,}" for size in powers_of_two)
        scripts = Counter(probe.traits["script"] for probe in probes)
        return {
            "characters": dict(sorted(sizes.items(), key=lambda pair: len(pair[0]))),
            "script": dict(scripts.most_common()),
        }
