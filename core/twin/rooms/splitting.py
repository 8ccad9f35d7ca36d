"""Bytes into lines, however they come: a line that is too long is passed over whole, and costs no memory."""

from __future__ import annotations


class LineSplitter:
    """Cuts a stream at line feeds; what stands before the last one waits for its end."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._passing = False
        self.passed_over = 0
        """Lines that were too long."""

    def push(self, data: bytes) -> list[bytes]:
        """The lines that this completes, without their ends."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            line = bytes(self._rest) + piece
            self._rest.clear()
            if self._passing or len(line) > self._longest:
                self._pass(False)
            else:
                lines.append(line.removesuffix(b"\r"))
        if not self._passing:
            self._rest += rest
            if len(self._rest) > self._longest:
                self._rest.clear()
                self._pass(True)
        return lines

    def last(self) -> list[bytes]:
        """What stands after the last line feed, once nothing more comes."""
        rest, self._rest = bytes(self._rest), bytearray()
        return [rest] if rest and not self._passing else []

    def _pass(self, on: bool) -> None:
        if on or not self._passing:
            self.passed_over += 1
        self._passing = on
