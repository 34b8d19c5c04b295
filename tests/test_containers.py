"""Datasets in containers, as common programs write them: the same items, classes and splits as in folders."""

import base64
import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import soundfile

from tests.helpers import Trained, config, digits, genset

CLASSES = "0123"
EACH = 6


def pictures(folder: Path) -> list[tuple[np.ndarray, str]]:
    """(pixels, label) of real digits."""
    source = digits(folder / "digits", EACH, CLASSES)
    return [(np.asarray(PIL.Image.open(path)), path.parent.name) for path in sorted(source.rglob("*.png"))]


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def as_idx(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    items, labels = np.stack([p for p, _ in samples]), np.array([int(label) for _, label in samples])
    folder.mkdir()
    for name, rows in (("train", slice(0, None, 2)), ("t10k", slice(1, None, 2))):
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(items[rows])))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[rows])))
    return folder


def as_npz(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    items, labels = np.stack([p for p, _ in samples]), np.array([int(label) for _, label in samples])
    path = folder.with_suffix(".npz")
    np.savez(path, x_train=items[::2], y_train=labels[::2], x_test=items[1::2], y_test=labels[1::2])
    return path


def as_hub(samples: list[tuple[np.ndarray, str]], folder: Path) -> Any:
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES)), "note": datasets.Value("string")}
    )

    def part(rows: slice) -> datasets.Dataset:
        chosen = samples[rows]
        columns = {"image": [{"bytes": png(p), "path": f"{n}.png"} for n, (p, _) in enumerate(chosen)],
                   "label": [label for _, label in chosen], "note": [f"note {n}" for n in range(len(chosen))]}  # fmt: skip
        return datasets.Dataset.from_dict(columns, features=features)

    return datasets.DatasetDict({"train": part(slice(0, None, 2)), "test": part(slice(1, None, 2))})


def as_saved(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    as_hub(samples, folder).save_to_disk(folder)
    return folder


def as_parquet(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    for name, part in as_hub(samples, folder).items():
        part.to_parquet(folder / "data" / f"{name}-00000-of-00001.parquet")
    return folder


def as_webdataset(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    import webdataset

    folder.mkdir()
    for name, chosen in (("train", samples[::2]), ("test", samples[1::2])):
        with webdataset.TarWriter(str(folder / f"{name}-000000.tar")) as writer:
            for number, (pixels, label) in enumerate(chosen):
                writer.write(
                    {"__key__": f"k{number}", "png": png(pixels), "cls": label, "json": {"note": f"note {number}"}}
                )
    return folder


def as_lines(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    (folder / "files").mkdir(parents=True)
    rows = []
    for number, (pixels, label) in enumerate(samples):
        data = png(pixels)
        columns: dict[str, Any] = {"label": label, "note": f"note {number}"}
        if number % 3 == 0:
            (folder / "files" / f"{number}.png").write_bytes(data)
            rows.append({"image": f"files/{number}.png", **columns})
        elif number % 3 == 1:
            rows.append({"image": base64.b64encode(data).decode(), **columns})
        else:
            rows.append({"image": {"bytes": "data:image/png;base64," + base64.b64encode(data).decode()}, **columns})
    path = folder / "items.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_archive(samples: list[tuple[np.ndarray, str]], folder: Path) -> Path:
    path = folder.with_suffix(".tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for number, (pixels, label) in enumerate(samples):
            about = tarfile.TarInfo(f"digits/{label}/{number}.png")
            data = png(pixels)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return path


FORMS: dict[str, Callable[[list[tuple[np.ndarray, str]], Path], Path]] = {
    "idx": as_idx, "npz": as_npz, "saved": as_saved, "parquet": as_parquet, "webdataset": as_webdataset, "lines": as_lines, "archive": as_archive,
}  # fmt: skip
WITH_SPLITS = {"idx", "npz", "saved", "parquet", "webdataset"}


@pytest.mark.parametrize("name", FORMS)
def test_items_of_a_container_are_unchanged(name: str, tmp_path: Path) -> None:
    samples = pictures(tmp_path)
    source = FORMS[name](samples, tmp_path / "set")
    outcome = genset("inspect", source, "--json", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["label"] == dict.fromkeys(CLASSES, EACH)
    expected = {"train": 12, "test": 12} if name in WITH_SPLITS else {"": 24}
    assert {key: value for key, value in outcome.json["counts"]["split"].items() if value} == expected
    split = genset("split", source, "--json", "--output", tmp_path / "out")
    assert split.code == 0, split.stderr
    version = Path(split.json["version"]["path"])
    written = sorted((path.parent.name, np.asarray(PIL.Image.open(path)).tobytes()) for path in version.rglob("*.png"))
    assert written == sorted((label, pixels.tobytes()) for pixels, label in samples)


def test_columns_and_class_names_of_a_container_are_kept(tmp_path: Path) -> None:
    source = as_parquet(pictures(tmp_path), tmp_path / "set")
    outcome = genset("split", source, "--json", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    lines = (Path(outcome.json["version"]["path"]) / "train" / "metadata.jsonl").read_text().splitlines()
    assert all(json.loads(line)["note"].startswith("note ") for line in lines)
    assert json.loads(lines[0])["origin"].startswith("set/train/00000")


def test_a_container_is_unpacked_once_and_again_when_it_changes(tmp_path: Path) -> None:
    samples = pictures(tmp_path)
    source = as_npz(samples, tmp_path / "set")
    for _ in range(2):
        assert genset("inspect", source, "--output", tmp_path / "out").code == 0
    place = tmp_path / "out" / ".work" / "unpacked"
    assert len(list(place.iterdir())) == 1
    as_npz(samples[:-1], tmp_path / "set")
    outcome = genset("inspect", source, "--output", tmp_path / "out", "--json")
    assert sum(outcome.json["counts"]["label"].values()) == len(samples) - 1
    assert len(list(place.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("form", ["webdataset", "parquet", "npz"])
def test_the_real_items_of_versions_in_other_formats_can_be_read(form: str, own: Trained, tmp_path: Path) -> None:
    run = genset("run", own.config, f"output.format={form}", "--output", own.out, "--json")
    assert run.code == 0, run.stderr
    inside = tmp_path / form
    inside.mkdir()
    version = Path(run.json["version"]["path"])
    for path in (p for p in version.iterdir() if p.suffix in (".tar", ".parquet", ".npz")):
        (inside / path.name).write_bytes(path.read_bytes())
    outcome = genset("inspect", inside, "--json", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    assert sum(outcome.json["counts"]["label"].values()) == run.json["counts"]["source"]["collected"]
    assert outcome.json["counts"]["split"].keys() == run.json["counts"]["split"].keys()


def test_texts_in_parquet_are_rows(tmp_path: Path) -> None:
    import datasets

    rows = {
        "text": [f"a line of text number {n} {'yes' if n % 2 else 'no'}" for n in range(40)],
        "label": [n % 2 for n in range(40)],
    }
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "lines.parquet")
    outcome = genset("inspect", tmp_path / "lines.parquet", "--json", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["label"] == {"no": 20, "yes": 20}


def test_sounds_in_arrays_need_a_rate(tmp_path: Path) -> None:
    waves = (0.5 * np.sin(np.arange(2000)[None] * np.linspace(0.05, 0.4, 24)[:, None])).astype(np.float32)
    np.savez(tmp_path / "waves.npz", x=waves, label=np.array(list("ab") * 12))
    values = {"name": "waves", "modality": "sound", "data": {"source": "waves.npz"}, "generate": {"per_class": 1}}
    (tmp_path / "c.yaml").write_text(json.dumps(values))
    outcome = genset("run", tmp_path / "c.yaml", "--dry-run", "--output", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.stderr.splitlines()[-2:] == [
        f"genset: {tmp_path}/waves.npz: no usable items found: 24 left out; the first is waves.npz/item 1: "
        "an array has no sample rate: set modality.sample_rate to the rate of the arrays",
        "  Check that these are valid sound files, and that the settings of the modality fit them.",
    ]
    values["modality"] = {"kind": "sound", "sample_rate": 8000}
    (tmp_path / "c.yaml").write_text(json.dumps(values))
    outcome = genset("run", tmp_path / "c.yaml", "--dry-run", "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["label"] == {"a": 12 + 1, "b": 12 + 1}
    laid_out = next((tmp_path / "out/.work/unpacked").glob("*/*.wav"))
    samples, rate = soundfile.read(laid_out)
    assert rate == 8000
    assert abs(np.abs(samples).max() - 0.5) < 0.01


def test_several_sources_are_joined_and_classes_renamed(tmp_path: Path) -> None:
    first, last = digits(tmp_path / "first", 8, "01"), digits(tmp_path / "last", 12, "23")
    for path in (*(last / "2").iterdir(), *(last / "3").iterdir()):
        path.rename(path.with_name(f"last-{path.name}"))
    (last / "2").rename(last / "0")  # in this source, zero means two
    labels = {"first/0": "zero", "last/0": "two", "1": "one", "3": None}
    path = config(tmp_path, first, data={"source": ["first", "last"], "labels": labels}, generate={"per_class": 1})
    outcome = genset("run", path, "--dry-run", "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["label"] == {"one": 8 + 1, "two": 12 + 1, "zero": 8 + 1}
    config(tmp_path, first, data={"source": ["first", "last"], "labels": {"01": "x"}})
    outcome = genset("run", path, "--dry-run", "--output", tmp_path / "out")
    assert (outcome.code, outcome.stderr.splitlines()[-2:]) == (
        2,
        [
            "genset: data.labels: no item has the class '01' (did you mean `1`?)",
            "  Use one of the classes 0, 1, 3. With several sources, write SOURCE/CLASS for a class of one source.",
        ],
    )


def test_another_column_can_contain_the_class(tmp_path: Path) -> None:
    source = as_lines(pictures(tmp_path), tmp_path / "set")
    path = config(tmp_path, source, data={"source": str(source), "label": "note"})
    outcome = genset("run", path, "--dry-run", "--output", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert len(outcome.json["counts"]["label"]) == 24
    config(tmp_path, source, data={"source": str(source), "label": "nope"})
    outcome = genset("run", path, "--dry-run", "--output", tmp_path / "out")
    assert outcome.stderr.splitlines()[-2:] == [
        "genset: data.label: no item has a column 'nope' (did you mean `note`?)",
        "  Use one of the columns note.",
    ]


def broken(name: str, folder: Path) -> Path:
    """A container that is damaged or malicious."""
    folder.mkdir(exist_ok=True)
    if name == "short":
        path = folder / "train-images-idx3-ubyte"
        path.write_bytes(idx(np.zeros((5, 8, 8)))[:-10])
    elif name == "endless":
        path = folder / "train-images-idx3-ubyte"
        path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 2**31, 60_000, 60_000))
    elif name == "labels":
        path = folder / "train-images-idx3-ubyte"
        path.write_bytes(idx(np.zeros((5, 8, 8))))
        (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4)))
    elif name == "npz":
        path = folder / "a.npz"
        np.savez(path, stuff=np.zeros(3))
    elif name == "objects":
        path = folder / "a.npz"
        np.savez(path, x=np.array([{"a": 1}], dtype=object))
    elif name == "bomb":
        path = folder / "a.npz"
        import zipfile

        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("x.npy", bytes(100))
            file.getinfo("x.npy").file_size = 5 * 2**30  # the size in the directory of the archive
    elif name == "parquet":
        path = folder / "a.parquet"
        path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    elif name == "arrow":
        path = folder / "a.arrow"
        path.write_bytes(b"\xff\xff\xff\xff" + bytes(40))
    else:
        path = folder / "a.tar"
        path.write_bytes(b"no archive" * 200)
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("short", "cannot be read: it ends before its last item"),
        ("endless", "cannot be read: items of 3,600,000,000 bytes"),
        ("labels", "5 items but 4 labels\n  Put the matching labels file into the same folder."),
        ("npz", "no array of items (x, images, image, data, items, sounds, audio, arr_0, features); the file has stuff (3,)\n"
         "  Name the items `x`, as (N, height, width) or (N, height, width, channels), and the classes `label`."),
        ("objects", "cannot be read: Object arrays cannot be loaded when allow_pickle=False"),
        ("bomb", "cannot be read: it unpacks to 5.0 GB, too much for memory"),
        ("parquet", None),
        ("arrow", None),
        ("tar", "cannot be read: invalid header"),
    ],
)  # fmt: skip
def test_a_damaged_container_is_one_error(name: str, message: str | None, tmp_path: Path) -> None:
    path = broken(name, tmp_path / "set")
    place = config(tmp_path, path)
    outcome = genset("run", place, "--dry-run", "--output", tmp_path / "out", "--quiet")
    assert outcome.code == 2, outcome.stderr
    if message is None:
        assert outcome.stderr.startswith(f"genset: {path}: cannot be read: ")
        assert len(outcome.stderr.splitlines()) == 1
    else:
        assert outcome.stderr == f"genset: {path}: {message}\n"
    assert not list((tmp_path / "out" / ".work" / "unpacked").glob("*"))


def test_members_of_an_archive_are_written_only_to_the_work_folder(tmp_path: Path) -> None:
    samples = pictures(tmp_path)
    path = tmp_path / "in" / "set.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for number, (pixels, label) in enumerate(samples):
            name = f"../../../{label}/evil{number}.png" if number % 2 else f"/{label}/abs{number}.png"
            about = tarfile.TarInfo(name)
            data = png(pixels)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
        link = tarfile.TarInfo("0/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    before = {place for place in tmp_path.rglob("*") if "out" not in place.parts}
    outcome = genset("inspect", path, "--json", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["counts"]["label"] == dict.fromkeys(CLASSES, EACH)
    assert {place for place in tmp_path.rglob("*") if "out" not in place.parts} == before
    assert not list((tmp_path / "out").rglob("link*"))
