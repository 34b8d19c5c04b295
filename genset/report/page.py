"""Report pages: their content as data, and its conversion to one self-contained HTML file.

The template escapes all text (Jinja2's autoescaping); markup comes only from `media` and `charts`. A content security
policy in the page forbids all network requests, and all scripts but the page's own.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import ClassVar

from genset.interfaces import Preview
from genset.report import charts, media
from genset.report.formatting import Tone


@dataclass(frozen=True)
class Card:
    """One item on a page."""

    name: str  # for screen readers
    caption: str
    previews: Sequence[Preview]
    facts: Mapping[str, str] = field(default_factory=dict)  # shown when the card is opened
    label: str = ""  # to filter by
    source: str = ""

    @cached_property
    def text(self) -> str:
        """The text of a text item; "" for others."""
        return "\n".join(preview.data.decode() for preview in self.previews if preview.media_type.startswith("text/"))

    @property
    def is_text(self) -> bool:
        """Whether this is a text item; its text may be empty."""
        return any(preview.media_type.startswith("text/") for preview in self.previews)

    @property
    def size(self) -> int:
        """Bytes of all previews."""
        return sum(len(preview.data) for preview in self.previews)

    @property
    def search_text(self) -> str:
        """The text in which a search looks, in lower case."""
        return " ".join([self.caption, self.label, self.source, self.text, *self.facts.values()]).lower()

    @property
    def images(self) -> Sequence[Preview]:
        """The previews that are images."""
        return [preview for preview in self.previews if preview.media_type.startswith("image/")]

    @property
    def sounds(self) -> Sequence[Preview]:
        """The previews that are sounds."""
        return [preview for preview in self.previews if preview.media_type.startswith("audio/")]


@dataclass(frozen=True)
class CardRow:
    """Items under a common title."""

    title: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Gallery:
    """Items to view, play or read."""

    kind: ClassVar[str] = "gallery"
    title: str
    rows: Sequence[CardRow]
    note: str = ""
    search: bool = True
    compact: bool = False  # small and close together, such as a traversal
    paired: bool = False  # each row is a pair, with captions

    @property
    def cards(self) -> list[Card]:
        """The cards of all rows."""
        return [card for row in self.rows for card in row.cards]

    @property
    def is_text(self) -> bool:
        """Whether all items are texts: then the gallery is a table."""
        return all(card.is_text for card in self.cards)

    @property
    def labels(self) -> list[str]:
        """The classes, for the filter."""
        return sorted({card.label for card in self.cards} - {""})

    @property
    def sources(self) -> list[str]:
        """The sources, for the filter."""
        return sorted({card.source for card in self.cards} - {""})


@dataclass(frozen=True)
class Table:
    """Rows of text; the first cell of a row is its name, numbers are aligned to the right."""

    kind: ClassVar[str] = "table"
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    prose: Sequence[int] = ()  # columns of text, aligned to the left
    tones: Mapping[int, Tone] = field(default_factory=dict)  # of rows


@dataclass(frozen=True)
class Chart:
    """A chart with a description."""

    kind: ClassVar[str] = "chart"
    title: str
    svg: str  # from `charts`
    description: str  # for screen readers


@dataclass(frozen=True)
class SideBySide:
    """Blocks side by side, where there is room."""

    kind: ClassVar[str] = "side"
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    title: str
    rows: Mapping[str, str]


@dataclass(frozen=True)
class CodeBlock:
    """The verbatim text of a file, collapsed."""

    kind: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True)
class Paragraphs:
    """One or more paragraphs of text."""

    kind: ClassVar[str] = "paragraphs"
    lines: Sequence[str]


Block = Gallery | Table | Chart | SideBySide | Facts | CodeBlock | Paragraphs


@dataclass(frozen=True)
class PageSection:
    """A section of a page with a heading."""

    name: str  # short, for the navigation
    title: str
    blocks: Sequence[Block]
    lead: str = ""

    @property
    def anchor(self) -> str:
        """Its id in the page."""
        return "s-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in self.name.lower())


@dataclass(frozen=True)
class Tile:
    """A headline figure."""

    name: str
    value: str
    interval: str
    what: str


@dataclass(frozen=True)
class PageVerdict:
    """The summary at the top of a page."""

    tone: Tone
    headline: str
    lines: Sequence[str] = ()
    failures: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """One report."""

    title: str
    about: str
    verdict: PageVerdict
    sections: Sequence[PageSection]
    tiles: Sequence[Tile] = ()
    footer: str = ""


def render(page: Page) -> bytes:
    """The HTML of a page; equal pages give equal bytes."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["element"] = lambda preview, name: markupsafe.Markup(media.element(preview, name))
    environment.filters["svg"] = lambda chart: markupsafe.Markup(chart.svg)
    script = _file("page.js")
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = environment.get_template("page.html.j2").render(
        page=page,
        style=markupsafe.Markup(_file("page.css") + _series_colours()),
        script=markupsafe.Markup(script),
        policy=f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'",
    )
    return html.encode()


def _series_colours() -> str:
    """A colour for each series of a chart: hues that can be distinguished on light and on dark pages."""
    hues = (195, 28, 265, 140, 340, 60, 230, 95, 305, 5)
    assert len(hues) == charts.SERIES
    properties = "".join(f"--s{n}:oklch(var(--series) {hue});" for n, hue in enumerate(hues, start=1))
    return f":root{{{properties}}}\n"


def _file(name: str) -> str:
    return resources.files("genset.report").joinpath(name).read_text(encoding="utf-8")
