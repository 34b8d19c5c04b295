"""What `clean` finds of planted faults: precision and recall for each kind, and what good is lost.

    python benchmarks/clean.py DIRTY               # a folder with planted.json beside the folder of items
    python benchmarks/clean.py --plant CLEAN ...   # plants 5% wrong labels and 1% of each other fault into a copy

planted.json: {"planted": [{"path": PLACE, "kind": TEXT, "expect": TEXT, "lines": [NUMBER, ...]}, ...]}; a place is a
path in the folder of items, with :LINE where items are lines. Kinds are those of genset, or words that KINDS knows.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from PIL import Image, ImageFilter

from genset.cli.console import Console
from genset.config.by_modality import clean_class
from genset.engine import Local
from genset.pipeline.job import Job
from genset.pipeline.reading import kind_of
from genset.versions.root import Root
from genset.workflows import inspect

WRONG_LABELS, OF_EACH = 0.05, 0.01
DAMAGED = ("undecodable", "empty", "unlabelled", "ignored")
DAMAGED_TOLD = ("skip and report", "report", "refuse", "decode or refuse")  # what planted.json expects of them
PAIRS_AND_LABELS = ("exact_duplicate", "near_duplicate", "wrong_label")
KINDS = {  # how planted.json words what genset calls otherwise
    "exact duplicate": "exact_duplicate",
    "same pixels": "exact_duplicate",
    "near duplicate": "near_duplicate",
    "wrong label": "wrong_label",
    "constant": "blank",
    "12 megapixel": "odd_size",
    "2000x3": "odd_aspect",
    "1x1": "odd_size",
}
Changes = dict[str, Callable[[Any, np.random.Generator], Any]]

IMAGES: Changes = {
    "dark": lambda image, rng: image.point(lambda value: value * 0.15),
    "bright": lambda image, rng: image.point(lambda value: 220 + value * 0.13),
    "blank": lambda image, rng: Image.new(
        image.mode, image.size, tuple([int(rng.integers(256))] * len(image.getbands()))
    ),
    "blurred": lambda image, rng: image.filter(ImageFilter.GaussianBlur(max(1, max(image.size) / 18))),
    "odd_size": lambda image, rng: image.resize((image.width * 4, image.height * 4), Image.Resampling.BICUBIC),
    "odd_aspect": lambda image, rng: image.crop((0, 0, image.width, image.height // 3)),
    "near_duplicate": lambda image, rng: image.resize(
        (image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC
    ),
}
SOUNDS: Changes = {
    "silent": lambda clip, rng: (clip[0] * 10**-2.5, clip[1]),
    "clipped": lambda clip, rng: (np.clip(clip[0] / np.abs(clip[0]).max() * 6, -0.9, 0.9), clip[1]),
    "dc_offset": lambda clip, rng: (clip[0] * 0.5 + 0.2, clip[1]),
    "odd_rate": lambda clip, rng: (soxr.resample(clip[0], clip[1], 2 * clip[1]), 2 * clip[1]),
    "near_duplicate": lambda clip, rng: (clip[0] * 0.6, clip[1]),
}
_KEYS = "qwertyuiopasdfghjklzxcvbnm"
TEXTS: Changes = {
    "garbled": lambda text, rng: (
        (text + " café déjà").encode().decode("latin-1").translate(dict.fromkeys(range(128, 160)))
    ),
    "markup": lambda text, rng: f"<p class='q'>{text}</p><br/>",
    "gibberish": lambda text, rng: "".join(rng.choice(list(_KEYS + "   "), max(8, len(text)))),
    "odd_script": lambda text, rng: "".join(chr(0x10D0 + int(n)) for n in rng.integers(0, 33, max(8, len(text)))),
    "near_duplicate": lambda text, rng: text.upper() + " !",
}


@dataclass(frozen=True)
class Fault:
    """One planted fault."""

    place: str
    twin: str  # of which it is a copy, "" for none: either of the two may be told of
    kind: str
    loads: bool  # whether the item is good enough to be kept


def main() -> None:
    """The tables of all folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--plant", action="store_true", help="plant faults into copies of clean folders")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| set | items | kind | planted | told | recall | precision |\n| --- | --- | --- | --- | --- | --- | --- |")
    for folder in arguments.folders:
        with tempfile.TemporaryDirectory() as temporary:
            dirty = planted(folder, Path(temporary), arguments.seed) if arguments.plant else folder
            table(folder.parent.name if folder.name == "train" else folder.name, dirty)


def table(name: str, folder: Path) -> None:
    """A row for each kind that was planted, and what was lost."""
    (items,) = [path for path in folder.iterdir() if path.is_dir()]
    faults = list(read(json.loads((folder / "planted.json").read_text(encoding="utf-8"))["planted"]))
    job = Job("inspect", Root(folder / "none"), Local(), Console(quiet=True).progress())
    rules = clean_class(kind_of(items, None)).model_validate({"exact_duplicates": "report", "outliers": "report"})
    found = inspect.read_contents(items, job, rules)
    told: dict[str, set[str]] = {}
    for problem in found.problems:
        kind = "damaged" if problem.kind in DAMAGED else problem.kind
        told.setdefault(kind, set()).add(problem.path)
    anywhere = {fault.place for fault in faults}  # a picture that was made blank may be called dark with good reason
    for kind in sorted({fault.kind for fault in faults} & {*told, *rules_of(rules), "damaged"}):
        own = [fault for fault in faults if fault.kind == kind]
        said = told.get(kind, set())
        places = {place for fault in own for place in (fault.place, fault.twin) if place}
        if kind == "damaged":  # of a file of lines, single lines may be told of
            said = {place if place in places else place.rpartition(":")[0] or place for place in said}
        if kind == "near_duplicate":  # what is the same once letters are normalised is told of as an exact one
            said |= told.get("exact_duplicate", set()) & places
        hits = sum(fault.place in said or fault.twin in said for fault in own)
        print(
            f"| {name} | {len(found.dataset):,} | {kind} | {len(own)} | {len(said)} | {hits / len(own):.2f} | "
            f"{len(said & (places if kind in PAIRS_AND_LABELS else anywhere)) / max(1, len(said)):.2f} |"
        )
    kept = {record.place for record in found.dataset}
    lost = [fault.place for fault in faults if fault.loads and fault.place not in kept]
    print(f"\nof {name}: good items lost {lost}\n")


def rules_of(section: Any) -> set[str]:
    """The kinds of problems that a section looks for."""
    return {*type(section).model_fields, "exact_duplicate", "near_duplicate", "wrong_label", "outlier"}


def read(rows: list[dict[str, Any]]) -> Iterator[Fault]:
    """The planted faults; those of which nothing is expected to be told, or not where, have a kind of no rule."""
    for row in rows:
        known = next((kind for words, kind in KINDS.items() if words in row["kind"]), row["kind"])
        lines = row.get("lines", ())
        if len(lines) == 2 and "-".join(map(str, lines)) in row["kind"]:  # the first and the last
            lines = range(lines[0], lines[1] + 1)
        places = [f"{row['path']}:{line}" for line in lines]
        damaged = row["expect"].startswith(DAMAGED_TOLD)
        if not places and not damaged and row["path"].endswith(".txt"):
            continue
        for place in places or [row["path"]]:
            yield Fault(place, row.get("of", ""), "damaged" if damaged else known, row["expect"].startswith("load, "))


def planted(clean: Path, folder: Path, seed: int) -> Path:
    """A copy of a clean folder with faults, and planted.json beside it."""
    rng = np.random.default_rng(seed)
    items = folder / "items"
    texts = any(clean.glob("*.txt"))
    rows = _plant_lines(clean, items, rng) if texts else _plant_files(clean, items, rng)
    rows = [{"path": place, "kind": kind, "expect": "flag", "of": twin} for place, kind, twin in rows]
    (folder / "planted.json").write_text(json.dumps({"planted": rows}), encoding="utf-8")
    return folder


def _plant_files(clean: Path, items: Path, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    shutil.copytree(clean, items)
    files = sorted(
        path for path in items.rglob("*") if path.suffix in (".png", ".jpg", ".jpeg", ".wav") and path.parent != items
    )
    labels = sorted({path.parent.name for path in files})
    order = [files[row] for row in rng.permutation(len(files))]
    for path in order[: round(WRONG_LABELS * len(files))] if len(labels) > 1 else []:
        other = rng.choice([label for label in labels if label != path.parent.name])
        target = items / str(other) / f"moved_{path.parent.name}_{path.name}"
        path.rename(target)
        yield target.relative_to(items).as_posix(), "wrong_label", ""
    rest = iter(order[round(WRONG_LABELS * len(files)) :])
    for kind, change in (IMAGES if files[0].suffix != ".wav" else SOUNDS).items():
        for _ in range(max(3, round(OF_EACH * len(files)))):
            path = next(rest)
            target = path.with_name(f"zz_{path.name}") if kind == "near_duplicate" else path
            if path.suffix != ".wav":
                with Image.open(path) as image:
                    changed = change(image.convert("L" if image.mode in ("1", "L") else "RGB"), rng)
                changed.save(target)
            else:
                samples, rate = change(soundfile.read(path, dtype="float64"), rng)
                soundfile.write(target, samples, rate, subtype="PCM_16")
            yield target.relative_to(items).as_posix(), kind, path.relative_to(items).as_posix()


def _plant_lines(clean: Path, items: Path, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    items.mkdir()
    lines: dict[str, list[tuple[str, str, str]]] = {}  # text, kind of fault, place of the twin
    for path in sorted(clean.glob("*.txt")):
        lines[path.name] = [(line, "", "") for line in path.read_text("utf-8").splitlines() if line]
    every = [(name, row) for name in lines for row in range(len(lines[name]))]
    order = [every[row] for row in rng.permutation(len(every))]
    wrong = round(WRONG_LABELS * len(every)) if len(lines) > 1 else 0
    for name, row in order[:wrong]:
        other = str(rng.choice([each for each in lines if each != name]))
        lines[other].append((lines[name][row][0], "wrong_label", ""))
        lines[name][row] = ("", "", "")  # an empty line, so that the others keep their numbers
    rest = iter(order[wrong:])
    for kind, change in TEXTS.items():
        for _ in range(max(3, round(OF_EACH * len(every)))):
            name, row = next(rest)
            text = change(lines[name][row][0], rng)
            if kind == "near_duplicate":
                lines[name].append((text, kind, f"{name}:{row + 1}"))
            else:
                lines[name][row] = (text, kind, "")
    for name, own in lines.items():
        (items / name).write_text("".join(f"{text}\n" for text, _, _ in own), encoding="utf-8")
        yield from ((f"{name}:{number}", kind, twin) for number, (_, kind, twin) in enumerate(own, start=1) if kind)


if __name__ == "__main__":
    main()
