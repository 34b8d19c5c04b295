"""What a page shows of items of any modality, as elements of HTML that need no other file."""

import base64
import html
from collections.abc import Callable, Mapping

from genset.interfaces import Exhibit


def element(exhibit: Exhibit, name: str) -> str:
    """An element with the exhibit inside it; `name` is what a screen reader says of it, such as its label and id."""
    return _ELEMENTS[exhibit.media_type.partition("/")[0]](exhibit, html.escape(name))


def _uri(exhibit: Exhibit) -> str:
    """A data: URI (RFC 2397)."""
    media_type = exhibit.media_type.replace(" ", "")
    return f"data:{media_type};base64,{base64.b64encode(exhibit.data).decode()}"


def _image(exhibit: Exhibit, name: str) -> str:
    return f'<img src="{_uri(exhibit)}" alt="{name}">'


def _audio(exhibit: Exhibit, name: str) -> str:
    return f'<audio controls preload="none" src="{_uri(exhibit)}" aria-label="{name}"></audio>'


def _text(exhibit: Exhibit, name: str) -> str:
    return f'<blockquote aria-label="{name}">{html.escape(exhibit.data.decode())}</blockquote>'


_ELEMENTS: Mapping[str, Callable[[Exhibit, str], str]] = {"image": _image, "audio": _audio, "text": _text}
