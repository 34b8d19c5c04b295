"""How samples/sound was made: drum hits as WAV files, class folders of them, to FLAC.

    python samples/make_sound.py FOLDER

FOLDER holds one folder of WAV files for each class; see sound/SOURCE.md for where they come from.
"""

import sys
from pathlib import Path

import soundfile


def main() -> None:
    """Write each file anew, without loss, in half the bytes."""
    for path in sorted(Path(sys.argv[1]).glob("*/*.wav")):
        samples, rate = soundfile.read(path, dtype="int16")
        folder = Path(__file__).parent / "sound" / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{path.stem.partition('__')[2]}.flac", samples, rate, subtype="PCM_16")


if __name__ == "__main__":
    main()
