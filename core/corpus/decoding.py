"""Bytes to text that the store can hold: byte-order mark, else UTF-8, else a detected encoding.

Everything outside the corpus is untrusted, so decoding never fails half-way: what cannot be read becomes U+FFFD,
which a reader can see, and line ends become ``\\n``, so that no importer thinks about them again.
"""

from __future__ import annotations

import codecs
import re

from core.errors import ImportFailed

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_DETECTION_BYTES = 1 << 20

_WESTERN = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœßúùûüÀÂÄÅÆÇÉÈÊÖØÜ“”‘’‚„–—…«»¿¡£€°©®™§·•\u00a0")
"""What a Western reader expects outside ASCII; charset detection guesses wildly on a few such bytes."""

_COMMON = ["cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
"""Tried before every encoding ever made: Mac Cyrillic fits most Russian texts too, and garbles a few letters."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PARAGRAPH_BREAK = re.compile(r"\n(?:[ \t]*\n)+")


def byte_order(data: bytes) -> tuple[bytes, str] | None:
    """The byte-order mark at the start of ``data`` and the codec that it names, or None."""
    return next(((bom, codec) for bom, codec in _BOMS if data.startswith(bom)), None)


def decode(data: bytes, where: str) -> str:
    """Decode the whole of a text file; ``where`` names it in errors.

    Raises ``ImportFailed`` when no encoding fits.
    """
    mark = byte_order(data)
    if mark:
        bom, codec = mark
        text = data[len(bom) :].decode(codec, "replace")
    else:
        text = _decode_unmarked(data, where)
    return storable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _decode_unmarked(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lenient = data.decode("utf-8", "replace")
    damaged = lenient.count("\ufffd")
    if sum(not character.isascii() for character in lenient) > 5 * damaged:
        # UTF-8 with a few bad bytes: another encoding would spoil every other character.
        return lenient
    western = data.decode("cp1252", "replace")
    outside = [character for character in western if not character.isascii()]
    if len(outside) * 5 < len(western) * 2 and _WESTERN.issuperset(outside):
        return western
    import charset_normalizer  # Only now: most texts are UTF-8, and its tables take a while.

    head = data[:_DETECTION_BYTES]
    best = (
        charset_normalizer.from_bytes(head, cp_isolation=_COMMON).best() or charset_normalizer.from_bytes(head).best()
    )
    if best is None:
        raise ImportFailed(f"{where}: not text in any known encoding", "Save it as UTF-8 and import it again.")
    return data.decode(best.encoding, "replace")


def storable(text: str) -> str:
    """``text`` with lone surrogates and NUL, which SQLite cannot hold as text, replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def tidy_paragraphs(text: str) -> str:
    """``text`` without blank lines around it and with one blank line between paragraphs."""
    return _PARAGRAPH_BREAK.sub("\n\n", text).strip("\n").rstrip()


def sample(text: str, width: int = 80) -> str:
    """The beginning of ``text`` on one line of at most ``width`` characters."""
    line = " ".join(text[: width * 8].split())
    return line if len(line) <= width else line[: width - 1] + "…"
