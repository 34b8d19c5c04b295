"""How fast are mel spectra turned back into sounds? genset's batched inversion beside librosa's, clip by clip.

    python benchmarks/inversion.py FOLDER [--clips 200] [--peer 10]

FOLDER holds class folders of sound files. Needs librosa, which genset does not: pip install librosa. Both sides get the
same mel magnitudes; how near the result comes to them is told as the root mean square of the difference in dB.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from genset.modalities.sound import representations, spectra
from genset.modalities.sound.codec import waveform
from genset.modalities.sound.modality import Sound, SoundSettings


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--peer", type=int, default=10, help="clips that librosa inverts, which takes long")
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix in Sound.suffixes)
    files = files[:: max(1, len(files) // arguments.clips)][: arguments.clips]
    raw = Sound(SoundSettings())
    sound = Sound(Sound.resolve_settings(raw.settings, [raw.probe(path) for path in files]))
    form = representations.Mel(representations.padded_length(sound.item_shape[0], sound.rate), 1, sound.rate)
    clips = np.zeros((len(files), form.length), np.float32)
    clips[:, : sound.item_shape[0]] = waveform(np.stack([sound.decode(path) for path in files]))[..., 0]
    clips /= np.abs(clips).max(axis=1, keepdims=True)
    mel = spectra.mel_of(np.abs(spectra.stft(clips, form.hop)), form.bank)
    draws = np.random.default_rng(0).random((len(files), spectra.OVERLAP * form.hop // 2 + 1), dtype=np.float32)
    ours = [(steps, *_ours(mel, form, draws, steps)) for steps in (2, 32)]
    seconds, made = _theirs(mel[: arguments.peer], form)
    print(f"{len(files)} clips of {form.length / sound.rate:.2f} s at {sound.rate} Hz, {mel.shape[2]} bands")
    print(f"librosa, 32 steps: {seconds * 1000:.1f} ms a clip, {_distance(made, mel, form):.2f} dB")
    for steps, own, result in ours:
        told = f"{own * 1000:.2f} ms a clip, {_distance(result, mel, form):.2f} dB"
        print(f"genset, {steps} steps: {told}, {seconds / own:.0f} times as fast")


def _ours(mel: Any, form: representations.Mel, draws: Any, steps: int) -> tuple[float, Any]:
    started = time.perf_counter()
    magnitudes = spectra.magnitudes_of(mel, form.bank)
    made = spectra.griffin_lim(magnitudes, draws * np.float32(2 * np.pi), form.hop, steps)
    return (time.perf_counter() - started) / len(mel), made


def _theirs(mel: Any, form: representations.Mel) -> tuple[float, Any]:
    """Non-negative least squares and fast Griffin-Lim, as librosa.feature.inverse.mel_to_audio does them."""
    import librosa

    bank, size = form.bank.toarray(), spectra.OVERLAP * form.hop
    made = []
    for number in range(-1, len(mel)):  # the first time compiles
        if number == 0:
            started = time.perf_counter()
        magnitudes = librosa.util.nnls(bank, mel[max(0, number)].T)
        made.append(librosa.griffinlim(magnitudes, n_iter=32, hop_length=form.hop, win_length=size, n_fft=size))
    seconds = (time.perf_counter() - started) / len(mel)
    late = [np.pad(clip, (form.hop // 2, form.length))[: form.length] for clip in made[1:]]  # its frames: half a hop on
    return seconds, np.stack(late)


def _distance(made: Any, mel: Any, form: representations.Mel) -> float:
    """dB between the bands of what was made and those that were asked for, as loud as each other."""
    found = spectra.mel_of(np.abs(spectra.stft(made.astype(np.float32), form.hop)), form.bank)
    levels = [20 * np.log10(np.maximum(bands, 1e-2)) for bands in (found, mel[: len(made)])]
    return float(np.sqrt(np.mean(np.square(levels[0] - levels[1]))))


if __name__ == "__main__":
    main()
