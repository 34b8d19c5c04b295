"""Variations of one item, or items between two: encode, vary, decode."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genset.errors import GensetError
from genset.interfaces import Floats, Items, ItemSource, UndecodableError
from genset.models.onnx_network import OnnxNetwork
from genset.pipeline.generate.generator import ENCODER, Places, SampleModel
from genset.seeds import item_id
from genset.versions.checksums import verified
from genset.versions.version import Version


@dataclass(frozen=True)
class Variations:
    """Variations of one item: amount 0 gives its reconstruction, 1 an independent item of its class."""

    model: SampleModel
    code: Floats  # (latent_dim,)
    origin: str  # id of the item
    amount: float
    hint: str = "Increase --vary, or keep near copies with --near-copies keep."

    def items_at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items; each code lies between that of the item (amount 0) and a draw of its class (amount 1)."""
        z = (1 - self.amount) * self.code + self.amount * self.model.codes(places, seed, attempt)
        return self.model.decode(z.astype(np.float32), places, seed, attempt)

    def details(self) -> dict[str, Any]:
        """The settings that the metadata of each item records; with them its id differs from that of a sampled item."""
        return {"like": self.origin, "vary": self.amount, **self.model.details()}


@dataclass(frozen=True)
class Interpolations:
    """Items at equal steps on the straight line between the codes of two items."""

    model: SampleModel
    first: Floats  # (latent_dim,)
    last: Floats
    origin: str  # ids of both
    count: int
    hint: str = "Keep near copies with --near-copies keep, or give two items that differ more."

    def items_at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items; item n of `count` is at (n + 1) / (count + 1) of the way."""
        share = np.array([(number + 1) / (self.count + 1) for _, number in places])[:, None]
        z = ((1 - share) * self.first + share * self.last).astype(np.float32)
        return self.model.decode(z, places, seed, attempt)

    def details(self) -> dict[str, Any]:
        """The settings that the metadata of each item records."""
        return {"between": self.origin.split(), "of": self.count, **self.model.details()}


@dataclass(frozen=True)
class EncodedItem:
    """An item of the user with its code and label."""

    id: str
    content: str  # hash of the decoded item, as in `Record.content`
    code: Floats  # (latent_dim,)
    label: str


def encode_item(model: SampleModel, version: Version, text: str, label: str | None) -> EncodedItem:
    """Read and encode an item: a file, or the item itself if the modality accepts that.

    The label is `label` if given, else the name of its folder, else the prediction of the model's classifier. Raises
    GensetError if the item cannot be read, or if the model has no encoder.
    """
    try:
        raw = model.modality.raw(text)
        digest = model.modality.probe(raw).digest
        item = model.modality.decode(raw)[None]
    except (UndecodableError, OSError) as error:
        raise GensetError(
            f"cannot be read: {error}",
            where=text,
            hint=f"Give --like a file with one {model.modality.kind}"
            f"{', or the text itself' if model.modality.rows else ''}.",
        ) from None
    content = item_id("c", hashlib.sha256(item.tobytes()).hexdigest(), 0)
    code = open_encoder(version)(model.modality.to_tensor(item))[0][0]
    return EncodedItem(item_id("c", digest, 0), content, code, label or _label(model, raw, item))


def open_encoder(version: Version) -> OnnxNetwork:
    """The encoder of a model version. Raises GensetError if it has none."""
    if not (version.path / ENCODER).is_file():
        raise GensetError(
            "this model has no encoder, so it cannot encode an item",
            where=version.reference,
            hint="Train an autoencoder, a VAE, or a GAN with a warm start.",
        )
    return OnnxNetwork(verified(version, (ENCODER,))[ENCODER], str(version.path / ENCODER))


def _label(model: SampleModel, raw: ItemSource, item: Items) -> str:
    if len(model.classes) == 1:
        return model.classes[0]
    if isinstance(raw, Path) and raw.resolve().parent.name in model.classes:
        return raw.resolve().parent.name
    if model.label_filter is None:
        raise GensetError("the class of this item is unknown", where=str(raw), hint="Give it with --label.")
    return model.classes[int(model.label_filter.probabilities(model.modality.features(item)).argmax())]


def variation_source(
    model: SampleModel, items: Sequence[EncodedItem], amount: float, count: int
) -> Variations | Interpolations:
    """Variations of one item, or interpolations between two. Raises GensetError if two items do not fit together."""
    if len(items) == 1:
        if not amount and count > 1:
            raise GensetError(
                f"with --vary 0, all {count} items would be equal",
                where="--vary",
                hint="Give --vary a value above 0, or request one item with --count 1.",
            )
        return Variations(model, items[0].code, items[0].id, amount)
    if len(items) != 2:
        raise GensetError(f"--like takes one item to vary or two to interpolate, got {len(items)}")
    first, last = items
    if first.content == last.content:
        raise GensetError(
            "the two items are the same", where="--like", hint="Give one item with --vary, or two different ones."
        )
    if first.label != last.label:
        raise GensetError(
            f"the two items are of different classes, {json.dumps(first.label)} and {json.dumps(last.label)}",
            hint="Give two items of one class: an item between two classes has no label.",
        )
    return Interpolations(model, first.code, last.code, f"{first.id} {last.id}", count)
