"""The part of the README that is made from the registry: ``python -m tui.readme README.md`` writes it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tui.keys import key_table

BEGIN, END = "<!-- keys: made by `make keys` -->", "<!-- end of keys -->"


def with_key_table(text: str) -> str:
    """A README with the key table as the registry has it, between its two marks. Raises ValueError without them."""
    parts = re.split(f"({re.escape(BEGIN)}|{re.escape(END)})", text)
    if parts[1::2] != [BEGIN, END]:
        raise ValueError(f"the text needs {BEGIN} and {END}, once each")
    return f"{parts[0]}{BEGIN}\n\n{key_table()}\n{END}{parts[4]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_key_table(path.read_text("utf-8")), "utf-8")
