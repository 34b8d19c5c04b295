"""Every form of output loads in the libraries that people use, with the right counts, labels and items."""

import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from genset.dataset import ExportItem, Record
from genset.engine import Local
from genset.export import EXPORTERS, tfrecord
from genset.export.shards import ShardedExporter
from genset.export.tfrecord import crc32c
from genset.export.webdataset import WebDatasetExporter
from genset.interfaces import Exporter, Modality, Progress
from genset.modalities import MODALITIES
from genset.pipeline.export_items import encode_items
from genset.pipeline.job import Job
from genset.pipeline.write.dataset import write_dataset
from genset.versions.root import Root
from genset.versions.version import Version
from tests.helpers import ROOT, genset

LABELS = ("a.b", "train")  # a dot, and the name of a split
COUNTS = {"train": 6, "validation": 2, "test": 2}
SETTINGS = {
    "image": {"size": 8, "mode": "L"},
    "text": {"max_bytes": 40},
    "sound": {"sample_rate": 8000, "seconds": 0.1, "lengths": "fixed"},
}


@dataclass(frozen=True)
class Made:
    """A small version, and what is in it."""

    version: Version
    modality: Modality
    items: dict[str, list[tuple[Record, Any]]]  # by split

    @property
    def path(self) -> Path:
        return self.version.path

    def labels(self, split: str) -> Counter[str]:
        return Counter(record.label for record, _ in self.items[split])

    def ids(self, split: str) -> list[str]:
        return [record.id for record, _ in self.items[split]]


def items_of(modality: Modality) -> list[Any]:
    """As many items as are needed, all different."""
    rng = np.random.default_rng(3)
    if modality.rows:
        return [modality.decode(f"the text number {n} — é") for n in range(sum(COUNTS.values()))]
    shape = (sum(COUNTS.values()), *modality.item_shape)
    return list(rng.integers(1, 200, shape).astype(modality.item_dtype))


def make(folder: Path, kind: str, exporter: Exporter) -> Made:
    table = MODALITIES[kind]
    modality = table(table.Settings(**SETTINGS[kind]))
    waiting = items_of(modality)
    items: dict[str, list[tuple[Record, Any]]] = {split: [] for split in COUNTS}
    for split, count in COUNTS.items():
        for n in range(count):
            source = "generated" if split == "train" and n > 3 else "collected"
            name = f"{source[0]}{len(waiting):015x}"
            columns = {"image": "a column of the user's own"}
            record = Record(name, Path(), LABELS[n % 2], source, split=split, columns=columns)
            items[split].append((record, waiting.pop()))
    pairs = [pair for some in items.values() for pair in some]
    job = Job("run", Root(folder), Local(), Progress.silent())
    with job.root.lock(0, print):
        version, _ = write_dataset(
            "set", encode_items(pairs, modality, job), len(pairs), job, exporter=exporter, modality=modality,
            parents=["set@v0001"],
        )  # fmt: skip
    return Made(version, modality, items)


@pytest.fixture(params=MODALITIES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Made]:
    return lambda form: make(tmp_path, request.param, EXPORTERS[form]())


FORMS = pytest.mark.parametrize("form", EXPORTERS)


@FORMS
def test_checksums_hold_and_equal_items_give_equal_bytes(made: Callable[[str], Made], form: str) -> None:
    first, second = made(form), made(form)
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=first.path, check=True)
    assert (first.path / "SHA256SUMS").read_text() == (second.path / "SHA256SUMS").read_text()


@FORMS
def test_croissant_validates_and_says_what_is_synthetic(made: Callable[[str], Made], form: str) -> None:
    import mlcroissant

    version = made(form)
    dataset = mlcroissant.Dataset(jsonld=str(version.path / "croissant.json"))  # raises where it is not valid
    assert "Synthetic items: 2 generated, from set; " in dataset.metadata.description
    if form == "folder":
        rows = [row["test-rows/label"].decode() for row in dataset.records("test-rows")]
        assert Counter(rows) == version.labels("test")
    listed = json.loads((version.path / "croissant.json").read_text())["distribution"]
    assert all((version.path / file["contentUrl"]).is_file() for file in listed)
    assert len(listed) == len(COUNTS)


@pytest.mark.parametrize("form", [form for form, exporter in EXPORTERS.items() if exporter.loader])
def test_hugging_face_loads_a_version_by_its_card(made: Callable[[str], Made], form: str, tmp_path: Path) -> None:
    import datasets

    version = made(form)
    front = yaml.safe_load((version.path / "README.md").read_text("utf-8").split("---\n")[1])
    assert [each["split"] for each in front["configs"][0]["data_files"]] == list(COUNTS)
    if version.modality.feature == "Audio" and form != "parquet":  # it wants torch to read sound files
        builder = datasets.load_dataset_builder(str(version.path), cache_dir=str(tmp_path / "cache"))
        assert list(builder.config.data_files) == list(COUNTS)
        kinds = {"folder": "audiofolder", "webdataset": "webdataset"}
        assert builder.dataset_name and type(builder).__module__.endswith(kinds[form])
        return
    loaded = datasets.load_dataset(str(version.path), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in loaded.items()} == COUNTS
    for split, part in loaded.items():
        rows = part.cast_column("audio", datasets.Audio(decode=False)) if "audio" in part.column_names else part
        told = [row["json"] if form == "webdataset" else row for row in rows]
        assert Counter(row["label"] for row in told) == version.labels(split)


def test_webdataset_reads_its_shards(made: Callable[[str], Made]) -> None:
    import webdataset

    version = made("webdataset")
    path = version.path / "train-00000.tar"
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == version.ids("train")
    assert Counter(json.loads(sample["json"])["label"] for sample in samples) == version.labels("train")
    if not version.modality.rows:
        suffix = version.modality.suffix.removeprefix(".")
        assert samples[0][suffix] == version.modality.encode(version.items["train"][0][1])
    with tarfile.open(path) as file:
        members = file.getmembers()
    assert {member.mtime for member in members} == {0}
    assert all(member.name.count(".") == 1 for member in members)


def test_parquet_is_read_with_the_item_and_its_columns(made: Callable[[str], Made]) -> None:
    import pyarrow.parquet as pq

    version = made("parquet")
    rows = pq.read_table(version.path / "train-00000.parquet").to_pylist()
    assert [row["id"] for row in rows] == version.ids("train")
    item = version.items["train"][0][1]
    if version.modality.rows:
        assert rows[0]["text"] == version.modality.to_row(item)["text"]
    else:
        assert rows[0][version.modality.feature.lower()]["bytes"] == version.modality.encode(item)
    own = "user_image" if version.modality.feature == "Image" else "image"
    assert rows[0][own] == "a column of the user's own"


def test_tensorflow_reads_the_records(made: Callable[[str], Made]) -> None:
    import tensorflow as tf

    version = made("tfrecord")
    raw = list(tf.data.TFRecordDataset(str(version.path / "train-00000.tfrecord")))
    examples = [tf.train.Example.FromString(each.numpy()).features.feature for each in raw]

    def value(example: Any, name: str) -> bytes:
        (one,) = example[name].bytes_list.value
        return bytes(one)

    assert [value(each, "id").decode() for each in examples] == version.ids("train")
    assert Counter(value(each, "label").decode() for each in examples) == version.labels("train")
    item = version.items["train"][0][1]
    whole = value(examples[0], version.modality.feature.lower() or "text")
    assert whole == version.modality.encode(item)


def test_numpy_reads_the_arrays(made: Callable[[str], Made]) -> None:
    version = made("npz")
    with np.load(version.path / "train.npz", allow_pickle=False) as arrays:
        assert arrays["id"].tolist() == version.ids("train")
        assert Counter(arrays["label"].tolist()) == version.labels("train")
        items = [item for _, item in version.items["train"]]
        if version.modality.rows:
            assert arrays["text"].tolist() == [version.modality.to_row(item)["text"] for item in items]
        else:
            assert (arrays["x"] == np.stack(items)).all()


def test_the_class_folders_are_what_class_folder_loaders_expect(tmp_path: Path) -> None:
    """The rules of torchvision's ImageFolder and Keras: folders are classes, in sorted order; every file an item."""
    version = make(tmp_path, "image", EXPORTERS["folder"]())
    for split in COUNTS:
        part = version.path / split
        classes = sorted(entry.name for entry in part.iterdir() if entry.is_dir())
        assert classes == sorted(LABELS)
        found = {name: sorted(path.suffix for path in (part / name).rglob("*")) for name in classes}
        assert found == {name: [".png"] * count for name, count in version.labels(split).items()}


@pytest.mark.parametrize("data, crc", [
    (b"123456789", 0xE3069283),  # the check value of CRC-32C
    (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
])  # fmt: skip
def test_the_checksum_of_frames_is_the_published_one(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert tfrecord.checksum_function()(data) == crc


def test_frames_are_equal_with_and_without_google_crc32c(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google_crc32c")
    record = Record("g000000000000001", Path("x.png"), "a", "generated", split="train")
    items = [ExportItem(record, bytes(range(256)) * size, ".png") for size in (0, 1, 40)]
    exporter, modality = (
        tfrecord.TFRecordExporter(),
        MODALITIES["image"](MODALITIES["image"].Settings(size=8, mode="L")),
    )
    assert tfrecord.checksum_function() is not crc32c
    fast = exporter.file(items, modality)
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    assert tfrecord.checksum_function() is crc32c
    assert exporter.file(items, modality) == fast


def test_files_are_divided_by_size_and_hold_every_item_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genset.export.shards.size", lambda item: 400_000)
    version = make(tmp_path, "image", WebDatasetExporter(shard_mb=1))
    names = sorted(path.name for path in version.path.glob("*.tar"))
    assert names == ["test-00000.tar", "train-00000.tar", "train-00001.tar", "validation-00000.tar"]
    keys = []
    for name in names[1:3]:
        with tarfile.open(version.path / name) as file:
            keys += [member.name.partition(".")[0] for member in file if member.name.endswith(".png")]
    assert keys == version.ids("train")
    assert issubclass(WebDatasetExporter, ShardedExporter)


def test_a_form_for_others_is_written_by_generate_and_not_read_back(own: Any, tmp_path: Path) -> None:
    out = ["--output", own.out, "--json"]
    made = genset("generate", own.model, "-n", "5", "--format", "webdataset", "--name", "tars", *out)
    assert made.code == 0, made.stderr
    assert (Path(made.json["version"]["path"]) / "train-00000.tar").is_file()
    read = genset("inspect", "tars", *out)
    assert (read.code, read.json["error"]) == (2, {
        "message": "genset cannot read the items of a version in webdataset format, only in folder format",
        "where": "tars@v0001", "hint": "Write the version again with output.format=folder. The trained model is reused.",
    })  # fmt: skip
    wrong = genset("generate", own.model, "--format", "zip", *out)
    assert (wrong.code, wrong.json["error"]["message"]) == (
        2, "--format: output.format: must be one of folder, webdataset, parquet, tfrecord, npz; got 'zip'"
    )  # fmt: skip


def test_a_missing_library_is_told_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from genset.errors import GensetError

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(GensetError) as error:
        EXPORTERS["parquet"]().ready()
    assert str(error.value) == (
        "output.format: Parquet needs pyarrow, which is not installed\n  Install it: pip install 'genset[parquet]'."
    )


def test_the_extra_that_the_message_names_is_there() -> None:
    assert 'parquet = ["pyarrow' in (ROOT / "pyproject.toml").read_text()
