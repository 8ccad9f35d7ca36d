"""HTML from posts and feeds as plain paragraphs: the author's words, without the furniture of the platform."""

from __future__ import annotations

import re
from typing import Any

import lxml.etree
import lxml.html

from core.corpus.decoding import storable, tidy_paragraphs

_BLOCKS = frozenset(
    (  # noqa: SIM905
        "address article aside blockquote body center dd details div dl dt fieldset footer form h1 h2 h3 h4 "
        "h5 h6 header hr html li main nav ol p pre section summary table tbody td th tr ul"
    ).split()
)
_DROPPED = frozenset(
    (  # noqa: SIM905
        "audio button canvas embed figure form head iframe img input noscript object picture script select "
        "style svg template textarea title video"
    ).split()
)
_FURNITURE = re.compile(
    r"button-wrapper|button-wrap\b|subscri(?:be|ption)-widget|subscribe-|share-|install-substack-app|poll-embed"
    r"|digest-post-embed|embedded-p(?:ost|ublication)|tweet|twitter-|community-chat|paywall-jump|comments?-button"
    r"|image-link|captioned-image|youtube-wrap|spotify-wrap|native-(?:audio|video)-embed",
    re.IGNORECASE,
)
_KEPT_SPACE = "\x01"
"""Stands for a space of preformatted text while the others are collapsed; HTML cannot hold it."""
_BULLET = "\x02"
"""Stands for a bullet until it is known where the words of the list item begin."""
_SPACE = re.compile(r"[ \t\r\n\f]+")


def plain_text(html: str) -> str:
    """The text of an HTML fragment: one blank line between blocks, ``br`` as a line break, list items on their own
    lines; scripts, pictures, share buttons, subscribe widgets and embedded posts left out."""
    data = storable(html).encode("utf-8")
    if not data.strip():
        return ""
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        root = lxml.html.document_fromstring(data, parser=parser)
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return ""
    pieces: list[str] = []
    walker = lxml.etree.iterwalk(root, events=("start", "end"))
    preformatted = 0
    for event, element in walker:
        tag = element.tag
        if event == "start":
            if _is_furniture(element):
                walker.skip_subtree()
                continue
            preformatted += tag == "pre"
            pieces.append(_opening(tag))
            pieces.append(_words(element.text, preformatted))
        else:
            if not _is_furniture(element):
                preformatted -= tag == "pre"
                pieces.append("\n" if tag == "li" else "\n\n" if tag in _BLOCKS else "")
            pieces.append(_words(element.tail, preformatted))
    lines = (re.sub(r" {2,}", " ", line).strip(" ") for line in "".join(pieces).split("\n"))
    return tidy_paragraphs(re.sub(rf"{_BULLET}\s*", "- ", "\n".join(lines))).replace(_KEPT_SPACE, " ")


def _opening(tag: str) -> str:
    if tag == "br":
        return "\n"
    if tag == "li":
        return f"\n{_BULLET}"
    return "\n\n" if tag in _BLOCKS else ""


def _words(text: str | None, preformatted: int) -> str:
    if not text:
        return ""
    return text.replace(" ", _KEPT_SPACE) if preformatted else _SPACE.sub(" ", text)


def _is_furniture(element: Any) -> bool:
    if element.tag in _DROPPED:
        return True
    return bool(_FURNITURE.search(element.get("class") or ""))
