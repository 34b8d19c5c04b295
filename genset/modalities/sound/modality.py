"""The modality sound: its settings, and the class that ties reading, tensors, features and figures together."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
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
    Sampling,
    Section,
    Similarity,
    SourceEntry,
    Step,
    SuggestedSetting,
    Tensor,
    Tensors,
    TrainingDefaults,
    UndecodableError,
)
from genset.modalities.sound import (
    augment,
    codec,
    data_settings,
    diff_augment,
    features,
    item_rules,
    metrics,
    near_duplicates,
    networks,
    preview,
    representations,
)
from genset.modalities.sound.loudness import ClassLoudness, finished

LOUDNESS_FILE = "levels.json"
_MEL = representations.Mel.name  # what features and previews use, whatever the networks see
_DEFAULT_LOUDNESS = -20.0  # dB relative to full scale, of clips of unknown loudness

_MODELS = Mapping[str, Callable[..., Sequence[Tensors]]]


class SoundSettings(Section):
    """The form that every clip is converted to."""

    kind: Literal["sound"] = "sound"
    sample_rate: int | None = pydantic.Field(None, ge=2000, le=96_000)
    """Samples a second. By default the most frequent rate in the data, at most 22,050."""
    seconds: float | None = pydantic.Field(None, gt=0, le=60)
    """Maximum length of a clip; longer ones are cut. By default taken from the data, at most 4."""
    channels: Literal[1, 2] = 1
    """1 for mono (other files are mixed down), 2 for stereo."""
    lengths: Literal["variable", "fixed"] | None = None
    """variable: a synthetic clip ends where its sound ends; fixed: every clip lasts `seconds`. By default fixed when
    all files have the same length."""
    long_files: Literal["cut", "windows"] = "cut"
    """cut: use only the first `seconds` of a file; windows: divide the file into clips of `seconds`, all in one
    split."""
    representation: Literal["mel", "stft", "waveform"] = "mel"
    """What networks see: mel (magnitudes in mel bands; phases are estimated afterwards), stft (magnitudes and
    instantaneous frequencies, for tonal sounds) or waveform (the samples; slow)."""

    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"lengths": {"own": "variable", "equal": "fixed"}}

    @pydantic.model_validator(mode="after")
    def _windows_have_a_length(self) -> Self:
        if self.long_files == "windows" and self.seconds is None:
            raise ValueError("`long_files: windows` needs `seconds`, the length of a window")
        return self


class SoundSampling(Sampling):
    """How spectra are turned into clips."""

    iterations: int = pydantic.Field(2, ge=0, le=500)
    """Steps of fast Griffin-Lim, which improves the phases that are estimated from the magnitudes. More steps make
    spectra more exact and flatten the waveform."""
    min_peak_db: float = pydantic.Field(-12.0, ge=-60, le=-0.1)
    """Lowest peak of a clip, in dB relative to full scale."""
    max_peak_db: float = pydantic.Field(-0.3, ge=-60, le=-0.1)
    """Highest peak of a clip, in dB relative to full scale."""
    renamed: ClassVar[Mapping[str, str]] = {"quietest_peak": "min_peak_db", "loudest_peak": "max_peak_db"}


class Sound(Modality):
    """Clips as int16 samples (T, channels), padded with zeros at the end."""

    kind = "sound"
    Settings = SoundSettings
    suffixes = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
    suffix = ".wav"
    networks: ClassVar[Mapping[str, type[Network]]] = networks.NETWORKS
    augmentations: ClassVar[Mapping[str, type[Step]]] = augment.AUGMENTATIONS
    default_steps = augment.DEFAULT_STEPS
    Sampling = SoundSampling
    item_dtype = "int16"
    training = TrainingDefaults(gan_reconstruction_weight=1.0, gan_warm_start=0.6)
    state_files = (LOUDNESS_FILE,)
    feature = "Audio"
    array_axes = (1,)
    near_duplicate_threshold = 0.86
    rules = item_rules.RULES
    figures = metrics.FIGURES
    fault_messages = metrics.FAULTS
    settings: SoundSettings

    def __init__(self, settings: SoundSettings, loudness: ClassLoudness | None = None) -> None:
        self.settings = settings
        self._loudness = loudness

    def entries(self, path: Path, *, top: bool) -> Iterable[SourceEntry]:
        if self.settings.long_files == "windows" and self.settings.seconds:
            return codec.windows(path, self.settings.seconds)
        return (SourceEntry(),)

    def probe(self, raw: ItemSource, *, fingerprinted: bool = False, measured: bool = False) -> DecodedInfo:
        clip = codec.read(raw)
        shape = (clip.rate, clip.samples.shape)
        digest = hashlib.sha256(repr(shape).encode() + clip.samples.tobytes()).hexdigest()
        traits = {
            "rate": clip.rate,
            "channels": clip.samples.shape[1],
            "samples": len(clip.samples),
            "seconds": len(clip.samples) / clip.rate,
            "stored": clip.subtype,
        }
        plain = isinstance(raw, Path) and (clip.container, clip.subtype) == ("WAV", "PCM_16")
        fingerprint = near_duplicates.fingerprint(clip) if fingerprinted else None
        values = item_rules.values(clip) if measured else {}
        return DecodedInfo(digest, traits, self.suffix if plain else "", fingerprint, values)

    @classmethod
    def resolve_settings(cls, settings: SoundSettings, probes: Sequence[DecodedInfo]) -> SoundSettings:
        """The most frequent rate, and a length that is enough for all but a few clips.

        Raises GensetError for clips that are too long for a network.
        """
        out = settings.model_copy(update=data_settings.settled(settings, probes))
        data_settings.check_size(int(np.prod(cls(out).tensor_shape)), out.seconds or 0.0, out.sample_rate or 0)
        return out

    def suggested_settings(self, probes: Sequence[DecodedInfo]) -> Sequence[SuggestedSetting]:
        return data_settings.choices(probes, self.rate, self.settings.channels, self.item_shape[0] / self.rate)

    def conversions(self, probes: Sequence[DecodedInfo]) -> str:
        return data_settings.conversions(probes, self.rate, self.settings.channels, self.item_shape[0] / self.rate)

    @property
    def rate(self) -> int:
        """Samples a second. Raises ValueError before it is settled."""
        if self.settings.sample_rate is None:
            raise ValueError("the sample rate is not settled yet")
        return self.settings.sample_rate

    def for_native_sizes(self, probes: Sequence[DecodedInfo]) -> Self:
        if self.settings.sample_rate or not probes:
            return self
        update = {"sample_rate": data_settings.usual_rate(probes)}
        return type(self)(self.settings.model_copy(update=update), self._loudness)

    def decode_native(self, raw: ItemSource) -> ItemArray:
        return codec.at_rate(codec.read(raw), self.rate, self.settings.channels)

    def decode(self, raw: ItemSource) -> ItemArray:
        return codec.fitted(self.decode_native(raw), self.item_shape[0])

    def encode(self, item: ItemArray) -> bytes:
        end = codec.sounding(item) if self.settings.lengths == "variable" else 0
        return codec.wav(item[: end or None], self.rate)

    def from_array(self, array: npt.NDArray[Any]) -> ItemArray:
        if self.settings.sample_rate is None:
            raise UndecodableError("an array has no sample rate: set modality.sample_rate to the rate of the arrays")
        return codec.from_array(array)

    @property
    def form(self) -> Mapping[str, Any]:
        return {"sample_rate": self.rate, "channels": self.settings.channels}

    def fitted(self, items: Items, labels: Labels) -> Self:
        classes = int(labels.max(initial=0)) + 1
        return type(self)(self.settings, ClassLoudness.learn(items, labels, classes, self.representation.hop))

    @property
    def learned_loudness(self) -> ClassLoudness:
        """The loudness of real clips. Raises ValueError before it is learned."""
        if self._loudness is None:
            raise ValueError("the loudness of real clips is not learned yet")
        return self._loudness

    @property
    def state(self) -> Mapping[str, bytes]:
        return {LOUDNESS_FILE: self.learned_loudness.as_bytes()}

    def with_state(self, state: Mapping[str, bytes]) -> Self:
        return type(self)(self.settings, ClassLoudness.from_bytes(state[LOUDNESS_FILE]))

    @property
    def item_shape(self) -> tuple[int, ...]:
        if self.settings.seconds is None:
            raise ValueError("the length of clips is not settled yet")
        return (round(self.settings.seconds * self.rate), self.settings.channels)

    @cached_property
    def representation(self) -> representations.Representation:
        """The conversion to tensors and back."""
        return self._representation(self.settings.representation)

    def _representation(self, name: str) -> representations.Representation:
        return representations.create(name, self.item_shape[0], self.settings.channels, self.rate)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        return self.representation.shape

    @property
    def latent_dim(self) -> int:
        return 48 if self.item_shape[0] <= 16_384 else 64

    def to_tensor(self, items: Items) -> Tensors:
        return self.representation.from_items(items)

    def from_tensor(self, tensor: Tensors) -> Items:
        """Clips of the median loudness."""
        return self._deterministic(tensor, self._loudness.median if self._loudness else _DEFAULT_LOUDNESS)

    def _deterministic(self, tensor: Tensors, loudness: float) -> Items:
        """Clips of one loudness in dB, without any randomness."""
        rngs = [np.random.Generator(np.random.Philox(0)) for _ in tensor]
        return self._clips(tensor, rngs, [loudness] * len(tensor), SoundSampling())

    def _clips(
        self, tensor: Tensors, rngs: list[np.random.Generator], targets: Sequence[float], sampling: SoundSampling
    ) -> Items:
        waveforms = self.representation.to_clips(tensor, rngs, sampling.iterations)[:, : self.item_shape[0]]
        ends = [len(waveform) for waveform in waveforms]
        if self.settings.lengths == "variable" and self._loudness:
            ends = [self._loudness.end(waveform, self.representation.hop) for waveform in waveforms]
        return finished(waveforms, targets, ends, self.rate, (sampling.min_peak_db, sampling.max_peak_db))

    def render(
        self, models: _MODELS, z: Floats, label: Floats, rngs: Sequence[np.random.Generator], sampling: Any
    ) -> Items:
        classes = label.argmax(axis=1) if label.shape[1] else np.zeros(len(label), int)
        targets = [self.learned_loudness.draw(int(k), rng) for k, rng in zip(classes, rngs, strict=True)]
        return self._clips(models["generator"](z)[0], list(rngs), targets, sampling)

    def faults(self, items: Items) -> npt.NDArray[np.str_]:
        return metrics.faults(items)

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        return metrics.measure(train, test, made, self.rate)

    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        return diff_augment.draw(rng, size, self.tensor_shape, strong=strong)

    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return diff_augment.apply(x, drawn)

    def features(self, items: Items) -> Floats:
        return self._representation(_MEL).map_blocks(items, features.from_spectra)

    def tensor_features(self, tensor: Tensors) -> Floats:
        if isinstance(self.representation, representations.Mel):
            return features.from_spectra(np.clip(tensor, 0, 1))
        return super().tensor_features(tensor)

    def round_trip(self, items: Items) -> Items | None:
        return self._deterministic(self.to_tensor(items), _DEFAULT_LOUDNESS)

    def closeness(self, items: Items) -> Floats:
        return self._representation(_MEL).map_blocks(items, features.pooled_spectra)

    def similarity(self, fingerprints: Sequence[Fingerprint]) -> Similarity:
        return near_duplicates.SoundSimilarity(fingerprints)

    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        return preview.sheet(items, self._representation(_MEL).from_items(items), titles)

    def preview(self, item: ItemArray) -> Sequence[Preview]:
        (levels,) = self._representation(_MEL).from_items(item[None])
        return (Preview("image/png", preview.picture(item, levels)), Preview("audio/wav", preview.wav(item, self.rate)))

    def describe(self, probes: Sequence[DecodedInfo]) -> Mapping[str, Mapping[str, int]]:
        return data_settings.counts(probes)
