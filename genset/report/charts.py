"""Charts of a page, drawn by matplotlib as SVG that takes its colours from the page around it.

Equal values give equal bytes: ids are hashed with a fixed salt, and no date is written.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _ROW = 5.2, 0.27  # inches of a chart, and of a row with a name in it
_LONGEST_NAME = 22
_LEGEND, _HANDLE = 62, 5  # letters that stand in a line of a legend, and what the mark before a name takes of them
_MARKERS = "osD^vP*<X>"  # of clouds: ten hues alone are hard to tell apart
SERIES = 10  # colours of series; more than that are told apart by their place or not at all
# Colours that stand for properties of the page's style: matplotlib writes them, the page says what they are.
_INK, _LINE, _SOFT = "#010203", "#010204", "#010205"
_COLOURS = {_INK: "var(--ink)", _LINE: "var(--line)", _SOFT: "var(--muted)"}
_HUES = [f"#0a0b{number:02x}" for number in range(1, SERIES + 1)]
_COLOURS |= {hue: f"var(--s{number})" for number, hue in enumerate(_HUES, start=1)}
_TAG = re.compile(r"<[^<>]*>")  # in attributes both signs are escaped
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # letters stay letters: to be read aloud, searched and set in the page's own type
    "svg.hashsalt": "genset",
    "text.parse_math": False,  # a class may be called $x$
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
class Range:
    """A value with what it is to be seen beside."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    real: float | None = None  # what real items reach


@dataclass(frozen=True)
class Points:
    """A cloud of points (N, 2) of one kind."""

    name: str  # in the legend; "" to leave it out
    xy: Any
    series: int  # number of the colour and the mark
    filled: bool = True


def ranges(rows: Sequence[Range], label: str, line: float | None = None) -> str:
    """A row for each value: a dot with its interval, a tick where real items stand; a line at one place if given."""

    def draw(axes: Any) -> None:
        if line is not None:
            axes.axvline(line, color=_SOFT, linewidth=1)
        for place, row in enumerate(rows):
            if row.interval:
                axes.plot(row.interval, (place, place), color=_HUES[0], linewidth=3, alpha=0.4, solid_capstyle="round")
            if row.real is not None:
                axes.plot([row.real], [place], marker="|", color=_INK, markersize=12, markeredgewidth=2)
            axes.plot([row.value], [place], marker="o", color=_HUES[0], markersize=7)
        _names(axes, [row.name for row in rows])
        axes.set_xlabel(label)
        axes.grid(axis="x", linewidth=0.8)

    return _svg(draw, len(rows) * _ROW + 0.6)


def bars(names: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> str:
    """A row for each name, the values of the series one after the other in it."""

    def draw(axes: Any) -> None:
        left = [0.0] * len(names)
        for number, (name, values) in enumerate(series.items()):
            axes.barh(range(len(names)), values, left=left, height=0.7, color=_HUES[number % SERIES], label=name)
            left = [start + value for start, value in zip(left, values, strict=True)]
        _names(axes, names)
        axes.set_xlabel(label)
        axes.grid(axis="x", linewidth=0.8)
        if len(series) > 1:
            _legend(axes)

    return _svg(draw, len(names) * _ROW + 0.9)


def dots(names: Sequence[str], series: Mapping[str, Mapping[str, float]], label: str) -> str:
    """A row for each name, a dot for each series that has a value for it."""

    def draw(axes: Any) -> None:
        for number, (name, values) in enumerate(series.items()):
            places = [place for place, row in enumerate(names) if row in values]
            xs = [values[names[place]] for place in places]
            marker = "osD^v"[number % 5]
            axes.plot(xs, places, marker, color=_HUES[number % SERIES], label=name, markersize=6, alpha=0.85)
        _names(axes, names)
        axes.set_xlabel(label)
        axes.grid(linewidth=0.8)
        _legend(axes)

    return _svg(draw, len(names) * _ROW + 0.9)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], label: str, mark: float | None = None) -> str:
    """Points joined by lines, a line for each series; one place is marked if given."""

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


def scatter(clouds: Sequence[Points]) -> str:
    """Clouds of points in a plane without a scale of its own: filled, or as outlines."""

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


def _names(axes: Any, names: Sequence[str]) -> None:
    """The names of rows, from above."""
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=6)
    for text in axes.get_yticklabels():
        text.set_color(_INK)


def shortened(name: str) -> str:
    """A name that fits beside a chart."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _legend(axes: Any, marks: Sequence[Any] = (), names: Sequence[str] = ()) -> None:
    """Of all that has a label, or of some marks with their names, in as many columns as fit."""
    if not marks:
        marks, names = axes.get_legend_handles_labels()
    shown = [shortened(name) for name in names]
    columns = max(1, min(4, _LEGEND // (max(map(len, shown), default=0) + _HANDLE)))
    legend = axes.legend(
        marks,
        [str(number) for number in range(len(marks))],  # what begins with "_" would be left out
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
    """The markup of a chart of so many inches, without what belongs to a file of its own."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the page's type has letters that matplotlib's lacks
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    return _for_page(buffer.getvalue())


def _for_page(svg: str) -> str:
    """The element alone: with colours and type of the page, and ids that no other chart has. Only tags are changed:
    the names between them may say anything."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)  # it would hold for all
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    used = {name for tag in _TAG.findall(svg) for name in re.findall(r'(?:url\(|xlink:href=")#([\w.-]+)', tag)}
    prefix = f"c{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"

    def changed(tag: str) -> str:
        tag = re.sub(r'style="[^"<>]*"', lambda style: _styled(style[0]), tag)
        tag = re.sub(r' id="([\w.-]+)"', lambda found: f' id="{prefix}{found[1]}"' if found[1] in used else "", tag)
        return re.sub(r'(url\(|xlink:href=")#', rf"\1#{prefix}", tag)

    return re.sub(r"\n\s*", "\n", _TAG.sub(lambda tag: changed(tag[0]), svg)).strip()


def _styled(style: str) -> str:
    for colour, name in _COLOURS.items():
        style = style.replace(colour, name)
    return re.sub(r"font-family: [^;\"]*(; )?", "", re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", style))
