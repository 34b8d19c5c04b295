"""How good are generated images after how many seconds of training? Every family beside the classic baselines.

    python benchmarks/quality.py run FOLDER --results results.jsonl [--seconds 30 60 120] [--models vae gan ...]
    python benchmarks/quality.py page --results results.jsonl

FOLDER holds train/ and test/ class folders. `run` adds one line of figures for each model and budget; what is there
already is left alone, so an interrupted benchmark goes on. With --judge "COMMAND" the figures are those of another
evaluator, called with --train, --test and --made, instead of genset's own. `page` writes docs/benchmarks.md and its
picture.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genset.engine import Local
from genset.interfaces import DecodedInfo, Items, Labels, Modality, Progress
from genset.modalities import MODALITIES
from genset.models.priors import Normal
from genset.pipeline.generate.generator import Filters, SampleModel
from genset.pipeline.generate.sampling import generate_items
from genset.pipeline.generate.training_items import load_training_items, train_closeness
from genset.pipeline.generate.variations import open_encoder
from genset.pipeline.job import Job
from genset.versions.root import Root

ROOT = Path(__file__).parents[1]
BUDGETS = (30, 60, 120, 300, 600)
MODELS: dict[str, list[str]] = {
    "ae": ["model.family=ae"],
    "vae": ["model.family=vae"],
    "gan": ["model.family=gan"],
    "textbook GAN": [
        "model.family={kind: gan, loss: non_saturating, warm_start: 0.0, diff_augment: false}",
        "model.network=mlp",
        "model.latent_dim=100",
    ],
}
NORMAL = "vae, N(0, I)"  # the same training as "vae", with draws of N(0, I) that no label is asked of
REFUSED = 2  # exit code where nothing usable was made
CONTROLS = ("pca + mixture", "real, drawn again")
SHOWN = ("cas_ratio", "label_ratio", "coverage", "frechet_ratio", "copies")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run")
    run.add_argument("folder", type=Path)
    run.add_argument("--results", type=Path, required=True)
    run.add_argument("--seconds", type=int, nargs="+", default=BUDGETS)
    run.add_argument("--models", nargs="+", default=[*MODELS, *CONTROLS], choices=[*MODELS, *CONTROLS])
    run.add_argument("--judge", default="", help="command of another evaluator")
    run.set_defaults(work=_run)
    page = commands.add_parser("page")
    page.add_argument("--results", type=Path, required=True)
    page.set_defaults(work=_page)
    arguments = parser.parse_args()
    arguments.work(arguments)


def _run(arguments: argparse.Namespace) -> None:
    name = arguments.folder.resolve().name
    known = {(row["set"], row["model"], row["seconds"]) for row in _rows(arguments.results)}
    for model in arguments.models:
        for seconds in [0] if model in CONTROLS else arguments.seconds:
            if (name, model, seconds) in known:
                continue
            with tempfile.TemporaryDirectory() as place:
                made, facts = _made(model, seconds, arguments.folder, Path(place))
                rows = [_judged_row(model, made, facts, seconds, arguments)]
                if model == "vae":
                    normal = _normal(Path(place), arguments.folder)
                    rows.append(_judged_row(NORMAL, normal, {"steps": facts["steps"]}, seconds, arguments))
            with arguments.results.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            print(*map(json.dumps, rows), sep="\n", flush=True)


def _judged_row(
    model: str, made: Path | None, facts: dict[str, Any], seconds: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """One line of the results; without figures where nothing was made."""
    row = {"set": arguments.folder.resolve().name, "model": model, "seconds": seconds, **facts}
    if made and arguments.judge:
        row["judge"] = _judged(arguments.judge, made, arguments.folder)
    elif made:
        row["genset"] = _inspected(made, arguments.folder)
    return row


def _made(model: str, seconds: int, folder: Path, place: Path) -> tuple[Path | None, dict[str, Any]]:
    """A folder of made items, as many of each class as the train folder has, and what is known of their making.

    No folder where genset refuses all that the model makes.
    """
    if model in CONTROLS:
        _control(model, folder / "train", place / "made")
        return place / "made", {}
    config = place / "config.yaml"
    count = sum(1 for path in (folder / "train").rglob("*.*"))
    settings = {
        "name": "bench",
        "modality": "image",
        "data": {"source": str((folder / "train").resolve())},
        "train": {"seconds": seconds},
    }
    config.write_text(json.dumps(settings))
    root = ["--output", str(place / "out")]
    _genset("train", str(config), *MODELS[model], *root)
    learned_model = place / "out/models/bench/latest/manifest.json"
    facts = {"steps": json.loads(learned_model.read_text())["model"]["steps"]}
    try:
        done = json.loads(_genset("generate", "bench", "--count", str(count), "--json", *root))
    except subprocess.CalledProcessError as error:
        if error.returncode != REFUSED:
            raise
        return None, {**facts, "refused": True}
    return Path(done["version"]["path"]), {**facts, "redrawn": done["redrawn"]}


def _normal(place: Path, folder: Path) -> Path:
    """Draws of N(0, I) from the VAE that was trained in `place`, near copies and blank ones drawn again."""
    job = Job("bench", Root(place / "out"), Local(workers=2), Progress.silent())
    version = job.root.latest("models", "bench")
    assert version, "the VAE was trained"
    model, prepared = SampleModel.open(version), load_training_items(version, job, "Train it again.")
    items, labels = prepared.split_items("train")
    codes = open_encoder(version)(model.modality.to_tensor(items))[0].astype(np.float64)
    arrays = Normal(kind="normal").fit(codes, labels, len(model.classes), model.seed)
    plain = replace(model, prior=Normal(kind="normal"), arrays=arrays)
    wanted = {label: sum(1 for _ in (folder / "train" / label).iterdir()) for label in model.classes}
    filters = Filters(train_closeness(prepared), wrong_labels=False)
    made = generate_items(plain, wanted, filters, job, seed=model.seed)
    for number, (record, item) in enumerate(zip(made.dataset, made.items, strict=True)):
        target = place / "normal" / record.label / f"{number:05d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(model.modality.encode(item))
    return place / "normal"


def _inspected(made: Path, folder: Path) -> dict[str, float]:
    figures = json.loads(_genset("inspect", str(made), "--against", str(folder), "--json"))["figures"]
    return {name: figures[name] for name in SHOWN if name in figures}


def _judged(command: str, made: Path, folder: Path) -> dict[str, float]:
    parts = ["--train", str(folder / "train"), "--test", str(folder / "test"), "--made", str(made)]
    line = subprocess.run([*shlex.split(command), *parts], check=True, capture_output=True, text=True).stdout
    figures = json.loads(line.strip().splitlines()[-1])
    figures["frechet_ratio"] = round(figures["frechet"] / figures["frechet_real"], 3)
    return {name: figures[name] for name in SHOWN}


def _genset(*arguments: str) -> str:
    command = [sys.executable, "-m", "genset", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _control(model: str, train: Path, made: Path) -> None:
    """The controls without a network: what any generator must beat, and what none can."""
    modality, items, labels, names = _read(train)
    rng = np.random.Generator(np.random.Philox(0))
    for label, name in enumerate(names):
        own = items[labels == label]
        rows = rng.integers(len(own), size=len(own))
        drawn = own[rows] if model == "real, drawn again" else _mixture(modality, items, own, rng)
        (made / name).mkdir(parents=True)
        for number, item in enumerate(drawn):
            (made / name / f"{number:05d}.png").write_bytes(modality.encode(item))


def _read(train: Path) -> tuple[Modality, Items, Labels, list[str]]:
    names = sorted(path.name for path in train.iterdir() if path.is_dir())
    files = [(path, label) for label, name in enumerate(names) for path in sorted((train / name).iterdir())]
    table = MODALITIES["image"]
    probes: list[DecodedInfo] = list(Local(workers=2).map(lambda pair: table(table.Settings()).probe(pair[0]), files))
    modality = table(table.resolve_settings(table.Settings(), probes))
    items = np.stack([modality.decode(path) for path, _ in files])
    return modality, items, np.array([label for _, label in files]), names


def _mixture(modality: Modality, items: Items, own: Items, rng: np.random.Generator) -> Items:
    """Draws of a Gaussian mixture on the 32 principal components of all train items, fitted to one class."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    flat = items.reshape(len(items), -1) / 255
    axes = PCA(32, random_state=0).fit(flat[:: max(1, len(flat) // 8000)])
    codes = axes.transform(own.reshape(len(own), -1) / 255)
    fits = [GaussianMixture(k, reg_covar=1e-3, random_state=0).fit(codes) for k in (1, 2, 3, 5) if 20 * k <= len(own)]
    best = min(fits or [GaussianMixture(1, reg_covar=1e-2).fit(codes)], key=lambda fit: fit.bic(codes))
    best.random_state = np.random.RandomState(rng.integers(2**31))
    made = axes.inverse_transform(best.sample(len(own))[0]).astype(np.float32)
    return modality.from_tensor(made.reshape(-1, *modality.tensor_shape))


def _rows(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []


def _page(arguments: argparse.Namespace) -> None:
    rows = _rows(arguments.results)
    sets = list(dict.fromkeys(row["set"] for row in rows))
    for name in sets:
        _plot([row for row in rows if row["set"] == name], ROOT / "docs" / f"quality-{name}.png")
    page = ROOT / "docs/benchmarks.md"
    before, mark, rest = page.read_text().partition("<!-- quality -->")
    _, end, after = rest.partition("<!-- end -->")
    page.write_text(before + mark + "\n" + "\n".join(_sections(rows, sets)) + end + after)


def _sections(rows: list[dict[str, Any]], sets: list[str]) -> Iterator[str]:
    for name in sets:
        yield f"### {name}\n\n![Quality against training time on {name}](quality-{name}.png)\n"
        yield "| model | seconds | steps | " + " | ".join(SHOWN) + " |"
        yield "| --- | --- | --- |" + " --- |" * len(SHOWN)
        for row in (row for row in rows if row["set"] == name):
            figures = _figures(row)
            empty = "refused" if row.get("refused") else ""
            cells = [f"{figures[figure]:.3f}" if figure in figures else empty for figure in SHOWN]
            yield f"| {row['model']} | {row['seconds'] or ''} | {row.get('steps', '')} | " + " | ".join(cells) + " |"
        yield ""


def _figures(row: dict[str, Any]) -> dict[str, float]:
    """Those of the other evaluator where there are some; none where nothing was made."""
    return row.get("judge", row.get("genset", {}))


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = ("frechet_ratio", "cas_ratio", "coverage", "copies")
    figure = Figure(figsize=(11, 7), layout="constrained")
    for axes, name in zip(figure.subplots(2, 2).ravel(), shown, strict=True):
        for model in dict.fromkeys(row["model"] for row in rows):
            own = [row for row in rows if row["model"] == model and not row.get("refused")]
            points = [(row["seconds"], _figures(row)[name]) for row in own]
            if not points:
                continue
            if model in CONTROLS:
                axes.axhline(
                    points[0][1], linestyle=":", color="grey" if model == CONTROLS[0] else "black", label=model
                )
            else:
                axes.plot(*zip(*sorted(points), strict=True), marker="o", label=model)
        axes.set_xscale("log")
        axes.set_xticks(BUDGETS, [f"{budget}" for budget in BUDGETS])
        axes.minorticks_off()
        axes.set_yscale("log" if name == "frechet_ratio" else "linear")
        axes.set_xlabel("seconds of training on two cores")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


if __name__ == "__main__":
    main()
