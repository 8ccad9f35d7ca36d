"""Tiddlers as TiddlyWiki keeps them, read and written without loss: ``.tid`` files and JSON objects of fields.

A ``.tid`` file is ``name: value`` lines, an empty line, and the text (tiddlywiki.com, "TiddlerFiles"). What such a line
cannot hold (a line break, spaces around a value, a value that is no text) goes into a JSON file of one tiddler, as
TiddlyWiki itself does. Every field is kept as it stands, the unknown ones too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from core.errors import ImportFailed

Fields = dict[str, Any]
"""One tiddler: ``title`` and ``text`` among its fields. Values are text, unless another program wrote the JSON."""

TEXT_TYPES = ("", "text/vnd.tiddlywiki", "text/plain", "text/markdown", "text/x-markdown")
LONGEST_NAME = 120
"""Bytes of a file's name without its suffix; a title may be longer."""

_HEADER_BREAK = re.compile(r"\r?\n\r?\n")
_LINE_BREAK = re.compile(r"\r?\n")
_UNSAFE_VALUE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAFE_TEXT = re.compile("[\x00\ud800-\udfff]")
_UNSAFE_NAME = re.compile(r"[<>~:\"|?*^/\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_TAG = re.compile(r"\[\[([^\]]+)\]\]|(\S+)")


def read_tid(data: bytes, name: str) -> Fields:
    """The fields of a ``.tid`` file; its name without the suffix is the title where no field is.

    Raises ``ImportFailed`` for bytes that are no UTF-8.
    """
    try:
        written = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ImportFailed(f"{name}: not UTF-8", "Save it as UTF-8.") from None
    head = _HEADER_BREAK.search(written)
    lines = written[: head.start()] if head else written
    fields: Fields = {}
    for line in _LINE_BREAK.split(lines):
        key, colon, value = line.partition(":")
        if colon and key.strip() and not line.startswith("#"):
            fields[key.strip()] = value.strip()
    if head:
        fields["text"] = written[head.end() :]
    return fields if "title" in fields else {"title": name.removesuffix(".tid"), **fields}


def write_tid(fields: Mapping[str, Any]) -> str | None:
    """A ``.tid`` file that is read as these very fields; None where no such file can hold them."""
    text = fields.get("text")
    if not isinstance(fields.get("title"), str) or (text is not None and not _holds_text(text)):
        return None
    head = {key: value for key, value in fields.items() if key != "text"}
    if not all(_fits_a_line(key, value) for key, value in head.items()):
        return None
    lines = "\n".join(f"{key}: {head[key]}" for key in sorted(head))
    return lines if text is None else f"{lines}\n\n{text}"


def dump_fields(fields: Mapping[str, Any]) -> str:
    """The fields as the store keeps them: JSON in ASCII."""
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))


def load_fields(stored: str) -> Fields:
    """The fields from what ``dump_fields`` wrote."""
    fields: Fields = json.loads(stored)
    return fields


def joined_tags(tags: Collection[str]) -> str:
    """Tags as TiddlyWiki writes them; brackets stand around one with spaces."""
    return " ".join(f"[[{tag}]]" if re.search(r"\s", tag) else tag for tag in tags)


def parted_tags(value: object) -> tuple[str, ...]:
    """The tags of a ``tags`` field: a text as TiddlyWiki writes it, or a list."""
    if isinstance(value, list):
        return tuple(tag for tag in value if isinstance(tag, str) and tag)
    if isinstance(value, str):
        return tuple(several or single for several, single in _TAG.findall(value))
    return ()


def reason_to_skip(fields: Mapping[str, Any]) -> str:
    """Why a tiddler is no text of the target, in a word; empty where it may be."""
    if str(fields.get("title", "")).startswith("$:/"):
        return "system tiddler"
    if "draft.of" in fields:
        return "draft"
    if "plugin-type" in fields:
        return "plugin"
    kind = fields.get("type", "")
    kind = kind if isinstance(kind, str) else ""
    return "" if kind in TEXT_TYPES else f"{kind[:40]}, not text"


def file_stem(title: str, taken: Collection[str]) -> str:
    """A file's name, without suffix, for a title; ``taken`` are casefolded stems that another tiddler has.

    The name says nothing that is read again: a tiddler is known by its title.
    """
    stem = _UNSAFE_NAME.sub("_", title).strip(". ") or "tiddler"
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    stem = stem.encode("utf-8")[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(". ")
    found, number = stem, 1
    while found.casefold() in taken:
        number += 1
        found = f"{stem} {number}"
    return found


def _holds_text(text: object) -> bool:
    return isinstance(text, str) and not _UNSAFE_TEXT.search(text)


def _fits_a_line(key: str, value: object) -> bool:
    if not key or ":" in key or key.startswith("#") or key != key.strip().strip("\ufeff") or _UNSAFE_VALUE.search(key):
        return False
    return isinstance(value, str) and value == value.strip().strip("\ufeff") and not _UNSAFE_VALUE.search(value)
