"""The learning curves of a training as one picture."""

import io
from collections.abc import Mapping, Sequence

_HEIGHT, _WIDTH = 2.4, 9.0  # inches, of one curve


def curves(history: Sequence[Mapping[str, float]], best_step: int) -> bytes:
    """A PNG with one chart a loss, train and validation in each, the kept checkpoint marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in history[0] if name.endswith("loss") and not name.startswith("val_")]
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(names)), layout="constrained")
    steps = [row["step"] for row in history]
    for axes, name in zip(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0], names, strict=True):
        axes.plot(steps, [row[name] for row in history], label="train")
        if f"val_{name}" in history[0]:
            axes.plot(steps, [row[f"val_{name}"] for row in history], label="validation")
        axes.axvline(best_step, color="grey", linestyle=":", label="kept")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    axes.set_xlabel("optimiser steps")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()
