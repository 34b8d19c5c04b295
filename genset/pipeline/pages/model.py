"""The report page of a model: did it train well, and what has it learned?"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from genset.interfaces import Floats, Items, Preview
from genset.pipeline import reading
from genset.pipeline.job import Job
from genset.pipeline.pages.model_insights import ModelInsights, Real, plane
from genset.pipeline.pages.parts import card, footer, origin, problem_section
from genset.report import charts, formatting
from genset.report.learning_curves import curve_points
from genset.report.page import (
    Block,
    Card,
    CardRow,
    Chart,
    Gallery,
    Page,
    PageSection,
    PageVerdict,
    SideBySide,
    Table,
    Tile,
    render,
)
from genset.versions.version import Version

_BYTES = {
    "samples": 3_500_000,
    "reconstructed": 2_000_000,
    "borrowed": 1_500_000,
    "traversed": 1_500_000,
    "between": 1_500_000,
}
_CLASSES, _SAMPLES, _REBUILT, _BORROWED, _TRAVERSED = 30, 12, 6, 4, 8
_PAIRS = 4  # within classes, and between classes
_COLOURED = 10  # classes that colours tell apart
_HISTORY = "history.csv"


def model_page(version: Version, job: Job) -> bytes:
    """The page of a model version: equal versions, with the same items at hand, give equal bytes."""
    facts, explained = reading.model_facts(version), ModelInsights.open(version, job)
    job.progress.say("looking into the model")
    real = explained.real()
    sections = [
        _training(version, facts["model"]),
        _samples(explained),
        *([_rebuilt(explained, real)] if real else []),
        _latent(explained, real),
        *([_borrowed(explained)] if explained.prepared else []),
        *problem_section(facts["problems"]),
        *origin(version.manifest),
    ]
    about = f"a {facts['model']['family']} of {version.manifest['modality']} items"
    verdict = _verdict(facts, explained)
    return render(Page(version.reference, about, verdict, sections, _tiles(facts), footer(version.manifest)))


def _verdict(facts: Mapping[str, Any], explained: ModelInsights) -> PageVerdict:
    model = facts["model"]
    ended = "stopped early, as it got no better" if model["stopped_early"] else "trained to its end"
    steps = f"{model['steps']:,} of {model['planned_steps']:,} optimiser steps"
    wrong = [
        f"{problem['kind']}: {problem['path']} {problem['detail']}" for problem in facts["problems"] if _grave(problem)
    ]
    kept = f"{steps}; the weights of step {model['best_step']:,} are kept."
    lines = [kept, *(f"Left out here: {reason}." for reason in explained.missing)]
    lines.append("Whether its items help is measured on a dataset: genset inspect DATASET --against REAL.")
    return PageVerdict("bad" if wrong else "neutral", f"The model {ended}", lines, wrong)


def _grave(problem: Mapping[str, str]) -> bool:
    """Whether it is of the model and not of one of the items."""
    return problem["kind"] == "checksum" or not problem["path"]


def _tiles(facts: Mapping[str, Any]) -> list[Tile]:
    model = facts["model"]
    tiles = [
        Tile("family", model["family"], f"{model['network']} network", "how it learns, and by what"),
        Tile(
            "values of z",
            f"{model['latent_dim']:,}",
            f"{model['prior']} density",
            "length of a code, and what it is drawn from",
        ),
        Tile("parameters", f"{model['parameters']:,}", "", "weights of all networks"),
    ]
    losses = model["losses"]
    name = next((name for name in ("val_reconstruction_loss", "val_loss", *losses) if name in losses), None)
    return [*tiles, *([Tile(name, f"{losses[name]:.4g}", "", "at the step that is kept")] if name else [])]


def _training(version: Version, model: Mapping[str, Any]) -> PageSection:
    with (version.path / _HISTORY).open(encoding="utf-8", newline="") as file:
        history = [
            {key: float(value) for key, value in row.items() if _is_number(value)} for row in csv.DictReader(file)
        ]
    drawn = [
        Chart(
            name,
            charts.lines(parts, "optimiser steps", model["best_step"]),
            "; ".join(f"{part}: from {points[0][1]:.4g} to {points[-1][1]:.4g}" for part, points in parts.items()),
        )
        for name, parts in curve_points(history).items()
        if parts
    ]
    lead = "The dotted line is the step whose weights are kept."
    return PageSection("Training", "Did it train well?", [SideBySide(drawn)], lead)


def _is_number(text: str | None) -> bool:
    return bool(text) and text != "nan"


def _samples(explained: ModelInsights) -> PageSection:
    """What it makes of each class, unfiltered."""
    model = explained.model
    classes = model.classes[:_CLASSES]
    rows = (
        _row(
            explained,
            label or "no class",
            model.sample(label, model.seed, range(_SAMPLES)),
            f"generated, class {label}",
        )
        for label in classes
    )
    more = f" {len(classes)} of {len(model.classes)} classes." if len(classes) < len(model.classes) else ""
    lead = "The first items of each class, none picked and none filtered." + more
    gallery = _gallery("Generated items", rows, "samples")
    return PageSection("Samples", "What does it make?", [gallery], lead)


def _rebuilt(explained: ModelInsights, real: Real) -> PageSection:
    """Items beside what the decoder makes of their codes."""

    def rows() -> Iterator[CardRow]:
        for label in explained.model.classes[:_CLASSES]:
            some = real.of(label, _REBUILT)
            if some:
                made = explained.decoded(real.codes[some], [label] * len(some))
                yield _row(explained, f"{label} · original", real.items[some], f"original, class {label}")
                yield _row(explained, f"{label} · reconstructed", made, f"reconstructed, class {label}")

    shown = "Held-out items" if real.held_out else "Training items, as there are too few held-out ones,"
    lead = f"{shown} (top) and their reconstructions (bottom)."
    return PageSection(
        "Reconstructions",
        "How well does it reconstruct items?",
        [_gallery("Originals and reconstructions", rows(), "reconstructed")],
        lead,
    )


def _latent(explained: ModelInsights, real: Real | None) -> PageSection:
    """What the values of z stand for."""
    labels, drawn = explained.mapped()
    codes, own = (real.codes, real.labels) if real else (drawn, labels)
    blocks: list[Block] = []
    values = np.argsort(-codes.var(axis=0), kind="stable")
    if real:
        found = explained.information(real)
        values = found.values
        blocks.append(SideBySide([_map(explained, real, labels, drawn), _matters(found.lost)]))
        rows = [
            [f"z[{value}]", f"{lost:+.4g}", f"{spread:.3g}"]
            for value, lost, spread in zip(found.values[:_TRAVERSED], found.lost, found.spread, strict=False)
        ]
        note = f"With all of z the error is {found.error:.4g}: squared difference, or nats a token for texts."
        blocks.append(Table("Most informative values", ("value", "error without it", "variance"), rows, note))
    blocks.append(_traversals(explained, codes, own, values))
    blocks.append(_gallery("From one item to another", _interpolations(explained, codes, own), "between"))
    lead = "A code z stands for each item; here is what its values do."
    return PageSection("Latent", "What has it learned?", blocks, lead)


def _map(explained: ModelInsights, real: Real, labels: Sequence[str], drawn: Floats) -> Chart:
    """Real and drawn codes on the plane in which real ones vary most."""
    here, there = plane(real.codes, drawn)
    classes = explained.model.classes
    clouds = [charts.PointCloud("real", here, 0), charts.PointCloud("generated", there, 1, filled=False)]
    if 1 < len(classes) <= _COLOURED:
        clouds = []
        for number, label in enumerate(classes):
            clouds.append(charts.PointCloud(label, here[[one == label for one in real.labels]], number))
            clouds.append(charts.PointCloud("", there[[one == label for one in labels]], number, filled=False))
    said = (
        f"{len(here):,} real codes, filled, and {len(there):,} generated ones, as outlines, on two principal components"
    )
    return Chart("z in two dimensions: real filled, generated as outlines", charts.scatter(clouds), said)


def _matters(lost: Floats) -> Chart:
    active = int((lost > 0.01 * max(float(lost.max()), 1e-12)).sum())
    said = f"{active} of {len(lost)} values matter by more than a hundredth of the first; the first stand in the table"
    svg = charts.columns(lost.tolist(), "values of z, the most informative first", "error without it")
    return Chart("Which values carry information", svg, said)


def _traversals(explained: ModelInsights, codes: Floats, labels: Sequence[str], values: Any) -> Gallery:
    rows = (
        _row(explained, f"z[{value}]", explained.traversal(codes[0], labels[0], int(value), codes), f"z[{value}]")
        for value in values[:_TRAVERSED]
    )
    note = "One item, one value of z at a time, from 2.5 standard deviations below its mean to as many above."
    return _gallery("Traversals", rows, "traversed", note)


def _interpolations(explained: ModelInsights, codes: Floats, labels: Sequence[str]) -> Iterator[CardRow]:
    """Within classes, then between neighbouring ones."""
    first = {label: row for row, label in reversed(list(enumerate(labels)))}
    last = {label: row for row, label in enumerate(labels)}
    classes = [label for label in explained.model.classes if label in first]
    pairs = [(label, label) for label in classes if first[label] != last[label]][:_PAIRS]
    pairs += list(pairwise(classes))[:_PAIRS]
    for start, end in pairs:
        made = explained.between(codes[first[start]], codes[last[end]], (start, end))
        title = f"within {start or 'all'}" if start == end else f"{start} to {end}"
        yield _row(explained, title, made, title)


def _borrowed(explained: ModelInsights) -> PageSection:
    """Generated items with the train items that they are nearest to."""
    model = explained.model
    classes = list(model.classes[:_CLASSES])
    labels = [label for label in classes for _ in range(_SAMPLES)]
    made = np.concatenate([model.sample(label, model.seed, range(_SAMPLES)) for label in classes])
    records, items, distances = explained.borrowed(made)

    def rows() -> Iterator[CardRow]:
        for number, label in enumerate(labels):
            if number % _SAMPLES < _BORROWED:
                own = Card(f"generated, class {label}", "generated", model.modality.preview(made[number]), label=label)
                nearest = card(records[number], model.modality.preview(items[number]))
                yield CardRow(f"{label or 'no class'} · distance {distances[number]:.3g}", [own, nearest])

    table = []
    for label in classes:
        own = [row for row, other in enumerate(labels) if other == label]
        same = sum(records[row].label == label for row in own)
        sources = len({records[row].id for row in own})
        mean = float(np.mean([distances[row] for row in own]))
        table.append([label or "no class", f"{same} of {len(own)}", f"{sources}", formatting.number(mean)])
    head = ("class", "nearest is of the class", "different train items", "mean distance")
    gallery = _gallery("Generated items and the nearest train item", rows(), "borrowed", paired=True)
    lead = "Where few train items serve many generated ones, or the distance is near 0, items were learned by heart."
    return PageSection(
        "Borrowed", "What does each class borrow?", [Table("Nearest train items", head, table), gallery], lead
    )


def _row(explained: ModelInsights, title: str, items: Items, name: str) -> CardRow:
    exhibit = explained.model.modality.preview
    shown: list[Sequence[Preview]] = [exhibit(item) for item in items]
    return CardRow(
        title, [Card(f"{name}, {number}", name, one, {"shown": name}) for number, one in enumerate(shown, 1)]
    )


def _gallery(title: str, rows: Any, part: str, note: str = "", *, paired: bool = False) -> Gallery:
    """As many of the rows as the page has room for."""
    left, kept, dropped = _BYTES[part], [], 0
    for row in rows:
        left -= sum(card.size for card in row.cards)
        if left > 0:
            kept.append(row)
        else:
            dropped += 1
    more = f"{dropped} rows are left out, to keep the page small." if dropped else ""
    return Gallery(title, kept, " ".join(filter(None, (note, more))), search=False, compact=not paired, paired=paired)
