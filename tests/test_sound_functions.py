"""Pure functions of sounds: settings from the data, arrays, spectra and transforms, without any file."""

from dataclasses import replace

import numpy as np
import pytest

from genset.interfaces import DecodedInfo, UndecodableError
from genset.modalities.sound import codec, data_settings, diff_augment, features, spectra
from genset.modalities.sound.augment import AUGMENTATIONS
from genset.modalities.sound.augment.base import as_item, check_order, power_ratio
from genset.modalities.sound.representations import hop_of, padded_length

PROBE = DecodedInfo("", {"rate": 8000, "channels": 1, "samples": 4000, "seconds": 0.5, "stored": "PCM_16"})


def probe(**traits: object) -> DecodedInfo:
    return replace(PROBE, traits={**PROBE.traits, **traits})


def test_conversions_count_what_changes() -> None:
    probes = [PROBE, probe(rate=16_000), probe(channels=2, seconds=3.0)]
    assert data_settings.conversions(probes, 8000, 1, 1.0) == (
        "of 3 clips: 1 from 16,000 Hz to 8,000, 1 from 2 channels to 1, 1 cut to 1 s"
    )
    assert data_settings.conversions([PROBE], 8000, 1, 1.0) == ""


def test_choices_have_reasons_and_suggest_windows_for_long_files() -> None:
    choices = data_settings.choices([PROBE] * 3 + [probe(seconds=9.0)] * 2, 8000, 1, 1.0)
    assert [(choice.key, choice.value, choice.why) for choice in choices] == [
        ("sample_rate", 8000, "5 of 5 have 8,000 Hz"),
        ("seconds", 1.0, "they last 0.5 to 9 s; 2 are cut"),
        ("channels", 1, "0 of 5 have more than one"),
        ("long_files", "windows", "long files become several clips, and nothing is cut off"),
    ]


def test_lengths_are_counted_up_to_powers_of_two() -> None:
    counts = data_settings.counts([PROBE, probe(seconds=0.6), probe(seconds=0.1)])
    assert counts["seconds"] == {"up to 0.5 s": 1, "up to 1 s": 1, "up to 0.125 s": 1}
    assert counts["rate"] == {"8,000 Hz": 3}


def test_the_usual_rate_of_no_clip_is_8_khz() -> None:
    assert data_settings.usual_rate([]) == 8000


@pytest.mark.parametrize(
    ("array", "shape", "last"),
    [
        (np.array([0.0, 0.5, -1.0]), (3, 1), -32_767),
        (np.zeros((2, 9)), (9, 2), 0),
        (np.array([[1], [-32_768]], np.int16), (2, 1), -32_768),
        (np.array([40.0, 32_768.0]), (2, 1), 32_767),
    ],
)
def test_arrays_of_floats_and_integers_become_samples(array: np.ndarray, shape: tuple[int, ...], last: int) -> None:
    item = codec.from_array(array)
    assert (item.dtype, item.shape, item[-1, 0]) == (np.int16, shape, last)


@pytest.mark.parametrize("array", [np.zeros((3, 3, 3)), np.zeros(0), np.array([1e6, 0.0]), np.array([np.nan, 9.0])])
def test_other_arrays_are_rejected(array: np.ndarray) -> None:
    with pytest.raises(UndecodableError):
        codec.from_array(array)


def test_a_waveform_beyond_full_scale_is_scaled_down() -> None:
    item = as_item(np.array([[2.0], [-4.0]], np.float32), np.zeros((3, 1), np.int16))
    assert item.ravel().tolist() == [16_383, -32_766, 0]


def test_a_range_must_be_in_order() -> None:
    check_order("min_hz", 5, "max_hz", 5, "Hz")
    with pytest.raises(ValueError, match=r"^min_hz \(6 Hz\) must not be above max_hz \(5 Hz\)$"):
        check_order("min_hz", 6, "max_hz", 5, "Hz")


def test_power_ratio_makes_two_waveforms_equally_loud() -> None:
    quiet, loud = np.full(9, 0.1, np.float32), np.full(9, 0.4, np.float32)
    assert power_ratio(quiet, loud) == pytest.approx(0.25)


@pytest.mark.parametrize("kind", sorted(AUGMENTATIONS))
def test_a_silent_clip_stays_silent_and_draws_repeat(kind: str) -> None:
    step = AUGMENTATIONS[kind](kind=kind)
    draws = [step.draw(np.random.default_rng(3)) for _ in range(2)]  # type: ignore[attr-defined]
    assert draws[0] == draws[1]
    if hasattr(step, "apply"):
        silent = np.zeros((50, 2), np.int16)
        assert (step.apply(silent, np.random.default_rng(3), **draws[0]) == silent).all()


@pytest.mark.parametrize(("rate", "hop"), [(8000, 128), (16_000, 256), (22_050, 256), (44_100, 512)])
def test_a_hop_is_a_power_of_two_near_14_ms(rate: int, hop: int) -> None:
    assert hop_of(rate) == hop
    assert padded_length(1, rate) == padded_length(8 * hop, rate) == 8 * hop


def test_every_mel_band_has_a_bin() -> None:
    bands = spectra.most_bands(65, 8000, 80)
    assert bands < 80
    assert (np.diff(spectra.mel_bank(bands, 65, 8000).indptr) > 0).all()


def test_features_of_sounds_have_one_row_each_and_no_nan() -> None:
    levels = np.random.default_rng(0).random((3, 40, 24, 2), dtype=np.float32)
    levels[1] = 0
    rows, pooled = features.from_spectra(levels), features.pooled_spectra(levels)
    assert rows.shape == (3, 16 * 16 + 2 * 20 + 20 + 1)
    assert pooled.shape == (3, 32 * 24)
    assert np.isfinite(rows).all()


def test_mild_augmentation_of_spectra_masks_nothing() -> None:
    drawn = diff_augment.draw(np.random.default_rng(0), 4, (32, 16, 1), strong=False)
    assert (drawn["kept"] == 1).all()
    assert (drawn["rows"].shape, drawn["columns"].shape) == ((4, 32, 32), (4, 16, 16))
    assert drawn["rows"].sum(axis=2).max() <= 1 + 1e-6
    strong = diff_augment.draw(np.random.default_rng(0), 4, (32, 16, 1), strong=True)
    assert (strong["kept"] == 0).any()


def test_augmentation_of_waveforms_only_reduces_their_level() -> None:
    gain = diff_augment.draw(np.random.default_rng(0), 50, (99, 1), strong=True)["gain"]
    assert gain.shape == (50, 1, 1)
    assert (gain > 0.69).all() and (gain <= 1).all()
