"""JSON that a stranger may have written."""

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError, also for one that is nested without end or has endless digits."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError:
        raise
    except ValueError:  # of int, with words about Python's settings
        raise ValueError("a number of too many digits") from None
