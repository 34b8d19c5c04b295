"""Previews of items of any modality as self-contained HTML elements."""

import base64
import html
from collections.abc import Callable, Mapping

from genset.interfaces import Preview


def element(preview: Preview, name: str) -> str:
    """An HTML element that contains the preview; `name` is read by screen readers, such as its label and id."""
    return _ELEMENTS[preview.media_type.partition("/")[0]](preview, html.escape(name))


def _data_uri(preview: Preview) -> str:
    """A data: URI (RFC 2397)."""
    media_type = preview.media_type.replace(" ", "")
    return f"data:{media_type};base64,{base64.b64encode(preview.data).decode()}"


def _image(preview: Preview, name: str) -> str:
    return f'<img src="{_data_uri(preview)}" alt="{name}">'


def _audio(preview: Preview, name: str) -> str:
    return f'<audio controls preload="none" src="{_data_uri(preview)}" aria-label="{name}"></audio>'


def _text(preview: Preview, name: str) -> str:
    return f'<blockquote aria-label="{name}">{html.escape(preview.data.decode())}</blockquote>'


_ELEMENTS: Mapping[str, Callable[[Preview, str], str]] = {"image": _image, "audio": _audio, "text": _text}
