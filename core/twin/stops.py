"""Stop strings: what ends an answer and is never shown, even where it comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable


class StopStrings:
    """One answer on its way to a reader: what may be shown comes out, until a stop string was found.

    The one that is whole first ends the answer, however it is cut into pieces, as it does where an engine looks for it.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        """The end of what came, where it may be the beginning of a stop string."""
        self.found = False

    def feed(self, piece: str) -> str:
        """The next piece. Returns what can be shown now; nothing any more once a stop string was found."""
        if not self._stops or self.found:
            return "" if self.found else piece
        text = self._held + piece
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.found, self._held = True, ""
            return text[: min(found)[1]]
        held = max(_begun(text, stop) for stop in self._stops)
        shown, self._held = text[: len(text) - held], text[len(text) - held :]
        return shown

    def end(self) -> str:
        """What was held back, once nothing more comes."""
        rest, self._held = self._held, ""
        return rest


def _begun(text: str, stop: str) -> int:
    """Characters at the end of a text that begin a stop string."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
