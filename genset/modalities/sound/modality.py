"""Sound files to compact arrays and back: any file that libsndfile reads, brought to one rate and length."""

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.errors import GensetError
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
    Sampling,
    Section,
    Sketch,
    Step,
    Tensor,
    Tensors,
    UndecodableError,
)
from genset.modalities.sound import (
    augment,
    codec,
    diff_augment,
    features,
    item_rules,
    metrics,
    near_duplicates,
    networks,
    preview,
    representations,
)
from genset.modalities.sound.loudness import Levels, finished

LEVELS = "levels.json"
_LONGEST = 4.0  # seconds that clips get, where the config gives none
_HIGHEST_RATE = 22_050  # that is taken from the data
_ROOM_FOR = 0.99  # share of the clips that the length has room for
_MOST_VALUES = 2**20  # of one clip, as a network sees it: a batch of more does not fit into memory
_LOUDNESS = -20.0  # dB below full scale, of clips whose own is not known
_BLOCK = 256  # clips whose spectra are taken at once

_MODELS = Mapping[str, Callable[..., Sequence[Tensors]]]


class SoundSettings(Section):
    """The form that every clip is brought to."""

    kind: Literal["sound"] = "sound"
    sample_rate: int | None = pydantic.Field(None, ge=2000, le=96_000)
    """Samples a second; the most frequent in the data, and at most 22,050, when not given."""
    seconds: float | None = pydantic.Field(None, gt=0, le=60)
    """Length that clips have room for; taken from the data, and at most 4, when not given. Longer ones are cut."""
    channels: Literal[1, 2] = 1
    """1 for mono, to which others are mixed down; 2 for stereo."""
    lengths: Literal["variable", "fixed"] | None = None
    """variable: a synthetic clip ends where its sound ends; fixed: every clip lasts `seconds`. By default fixed when
    all files have the same length."""
    long_files: Literal["cut", "windows"] = "cut"
    """cut: the end of a file that is longer than `seconds` is left out; windows: each stretch of `seconds` is a clip,
    and those of one file stay in one split."""
    representation: Literal["mel", "stft", "waveform"] = "mel"
    """What networks see: mel (magnitudes in bands as the ear has them; phases are found afterwards), stft (magnitudes
    and how fast phases turn, for tonal sounds) or waveform (the samples: the classic, slow)."""

    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"lengths": {"own": "variable", "equal": "fixed"}}

    @pydantic.model_validator(mode="after")
    def _windows_have_a_length(self) -> Self:
        if self.long_files == "windows" and self.seconds is None:
            raise ValueError("`long_files: windows` needs `seconds`, the length of a window")
        return self


class SoundSampling(Sampling):
    """How spectra become clips."""

    iterations: int = pydantic.Field(2, ge=0, le=500)
    """Steps of fast Griffin-Lim, which mends phases that were guessed from the magnitudes: more makes spectra more
    exact, and waveforms flatter."""
    min_peak_db: float = pydantic.Field(-12.0, ge=-60, le=-0.1)
    """Lowest peak of a clip, in dB relative to full scale."""
    max_peak_db: float = pydantic.Field(-0.3, ge=-60, le=-0.1)
    """Highest peak of a clip, in dB relative to full scale."""
    renamed: ClassVar[Mapping[str, str]] = {"quietest_peak": "min_peak_db", "loudest_peak": "max_peak_db"}


class Sound(Modality):
    """Clips as int16 samples (T, channels), followed by zeros where a clip is shorter."""

    kind = "sound"
    Settings = SoundSettings
    suffixes = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
    suffix = ".wav"
    networks: ClassVar[Mapping[str, type[Network]]] = networks.NETWORKS
    augmentations: ClassVar[Mapping[str, type[Step]]] = augment.AUGMENTATIONS
    default_steps = augment.DEFAULT_STEPS
    Sampling = SoundSampling
    item_dtype = "int16"
    adversarial_anchor = 1.0
    adversarial_warm_start = 0.6
    state_files = (LEVELS,)
    feature = "Audio"
    array_axes = (1,)
    near = 0.86
    rules = item_rules.RULES
    figures = metrics.FIGURES
    faults_told = metrics.FAULTS
    settings: SoundSettings

    def __init__(self, settings: SoundSettings, levels: Levels | None = None) -> None:
        self.settings = settings
        self._levels = levels

    def entries(self, path: Path, *, top: bool) -> Iterable[Entry]:
        if self.settings.long_files == "windows" and self.settings.seconds:
            return codec.windows(path, self.settings.seconds)
        return (Entry(),)

    def probe(self, raw: Raw, *, sketched: bool = False, measured: bool = False) -> Probe:
        clip = codec.read(raw)
        facts = (clip.rate, clip.samples.shape)
        digest = hashlib.sha256(repr(facts).encode() + clip.samples.tobytes()).hexdigest()
        traits = {
            "rate": clip.rate,
            "channels": clip.samples.shape[1],
            "samples": len(clip.samples),
            "seconds": len(clip.samples) / clip.rate,
            "stored": clip.subtype,
        }
        plain = isinstance(raw, Path) and (clip.container, clip.subtype) == ("WAV", "PCM_16")
        drawn = near_duplicates.fingerprint(clip) if sketched else None
        return Probe(digest, traits, self.suffix if plain else "", drawn, item_rules.values(clip) if measured else {})

    @classmethod
    def settle(cls, settings: SoundSettings, probes: Sequence[Probe]) -> SoundSettings:
        """The most frequent rate, and a length that has room for all but a few clips.

        Raises GensetError for clips that are longer than networks can take.
        """
        rate = settings.sample_rate or min(_HIGHEST_RATE, _usual_rate(probes))
        told = sorted(probe.traits["seconds"] for probe in probes) or [1.0]
        seconds = settings.seconds or min(_LONGEST, told[round(_ROOM_FOR * (len(told) - 1))])
        equal = told[-1] - told[0] < 1 / rate
        lengths = settings.lengths or ("fixed" if equal else "variable")
        out = settings.model_copy(update={"sample_rate": rate, "seconds": seconds, "lengths": lengths})
        values = int(np.prod(cls(out).tensor_shape))
        if values > _MOST_VALUES:
            raise GensetError(
                f"clips of {seconds:g} s at {rate:,} Hz are {values:,} values each for a network, at most "
                f"{_MOST_VALUES:,} fit into memory",
                where="modality.seconds",
                hint="Give fewer seconds, a lower sample_rate, or long_files: windows.",
            )
        return out

    def choices(self, probes: Sequence[Probe]) -> Sequence[Choice]:
        rates = Counter(p.traits["rate"] for p in probes)
        told = sorted(p.traits["seconds"] for p in probes)
        stereo = sum(p.traits["channels"] > 1 for p in probes)
        rate, share = rates.most_common(1)[0]
        room = self.item_shape[0] / self.rate
        lengths = f"{told[0]:.3g}" if told[-1] - told[0] < 1 / self.rate else f"{told[0]:.3g} to {told[-1]:.3g}"
        longer = sum(seconds > room + 1 / self.rate for seconds in told)
        high = f", more than {_HIGHEST_RATE:,} would only be slow" if rate > _HIGHEST_RATE else ""
        windows = Choice("long_files", "windows", "each stretch of `seconds` is a clip, and nothing is cut off", False)
        return (
            Choice("sample_rate", self.rate, f"{share:,} of {len(probes):,} have {rate:,} Hz{high}"),
            Choice(
                "seconds",
                math.ceil(room * 1000) / 1000,
                f"they last {lengths} s{f'; {longer:,} are cut' if longer else ''}",
            ),
            Choice("channels", self.settings.channels, f"{stereo:,} of {len(probes):,} have more than one"),
            *([windows] if longer > len(probes) * (1 - _ROOM_FOR) + 1 else []),
        )

    def conversions(self, probes: Sequence[Probe]) -> str:
        rate, room, channels = self.rate, self.item_shape[0] / self.rate, self.settings.channels
        rates = Counter(p.traits["rate"] for p in probes if p.traits["rate"] != rate).most_common()
        others = Counter(p.traits["channels"] for p in probes if p.traits["channels"] != channels).most_common()
        longer = sum(p.traits["seconds"] > room + 1 / rate for p in probes)
        told = [f"{count:,} from {other:,} Hz to {rate:,}" for other, count in rates]
        told += [f"{count:,} from {_channels(other)} to {channels}" for other, count in others]
        told += [f"{longer:,} cut to {room:.4g} s"] if longer else []
        return f"of {len(probes):,} clips: {', '.join(told)}" if told else ""

    @property
    def rate(self) -> int:
        """Samples a second, once that is settled."""
        if self.settings.sample_rate is None:
            raise ValueError("the sample rate is not settled yet")
        return self.settings.sample_rate

    def beside(self, probes: Sequence[Probe]) -> Self:
        if self.settings.sample_rate or not probes:
            return self
        return type(self)(self.settings.model_copy(update={"sample_rate": _usual_rate(probes)}), self._levels)

    def native(self, raw: Raw) -> Item:
        return codec.at_rate(codec.read(raw), self.rate, self.settings.channels)

    def decode(self, raw: Raw) -> Item:
        return codec.fitted(self.native(raw), self.item_shape[0])

    def encode(self, item: Item) -> bytes:
        end = codec.sounding(item) if self.settings.lengths == "variable" else 0
        return codec.wav(item[: end or None], self.rate)

    def from_array(self, array: npt.NDArray[Any]) -> Item:
        if self.settings.sample_rate is None:
            raise UndecodableError("an array has no rate: set modality.sample_rate to that of the arrays")
        samples = array[:, None] if array.ndim == 1 else array
        if samples.ndim == 2 and samples.shape[0] in (1, 2) and samples.shape[1] > 2:
            samples = samples.T  # channels first
        if samples.ndim != 2 or samples.shape[1] not in (1, 2) or not samples.size:
            raise UndecodableError(f"an array of shape {array.shape} is no sound")
        if samples.dtype.kind == "f" and np.abs(samples).max() <= 1:
            samples = np.round(samples * (codec.FULL - 1))
        if samples.dtype != np.int16 and not (np.isfinite(samples).all() and np.abs(samples).max() <= codec.FULL):
            raise UndecodableError("values beyond 16 bits: -1 to 1, or whole numbers to 32,767, are samples")
        item: Item = samples.clip(-codec.FULL, codec.FULL - 1).astype(np.int16)
        return item

    @property
    def form(self) -> Mapping[str, Any]:
        return {"sample_rate": self.rate, "channels": self.settings.channels}

    def learned(self, items: Items, labels: Labels) -> Self:
        classes = int(labels.max(initial=0)) + 1
        return type(self)(self.settings, Levels.learn(items, labels, classes, self.form_of.hop))

    @property
    def levels_known(self) -> Levels:
        """The levels, once they are learned."""
        if self._levels is None:
            raise ValueError("the levels are not learned yet")
        return self._levels

    @property
    def state(self) -> Mapping[str, bytes]:
        return {LEVELS: self.levels_known.as_bytes()}

    def restored(self, state: Mapping[str, bytes]) -> Self:
        return type(self)(self.settings, Levels.read(state[LEVELS]))

    @property
    def item_shape(self) -> tuple[int, ...]:
        if self.settings.seconds is None:
            raise ValueError("the length of clips is not settled yet")
        return (round(self.settings.seconds * self.rate), self.settings.channels)

    @cached_property
    def form_of(self) -> representations.Representation:
        """The way to tensors and back."""
        return self._form(self.settings.representation)

    def _form(self, name: str) -> representations.Representation:
        length = representations.whole_length(self.item_shape[0], self.rate)
        return representations.REPRESENTATIONS[name](length, self.settings.channels, self.rate)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        return self.form_of.shape

    @property
    def latent_dim(self) -> int:
        return 48 if self.item_shape[0] <= 16_384 else 64

    def to_tensor(self, items: Items) -> Tensors:
        return self._tensors(self.form_of, items)

    def _tensors(self, form: representations.Representation, items: Items) -> Floats:
        """(N, *shape), a few clips at a time: their spectra are many times as large."""
        out = np.empty((len(items), *form.shape), np.float32)
        for start in range(0, len(items), _BLOCK):
            part = codec.waveform(items[start : start + _BLOCK])
            padded = np.zeros((len(part), form.length, part.shape[2]), np.float32)
            padded[:, : part.shape[1]] = part
            out[start : start + _BLOCK] = form.to_tensor(padded)
        return out

    def from_tensor(self, tensor: Tensors) -> Items:
        """Clips of the usual loudness."""
        return self._undrawn(tensor, self._levels.usual if self._levels else _LOUDNESS)

    def _undrawn(self, tensor: Tensors, loud: float) -> Items:
        """Clips of one loudness, of which nothing is drawn for each."""
        rngs = [np.random.Generator(np.random.Philox(0)) for _ in tensor]
        return self._clips(tensor, rngs, [loud] * len(tensor), SoundSampling())

    def _clips(
        self, tensor: Tensors, rngs: list[np.random.Generator], loud: Sequence[float], sampling: SoundSampling
    ) -> Items:
        waveforms = self.form_of.to_clips(tensor, rngs, sampling.iterations)[:, : self.item_shape[0]]
        ends = [len(waveform) for waveform in waveforms]
        if self.settings.lengths == "variable" and self._levels:
            ends = [self._levels.end(waveform, self.form_of.hop) for waveform in waveforms]
        return finished(waveforms, loud, ends, self.rate, (sampling.min_peak_db, sampling.max_peak_db))

    def render(
        self, models: _MODELS, z: Floats, label: Floats, rngs: Sequence[np.random.Generator], sampling: Any
    ) -> Items:
        classes = label.argmax(axis=1) if label.shape[1] else np.zeros(len(label), int)
        loud = [self.levels_known.drawn(int(k), rng) for k, rng in zip(classes, rngs, strict=True)]
        return self._clips(models["generator"](z)[0], list(rngs), loud, sampling)

    def faults(self, items: Items) -> npt.NDArray[np.str_]:
        return metrics.faults(items)

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        return metrics.measure(train, test, made, self.rate)

    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        return diff_augment.draw(rng, size, self.tensor_shape, strong=strong)

    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return diff_augment.apply(x, drawn)

    def _by_spectra(self, items: Items, what: Callable[[Floats], Floats]) -> Floats:
        """What a function makes of log-mel spectra, a few clips at a time."""
        form = self._form(representations.Mel.name)
        starts = range(0, max(1, len(items)), _BLOCK)
        return np.concatenate([what(self._tensors(form, items[start : start + _BLOCK])) for start in starts])

    def features(self, items: Items) -> Floats:
        return self._by_spectra(items, features.of_spectra)

    def tensor_features(self, tensor: Tensors) -> Floats:
        if isinstance(self.form_of, representations.Mel):
            return features.of_spectra(np.clip(tensor, 0, 1))
        return super().tensor_features(tensor)

    def there_and_back(self, items: Items) -> Items | None:
        return self._undrawn(self.to_tensor(items), _LOUDNESS)

    def closeness(self, items: Items) -> Floats:
        return self._by_spectra(items, features.close)

    def likeness(self, sketches: Sequence[Sketch]) -> Likeness:
        return near_duplicates.SoundSimilarity(sketches)

    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        return preview.sheet(items, self._by_spectra(items, lambda levels: levels), titles)

    def exhibit(self, item: Item) -> Sequence[Exhibit]:
        (levels,) = self._by_spectra(item[None], lambda levels: levels)
        return (Exhibit("image/png", preview.picture(item, levels)), Exhibit("audio/wav", preview.wav(item, self.rate)))

    def describe(self, probes: Sequence[Probe]) -> Mapping[str, Mapping[str, int]]:
        return {
            "rate": dict(Counter(f"{p.traits['rate']:,} Hz" for p in probes).most_common()),
            "channels": dict(Counter(str(p.traits["channels"]) for p in probes).most_common()),
            "seconds": dict(Counter(_length(p.traits["seconds"]) for p in probes).most_common()),
            "stored": dict(Counter(p.traits["stored"] for p in probes).most_common()),
        }


def _usual_rate(probes: Sequence[Probe]) -> int:
    """The rate of most clips."""
    return int(statistics.mode(probe.traits["rate"] for probe in probes)) if probes else 8000


def _channels(count: int) -> str:
    return f"{count} channel{'s' * (count != 1)}"


def _length(seconds: float) -> str:
    """A length as people read it."""
    most = 0.125
    while most < seconds:
        most *= 2
    return f"up to {most:g} s"
