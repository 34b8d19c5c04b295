"""Does balancing with generated images help where classes are unbalanced? Other ways and genset's side by side.

    python benchmarks/imbalance.py FOLDER [--seeds 3] [--seconds 240] [--family vae] [--prior kde] [--ratio 100]

The protocol of DeepSMOTE (Dablain et al. 2022, arXiv:2105.02340) scaled to what FOLDER holds: class counts fall
geometrically from the largest to 1/ratio of it, the test part is balanced, and the figure is the mean of the classes'
accuracies. One small convolutional classifier, the same number of optimiser steps for every way.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

STEPS, BATCH, RATE = 2000, 64, 2e-3
NEIGHBOURS = 5
Data = tuple[Any, Any]  # items (N, H, W, C) in [0, 1], labels (N,)


def main() -> None:
    """Print a line for each seed and way, and the means at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--family", default="vae")
    parser.add_argument("--prior", default="kde")
    parser.add_argument("--ratio", type=float, default=100)
    arguments = parser.parse_args()
    test = _read(arguments.folder / "test")
    results: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as place:
            tail = Path(place, "tail")
            counts = _long_tail(arguments.folder / "train", tail, arguments.ratio, seed)
            real = _read(tail)
            for name, value in _ways(real, test, tail, arguments, seed):
                results.setdefault(name, []).append(value)
                print(json.dumps({"seed": seed, "way": name, "class_mean_accuracy": round(value, 4)}), flush=True)
        print(json.dumps({"seed": seed, "counts": counts}), flush=True)
    print(f"| way | class-mean accuracy, {arguments.seeds} seeds | each |\n| --- | --- | --- |")
    for name, values in results.items():
        print(f"| {name} | {np.mean(values):.4f} | {', '.join(f'{value:.4f}' for value in values)} |")


def _ways(real: Data, test: Data, tail: Path, arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, float]]:
    yield "imbalanced", _accuracy(real, test, seed)
    for tail_of_name, augmented in (("", False), (" + augmentation", True)):
        yield "random oversampling" + tail_of_name, _accuracy(_oversampled(real, seed), test, seed, augmented=augmented)
    yield "SMOTE on pixels", _accuracy(_smote(real, seed), test, seed)
    yield "class weights + augmentation", _accuracy(real, test, seed, weighted=True, augmented=True)
    for fill in ("generated", "both"):
        balanced = _balanced(tail, arguments, seed, fill)
        yield f"genset, {fill}", _accuracy(balanced, test, seed)
        yield f"genset, {fill} + augmentation", _accuracy(balanced, test, seed, augmented=True)


def _long_tail(train: Path, out: Path, ratio: float, seed: int) -> list[int]:
    """Class folders with geometrically falling counts; the order of the classes is shuffled by the seed."""
    rng = np.random.default_rng(seed)
    names = [path.name for path in sorted(train.iterdir())]
    files = {name: sorted((train / name).iterdir()) for name in names}
    most = min(map(len, files.values()))
    counts = [round(most * ratio ** (-place / (len(names) - 1))) for place in range(len(names))]
    for name, count in zip(rng.permutation(names), counts, strict=True):
        (out / name).mkdir(parents=True)
        for row in rng.permutation(len(files[name]))[:count]:
            shutil.copy(files[name][row], out / name)
    return counts


def _read(folder: Path) -> Data:
    from PIL import Image

    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    pairs = [(path, label) for label, name in enumerate(names) for path in sorted((folder / name).iterdir())]
    items = np.stack([np.asarray(Image.open(path), np.float32) / 255 for path, _ in pairs])
    return items.reshape(len(items), *items.shape[1:3], -1), np.array([label for _, label in pairs])


def _oversampled(data: Data, seed: int) -> Data:
    """Items of small classes again and again, until all classes are as large as the largest."""
    items, labels = data
    rng, most = np.random.default_rng(seed), np.bincount(labels).max()
    rows = [
        np.concatenate([own, rng.choice(own, most - len(own))])
        for own in (np.flatnonzero(labels == label) for label in np.unique(labels))
    ]
    return items[np.concatenate(rows)], labels[np.concatenate(rows)]


def _smote(data: Data, seed: int) -> Data:
    """Chawla et al. 2002, arXiv:1106.1813: points between an item and one of its nearest neighbours of its class."""
    from sklearn.neighbors import NearestNeighbors

    items, labels = data
    rng, most = np.random.default_rng(seed), np.bincount(labels).max()
    made, made_labels = [items], [labels]
    for label in np.unique(labels):
        own = items[labels == label].reshape((labels == label).sum(), -1)
        lacking = most - len(own)
        if not lacking or len(own) < 2:
            continue
        k = min(NEIGHBOURS, len(own) - 1)
        near = NearestNeighbors(n_neighbors=k + 1).fit(own).kneighbors(own, return_distance=False)[:, 1:]
        first = rng.integers(len(own), size=lacking)
        other = near[first, rng.integers(k, size=lacking)]
        share = rng.random((lacking, 1), dtype=np.float32)
        made.append((own[first] + share * (own[other] - own[first])).reshape(-1, *items.shape[1:]))
        made_labels.append(np.full(lacking, label))
    return np.concatenate(made), np.concatenate(made_labels)


def _balanced(tail: Path, arguments: argparse.Namespace, seed: int, fill: str) -> Data:
    """What `genset run` makes of it: everything real in train, every class filled up to the largest."""
    place = tail.parent
    config = place / "config.yaml"
    settings = {
        "name": "tail",
        "seed": seed,
        "modality": "image",
        "data": {"source": str(tail)},
        "split": {"ratios": [1.0, 0.0, 0.0]},
        "model": {"family": arguments.family, "prior": arguments.prior},
        "train": {"seconds": arguments.seconds},
        "generate": {"per_class": 0},
        "balance": {"target": "max", "fill": fill, "max_copies": 1000},
    }
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "genset", "run", str(config), "--output", str(place / "out"), "--quiet"]
    subprocess.run(command, check=True)
    return _read(place / "out/datasets/tail/latest/train")


def _accuracy(data: Data, test: Data, seed: int, *, weighted: bool = False, augmented: bool = False) -> float:
    """Mean of the classes' accuracies on the test part."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    (items, labels), (test_items, test_labels) = data, test
    classes = int(test_labels.max()) + 1
    transforms = [layers.RandomTranslation(0.08, 0.08), layers.RandomRotation(0.03), layers.RandomZoom(0.08)]
    model = keras.Sequential(
        [
            keras.Input(items.shape[1:]),
            *(transforms if augmented else []),
            *(
                layer
                for width in (32, 64)
                for layer in (
                    layers.Conv2D(width, 3, strides=2, padding="same", activation="relu"),
                    layers.BatchNormalization(momentum=0.9),
                )
            ),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, STEPS)), loss)
    rng = np.random.default_rng(seed)
    passes = -(-STEPS * BATCH // len(items))
    order = np.concatenate([rng.permutation(len(items)) for _ in range(passes)])[: STEPS * BATCH]
    weights = len(labels) / (classes * np.maximum(1, np.bincount(labels, minlength=classes)))
    weight = weights[labels[order]].astype(np.float32) if weighted else None
    model.fit(items[order], labels[order], sample_weight=weight, batch_size=BATCH, shuffle=False, verbose=0)
    right = model.predict(test_items, batch_size=500, verbose=0).argmax(axis=1) == test_labels
    return float(np.mean([right[test_labels == label].mean() for label in range(classes)]))


if __name__ == "__main__":
    main()
