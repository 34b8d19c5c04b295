"""Read and write JSON that a stranger may have written."""

import json
import os
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError, also for endless nesting and endless digits."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError:
        raise
    except ValueError:  # from int(), with a text about Python's settings
        raise ValueError("a number with too many digits") from None


_FAULTS = {
    "Expecting value": "a value is missing, or a text is not in double quotes",
    "Expecting property name enclosed in double quotes": "expected a key in double quotes",
    "Expecting ',' delimiter": "expected a comma",
    "Expecting ':' delimiter": "expected a colon",
    "Extra data": "there is more text after the end of the value",
    "Unterminated string starting at": "a text has no closing quote",
    "Invalid control character at": "a control character must be escaped",
}  # by Python's messages


def json_fault(error: ValueError | RecursionError) -> str:
    """Why a text is not JSON, in plain words."""
    if isinstance(error, RecursionError):
        return "not valid JSON: nested too deeply"
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return f"not valid JSON: {_FAULTS.get(reason, reason[:1].lower() + reason[1:])}"


def lone_surrogate(text: str) -> bool:
    """Whether a text contains half a character, which no file can store."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def as_text(value: object) -> str:
    """A value of a row as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def json_bytes(value: Any) -> bytes:
    """JSON as genset writes it to files: indented, in a stable order."""
    return (json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n").encode()


def printable(name: str) -> str:
    """A file name as text that can be written as UTF-8; bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
