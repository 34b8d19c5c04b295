"""Tokens: what a text is made of for the networks. Learned on the train items by the tokenizers library."""

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

Kind = Literal["bpe", "words", "characters"]
Ids = npt.NDArray[np.int32]  # (N, length) numbers of tokens, PAD after the end
PAD, END, DROPPED = 0, 1, 2
NEVER = (PAD, DROPPED)  # stand for nothing: no text is written with them
_SPECIAL = ["<pad>", "<end>", "<dropped>", FIELD, TURN, ROLE]
_VOCABULARY = (300, 4000)  # tokens, at least and at most, where the config gives no number
_CHARACTERS_PER_TOKEN = 100  # of the train items: a token that occurs more rarely is hardly learned
_LONGEST = 96  # tokens of an item, at most, where the config gives no number: a step costs as many steps of a decoder
_COVERED = 0.995  # of the items are no longer than the length that is chosen
_SPACE = "\u2581"


@dataclass(frozen=True)
class Tokens:
    """A tokenizer with the length of its rows."""

    tokenizer: "Tokenizer"
    length: int

    @classmethod
    def learn(cls, texts: Sequence[str], kind: Kind, vocabulary: int | None, longest: int | None) -> Self:
        """Learn the tokens of texts, and how many of them an item has."""
        characters = sum(map(len, texts))
        chosen = max(_VOCABULARY[0], min(_VOCABULARY[1], characters // _CHARACTERS_PER_TOKEN))
        tokenizer = _LEARN[kind](texts, vocabulary or chosen)
        lengths = [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        wanted = int(np.quantile(lengths, _COVERED, method="higher")) + 1  # and the end
        return cls(tokenizer, max(4, min(wanted, longest or _LONGEST)))

    @classmethod
    def read(cls, data: bytes) -> Self:
        """What `as_bytes` wrote."""
        from tokenizers import Tokenizer

        values = json.loads(data)
        return cls(Tokenizer.from_str(json.dumps(values["tokenizer"])), values["length"])

    def as_bytes(self) -> bytes:
        """The tokenizer, as the library writes it, and the length of a row."""
        values = {"length": self.length, "tokenizer": json.loads(self.tokenizer.to_str())}
        return json.dumps(values, ensure_ascii=False, sort_keys=True).encode()

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self.tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> Ids:
        """(N, length) numbers of tokens, END after the last that fits."""
        out = np.full((len(texts), self.length), PAD, np.int32)
        for row, found in enumerate(self.tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            ids = [*found.ids, END][: self.length]
            out[row, : len(ids)] = ids
        return out

    def decode(self, rows: Ids) -> list[str]:
        """Texts of (N, length) rows, each up to its END."""
        cut = [[int(token) for token in row[: _end(row)] if token not in NEVER] for row in rows]
        return [str(text) for text in self.tokenizer.decode_batch(cut, skip_special_tokens=False)]


def _end(row: Ids) -> int:
    places = np.flatnonzero(row == END)
    return int(places[0]) if len(places) else len(row)


def _bpe(texts: Sequence[str], vocabulary: int) -> "Tokenizer":
    """Byte pairs (Sennrich et al. 2016, arXiv:1508.07909) over UTF-8 bytes: any script, no unknown token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary, len(alphabet) + len(_SPECIAL)),
        min_frequency=2,
        special_tokens=_SPECIAL,
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_parts(texts), trainer)
    return tokenizer


def _parts(texts: Sequence[str]) -> Iterator[str]:
    """The texts without what divides their parts: that is a token of its own."""
    for text in texts:
        yield from re.split(f"[{SEPARATORS}]", text)


def _words(texts: Sequence[str], vocabulary: int) -> "Tokenizer":
    """Words and marks; a word that is not among the most frequent is left out."""
    from tokenizers import decoders, pre_tokenizers

    steps: list[Any] = [pre_tokenizers.Metaspace(_SPACE, prepend_scheme="never"), pre_tokenizers.Punctuation()]
    return _closed(
        texts, vocabulary, pre_tokenizers.Sequence(steps), decoders.Metaspace(_SPACE, prepend_scheme="never")
    )


def _characters(texts: Sequence[str], vocabulary: int) -> "Tokenizer":
    """Single characters; one that is not among the most frequent is left out."""
    from tokenizers import Regex, decoders, pre_tokenizers

    return _closed(texts, vocabulary, pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"), decoders.Fuse())


def _closed(texts: Sequence[str], vocabulary: int, divide: Any, decoder: Any) -> "Tokenizer":
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=_SPECIAL[DROPPED]))
    tokenizer.pre_tokenizer, tokenizer.decoder = divide, decoder
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary + len(_SPECIAL), special_tokens=_SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(_parts(texts), trainer)
    return tokenizer


_LEARN = {"bpe": _bpe, "words": _words, "characters": _characters}
