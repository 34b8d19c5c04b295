"""Sounds: what is read and what is refused, spectra and back, levels, transforms, and the whole way of a recording."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import scipy.io.wavfile
import soundfile

from genset.config.loading import dump, load
from genset.errors import GensetError
from genset.interfaces import AudioSegment, Items, SourceEntry, UndecodableError
from genset.modalities.sound import codec, metrics, representations, spectra
from genset.modalities.sound.augment import AUGMENTATIONS
from genset.modalities.sound.augment.base import recording
from genset.modalities.sound.loudness import ClassLoudness, finished, loudness
from genset.modalities.sound.modality import Sound, SoundSettings
from genset.report.media import element
from tests.helpers import ROOT, config, genset

DRUMS = ROOT / "samples" / "sound"
RATE = 8000
TIME = np.arange(RATE) / RATE


def tone(hertz: float = 440.0, rate: int = RATE, seconds: float = 1.0, peak: float = 0.5) -> Any:
    return (peak * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def pitch(samples: Any, rate: int) -> float:
    """The frequency of the strongest sinusoid."""
    samples = np.asarray(samples, np.float64).ravel()
    found = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(found.argmax() * rate / (8 * len(samples)))


def sound(**settings: Any) -> Sound:
    return Sound(SoundSettings(**{"sample_rate": RATE, "seconds": 1.0, "lengths": "variable", **settings}))


def refusal(path: Path) -> str:
    with pytest.raises(UndecodableError) as error:
        sound().probe(path)
    return str(error.value)


@pytest.mark.parametrize("suffix, subtype", [
    (".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "PCM_U8"), (".wav", "FLOAT"), (".flac", "PCM_24"),
    (".ogg", "VORBIS"), (".mp3", "MPEG_LAYER_III"), (".aiff", "PCM_16"),
])  # fmt: skip
def test_every_format_becomes_the_same_clip_of_16_bits(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(), RATE, subtype=subtype)
    item = sound().decode(path)
    assert (item.dtype, item.shape) == (np.int16, (RATE, 1))
    assert pitch(item, RATE) == pytest.approx(440, abs=0.5)
    assert np.abs(item).max() / 32768 == pytest.approx(0.5, abs=0.05)
    assert sound().probe(path).loadable == (".wav" if (suffix, subtype) == (".wav", "PCM_16") else "")


def test_eight_channels_of_24_bits_at_96_khz_become_one_at_8_khz(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    channels = np.stack([tone(440, 96_000)] * 4 + [np.zeros(96_000, np.float32)] * 4, axis=1)
    soundfile.write(path, channels, 96_000, subtype="PCM_24")
    probe = sound().probe(path)
    assert probe.traits == {"rate": 96_000, "channels": 8, "samples": 96_000, "seconds": 1.0, "stored": "PCM_24"}
    mono, stereo = sound().decode(path), sound(channels=2).decode(path)
    assert (mono.shape, stereo.shape) == ((RATE, 1), (RATE, 2))
    assert (stereo == mono).all()
    assert pitch(mono, RATE) == pytest.approx(440, abs=0.5)
    assert np.abs(mono[500:-500]).max() / 32768 == pytest.approx(0.25, abs=0.01)  # the mean of the channels


def test_what_is_no_sound_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    assert refusal(path) == "the file is empty"
    path.write_text("a text that is called .wav\n" * 9)
    assert refusal(path) == "not a sound that libsndfile can read: Format not recognised"
    soundfile.write(path, tone(), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[:9000])
    assert refusal(path) == "truncated: 9,000 of 16,044 bytes"
    soundfile.write(path, tone()[:0], RATE)
    assert refusal(path) == "it holds no samples"
    soundfile.write(path, tone()[:1], RATE)
    assert refusal(path) == "too short: 1 sample, less than 0.01 s"
    soundfile.write(path, np.zeros(RATE), RATE)
    assert refusal(path) == "silent: all its samples are equal"
    soundfile.write(path, np.where(np.arange(RATE) == 70, np.nan, tone()), RATE, subtype="FLOAT")
    assert refusal(path) == "it holds NaN or infinite samples"


@pytest.mark.parametrize("suffix, subtype, share, told", [
    (".wav", "PCM_16", 0.6, r"truncated: 26,486 of 44,144 bytes"),
    (".aiff", "PCM_16", 0.6, r"truncated: 26,\d{3} of 44,\d{3} bytes"),
    (".au", "PCM_16", 0.6, r"truncated: 26,\d{3} of 44,\d{3} bytes"),
    (".w64", "PCM_16", 0.6, r"truncated: 26,\d{3} of 44,\d{3} bytes"),
    (".mp3", "MPEG_LAYER_III", 0.6, r"truncated: [\d,]+ of [\d,]+ bytes"),
    (".ogg", "VORBIS", 0.6, r"truncated: its last page is not marked as the last"),
    (".ogg", "VORBIS", 0.999, r"truncated: its last page is not marked as the last"),
    (".flac", "PCM_16", 0.6, r"not a sound that libsndfile can read: .*flac decoder lost sync"),
])  # fmt: skip
def test_a_truncated_file_is_reported_in_every_format(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, subtype: str, share: float, told: str
) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(rate=22_050) + np.random.default_rng(0).normal(0, 0.01, 22_050), 22_050, subtype=subtype)
    whole = path.read_bytes()
    assert codec.read(path).samples.shape == (22_050, 1)
    path.write_bytes(whole[: int(share * len(whole))])
    assert re.fullmatch(told, refusal(path))
    (entry,) = codec.windows(path, 0.5) if suffix != ".flac" else [SourceEntry(fault=refusal(path))]
    assert re.fullmatch(told, entry.fault)
    assert capfd.readouterr().err == ""


def test_an_mpeg_file_is_looked_at_behind_its_tags_and_by_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone(seconds=60), RATE, subtype="MPEG_LAYER_III")
    whole, tag = path.read_bytes(), b"ID3\3\0\0\0\0\2\x10" + bytes(272)
    path.write_bytes(tag + whole)
    assert len(codec.read(path).samples) == 60 * RATE
    path.write_bytes(tag + whole[: len(whole) // 2])
    assert refusal(path) == f"truncated: {len(whole) // 2:,} of {len(whole):,} bytes"
    path.write_bytes(whole[: int(0.992 * len(whole))])  # so near to whole that the sizes do not tell
    assert re.fullmatch(r"truncated: 47\d,\d{3} of 480,000 samples", refusal(path))


def test_a_file_longer_than_memory_is_refused_with_the_figure(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F  # the number of samples in STREAMINFO: 36 bits
    data[22:26] = b"\xff" * 4
    path.write_bytes(data)
    assert refusal(path) == (
        "too long: 68,719,476,735 samples in 1 channel take 274,878 MB, at most 1,000 MB are read at once; "
        "`long_files: windows` reads it in pieces"
    )


def test_samples_beyond_full_scale_are_made_quieter_together_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(peak=3.0), RATE, subtype="FLOAT")
    item = sound().decode(path)
    assert np.abs(item).max() == 32767
    assert np.corrcoef(item.ravel(), tone())[0, 1] > 0.9999


def test_settings_are_taken_from_the_data_and_too_long_clips_are_rejected() -> None:
    def probes(*facts: tuple[int, float]) -> list[Any]:
        return [Sound.Settings and _Probe({"rate": rate, "seconds": seconds}) for rate, seconds in facts]

    settled = Sound.resolve_settings(SoundSettings(), probes((44_100, 0.5), (16_000, 0.7), (16_000, 1.0)))
    assert (settled.sample_rate, settled.seconds, settled.lengths) == (16_000, 1.0, "variable")
    assert Sound.resolve_settings(SoundSettings(), probes((44_100, 9.0), (44_100, 9.0))).sample_rate == 22_050
    assert Sound.resolve_settings(SoundSettings(), probes((8000, 9.0), (8000, 9.0))).lengths == "fixed"
    with pytest.raises(GensetError) as error:
        Sound.resolve_settings(
            SoundSettings(seconds=60.0, sample_rate=48_000, representation="waveform"), probes((48_000, 60.0))
        )
    assert str(error.value) == (
        "modality.seconds: a clip of 60 s at 48,000 Hz has 2,883,584 values for a network; at most 1,048,576 fit "
        "into memory\n  Set fewer seconds, a lower sample_rate, or long_files: windows."
    )


class _Probe:
    def __init__(self, traits: dict[str, Any]) -> None:
        self.traits = traits


def test_conversions_are_reported() -> None:
    modality = sound(seconds=1.0)
    same, other = {"rate": RATE, "channels": 1, "seconds": 1.0}, {"rate": 96_000, "channels": 8, "seconds": 2.0}
    probes: list[Any] = [_Probe(same), _Probe(other), _Probe({**same, "channels": 2})]
    assert modality.conversions(probes[:1]) == ""
    assert modality.conversions(probes) == (
        "of 3 clips: 1 from 96,000 Hz to 8,000, 1 from 8 channels to 1, 1 from 2 channels to 1, 1 cut to 1 s"
    )


def test_a_clip_is_followed_by_silence_and_written_without_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(seconds=0.3), RATE)
    item = sound().decode(path)
    assert (codec.sounding(item), item[2400:].any()) == (2400, False)
    rate, samples = scipy.io.wavfile.read(io.BytesIO(sound().encode(item)))
    assert (rate, samples.dtype, samples.shape) == (RATE, np.int16, (2400,))
    rate, samples = scipy.io.wavfile.read(io.BytesIO(sound(lengths="fixed").encode(item)))
    assert samples.shape == (RATE,)


def test_spectra_come_back_and_bands_are_those_of_the_magnitudes() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 4096)).astype(np.float32)
    found = spectra.stft(noise, 128)
    assert found.shape == (3, 32, 257)
    assert spectra.istft(found, 128) == pytest.approx(noise, abs=1e-5)
    bank = spectra.mel_bank(64, 257, RATE)
    assert float(bank.max()) <= 1
    mel = spectra.mel_of(np.abs(found), bank)
    magnitudes = spectra.magnitudes_of(mel, bank)
    assert (magnitudes >= 0).all()
    assert spectra.mel_of(magnitudes, bank) == pytest.approx(mel, rel=0.1)


def test_phases_of_a_tone_turn_as_the_tone_does() -> None:
    wanted = tone(437.0)[None]
    magnitudes = np.abs(spectra.stft(wanted, 128)[:, :62])
    made = spectra.griffin_lim(magnitudes, np.zeros((1, 257), np.float32), 128, 0)
    assert pitch(made, RATE) == pytest.approx(437, abs=1)
    assert loudness(made[0, 1000:-1000]) == pytest.approx(loudness(wanted[0, 1000:-1000]), abs=0.5)


def test_a_clip_with_high_peaks_is_as_loud_as_asked_for_and_stays_within_full_scale() -> None:
    rng = np.random.default_rng(0)
    waveform = 0.1 * rng.standard_normal((1, 8000, 1)).astype(np.float32)
    waveform[0, 300::400] *= 5  # as where guessed phases meet: its peaks are 14 dB above its loudness and more
    for wanted in (-30.0, -18.0, -15.0):
        clip = finished(waveform, [wanted], [8000], RATE, (-30.0, -0.3))[0] / 32767
        assert loudness(clip) == pytest.approx(wanted, abs=1)
        assert 20 * np.log10(np.abs(clip).max()) <= -0.29
        assert abs(clip.mean()) < 1e-3


@pytest.mark.parametrize("name", representations.REPRESENTATIONS)
def test_a_clip_survives_its_representation(name: str) -> None:
    form = representations.REPRESENTATIONS[name](4096, 2, RATE)
    left = tone(523.0)[:4096] * np.hanning(4096)
    real = np.stack([left, 0.5 * left], axis=1)[None].astype(np.float32)
    tensor = form.to_tensor(np.concatenate([real, 0.1 * real]))
    assert tensor.shape == (2, *form.shape)
    assert tensor[0] == pytest.approx(tensor[1], abs=1e-3)  # whatever the level
    assert 0 <= tensor.min() <= tensor.max() <= 1
    made = form.to_clips(tensor, [np.random.default_rng(0), np.random.default_rng(1)], 8)
    assert made.shape == (2, 4096, 2)
    assert pitch(made[0, :, 0], RATE) == pytest.approx(523, abs=4)
    assert loudness(made[0, :, 0]) - loudness(made[0, :, 1]) == pytest.approx(6.02, abs=0.5)


def test_synthetic_clips_have_the_loudness_of_real_ones_and_fade_in_and_out() -> None:
    real = np.round(np.stack([tone(peak=peak) for peak in (0.05, 0.1, 0.2, 0.4)])[..., None] * 32767).astype(np.int16)
    levels = ClassLoudness.from_bytes(ClassLoudness.learn(real, np.array([0, 0, 1, 1]), 2, 128).as_bytes())
    drawn = [levels.draw(1, np.random.default_rng(n)) for n in range(200)]
    assert min(drawn) >= loudness(tone(peak=0.2)) - 0.1
    assert max(drawn) <= loudness(tone(peak=0.4)) + 0.1
    assert np.median(drawn) == pytest.approx(loudness(tone(peak=0.4)) - 3, abs=0.5)
    waveforms = 7 * (np.stack([tone(), tone(900.0)])[..., None] + 0.2)
    made = finished(waveforms, [-14.0, -70.0], [8000, 4000], RATE, (-12.0, -0.3))
    assert loudness(codec.waveform(made[0])) == pytest.approx(-14, abs=0.1)
    assert 20 * np.log10(np.abs(made[1]).max() / 32768) == pytest.approx(-12, abs=0.1)  # not as quiet as asked for
    assert not made[1, 4000:].any()
    figures = metrics.measure(real, real, made, RATE)
    assert figures["offset"] < 0.005
    assert figures["click_share"] == 0
    assert metrics.faults(made).tolist() == ["", ""]


def test_a_page_shows_a_clip_and_plays_its_beginning() -> None:
    modality = sound(sample_rate=48_000, seconds=8.0, channels=2)
    left = np.round(tone(523.0, 48_000, 7.0) * 32767)
    item = codec.fitted(np.stack([left, left], axis=1).astype(np.int16), 8 * 48_000)
    shown, played = modality.preview(item)
    assert (shown.media_type, played.media_type) == ("image/png", "audio/wav")
    image = PIL.Image.open(io.BytesIO(shown.data))
    assert image.size == (112, 92)
    assert np.asarray(image)[3, -12:].min() == 255  # the last second is silent: nothing is drawn but the paper
    rate, samples = scipy.io.wavfile.read(io.BytesIO(played.data))
    assert (rate, samples.dtype, samples.shape) == (22_050, np.int16, (110_250,))
    assert pitch(samples, rate) == pytest.approx(523, abs=0.5)
    assert abs(int(samples[-1])) < 200
    short = tone(seconds=0.3)
    _, whole = sound().preview(codec.fitted(np.round(short[:, None] * 32767).astype(np.int16), RATE))
    rate, samples = scipy.io.wavfile.read(io.BytesIO(whole.data))
    assert (rate, samples.shape) == (RATE, (2400,))
    assert element(whole, 'kick "1" & 2').startswith('<audio controls preload="none" src="data:audio/wav;base64,UklGR')
    assert element(whole, 'kick "1" & 2').endswith('aria-label="kick &quot;1&quot; &amp; 2"></audio>')


def test_faults_of_clips_are_named() -> None:
    silent, full = np.zeros((RATE, 1), np.int16), np.clip(np.round(tone(peak=3.0)[:, None] * 32767), -32768, 32767)
    beside = np.round((0.3 + 0.1 * tone()[:, None]) * 32767)
    items = np.stack([silent, full.astype(np.int16), beside.astype(np.int16)])
    assert metrics.faults(items).tolist() == ["silent", "clipped", "offset"]


def step(kind: str, item: Items, drawn: dict[str, Any] | None = None, seed: int = 0, **settings: Any) -> Items:
    made = AUGMENTATIONS[kind](kind=kind, **settings).for_modality(sound())
    rng = np.random.default_rng(seed)
    return made.apply(item, rng, **(made.draw(rng) if drawn is None else drawn))


def test_transforms_do_what_was_drawn() -> None:
    item = np.round(tone(seconds=0.5) * 32767).astype(np.int16)[:, None]
    item = codec.fitted(item, RATE)
    before = loudness(codec.waveform(item[:4000]))
    after = step("gain", item, {"decibels": -6.0})
    assert loudness(codec.waveform(after[:4000])) == pytest.approx(before - 6, abs=0.05)
    assert np.abs(step("gain", item, {"decibels": 30.0})).max() < 32767  # never beyond full scale
    assert codec.sounding(step("time_shift", item, {"seconds": 0.1})) == pytest.approx(4800, abs=2)
    assert codec.sounding(step("time_shift", item, {"seconds": -0.1})) == pytest.approx(3200, abs=2)
    slower = step("time_stretch", item, {"factor": 1.2})
    assert codec.sounding(slower) == pytest.approx(4800, abs=130)
    assert pitch(slower[500:4000], RATE) == pytest.approx(440, abs=3)
    higher = step("pitch_shift", item, {"semitones": 12.0})
    assert pitch(higher[500:3500], RATE) == pytest.approx(880, abs=6)
    noisy = step("noise", item, {"snr": 20.0})
    added = codec.waveform(noisy[:4000]) - codec.waveform(item[:4000])
    assert loudness(added) == pytest.approx(before - 20, abs=0.2)
    assert not noisy[4000:].any()  # what is silent stays silent
    dull = step("filter", item, {"hertz": 220.0})
    assert loudness(codec.waveform(dull[1000:4000])) == pytest.approx(before - 12.3, abs=1)  # Butterworth: an octave
    assert codec.sounding(step("reverb", item, {"wet": 0.3, "seconds": 0.2})) > 4400
    assert np.abs(step("clipping", item, {"at": 0.5})).max() == pytest.approx(np.abs(item).max() / 2, abs=2)
    gone = step("dropout", item, {"moments": [[0.5, 0.02]]})
    assert (gone[1925:2070] == 0).all()
    masked = step("spec_augment", item, {"bands": [0.05, 0.2], "moments": [0.9, 0.9]})
    assert loudness(codec.waveform(masked[500:3500])) < before - 30  # its only tone is gone


def test_noise_and_rooms_come_from_folders_of_the_user(tmp_path: Path) -> None:
    item = np.round(tone() * 32767).astype(np.int16)[:, None]
    soundfile.write(tmp_path / "hum.wav", tone(50.0, 16_000, 3.0), 16_000)
    made = step("noise", item, {"snr": 0.0, "file": "hum.wav", "place": 0.5}, folder=str(tmp_path))
    assert pitch(codec.waveform(made) - codec.waveform(item), RATE) == pytest.approx(50, abs=1)
    click = np.zeros(400, np.float32)
    click[80] = 1.0
    soundfile.write(tmp_path / "hum.wav", click, RATE, subtype="FLOAT")
    recording.cache_clear()
    room = step("reverb", item, {"wet": 1.0, "file": "hum.wav"}, folder=str(tmp_path))
    assert np.abs(room[:80]).max() < 0.02 * np.abs(item).max()  # the click comes 80 samples late, and so does all
    assert np.corrcoef(room[200:7000, 0], item[120:6920, 0])[0, 1] > 0.99
    with pytest.raises(GensetError) as error:
        step("noise", item, folder=str(tmp_path / "none"))
    assert str(error.value) == (
        f"{tmp_path / 'none'}: no sound files here (looked for .wav, .flac, .ogg, .mp3)\n"
        "  Set `folder` of the step to a folder with sound files; relative paths start at the config file."
    )


def test_folders_of_steps_start_at_the_config_and_are_checked_before_training(tmp_path: Path) -> None:
    place = tmp_path / "project"
    place.mkdir()
    path = config(
        place, DRUMS, name="drums", modality="sound", augment={"copies": 1, "steps": [{"kind": "noise", "folder": "../hum"}]}
    )  # fmt: skip
    outcome = genset("run", path, "--output", tmp_path / "out", cwd=DRUMS)
    assert outcome.code == 2
    assert outcome.stderr.splitlines()[-2:] == [
        f"genset: {tmp_path / 'hum'}: no sound files here (looked for .wav, .flac, .ogg, .mp3)",
        "  Set `folder` of the step to a folder with sound files; relative paths start at the config file.",
    ]
    assert not (tmp_path / "out/models").exists()
    loaded = load(path)
    assert loaded.augment.steps[0].folder == str(tmp_path / "hum")
    (tmp_path / "elsewhere.yaml").write_text(dump(loaded))
    assert load(tmp_path / "elsewhere.yaml").augment == loaded.augment


@pytest.mark.slow
def test_windows_of_a_recording_stay_in_one_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        for number in range(5):
            path = tmp_path / "long" / label / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, rng.normal(0, 0.1, 5 * RATE // 2), RATE)
    modality = {"kind": "sound", "seconds": 0.5, "long_files": "windows"}
    path = config(tmp_path, tmp_path / "long", name="long", modality=modality, train={"steps": 2})
    outcome = genset(
        "run", path, "generate.per_class=0", "generate.wrong_labels=keep", "--output", tmp_path / "out", "--json"
    )
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["source"] == {"collected": 50}
    version = tmp_path / "out/datasets/long/latest"
    places: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for line in (version / split / "metadata.jsonl").read_text().splitlines():
            row = json.loads(line)
            places.setdefault(row["group"], set()).add(split)
            rate, samples = scipy.io.wavfile.read(version / split / row["file_name"])
            assert (rate, len(samples)) == (RATE, RATE // 2)
            assert row["origin"] == f"{row['group']}:{row['origin'].rpartition(':')[2]}"
    assert len(places) == 10
    assert all(len(splits) == 1 for splits in places.values())
    piece = sound(seconds=0.5).decode(AudioSegment(tmp_path / "long/a/0.wav", 0.5, 1.0))
    whole = sound(seconds=2.5).decode(tmp_path / "long/a/0.wav")
    assert (piece == whole[4000:8000]).all()


def test_windows_need_a_length(tmp_path: Path) -> None:
    path = config(tmp_path, DRUMS, modality={"kind": "sound", "long_files": "windows"})
    outcome = genset("run", path, cwd=tmp_path)
    assert outcome.code == 2
    assert "`long_files: windows` needs `seconds`, the length of a window" in outcome.stderr


@pytest.fixture(scope="module")
def drums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on the drums; labels of made clips are not looked at: so short a training mixes them up."""
    folder = tmp_path_factory.mktemp("drums")
    path = config(
        folder, DRUMS, name="drums", modality="sound", train={"steps": 100, "batch_size": 16}, model={"network": {"kind": "conv", "width": 8}},
        generate={"per_class": 4, "wrong_labels": "keep"}, augment={"copies": 1},
    )  # fmt: skip
    outcome = genset("run", path, "--output", folder / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    return folder / "out"


@pytest.mark.slow
def test_a_run_writes_waves_that_every_loader_reads_and_figures_of_their_levels(drums: Path) -> None:
    version = drums / "datasets/drums/latest"
    rows = [json.loads(line) for line in (version / "train/metadata.jsonl").read_text().splitlines()]
    assert {row["source"] for row in rows} == {"collected", "augmented", "generated"}
    for row in rows:
        rate, samples = scipy.io.wavfile.read(version / "train" / row["file_name"])
        assert (rate, samples.dtype, samples.shape) == (22_050, np.int16, (16_384,))
        if row["source"] == "generated":
            assert -12.1 < 20 * np.log10(np.abs(samples.astype(float)).max() / 32768) < -0.1
            assert abs(samples.mean()) / 32768 < 0.005
    quality = json.loads((version / "quality.json").read_text())
    figures = quality["figures"]
    assert figures["level_difference"] < 12
    assert figures["click_share"] == figures["clipped_share"] == figures["silent_share"] == 0
    held_out = [scipy.io.wavfile.read(path)[1] for path in (version / "test").glob("*/*.wav")]
    seconds = [(np.flatnonzero(samples)[-1] + 1) / 22_050 for samples in held_out]
    assert figures["seconds_real"] == pytest.approx(np.median(seconds), abs=1e-3)
    assert 0.5 < figures["coverage_ceiling"] <= 1
    assert 0.7 < figures["label_ratio_ceiling"] < 1.4
    assert 0.5 < figures["frechet_ratio_ceiling"] < 3
    import keras
    from datasets import load_dataset_builder

    found = load_dataset_builder("audiofolder", data_dir=str(version), cache_dir=str(drums / "cache")).config.data_files
    assert set(found) == {"train", "validation", "test"}
    assert len([path for path in found["train"] if path.endswith(".wav")]) == len(rows)
    batches = keras.utils.audio_dataset_from_directory(version / "train", batch_size=8, shuffle=False)
    samples, labels = next(iter(batches))
    assert (samples.shape, labels.shape) == ((8, 16_384, 1), (8,))


@pytest.mark.slow
def test_a_clip_is_varied_and_the_same_is_made_again(drums: Path) -> None:
    like = next((drums / "datasets/drums/latest/train").glob("kick/*.wav"))
    made = []
    for name in ("one", "two"):
        outcome = genset(
            "generate",
            "drums",
            "--like",
            like,
            "-n",
            "3",
            "--vary",
            "0.2",
            "generate.wrong_labels=keep",
            "--name",
            name,
            "--output",
            drums,
            "--json",
        )
        assert outcome.code == 0, outcome.stderr
        made.append([path.read_bytes() for path in sorted((drums / f"datasets/{name}/latest/train").rglob("*.wav"))])
    assert len(made[0]) == 3
    assert made[0] == made[1]


def test_sounds_are_split_augmented_and_inspected_without_a_model(tmp_path: Path) -> None:
    told = genset("inspect", DRUMS, "--output", tmp_path / "out", "--json")
    assert told.code == 0, told.stderr
    assert told.json["traits"]["rate"] == {"22,050 Hz": 109}
    for command in (["split", DRUMS], ["augment", DRUMS, "--copies", "1"]):
        outcome = genset(*command, "--output", tmp_path / "out", "--json")
        assert outcome.code == 0, outcome.stderr
    copies = tmp_path / "out/datasets/sound/latest/train/kick"
    assert len(list(copies.glob("*.wav"))) == 2 * len(list((DRUMS / "kick").iterdir()))
    assert all(scipy.io.wavfile.read(path)[0] == 22_050 for path in copies.glob("*.wav"))
