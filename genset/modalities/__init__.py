"""What one item can be. A new modality is one folder here and one line in the table."""

from genset.interfaces import Modality
from genset.modalities.image.modality import Image
from genset.modalities.sound.modality import Sound
from genset.modalities.text.modality import Text

MODALITIES: dict[str, type[Modality]] = {"image": Image, "text": Text, "sound": Sound}
