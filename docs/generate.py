"""Write the generated parts of docs/: python docs/generate.py. Tests compare them with the code."""

import json
from pathlib import Path

from genset.config import json_schema

FOLDER = Path(__file__).parent


def main() -> None:
    """Write config.schema.json, which editors read."""
    text = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "config.schema.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
