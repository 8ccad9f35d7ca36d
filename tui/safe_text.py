"""The one gate for outside text on its way to a terminal: what could act becomes a mark that can be seen.

Replaced: C0 and C1 controls, DEL, bidi embeddings, overrides and isolates, zero-width space and its kin, line and
paragraph separators, tag characters and other formatting that is not seen, surrogates. Kept: joiners and variation
selectors, so that emoji, Persian and Hebrew read as they should.
"""

from __future__ import annotations

import re

_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    "\ud800-\udfff]"
)


def safe(text: str) -> str:
    """The text with every acting character as a mark; line feeds and tabs stay."""
    return _ACTING.sub(_mark, text.replace("\r\n", "\n"))


def safe_line(text: str) -> str:
    """The same on one line."""
    return " ".join(safe(text).split())


def is_hidden(text: str) -> bool:
    """Whether the text held anything that ``safe`` replaces."""
    return bool(_ACTING.search(text))


def _mark(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
