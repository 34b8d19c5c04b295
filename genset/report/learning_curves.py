"""The learning curves of a training as one image."""

import io
from collections.abc import Mapping, Sequence

_HEIGHT, _WIDTH = 2.4, 9.0  # inches, of one curve


def draw_curves(history: Sequence[Mapping[str, float]], best_step: int) -> bytes:
    """A PNG with one chart for each loss or score: training and validation values, and the checkpoint that was kept."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = curve_points(history)
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(curves)), layout="constrained")
    rows = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, sides) in zip(rows, curves.items(), strict=True):
        for label, points in sides.items():
            axes.plot(*zip(*points, strict=True), label=label)
        axes.axvline(best_step, color="grey", linestyle=":", label="kept")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    axes.set_xlabel("optimiser steps")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def curve_points(history: Sequence[Mapping[str, float]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """(step, value) of each loss or score, by its name and by "train" and "validation"."""
    columns = dict.fromkeys(name for row in history for name in row if name.endswith("loss") or name.startswith("val_"))
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name in dict.fromkeys(column.removeprefix("val_") for column in columns):
        curves[name] = {}
        for side, column in (("train", name), ("validation", f"val_{name}")):
            points = [(row["step"], row[column]) for row in history if column in row]
            if points:
                curves[name][side] = points
    return curves
