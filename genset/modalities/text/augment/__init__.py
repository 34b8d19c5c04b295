"""Label-preserving transforms of one text. To add one: a class in words.py or characters.py and its line in the table.

A text is divided into words and the spans between them. Protected spans, and the separators between the parts of a
dialogue, are never changed.
"""

from genset.interfaces import Step
from genset.modalities.text.augment.characters import (
    Casing,
    Confusables,
    Keyboard,
    Numbers,
    Ocr,
    Punctuation,
    Spacing,
)
from genset.modalities.text.augment.words import Delete, Duplicate, Insert, Swap, Synonyms

AUGMENTATIONS: dict[str, type[Step]] = {
    "swap": Swap,
    "delete": Delete,
    "insert": Insert,
    "duplicate": Duplicate,
    "keyboard": Keyboard,
    "ocr": Ocr,
    "casing": Casing,
    "punctuation": Punctuation,
    "spacing": Spacing,
    "numbers": Numbers,
    "confusables": Confusables,
    "synonyms": Synonyms,
}
# Mild: little noise, and no word that is new to the text.
DEFAULT_STEPS: tuple[Step, ...] = (
    Swap(p=0.3, share=0.05),
    Delete(p=0.3, share=0.05),
    Keyboard(p=0.3, share=0.05),
    Casing(p=0.1),
    Punctuation(p=0.3),
)
