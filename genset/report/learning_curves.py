"""The learning curves of a training as one picture."""

import io
from collections.abc import Mapping, Sequence

_HEIGHT, _WIDTH = 2.4, 9.0  # inches, of one curve


def curves(history: Sequence[Mapping[str, float]], best_step: int) -> bytes:
    """A PNG with one chart a loss or score, train and validation in each, the kept checkpoint marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = series(history)
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(drawn)), layout="constrained")
    every = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, parts) in zip(every, drawn.items(), strict=True):
        for label, points in parts.items():
            axes.plot(*zip(*points, strict=True), label=label)
        axes.axvline(best_step, color="grey", linestyle=":", label="kept")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    axes.set_xlabel("optimiser steps")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def series(history: Sequence[Mapping[str, float]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """(step, value) of each loss or score, by its name and by train and validation."""
    known = dict.fromkeys(name for row in history for name in row)
    out: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name in dict.fromkeys(name.removeprefix("val_") for name in known if _is_curve(name)):
        columns = {"train": name, "validation": f"val_{name}"}
        points = {
            part: [(row["step"], row[column]) for row in history if column in row] for part, column in columns.items()
        }
        out[name] = {part: own for part, own in points.items() if own}
    return out


def _is_curve(name: str) -> bool:
    return name.endswith("loss") or name.startswith("val_")
