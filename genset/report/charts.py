"""Charts of report pages: SVG by matplotlib, in the colours of the page.

Equal values give equal bytes: ids are hashed with a fixed salt, and no date is written.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _ROW_HEIGHT = 5.2, 0.27  # inches of a chart, and of a row with a name
_MAX_NAME = 22  # characters
_LEGEND_WIDTH, _HANDLE_WIDTH = 62, 5  # characters in a line of a legend, and those that the mark of a name takes
_MARKERS = "osD^vP*<X>"  # of point clouds: ten hues alone are hard to distinguish
SERIES = 10  # number of colours; further series repeat them
# Placeholders: matplotlib writes these colours, which are then replaced by the properties of the page's style.
_INK, _LINE, _SOFT = "#010203", "#010204", "#010205"
_COLOURS = {_INK: "var(--ink)", _LINE: "var(--line)", _SOFT: "var(--muted)"}
_HUES = [f"#0a0b{number:02x}" for number in range(1, SERIES + 1)]
_COLOURS |= {hue: f"var(--s{number})" for number, hue in enumerate(_HUES, start=1)}
_TAG = re.compile(r"<[^<>]*>")  # in attributes both signs are escaped
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: for screen readers, search and the fonts of the page
    "svg.hashsalt": "genset",
    "text.parse_math": False,  # a class may be named $x$
    "font.size": 10.5,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "text.color": _INK,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class RangeRow:
    """A value with its interval, in a chart of ranges."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    real: float | None = None  # the value that real items reach


@dataclass(frozen=True)
class PointCloud:
    """A cloud of points (N, 2) of one kind."""

    name: str  # in the legend; "" to leave it out
    xy: Any
    series: int  # number of the colour and the marker
    filled: bool = True


def ranges(rows: Sequence[RangeRow], label: str, line: float | None = None) -> str:
    """A row for each value: a dot with its interval and a tick for real items; an optional vertical line."""

    def draw(axes: Any) -> None:
        if line is not None:
            axes.axvline(line, color=_SOFT, linewidth=1)
        for place, row in enumerate(rows):
            if row.interval:
                axes.plot(row.interval, (place, place), color=_HUES[0], linewidth=3, alpha=0.4, solid_capstyle="round")
            if row.real is not None:
                axes.plot([row.real], [place], marker="|", color=_INK, markersize=12, markeredgewidth=2)
            axes.plot([row.value], [place], marker="o", color=_HUES[0], markersize=7)
        _label_rows(axes, [row.name for row in rows])
        axes.set_xlabel(label)
        axes.grid(axis="x", linewidth=0.8)

    return _svg(draw, len(rows) * _ROW_HEIGHT + 0.6)


def bars(names: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> str:
    """A row for each name: a stacked bar of the values of all series."""

    def draw(axes: Any) -> None:
        left = [0.0] * len(names)
        for number, (name, values) in enumerate(series.items()):
            axes.barh(range(len(names)), values, left=left, height=0.7, color=_HUES[number % SERIES], label=name)
            left = [start + value for start, value in zip(left, values, strict=True)]
        _label_rows(axes, names)
        axes.set_xlabel(label)
        axes.grid(axis="x", linewidth=0.8)
        if len(series) > 1:
            _legend(axes)

    return _svg(draw, len(names) * _ROW_HEIGHT + 0.9)


def dots(names: Sequence[str], series: Mapping[str, Mapping[str, float]], label: str) -> str:
    """A row for each name: a dot for each series that has a value for it."""

    def draw(axes: Any) -> None:
        for number, (name, values) in enumerate(series.items()):
            places = [place for place, row in enumerate(names) if row in values]
            xs = [values[names[place]] for place in places]
            marker = "osD^v"[number % 5]
            axes.plot(xs, places, marker, color=_HUES[number % SERIES], label=name, markersize=6, alpha=0.85)
        _label_rows(axes, names)
        axes.set_xlabel(label)
        axes.grid(linewidth=0.8)
        _legend(axes)

    return _svg(draw, len(names) * _ROW_HEIGHT + 0.9)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], label: str, mark: float | None = None) -> str:
    """A line for each series; an optional vertical line at `mark`."""

    def draw(axes: Any) -> None:
        for number, (name, points) in enumerate(series.items()):
            axes.plot(*zip(*points, strict=True), color=_HUES[number % SERIES], label=name, linewidth=1.8)
        if mark is not None:
            axes.axvline(mark, color=_SOFT, linestyle=":")
        axes.set_xlabel(label)
        axes.grid(linewidth=0.8)
        _legend(axes)

    return _svg(draw, 2.6)


def columns(values: Sequence[float], label: str, height_label: str) -> str:
    """A column for each value, in order."""

    def draw(axes: Any) -> None:
        axes.bar(range(1, len(values) + 1), values, color=_HUES[0], width=0.8)
        axes.set_xlabel(label)
        axes.set_ylabel(height_label)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        axes.grid(axis="y", linewidth=0.8)

    return _svg(draw, 2.4)


def scatter(clouds: Sequence[PointCloud]) -> str:
    """Clouds of points in a plane without axes, filled or as outlines."""

    def draw(axes: Any) -> None:
        drawn = []
        for cloud in clouds:
            hue = _HUES[cloud.series % SERIES]
            face = {"color": hue, "linewidths": 0} if cloud.filled else {"color": "none", "edgecolors": hue}
            drawn.append(axes.scatter(*cloud.xy.T, s=15, marker=_MARKERS[cloud.series % len(_MARKERS)], **face))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_aspect("equal", adjustable="datalim")
        if len(clouds) > 1:
            named = [(mark, cloud.name) for mark, cloud in zip(drawn, clouds, strict=True) if cloud.name]
            _legend(axes, *zip(*named, strict=True))

    return _svg(draw, 4.6)


def _label_rows(axes: Any, names: Sequence[str]) -> None:
    """Label the rows, from top to bottom."""
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=6)
    for text in axes.get_yticklabels():
        text.set_color(_INK)


def shortened(name: str) -> str:
    """A name that fits beside a chart."""
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def _legend(axes: Any, marks: Sequence[Any] = (), names: Sequence[str] = ()) -> None:
    """A legend of all labelled series, or of `marks` with their names, in as many columns as fit."""
    if not marks:
        marks, names = axes.get_legend_handles_labels()
    shown = [shortened(name) for name in names]
    columns = max(1, min(4, _LEGEND_WIDTH // (max(map(len, shown), default=0) + _HANDLE_WIDTH)))
    legend = axes.legend(
        marks,
        [str(number) for number in range(len(marks))],  # matplotlib leaves out labels that begin with "_"
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.2,
        columnspacing=1.2,
    )
    for text, name in zip(legend.get_texts(), shown, strict=True):
        text.set_text(name)


def _svg(draw: Callable[[Any], None], height: float) -> str:
    """The SVG element of a chart of this height in inches."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the fonts of the page have letters that matplotlib's lacks
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    return _embeddable(buffer.getvalue())


def _embeddable(svg: str) -> str:
    """The SVG element with the colours and fonts of the page, and ids that are unique among charts.

    Only tags are changed, as the text between them may contain anything.
    """
    svg = svg[svg.index("<svg") :]
    # A style element would apply to all charts of the page.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    used = {name for tag in _TAG.findall(svg) for name in re.findall(r'(?:url\(|xlink:href=")#([\w.-]+)', tag)}
    prefix = f"c{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"

    def adapted(tag: str) -> str:
        tag = re.sub(r'style="[^"<>]*"', lambda style: _page_style(style[0]), tag)
        tag = re.sub(r' id="([\w.-]+)"', lambda match: f' id="{prefix}{match[1]}"' if match[1] in used else "", tag)
        return re.sub(r'(url\(|xlink:href=")#', rf"\1#{prefix}", tag)

    return re.sub(r"\n\s*", "\n", _TAG.sub(lambda tag: adapted(tag[0]), svg)).strip()


def _page_style(style: str) -> str:
    """A style attribute with the colours of the page, and without fonts other than their size."""
    for colour, name in _COLOURS.items():
        style = style.replace(colour, name)
    return re.sub(r"font-family: [^;\"]*(; )?", "", re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", style))
