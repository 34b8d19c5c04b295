"""The transforms of a clip (T, channels) int16. To add one: a class in the file of its kind and its line in the table.

A transform changes a clip up to its end: the silence that pads it stays silence. Times are in seconds and frequencies
in Hz, at the sample rate that `bound` reads from the modality.
"""

from genset.interfaces import Step
from genset.modalities.sound.augment.level import Clipping, Dropout, Gain
from genset.modalities.sound.augment.mixing import Mix
from genset.modalities.sound.augment.noise_room import BackgroundNoise, Reverb
from genset.modalities.sound.augment.spectrum import Filter, LossyCodec, SpecAugment
from genset.modalities.sound.augment.time_pitch import PitchShift, TimeShift, TimeStretch

AUGMENTATIONS: dict[str, type[Step]] = {
    "gain": Gain,
    "time_shift": TimeShift,
    "time_stretch": TimeStretch,
    "pitch_shift": PitchShift,
    "noise": BackgroundNoise,
    "filter": Filter,
    "reverb": Reverb,
    "clipping": Clipping,
    "dropout": Dropout,
    "lossy_codec": LossyCodec,
    "spec_augment": SpecAugment,
    "mix": Mix,
}
DEFAULT_STEPS: tuple[Step, ...] = (
    TimeStretch(p=0.5, max_stretch=0.08),
    PitchShift(p=0.3, semitones=0.5),
    TimeShift(p=0.5, seconds=0.02),
    BackgroundNoise(p=0.3, max_snr_db=50.0, min_snr_db=30.0),
    Gain(p=0.8, max_gain_db=3.0),
)
