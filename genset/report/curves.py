"""The learning curves of a training as one picture."""

import io
from collections.abc import Mapping, Sequence

_HEIGHT, _WIDTH = 2.4, 9.0  # inches, of one curve


def curves(history: Sequence[Mapping[str, float]], best_step: int) -> bytes:
    """A PNG with one chart a loss or score, train and validation in each, the kept checkpoint marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    known = dict.fromkeys(name for row in history for name in row)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in known if _is_curve(name)))
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0], names, strict=True):
        for column, label in ((name, "train"), (f"val_{name}", "validation")):
            points = [(row["step"], row[column]) for row in history if column in row]
            if points:
                axes.plot(*zip(*points, strict=True), label=label)
        axes.axvline(best_step, color="grey", linestyle=":", label="kept")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    axes.set_xlabel("optimiser steps")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _is_curve(name: str) -> bool:
    return name.endswith("loss") or name.startswith("val_")
