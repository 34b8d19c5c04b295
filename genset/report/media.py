"""Previews of items of any modality as self-contained HTML elements."""

import base64
import html
from collections.abc import Callable, Mapping

from genset.interfaces import Preview


def element(exhibit: Preview, name: str) -> str:
    """An HTML element that contains the preview; `name` is read by screen readers, such as its label and id."""
    return _ELEMENTS[exhibit.media_type.partition("/")[0]](exhibit, html.escape(name))


def _data_uri(exhibit: Preview) -> str:
    """A data: URI (RFC 2397)."""
    media_type = exhibit.media_type.replace(" ", "")
    return f"data:{media_type};base64,{base64.b64encode(exhibit.data).decode()}"


def _image(exhibit: Preview, name: str) -> str:
    return f'<img src="{_data_uri(exhibit)}" alt="{name}">'


def _audio(exhibit: Preview, name: str) -> str:
    return f'<audio controls preload="none" src="{_data_uri(exhibit)}" aria-label="{name}"></audio>'


def _text(exhibit: Preview, name: str) -> str:
    return f'<blockquote aria-label="{name}">{html.escape(exhibit.data.decode())}</blockquote>'


_ELEMENTS: Mapping[str, Callable[[Preview, str], str]] = {"image": _image, "audio": _audio, "text": _text}
