"""Tokens of texts for the networks, by the tokenizers library: trained on the training set."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from genset.modalities.text.codec import FIELD, ROLE, SEPARATORS, TURN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TokenKind = Literal["bpe", "words", "characters"]
Ids = npt.NDArray[np.int32]  # (N, length) token numbers, PAD after the end
PAD, END, DROPPED = 0, 1, 2
NEVER = (PAD, DROPPED)  # tokens that are never drawn
_SPECIAL = ["<pad>", "<end>", "<dropped>", FIELD, TURN, ROLE]
# Defaults where the config gives no number
_VOCABULARY_SIZES = (300, 4000)  # minimum, maximum
_CHARACTERS_PER_TOKEN = 100  # of the training set: rarer tokens are hardly learned
_MAX_TOKENS = 96  # a training step costs as many steps of a decoder
_COVERAGE = 0.995  # share of the items that are not longer than the chosen length
_SPACE = "\u2581"


@dataclass(frozen=True)
class TextTokenizer:
    """A trained tokenizer, and the length of a text in tokens."""

    tokenizer: "Tokenizer"
    length: int

    @classmethod
    def train(cls, texts: Sequence[str], kind: TokenKind, vocabulary_size: int | None, max_tokens: int | None) -> Self:
        """Learn the tokens of texts, and choose a length: at least 4, at most `max_tokens`."""
        characters = sum(map(len, texts))
        default = max(_VOCABULARY_SIZES[0], min(_VOCABULARY_SIZES[1], characters // _CHARACTERS_PER_TOKEN))
        tokenizer = _TRAINERS[kind](texts, vocabulary_size or default)
        lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        covering = int(np.quantile(lengths, _COVERAGE, method="higher")) + 1  # with END
        return cls(tokenizer, max(4, min(covering, max_tokens or _MAX_TOKENS)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The tokenizer that `to_bytes` saved."""
        from tokenizers import Tokenizer

        values = json.loads(data)
        return cls(Tokenizer.from_str(json.dumps(values["tokenizer"])), values["length"])

    def to_bytes(self) -> bytes:
        """JSON: the tokenizer in the format of the library, and the length."""
        values = {"length": self.length, "tokenizer": json.loads(self.tokenizer.to_str())}
        return json.dumps(values, ensure_ascii=False, sort_keys=True).encode()

    @property
    def size(self) -> int:
        """Number of different tokens."""
        return int(self.tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> Ids:
        """(N, length) token numbers, cut to the length; END follows the last token if there is room."""
        out = np.full((len(texts), self.length), PAD, np.int32)
        for row, encoding in enumerate(self.tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            ids = [*encoding.ids, END][: self.length]
            out[row, : len(ids)] = ids
        return out

    def decode(self, rows: Ids) -> list[str]:
        """Texts of (N, length) rows, each up to its END."""
        cut = [[int(token) for token in row[: _end_of(row)] if token not in NEVER] for row in rows]
        return [str(text) for text in self.tokenizer.decode_batch(cut, skip_special_tokens=False)]


def _end_of(row: Ids) -> int:
    places = np.flatnonzero(row == END)
    return int(places[0]) if len(places) else len(row)


def _train_bpe(texts: Sequence[str], vocabulary_size: int) -> "Tokenizer":
    """Byte pairs (Sennrich et al. 2016, arXiv:1508.07909) over bytes of UTF-8: any script, no unknown tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary_size, len(alphabet) + len(_SPECIAL)),
        min_frequency=2,
        special_tokens=_SPECIAL,
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_parts(texts), trainer)
    return tokenizer


def _parts(texts: Sequence[str]) -> Iterator[str]:
    """The parts of the texts, without separators: each separator is a token of its own."""
    for text in texts:
        yield from re.split(f"[{SEPARATORS}]", text)


def _train_words(texts: Sequence[str], vocabulary_size: int) -> "Tokenizer":
    """Words and punctuation marks; rare words are dropped."""
    from tokenizers import decoders, pre_tokenizers

    steps: list[Any] = [pre_tokenizers.Metaspace(_SPACE, prepend_scheme="never"), pre_tokenizers.Punctuation()]
    decoder = decoders.Metaspace(_SPACE, prepend_scheme="never")
    return _train_most_frequent(texts, vocabulary_size, pre_tokenizers.Sequence(steps), decoder)


def _train_characters(texts: Sequence[str], vocabulary_size: int) -> "Tokenizer":
    """Single characters; rare ones are dropped."""
    from tokenizers import Regex, decoders, pre_tokenizers

    divide = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return _train_most_frequent(texts, vocabulary_size, divide, decoders.Fuse())


def _train_most_frequent(texts: Sequence[str], vocabulary_size: int, divide: Any, decoder: Any) -> "Tokenizer":
    """The most frequent of the units into which `divide` cuts texts; others become DROPPED."""
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=_SPECIAL[DROPPED]))
    tokenizer.pre_tokenizer, tokenizer.decoder = divide, decoder
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary_size + len(_SPECIAL), special_tokens=_SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(_parts(texts), trainer)
    return tokenizer


_TRAINERS = {"bpe": _train_bpe, "words": _train_words, "characters": _train_characters}
