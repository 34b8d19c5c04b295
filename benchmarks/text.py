"""How good and how diverse are made lines, beside a plain language model of the same size?

    python benchmarks/text.py run FOLDER --results results.jsonl [--seconds 300] [--network gru]
    python benchmarks/text.py page --results results.jsonl

FOLDER holds train/ and test/ with texts. For each model and temperature: BLEU of 500 made lines against all test lines
(quality) and self-BLEU of 500 of 1,000 made lines against the other 999 (lack of diversity), as Texygen measures them
(Zhu et al. 2018, arXiv:1802.01886), with nltk's smoothing method 1; and the same for as many real train lines, which is
the best to hope for. `mle` is the decoder of the same network without a code, trained by maximum likelihood for the
same time: what any adversarial or latent model of text must beat (Caccia et al. 2020, arXiv:1811.02549). Needs nltk.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, brevity_penalty

from genset.config.loading import check
from genset.config.yaml_reader import Position, Tree
from genset.interfaces import (
    Batch,
    Family,
    LossContext,
    Modality,
    Network,
    Networks,
    Progress,
    Tensor,
    TrainingStage,
    Update,
)
from genset.modalities.text import codec
from genset.modalities.text.metrics import words
from genset.modalities.text.modality import Text
from genset.modalities.text.token_sampling import TokenSampling
from genset.seeds import rng_for

ROOT = Path(__file__).parents[1]
TEMPERATURES = (0.7, 0.85, 1.0, 1.15)
MODELS = ("mle", "ae", "vae", "gan")
MADE, SHOWN = 1000, 500
ORDERS = (2, 3, 4, 5)
Lines = Sequence[list[str]]  # words of each text


class LanguageModel(Family):
    """The decoder alone, trained by maximum likelihood: its code is one value that is always 0."""

    kind: str = "mle"

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        """A decoder."""
        return Networks({"decoder": network.decoder(modality, latent_dim, classes)}, network)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        """One: cross-entropy of each token after those before it."""

        def loss(nets: Networks, batch: Batch, context: LossContext) -> dict[str, Tensor]:
            label = {"label": batch["label"]}
            return {"loss": nets.network.reconstruction_loss(nets, batch["zero"], batch["x"], label, _unused)}

        return (TrainingStage("mle", (Update("mle", ("decoder",), loss),), _zeros),)

    def keras_model(self, nets: Networks, modality: Modality) -> Any:
        """The decoder."""
        return nets["decoder"]


def _zeros(rng: np.random.Generator, size: int) -> Mapping[str, Any]:
    return {"zero": np.zeros((size, 1), np.float32)}


def _unused(x: Tensor, rebuilt: Tensor) -> Tensor:
    raise NotImplementedError


def bleu(made: Lines, references: Lines, orders: Sequence[int] = ORDERS) -> dict[int, float]:
    """Mean sentence BLEU of lines against all references, by its longest n-gram, with smoothing method 1.

    nltk's `sentence_bleu` counts all references anew for each line; here they are counted once.
    """
    most: Counter[tuple[str, ...]] = Counter()
    for line in references:
        for gram, count in _grams(line, max(orders)).items():
            most[gram] = max(most[gram], count)
    lengths = np.unique([len(line) for line in references])
    scores = [_sentence(line, most, lengths, orders) for line in made]
    return {order: float(np.mean([score[order] for score in scores])) for order in orders}


def self_bleu(made: Lines, shown: int, orders: Sequence[int] = ORDERS) -> dict[int, float]:
    """Mean BLEU of the first `shown` lines, each against all the other lines."""
    counts = [_grams(line, max(orders)) for line in made]
    best: dict[tuple[str, ...], list[int]] = {}  # the two largest counts of an n-gram in one line
    for own in counts:
        for gram, count in own.items():
            best[gram] = sorted([*best.get(gram, [0, 0]), count])[-2:]
    scores = []
    for number, line in enumerate(made[:shown]):
        others = {
            gram: best[gram][0] if count == best[gram][1] else best[gram][1] for gram, count in counts[number].items()
        }
        lengths = np.unique([len(other) for place, other in enumerate(made) if place != number])
        scores.append(_sentence(line, others, lengths, orders))
    return {order: float(np.mean([score[order] for score in scores])) for order in orders}


def _grams(line: list[str], most: int) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(line[place : place + length]) for length in range(1, most + 1) for place in range(len(line) - length + 1)
    )


def _sentence(
    line: list[str], most: Mapping[tuple[str, ...], int], lengths: Any, orders: Sequence[int]
) -> dict[int, float]:

    longest = max(orders)
    matches, totals = np.zeros(longest, int), [max(1, len(line) - n) for n in range(longest)]
    for gram, count in _grams(line, longest).items():
        matches[len(gram) - 1] += min(count, most.get(gram, 0))
    if not matches[0]:
        return dict.fromkeys(orders, 0.0)
    parts = [_Part(int(m), t) for m, t in zip(matches, totals, strict=True)]
    smoothed = [float(p) if isinstance(p, float) else p.numerator / p.denominator for p in _smooth(parts)]
    closest = int(min(lengths, key=lambda length: (abs(length - len(line)), length)))
    penalty = brevity_penalty(closest, len(line))
    return {order: penalty * float(np.exp(np.mean(np.log(smoothed[:order])))) for order in orders}


class _Part:
    """A precision whose terms are not reduced, as nltk's smoothing wants it."""

    def __init__(self, numerator: int, denominator: int) -> None:
        self.numerator, self.denominator = numerator, denominator


def _smooth(parts: list[_Part]) -> list[Any]:
    smoothed: list[Any] = SmoothingFunction().method1(parts)
    return smoothed


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run")
    run.add_argument("folder", type=Path)
    run.add_argument("--results", type=Path, required=True)
    run.add_argument("--seconds", type=int, default=300)
    run.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    run.add_argument("--network", default="gru")
    run.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="laid over the config of the families")
    run.set_defaults(work=_run)
    page = commands.add_parser("page")
    page.add_argument("--results", type=Path, required=True)
    page.set_defaults(work=_page)
    arguments = parser.parse_args()
    arguments.work(arguments)


def _run(arguments: argparse.Namespace) -> None:
    train, test = (_texts(arguments.folder / part) for part in ("train", "test"))
    references = [words(text) for text in test]
    rng = rng_for(0, "real lines")
    real = [words(train[row]) for row in rng.permutation(len(train))[:MADE]]
    _note(arguments, {"model": "real", **_scores(real, references), "copies": _copies(test, train)})
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as place:
            for temperature, made in _made(model, arguments, Path(place)):
                row = {
                    "model": model,
                    "temperature": temperature,
                    **_scores([words(text) for text in made], references),
                }
                _note(arguments, {**row, "copies": _copies(made, train), "example": codec.readable(made[0])})


def _note(arguments: argparse.Namespace, row: dict[str, Any]) -> None:
    row = {"set": arguments.folder.resolve().name, "network": arguments.network, "seconds": arguments.seconds, **row}
    with arguments.results.open("a") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(row, ensure_ascii=False), flush=True)


def _scores(made: Lines, references: Lines) -> dict[str, float]:
    against, among = bleu(made[:SHOWN], references), self_bleu(made, SHOWN)
    named = {f"bleu_{order}": value for order, value in against.items()}
    named |= {f"self_bleu_{order}": value for order, value in among.items()}
    return {name: round(value, 4) for name, value in named.items()}


def _copies(made: Sequence[str], train: Sequence[str]) -> float:
    known = set(train)
    return round(float(np.mean([text in known for text in made])), 4)


def _texts(folder: Path) -> list[str]:
    modality = Text(Text.Settings())
    files = sorted(path for path in folder.rglob("*") if path.suffix in modality.suffixes)
    modality = modality.for_files(files)
    return [entry.content for path in files for entry in modality.entries(path, top=True) if entry.content]


def _made(model: str, arguments: argparse.Namespace, place: Path) -> list[tuple[float, list[str]]]:
    if model == "mle":
        return _language_model(arguments)
    config = place / "config.yaml"
    settings = {
        "name": "bench",
        "modality": "text",
        "data": {"source": str((arguments.folder / "train").resolve())},
        "split": {"ratios": [0.9, 0.1, 0.0]},
        "model": {"family": model, "network": arguments.network},
        "train": {"seconds": arguments.seconds},
        "augment": {"steps": []},
    }
    config.write_text(json.dumps(settings))
    out = ["--output", str(place / "out"), "--json"]
    _genset("train", str(config), *arguments.set, *out)
    made = []
    for temperature in TEMPERATURES:
        own = [f"generate.sampling.temperature={temperature}"]
        done = json.loads(_genset("generate", "bench", *own, "-n", str(MADE), *out))
        made.append((temperature, _texts(Path(done["version"]["path"]))))
    return made


def _language_model(arguments: argparse.Namespace) -> list[tuple[float, list[str]]]:
    from genset.models.export import onnx_bytes
    from genset.models.onnx_network import OnnxNetwork
    from genset.models.schedule import Train
    from genset.models.trainer import Trainer
    from genset.models.training_task import Examples, TrainingTask

    texts = list(dict.fromkeys(_texts(arguments.folder / "train")))
    length = max(len(text.encode()) for text in texts)
    items = codec.encode_all([texts[row] for row in rng_for(0, "split").permutation(len(texts))], length)
    tree = Tree(
        {"name": "mle", "modality": "text", "data": {"source": "."}, "model": {"network": arguments.network}},
        {(): Position("here")},
    )
    network = check(tree).model.network
    held_out = len(items) // 10
    labels = np.zeros(len(items) - held_out, np.int64)
    modality = Text(Text.Settings(max_bytes=length)).fitted(items[held_out:], labels)
    family = LanguageModel()
    nets = family.build(modality, network, 1, 1)
    parts = [Examples(part, np.zeros(len(part), np.int64)) for part in (items[held_out:], items[:held_out])]
    from genset.models.priors import ConditionalNormal

    trainer = Trainer(
        TrainingTask(family, ConditionalNormal(), nets, modality, *parts, classes=1, code_length=1, seed=0)
    )
    progress = Progress(say=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as place:
        trainer.fit(Train(seconds=arguments.seconds), Path(place) / "c.npz", "", resume=False, progress=progress)
    models = {name: OnnxNetwork(onnx_bytes(model, 0)) for name, model in network.exported(nets, modality).items()}
    made = []
    for temperature in TEMPERATURES:
        rngs = [rng_for(0, "mle", number) for number in range(MADE)]
        z, label = np.zeros((MADE, 1), np.float32), np.ones((MADE, 1), np.float32)
        lines = codec.decode_all(modality.render(models, z, label, rngs, TokenSampling(temperature=temperature)))
        made.append((temperature, [line for line in lines if line]))
    return made


def _genset(*arguments: str) -> str:
    command = [sys.executable, "-m", "genset", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _page(arguments: argparse.Namespace) -> None:
    rows = [json.loads(line) for line in arguments.results.read_text().splitlines()]
    page = ROOT / "docs/benchmarks.md"
    before, mark, rest = page.read_text().partition("<!-- text -->")
    _, end, after = rest.partition("<!-- end text -->")
    lines = ["| set | model | temperature | BLEU-2 | BLEU-3 | BLEU-4 | BLEU-5 | self-BLEU-4 | exact copies |"]
    lines.append("| --- |" + " --- |" * 8)
    for row in rows:
        cells = [row["set"], row["model"], row.get("temperature", ""), *(f"{row[f'bleu_{n}']:.3f}" for n in ORDERS)]
        lines.append("| " + " | ".join(map(str, [*cells, f"{row['self_bleu_4']:.3f}", row["copies"]])) + " |")
    page.write_text(before + mark + "\n" + "\n".join(lines) + "\n" + end + after)
    _plot(rows, ROOT / "docs" / "text.png")


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Quality against diversity: better is down and to the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for model in dict.fromkeys(row["model"] for row in rows):
        points = [(row["bleu_4"], row["self_bleu_4"]) for row in rows if row["model"] == model]
        axes.plot(*zip(*points, strict=True), marker="*" if model == "real" else "o", label=model)
    axes.set_xlabel("BLEU-4 against real test lines: quality")
    axes.set_ylabel("self-BLEU-4: lack of diversity")
    axes.grid(alpha=0.3)
    axes.legend()
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


if __name__ == "__main__":
    main()
