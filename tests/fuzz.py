"""Feed damaged bytes to whatever reads what a user or a stranger wrote: only the errors of the contract may come out.

    python tests/fuzz.py [--seconds 60] [--atheris] [TARGET ...]

Without --atheris (a fuzzer that looks for new paths through the code, `pip install atheris`), real files are mutated by a
seeded generator. What is found is printed as bytes for the corpus in tests/test_hostile.py, and the exit code is 1.
"""

import argparse
import base64
import contextlib
import io
import json
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import soundfile

from genset.config import loading, split_section
from genset.config.by_modality import EVERY_FIGURE
from genset.config.yaml_reader import Position, Tree, override
from genset.containers import CONTAINERS
from genset.errors import GensetError
from genset.interfaces import UndecodableError
from genset.metadata import read_metadata
from genset.modalities import MODALITIES
from genset.quality import gates
from genset.versions.checksums import listed_sums

PLACE = Path(tempfile.mkdtemp(prefix="genset-fuzz-"))
Target = Callable[[bytes], None]


def _file(name: str, data: bytes) -> Path:
    path = PLACE / name
    path.write_bytes(data)
    return path


def _config(data: bytes) -> None:
    try:
        loading.load(_file("c.yaml", data))
    except GensetError as error:
        str(error)


def _override(data: bytes) -> None:
    tree = Tree({}, {(): Position("command line")})
    try:
        override(tree, [data.decode("utf-8", "surrogateescape")])
        loading.section(split_section.Split, tree, "split")
    except GensetError as error:
        str(error)


def _gate(data: bytes) -> None:
    try:
        gates.parse(data.decode("utf-8", "surrogateescape"), EVERY_FIGURE)
    except ValueError as error:
        str(error)


def _metadata(name: str) -> Target:
    def target(data: bytes) -> None:
        faults: list[GensetError] = []
        read_metadata(_file(name, data), faults)
        try:
            read_metadata(_file(name, data))
        except GensetError:
            return

    return target


def _sums(data: bytes) -> None:
    _file("SHA256SUMS", data)
    listed_sums(PLACE)


def _item(kind: str, name: str, **settings: object) -> Target:
    """What reads a file of one item, as cleaning and decoding do."""
    table = MODALITIES[kind]
    modality = table(table.Settings(**settings))

    def target(data: bytes) -> None:
        path = _file(name, data)
        try:
            modality.probe(path, fingerprinted=True, measured=True)
            modality.decode_native(path)
            modality.decode(path)
        except (UndecodableError, GensetError):
            return

    return target


def _rows(name: str) -> Target:
    table = MODALITIES["text"]

    def target(data: bytes) -> None:
        path = _file(name, data)
        try:
            modality = table(table.Settings()).for_files([path])
            for entry in modality.entries(path, top=True):
                if entry.content is not None and not entry.fault:
                    modality.probe(entry.content, fingerprinted=True, measured=True)
        except (GensetError, UndecodableError):
            return

    return target


_IMAGE = {"size": 8, "mode": "RGB"}
_CONTAINERS = {"idx": "train-images-idx3-ubyte", "npz": "a.npz", "parquet": "a.parquet", "arrow": "a.arrow",
               "webdataset": "a.tar", "jsonl": "a.jsonl"}  # fmt: skip
_SOUND = {"sample_rate": 8000, "seconds": 0.25}


def _container(kind: str, name: str) -> Target:
    """What reads files of many items."""

    def target(data: bytes) -> None:
        path = _file(name, data)
        for files in (True, False):
            try:
                container = CONTAINERS[kind]
                for row in container.rows(path, (".png", ".jpg"), files=files):
                    if isinstance(row.data, np.ndarray):
                        with contextlib.suppress(UndecodableError):
                            MODALITIES["image"](MODALITIES["image"].Settings(**_IMAGE)).from_array(row.data)
                list(container.companions(path))
            except GensetError:
                continue

    return target


TARGETS: Mapping[str, Target] = {
    "config": _config,
    "override": _override,
    "gate": _gate,
    "metadata.jsonl": _metadata("metadata.jsonl"),
    "metadata.csv": _metadata("metadata.csv"),
    "sums": _sums,
    **{
        f"image.{end}": _item("image", f"i.{end}", **_IMAGE)
        for end in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm")
    },
    **{f"sound.{end}": _item("sound", f"s.{end}", **_SOUND) for end in ("wav", "flac", "ogg", "mp3")},
    **{f"container.{kind}": _container(kind, name) for kind, name in _CONTAINERS.items()},
    **{f"text.{end}": _rows(f"t.{end}") for end in ("jsonl", "csv", "tsv", "txt")},
}


def seeds(name: str) -> list[bytes]:
    """Real inputs of a target, which are then damaged."""
    kind, _, end = name.partition(".")
    if kind == "image":
        names = {"jpg": "jpeg", "tif": "tiff"}
        pixels = np.random.default_rng(1).integers(0, 256, (12, 9, 3), dtype=np.uint8)
        out = []
        for image in (PIL.Image.fromarray(pixels), PIL.Image.fromarray(pixels[..., 0]).convert("P")):
            buffer = io.BytesIO()
            (image.convert("RGB") if end in ("jpg", "webp", "ppm") else image).save(buffer, names.get(end, end))
            out.append(buffer.getvalue())
        return out
    if kind == "sound":
        wave = (0.3 * np.sin(np.arange(3000) / 9)).astype(np.float32)
        forms = {"wav": ("WAV", "FLOAT"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "mp3": ("MP3", None)}
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, 8000, format=forms[end][0], subtype=forms[end][1])
        return [buffer.getvalue()]
    if kind == "container":
        return _containers(end)
    texts = {
        "config": [
            (Path(__file__).parents[1] / "configs" / "image-vae.yaml").read_bytes(),
            b"name: x\nmodality: image\n",
        ],
        "override": [b"split.ratios=[0.8, 0.1, 0.1]", b"split={by: [a], counts: [rest, 1, 2]}"],
        "gate": [b"cas_ratio >= 0.9"],
        "sums": [b"0" * 64 + b"  train/0/a.png\n"],
    }
    rows = [{"file_name": "a.png", "label": "x", "text": "one \u00e9", "n": 1.5}, {"file_name": "b.png", "label": None}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    table = 'file_name,label,text\na.png,x,"one, two"\nb.png,y,\u00e9\n'.encode()
    tables = {"jsonl": lines, "csv": table, "tsv": table.replace(b",", b"\t"), "txt": b"one\ntwo \xc3\xa9\n"}
    return texts.get(name) or [tables[end]]


def _containers(kind: str) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet

    pixels = np.random.default_rng(2).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    buffer, picture = io.BytesIO(), io.BytesIO()
    PIL.Image.fromarray(pixels[0]).save(picture, "PNG")
    image = {"bytes": picture.getvalue(), "path": "a.png"}
    table = pa.Table.from_pylist([{"image": image, "label": 1, "note": "x"}, {"image": None, "label": 0, "note": None}])
    if kind == "idx":
        return [struct.pack(">HBB3I", 0, 8, 3, *pixels.shape) + pixels.tobytes()]
    if kind == "npz":
        np.savez(buffer, x_train=pixels, y_train=np.array([0, 1, 0]), class_names=np.array(["a", "b"]))
    elif kind == "parquet":
        pyarrow.parquet.write_table(table, buffer)
    elif kind == "arrow":
        with pa.ipc.new_stream(buffer, table.schema) as writer:
            writer.write_table(table)
    elif kind == "jsonl":
        row = {"image": base64.b64encode(picture.getvalue()).decode(), "label": "a"}
        return [(json.dumps(row) + "\n" + json.dumps({"file_name": "../x.png"}) + "\n").encode()]
    else:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in (
                ("a.png", picture.getvalue()),
                ("a.cls", b"1"),
                ("a.json", b'{"n": 1}'),
                ("b/c.png", b"x"),
            ):
                about = tarfile.TarInfo(name)
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    return [buffer.getvalue()]


_TOKENS = (b"\x00", b"\xff" * 4, b"{", b"[" * 40, b"!!python/object:os.system ", b"&a ", b"*a", b"<<: ", b"\n", b"1e999", b"-1",
           b"nan", b"9" * 400, b"\xed\xa0\x80", b"\\ud800", b'"', b",", b"\x1b[31m", b"../..", b"\xe2\x80\xae")  # fmt: skip


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A damaged copy: bytes changed, cut, doubled, or tokens put in."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        place, kind = int(rng.integers(0, max(1, len(out)))), int(rng.integers(0, 6))
        if kind == 0 and out:
            out[place % len(out)] = int(rng.integers(0, 256))
        elif kind == 1 and out:
            out[place % len(out)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            del out[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            out[place:place] = out[place : place + int(rng.integers(1, 40))]
        elif kind == 4:
            out[place:place] = _TOKENS[int(rng.integers(0, len(_TOKENS)))]
        else:
            del out[place:]
    return bytes(out)


def rounds(name: str, count: int, seed: int, until: float = float("inf")) -> tuple[int, list[tuple[bytes, str]]]:
    """(how many inputs were tried, those at which something else than the errors of the contract came out)."""
    rng, real, found = np.random.default_rng([seed, len(name)]), seeds(name), []
    kinds: set[str] = set()
    number = 0
    for number in range(1, count + 1):
        if time.monotonic() > until:
            break
        data = mutated(real[number % len(real)], rng)
        try:
            TARGETS[name](data)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {error} at {last.filename}:{last.lineno}"
            if told.partition(":")[0] + str(last.lineno) not in kinds:
                kinds.add(told.partition(":")[0] + str(last.lineno))
                found.append((data, told))
    return number, found


def main() -> None:
    """Fuzz for some time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    names = asked.targets or list(TARGETS)
    if asked.atheris:
        import atheris

        (name,) = names
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], f"-max_total_time={int(asked.seconds)}"], TARGETS[name])
        atheris.Fuzz()
        return
    wrong = 0
    for name in names:
        tried, found = rounds(name, 10**9, asked.seed, time.monotonic() + asked.seconds / len(names))
        print(f"{name:16}{tried:10,} inputs, {len(found)} findings", flush=True)
        for data, told in found:
            print(f"  {told[:300]}\n  {data[:400]!r}", flush=True)
        wrong += len(found)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
