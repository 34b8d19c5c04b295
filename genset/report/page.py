"""A report as one HTML file that needs no other: what stands on it as data, and how that becomes markup.

All text is escaped by the template (Jinja2's autoescaping); markup comes from `exhibits` and `charts` alone. A policy
in the page forbids scripts but the page's own, and every request.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import ClassVar

from genset.interfaces import Exhibit
from genset.report import charts, media
from genset.report.formatting import Tone


@dataclass(frozen=True)
class Card:
    """One item as a page shows it."""

    name: str  # what a screen reader says of it
    caption: str
    exhibits: Sequence[Exhibit]
    facts: Mapping[str, str] = field(default_factory=dict)  # shown when it is opened
    label: str = ""  # to filter by
    source: str = ""

    @cached_property
    def text(self) -> str:
        """What it says, for an item of text; "" for others."""
        return "\n".join(e.data.decode() for e in self.exhibits if e.media_type.startswith("text/"))

    @property
    def is_text(self) -> bool:
        """Whether it is to be read, though it may be empty."""
        return any(exhibit.media_type.startswith("text/") for exhibit in self.exhibits)

    @property
    def size(self) -> int:
        """Bytes of what is shown."""
        return sum(len(exhibit.data) for exhibit in self.exhibits)

    @property
    def words(self) -> str:
        """What a search looks in."""
        return " ".join([self.caption, self.label, self.source, self.text, *self.facts.values()]).lower()

    @property
    def seen(self) -> Sequence[Exhibit]:
        """What is to be looked at; the rest is played or read."""
        return [exhibit for exhibit in self.exhibits if exhibit.media_type.startswith("image/")]

    @property
    def heard(self) -> Sequence[Exhibit]:
        """What is to be played."""
        return [exhibit for exhibit in self.exhibits if exhibit.media_type.startswith("audio/")]


@dataclass(frozen=True)
class Row:
    """Items that stand together under a title."""

    title: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Gallery:
    """Items to look at, play or read."""

    kind: ClassVar[str] = "gallery"
    title: str
    rows: Sequence[Row]
    note: str = ""
    search: bool = True
    plain: bool = False  # small and close together, such as a traversal
    paired: bool = False  # each row is a pair, with captions

    @property
    def cards(self) -> list[Card]:
        """All of them."""
        return [card for row in self.rows for card in row.cards]

    @property
    def is_text(self) -> bool:
        """Whether all is to be read: then it is a table."""
        return all(card.is_text for card in self.cards)

    @property
    def labels(self) -> list[str]:
        """The classes, to filter by."""
        return sorted({card.label for card in self.cards} - {""})

    @property
    def sources(self) -> list[str]:
        """Where items came from, to filter by."""
        return sorted({card.source for card in self.cards} - {""})


@dataclass(frozen=True)
class Table:
    """Rows of text; the first cell of a row names it, and numbers stand to the right."""

    kind: ClassVar[str] = "table"
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    prose: Sequence[int] = ()  # columns of words
    tones: Mapping[int, Tone] = field(default_factory=dict)  # of rows


@dataclass(frozen=True)
class Chart:
    """A chart, which is told in words beside it."""

    kind: ClassVar[str] = "chart"
    title: str
    svg: str  # from `charts`
    said: str  # what a screen reader says in its place


@dataclass(frozen=True)
class Side:
    """Blocks beside each other, where there is room."""

    kind: ClassVar[str] = "side"
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for."""

    kind: ClassVar[str] = "facts"
    title: str
    rows: Mapping[str, str]


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file, folded away."""

    kind: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True)
class Words:
    """A paragraph, or several."""

    kind: ClassVar[str] = "words"
    lines: Sequence[str]


Block = Gallery | Table | Chart | Side | Facts | Code | Words


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    name: str  # short, for the list of sections
    title: str
    blocks: Sequence[Block]
    lead: str = ""

    @property
    def anchor(self) -> str:
        """Its place in the page."""
        return "s-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in self.name.lower())


@dataclass(frozen=True)
class Tile:
    """A figure that is seen at once."""

    name: str
    value: str
    beside: str  # its interval, say
    what: str


@dataclass(frozen=True)
class Verdict:
    """What the page says first."""

    tone: Tone
    headline: str
    lines: Sequence[str] = ()
    wrong: Sequence[str] = ()  # what fails


@dataclass(frozen=True)
class Page:
    """One report."""

    title: str
    about: str
    verdict: Verdict
    sections: Sequence[Section]
    tiles: Sequence[Tile] = ()
    footer: str = ""


def render(page: Page) -> bytes:
    """The HTML of a page: equal pages give equal bytes."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["element"] = lambda exhibit, name: markupsafe.Markup(media.element(exhibit, name))
    environment.filters["drawn"] = lambda chart: markupsafe.Markup(chart.svg)
    script = _file("page.js")
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = environment.get_template("page.html.j2").render(
        page=page,
        style=markupsafe.Markup(_file("page.css") + _series()),
        script=markupsafe.Markup(script),
        policy=f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{own}'; base-uri 'none'; form-action 'none'",
    )
    return html.encode()


def _series() -> str:
    """A colour for each series of a chart, as hues around the circle that are told apart on light and on dark."""
    hues = (195, 28, 265, 140, 340, 60, 230, 95, 305, 5)
    assert len(hues) == charts.SERIES
    properties = "".join(f"--s{n}:oklch(var(--series) {hue});" for n, hue in enumerate(hues, start=1))
    return f":root{{{properties}}}\n"


def _file(name: str) -> str:
    return resources.files("genset.report").joinpath(name).read_text(encoding="utf-8")
