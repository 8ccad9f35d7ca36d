"""Silence on demand: for a run a file in its folder, so that any terminal can ask for it and a resume keeps it."""

from __future__ import annotations

from pathlib import Path

MUTED = "muted"


class Mute:
    """Whether the twin is silent; ``path`` None keeps it in this process."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._on = False

    @classmethod
    def of_run(cls, folder: Path) -> Mute:
        return cls(folder / MUTED)

    @property
    def on(self) -> bool:
        return self._path.exists() if self._path is not None else self._on

    def set(self, on: bool) -> bool:
        """Returns whether that changed anything."""
        before = self.on
        if self._path is None:
            self._on = on
        elif on:
            self._path.touch(mode=0o600)
        else:
            self._path.unlink(missing_ok=True)
        return before != on
