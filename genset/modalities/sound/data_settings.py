"""Settings and statistics of sounds that are taken from the data: rate, length, and what a conversion changes."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from genset.errors import GensetError
from genset.interfaces import DecodedInfo, SuggestedSetting

_DEFAULT_RATE = 8000  # Hz, without any clip
_MAX_SECONDS = 4.0  # largest length that is taken from the data
_MAX_RATE = 22_050  # Hz, highest rate that is taken from the data
_COVERED = 0.99  # share of the clips that are not cut
_MAX_VALUES = 2**20  # values of one clip in a network: a batch of larger clips does not fit into memory


def usual_rate(probes: Sequence[DecodedInfo]) -> int:
    """The most frequent sample rate."""
    return int(statistics.mode(probe.traits["rate"] for probe in probes)) if probes else _DEFAULT_RATE


def settled(settings: Any, probes: Sequence[DecodedInfo]) -> Mapping[str, Any]:
    """The sample rate, length and kind of lengths, each from the settings or else from the data."""
    rate = settings.sample_rate or min(_MAX_RATE, usual_rate(probes))
    lengths = sorted(probe.traits["seconds"] for probe in probes) or [1.0]
    seconds = settings.seconds or min(_MAX_SECONDS, lengths[round(_COVERED * (len(lengths) - 1))])
    equal = lengths[-1] - lengths[0] < 1 / rate
    return {
        "sample_rate": rate,
        "seconds": seconds,
        "lengths": settings.lengths or ("fixed" if equal else "variable"),
    }


def check_size(values: int, seconds: float, rate: int) -> None:
    """Raise GensetError for clips with more values than fit into memory."""
    if values > _MAX_VALUES:
        raise GensetError(
            f"a clip of {seconds:g} s at {rate:,} Hz has {values:,} values for a network; at most {_MAX_VALUES:,} fit "
            "into memory",
            where="modality.seconds",
            hint="Set fewer seconds, a lower sample_rate, or long_files: windows.",
        )


def choices(probes: Sequence[DecodedInfo], rate: int, channels: int, room: float) -> Sequence[SuggestedSetting]:
    """The settings of a config with their reasons; `room` is the length of a clip in seconds."""
    rates = Counter(p.traits["rate"] for p in probes)
    lengths = sorted(p.traits["seconds"] for p in probes)
    stereo = sum(p.traits["channels"] > 1 for p in probes)
    usual, count = rates.most_common(1)[0]
    span = f"{lengths[0]:.3g}" if lengths[-1] - lengths[0] < 1 / rate else f"{lengths[0]:.3g} to {lengths[-1]:.3g}"
    longer = sum(seconds > room + 1 / rate for seconds in lengths)
    high = f"; above {_MAX_RATE:,} Hz training only takes longer" if usual > _MAX_RATE else ""
    cut = f"; {longer:,} are cut" if longer else ""
    windows = SuggestedSetting(
        "long_files", "windows", "long files become several clips, and nothing is cut off", False
    )
    return (
        SuggestedSetting("sample_rate", rate, f"{count:,} of {len(probes):,} have {usual:,} Hz{high}"),
        SuggestedSetting("seconds", math.ceil(room * 1000) / 1000, f"they last {span} s{cut}"),
        SuggestedSetting("channels", channels, f"{stereo:,} of {len(probes):,} have more than one"),
        *([windows] if longer > len(probes) * (1 - _COVERED) + 1 else []),
    )


def conversions(probes: Sequence[DecodedInfo], rate: int, channels: int, room: float) -> str:
    """The number of clips that are resampled, mixed or cut, in a line; "" for none."""
    rates = Counter(p.traits["rate"] for p in probes if p.traits["rate"] != rate).most_common()
    others = Counter(p.traits["channels"] for p in probes if p.traits["channels"] != channels).most_common()
    longer = sum(p.traits["seconds"] > room + 1 / rate for p in probes)
    changes = [f"{count:,} from {other:,} Hz to {rate:,}" for other, count in rates]
    changes += [f"{count:,} from {other} channel{'s' * (other != 1)} to {channels}" for other, count in others]
    changes += [f"{longer:,} cut to {room:.4g} s"] if longer else []
    return f"of {len(probes):,} clips: {', '.join(changes)}" if changes else ""


def counts(probes: Sequence[DecodedInfo]) -> Mapping[str, Mapping[str, int]]:
    """How many clips have each rate, number of channels, length and way of storing samples."""
    values = {
        "rate": (f"{p.traits['rate']:,} Hz" for p in probes),
        "channels": (str(p.traits["channels"]) for p in probes),
        "seconds": (_length(p.traits["seconds"]) for p in probes),
        "stored": (p.traits["stored"] for p in probes),
    }
    return {name: dict(Counter(traits).most_common()) for name, traits in values.items()}


def _length(seconds: float) -> str:
    """A length rounded up to a power of two: "up to 0.5 s"."""
    limit = 0.125
    while limit < seconds:
        limit *= 2
    return f"up to {limit:g} s"
