"""Read JSON from untrusted files."""

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
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
