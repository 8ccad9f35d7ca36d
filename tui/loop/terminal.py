"""What stands between workbench and terminal: fewer bytes, tolerant input, and proof that a card was painted."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Any

from textual.drivers import linux_driver

CURSOR_REPORT = "\x1b[6n"
"""Asks where the cursor is. A terminal answers in order: what was written before has then been drawn."""
PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"

_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_UNPAINTED = re.compile(r"(?:\x1b\[[?]?[0-9;]*[HABCDnhl]|[\r\n])*")
_ON_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
_strict_decoder: Callable[[str], Any] = codecs.getincrementaldecoder


class StyleThrift:
    """Says of each style only what differs from the one before.

    Textual ends every piece of text with a reset and begins the next with its whole style, 40 bytes in true color; over
    a slow link that is most of what a key press costs.
    """

    def __init__(self) -> None:
        self._attributes: frozenset[str] = frozenset()
        self._colors: tuple[str, str] = ("39", "49")
        self._wanted = (self._attributes, self._colors)

    def shorten(self, data: str) -> str:
        """The same bytes to look at, with each style told as a difference. Keeps the state between calls."""
        pieces: list[str] = []
        place = 0
        for found in _STYLE.finditer(data):
            pieces.append(self._painted(data[place : found.start()]))
            self._wanted = _after(self._wanted, found[1])
            place = found.end()
        pieces.append(self._painted(data[place:]))
        return "".join(pieces)

    def _painted(self, text: str) -> str:
        """Text with the style it needs; what only moves the cursor or sets a mode needs none."""
        return text if _UNPAINTED.fullmatch(text) else self._turn_to(self._wanted) + text

    def _turn_to(self, wanted: tuple[frozenset[str], tuple[str, str]]) -> str:
        attributes, colors = wanted
        codes: list[str] = []
        gone = self._attributes - attributes
        off = {_ON_OFF[code] for code in gone}
        codes += sorted(off)
        # Bold and dim share one code that ends both.
        codes += sorted(code for code in attributes if code not in self._attributes or _ON_OFF[code] in off)
        codes += [new for new, old in zip(colors, self._colors, strict=True) if new != old]
        self._attributes, self._colors = attributes, colors
        return f"\x1b[{';'.join(codes)}m" if codes else ""


def _after(style: tuple[frozenset[str], tuple[str, str]], codes: str) -> tuple[frozenset[str], tuple[str, str]]:
    """A style after one SGR sequence."""
    attributes, (foreground, background) = set(style[0]), style[1]
    left = codes.split(";") if codes else ["0"]
    while left:
        code = left.pop(0).lstrip("0") or "0"
        if code in ("38", "48"):
            length = {"2": 4, "5": 2}.get(left[0] if left else "", 0)
            color = ";".join([code, *left[:length]])
            del left[:length]
            if code == "38":
                foreground = color
            else:
                background = color
        elif code == "0":
            attributes, foreground, background = set(), "39", "49"
        elif code in _ON_OFF:
            attributes.add(code)
        elif code in _ON_OFF.values():
            attributes = {each for each in attributes if _ON_OFF[each] != code}
        elif code == "39" or code[:-1] in ("3", "9"):
            foreground = code
        elif code == "49" or code[:-1] in ("4", "10"):
            background = code
    return frozenset(attributes), (foreground, background)


class InputDecoder:
    """Decodes what the terminal sends: a byte that is no UTF-8 is replaced, and in what was pasted nothing is a key.

    Textual takes an escape inside a paste for the begin of a key, and what follows for keys: a text that somebody else
    wrote would press them.
    """

    def __init__(self, encoding: str = "utf-8") -> None:
        self._decoder = _strict_decoder(encoding)(errors="replace")
        self._pasting = False
        self._read = ""
        """As much of the sequence that begins or ends a paste as has come."""

    def decode(self, data: bytes, final: bool = False) -> str:
        """As an incremental decoder's."""
        text: str = self._decoder.decode(data, final)
        if not self._pasting and not self._read and "\x1b" not in text:
            return text
        return "".join(map(self._passed, text))

    def _passed(self, character: str) -> str:
        read = self._read + character
        wanted = PASTE_ENDS if self._pasting else PASTE_BEGINS
        if wanted == read:
            self._pasting, self._read = not self._pasting, ""
            return read if wanted == PASTE_ENDS else character
        if wanted.startswith(read):
            self._read = read
            return "" if self._pasting else character
        held, self._read = self._read, "\x1b" if character == "\x1b" else ""
        if not self._pasting:
            return character
        return held.replace("\x1b", "␛") + character.replace("\x1b", "")


def _tolerant_decoder(encoding: str) -> Callable[..., Any]:
    return lambda: InputDecoder(encoding)


class ThriftyDriver(linux_driver.LinuxDriver):
    """Textual's driver but for three things: fewer bytes out; no byte in is the end of it; what is pasted is words."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        self._thrift = StyleThrift()

    def write(self, data: str) -> None:
        """Write to the terminal."""
        super().write(self._thrift.shorten(data) if "\x1b[" in data else data)

    def start_application_mode(self) -> None:
        """Begin, or begin again after another program had the terminal: its last style is not known."""
        self._thrift = StyleThrift()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        super().write("\x1b[0m")

    def run_input_thread(self) -> None:
        """Read input with a decoder of ours."""
        setattr(linux_driver, "getincrementaldecoder", _tolerant_decoder)  # noqa: B010 - the driver has no option for it
        super().run_input_thread()


class PaintProof:
    """Whether the terminal has confirmed that it painted what was last asked about.

    ``ask`` gives a number; once the terminal's answer to it has come, ``confirmed`` is that number or a later one.
    Where ``trusted`` is on, or nothing can answer (no terminal), a paint counts as soon as it is written.
    """

    def __init__(self, write: Callable[[str], None] | None, trusted: bool) -> None:
        self._write = write
        self.trusted = trusted
        self.asked = 0
        self.confirmed = 0

    def ask(self) -> int:
        """Ask after the bytes written so far."""
        self.asked += 1
        if self._write is not None and not self.trusted:
            self._write(CURSOR_REPORT)
        return self.asked

    def answer(self) -> None:
        """The terminal answered the oldest open question."""
        if self.confirmed < self.asked:
            self.confirmed += 1

    def holds(self, number: int) -> bool:
        """Whether the paint with this number was seen."""
        return self.trusted or self._write is None or self.confirmed >= number
