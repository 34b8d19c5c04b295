"""Checks of single values that several sections share."""

import re
from typing import Any


def text_list(value: Any) -> Any:
    """A single text as a list of one; other values unchanged."""
    return [value] if isinstance(value, str) else value


def check_group(text: str) -> str:
    """A column name, or a pattern with (?P<group>...). Raises ValueError."""
    if not re.fullmatch(r"\w+", text):
        try:
            names = re.compile(text).groupindex
        except re.error as error:
            raise ValueError(f"invalid regular expression: {error}") from None
        if "group" not in names:
            raise ValueError("the regular expression must contain (?P<group>...)")
    return text
