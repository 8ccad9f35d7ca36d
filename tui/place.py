"""Where one was: the screen, and on each screen the item, the filter, the order. Kept beside the workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.atomic import write_atomically

FILE = "workbench.json"


class Places:
    """The place on every screen. A damaged file is an empty one: it holds nothing that cannot be found again."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._written = ""
        self.values: dict[str, Any] = {}
        try:
            values = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return
        if isinstance(values, dict):
            self.values = values

    def of(self, screen: str) -> dict[str, Any]:
        """What a screen said when one left it."""
        value = self.values.get(screen)
        return value if isinstance(value, dict) else {}

    def save(self) -> None:
        """Write what changed. A disk that refuses costs only the way back."""
        text = json.dumps(self.values)
        if text == self._written:
            return
        try:
            write_atomically(self._path, text)
        except OSError:
            return
        self._written = text
