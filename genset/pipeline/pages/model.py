"""The report page of a model: how its training went, and what it has learned."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from genset.interfaces import Floats, Items, Preview
from genset.pipeline import reading
from genset.pipeline.job import Job
from genset.pipeline.pages.model_insights import Information, ModelInsights, RealItems, project
from genset.pipeline.pages.parts import footer, item_card, origin_section, problem_section
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

_GALLERY_BYTES = {
    "samples": 3_500_000,
    "reconstructions": 2_000_000,
    "nearest": 1_500_000,
    "traversals": 1_500_000,
    "interpolations": 1_500_000,
}
_MAX_CLASSES = 30
_SAMPLES, _RECONSTRUCTIONS, _NEAREST = 12, 6, 4  # items of each class
_TRAVERSALS = 8  # dimensions of z
_INTERPOLATIONS = 4  # within classes, and between classes
_MAX_COLOURED_CLASSES = 10  # more colours cannot be distinguished
_HISTORY = "history.csv"


def model_page(version: Version, job: Job) -> bytes:
    """The HTML page of a model version; equal versions with the same items available give equal bytes."""
    facts, insights = reading.model_facts(version), ModelInsights.open(version, job)
    job.progress.say("analysing the model")
    real = insights.real_items()
    sections = [
        _training(version, facts["model"]),
        _samples(insights),
        *([_reconstructions(insights, real)] if real else []),
        _latent_space(insights, real),
        *([_nearest_training_items(insights)] if insights.prepared else []),
        *problem_section(facts["problems"]),
        *origin_section(version.manifest),
    ]
    about = f"{facts['model']['family'].upper()} for {version.manifest['modality']} items"
    verdict = _verdict(facts, insights)
    return render(Page(version.reference, about, verdict, sections, _tiles(facts), footer(version.manifest)))


def _verdict(facts: Mapping[str, Any], insights: ModelInsights) -> PageVerdict:
    model = facts["model"]
    early = model["stopped_early"]
    headline = "Training stopped early: the model no longer improved" if early else "Training ran to its planned end"
    failures = [
        f"{problem['kind']}: {problem['path']} {problem['detail']}"
        for problem in facts["problems"]
        if _is_about_model(problem)
    ]
    steps = f"{model['steps']:,} of {model['planned_steps']:,} optimiser steps"
    lines = [f"{steps}. The model has the weights of step {model['best_step']:,}."]
    lines += [f"Not shown: {part}." for part in insights.missing]
    lines.append("To measure whether its items help, evaluate a dataset: genset inspect DATASET --against REAL.")
    return PageVerdict("bad" if failures else "neutral", headline, lines, failures)


def _is_about_model(problem: Mapping[str, str]) -> bool:
    """Whether a problem is about the model, and not about one of the items."""
    return problem["kind"] == "checksum" or not problem["path"]


def _tiles(facts: Mapping[str, Any]) -> list[Tile]:
    model = facts["model"]
    dimensions = "length of the latent code z, and the distribution that it is sampled from"
    tiles = [
        Tile("model family", model["family"].upper(), f"{model['network']} network", "training method and networks"),
        Tile("latent dimensions", f"{model['latent_dim']:,}", f"{model['prior']} prior", dimensions),
        Tile("parameters", f"{model['parameters']:,}", "", "weights of all networks"),
    ]
    losses = model["losses"]
    name = next((name for name in ("val_reconstruction_loss", "val_loss", *losses) if name in losses), None)
    return [*tiles, *([Tile(name, f"{losses[name]:.4g}", "", "at the step that was kept")] if name else [])]


def _training(version: Version, model: Mapping[str, Any]) -> PageSection:
    with (version.path / _HISTORY).open(encoding="utf-8", newline="") as file:
        history = [
            {key: float(value) for key, value in row.items() if _is_number(value)} for row in csv.DictReader(file)
        ]
    curves = [
        Chart(
            name,
            charts.lines(sides, "optimiser steps", model["best_step"]),
            "; ".join(f"{side}: from {points[0][1]:.4g} to {points[-1][1]:.4g}" for side, points in sides.items()),
        )
        for name, sides in curve_points(history).items()
        if sides
    ]
    lead = "The dotted line marks the step whose weights were kept."
    return PageSection("Training", "Did it train well?", [SideBySide(curves)], lead)


def _is_number(text: str | None) -> bool:
    return bool(text) and text != "nan"


def _samples(insights: ModelInsights) -> PageSection:
    """Generated items of each class, without filters."""
    model = insights.model
    classes = model.classes[:_MAX_CLASSES]
    rows = (
        _row(
            insights,
            label or "no class",
            model.sample(label, model.seed, range(_SAMPLES)),
            f"generated, class {label}",
        )
        for label in classes
    )
    more = f" {len(classes)} of {len(model.classes)} classes." if len(classes) < len(model.classes) else ""
    lead = "The first items of each class, neither selected nor filtered." + more
    gallery = _gallery("Generated items", rows, "samples")
    return PageSection("Samples", "What does the model generate?", [gallery], lead)


def _reconstructions(insights: ModelInsights, real: RealItems) -> PageSection:
    """Items beside their reconstructions."""

    def rows() -> Iterator[CardRow]:
        for label in insights.model.classes[:_MAX_CLASSES]:
            chosen = real.rows_of(label, _RECONSTRUCTIONS)
            if chosen:
                items = insights.decode(real.codes[chosen], [label] * len(chosen))
                class_name = label or "no class"
                yield _row(insights, f"{class_name} · original", real.items[chosen], f"original, class {label}")
                yield _row(insights, f"{class_name} · reconstructed", items, f"reconstructed, class {label}")

    items = "Held-out items" if real.held_out else "Training items, as there are too few held-out ones,"
    gallery = _gallery("Originals and reconstructions", rows(), "reconstructions")
    lead = f"{items} (top) and their reconstructions (bottom)."
    return PageSection("Reconstructions", "How well does it reconstruct items?", [gallery], lead)


def _latent_space(insights: ModelInsights, real: RealItems | None) -> PageSection:
    """What the dimensions of z mean."""
    labels, sampled = insights.sampled_codes()
    codes, code_labels = (real.codes, real.labels) if real else (sampled, labels)
    blocks: list[Block] = []
    dimensions = np.argsort(-codes.var(axis=0), kind="stable")
    if real:
        information = insights.information(real)
        dimensions = information.dimensions
        blocks.append(
            SideBySide([_code_map(insights, real, labels, sampled), _information_chart(information.error_increase)])
        )
        blocks.append(_information_table(information))
    blocks.append(_traversals(insights, codes, code_labels, dimensions))
    interpolations = _interpolations(insights, codes, code_labels)
    blocks.append(_gallery("Interpolations between two items", interpolations, "interpolations"))
    lead = "The model generates each item from a code z. This section shows what the dimensions of z control."
    return PageSection("Latent space", "What has the model learned?", blocks, lead)


def _code_map(insights: ModelInsights, real: RealItems, labels: Sequence[str], sampled: Floats) -> Chart:
    """Real and sampled codes on the two principal components of the real ones."""
    real_points, sampled_points = project(real.codes, sampled)
    classes = insights.model.classes
    clouds = [
        charts.PointCloud("real", real_points, 0),
        charts.PointCloud("generated", sampled_points, 1, filled=False),
    ]
    if 1 < len(classes) <= _MAX_COLOURED_CLASSES:
        clouds = []
        for number, label in enumerate(classes):
            clouds.append(charts.PointCloud(label, real_points[[other == label for other in real.labels]], number))
            outlined = sampled_points[[other == label for other in labels]]
            clouds.append(charts.PointCloud("", outlined, number, filled=False))
    description = (
        f"{len(real_points):,} codes of real items (filled) and {len(sampled_points):,} of generated items "
        "(outlines) on two principal components"
    )
    return Chart("Codes z of real items (filled) and generated items (outlines)", charts.scatter(clouds), description)


def _information_chart(error_increase: Floats) -> Chart:
    active = int((error_increase > 0.01 * max(float(error_increase.max()), 1e-12)).sum())
    description = (
        f"{active} of {len(error_increase)} dimensions have an error increase above 1% of the largest. "
        "The table has the values of the first ones."
    )
    svg = charts.columns(error_increase.tolist(), "dimensions of z, most informative first", "error increase")
    return Chart("Which dimensions carry information", svg, description)


def _information_table(information: Information) -> Table:
    columns = (information.dimensions[:_TRAVERSALS], information.error_increase, information.variance)
    rows = [
        [f"z[{dimension}]", f"{increase:+.4g}", f"{variance:.3g}"]
        for dimension, increase, variance in zip(*columns, strict=False)
    ]
    note = (
        "The increase is that of the reconstruction error when the dimension is replaced with its mean. "
        f"With all dimensions the error is {information.error:.4g} (squared difference; for texts, nats per token)."
    )
    return Table("Most informative dimensions of z", ("dimension", "error increase", "variance"), rows, note)


def _traversals(insights: ModelInsights, codes: Floats, labels: Sequence[str], dimensions: Any) -> Gallery:
    rows = (
        _row(insights, f"z[{number}]", insights.traversal(codes[0], labels[0], int(number), codes), f"z[{number}]")
        for number in dimensions[:_TRAVERSALS]
    )
    note = "One item in which one dimension of z changes, from 2.5 standard deviations below its mean to 2.5 above."
    return _gallery("Traversals", rows, "traversals", note)


def _interpolations(insights: ModelInsights, codes: Floats, labels: Sequence[str]) -> Iterator[CardRow]:
    """Interpolations within classes, then between neighbouring classes."""
    first = {label: row for row, label in reversed(list(enumerate(labels)))}
    last = {label: row for row, label in enumerate(labels)}
    classes = [label for label in insights.model.classes if label in first]
    pairs = [(label, label) for label in classes if first[label] != last[label]][:_INTERPOLATIONS]
    pairs += list(pairwise(classes))[:_INTERPOLATIONS]
    for start, end in pairs:
        items = insights.interpolation(codes[first[start]], codes[last[end]], (start, end))
        title = f"within {start or 'all'}" if start == end else f"{start} to {end}"
        yield _row(insights, title, items, title)


def _nearest_training_items(insights: ModelInsights) -> PageSection:
    """Generated items with the training items that are nearest to them."""
    model = insights.model
    classes = list(model.classes[:_MAX_CLASSES])
    labels = [label for label in classes for _ in range(_SAMPLES)]
    generated = np.concatenate([model.sample(label, model.seed, range(_SAMPLES)) for label in classes])
    records, items, distances = insights.nearest_training_items(generated)

    def pairs() -> Iterator[CardRow]:
        for number, label in enumerate(labels):
            if number % _SAMPLES < _NEAREST:
                preview = model.modality.preview
                card = Card(f"generated, class {label}", "generated", preview(generated[number]), label=label)
                nearest = item_card(records[number], preview(items[number]))
                yield CardRow(f"{label or 'no class'} · distance {distances[number]:.3g}", [card, nearest])

    rows = []
    for label in classes:
        of_class = [row for row, other in enumerate(labels) if other == label]
        same = sum(records[row].label == label for row in of_class)
        different = len({records[row].id for row in of_class})
        mean = float(np.mean([distances[row] for row in of_class]))
        rows.append([label or "no class", f"{same} of {len(of_class)}", f"{different}", formatting.number(mean)])
    head = ("class", "nearest item has this class", "different nearest items", "mean distance")
    table = Table("Nearest training items", head, rows)
    gallery = _gallery("Generated items and the nearest training item", pairs(), "nearest", paired=True)
    lead = "If distances are near 0, or many generated items share few nearest items, the model has memorised items."
    return PageSection("Nearest items", "How close are generated items to training items?", [table, gallery], lead)


def _row(insights: ModelInsights, title: str, items: Items, name: str) -> CardRow:
    preview = insights.model.modality.preview
    previews: list[Sequence[Preview]] = [preview(item) for item in items]
    return CardRow(
        title, [Card(f"{name}, {number}", name, own, {"shown": name}) for number, own in enumerate(previews, 1)]
    )


def _gallery(title: str, rows: Any, part: str, note: str = "", *, paired: bool = False) -> Gallery:
    """A gallery of as many of the rows as fit in the bytes of this part of the page."""
    bytes_left, kept, dropped = _GALLERY_BYTES[part], [], 0
    for row in rows:
        bytes_left -= sum(card.size for card in row.cards)
        if bytes_left > 0:
            kept.append(row)
        else:
            dropped += 1
    more = f"{dropped} row{'s' * (dropped != 1)} not shown, to keep the page small." if dropped else ""
    return Gallery(title, kept, " ".join(filter(None, (note, more))), search=False, compact=not paired, paired=paired)
