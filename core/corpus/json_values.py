"""JSON from outside: read without trusting its depth, its numbers, its surrogates, or the types of its fields."""

from __future__ import annotations

import json
import re
from typing import Any

from core.corpus.decoding import storable
from core.errors import ImportFailed

_SPACE = re.compile(r"[ \t\r\n]*")


def load_json(text: str, where: str) -> Any:
    """Parse one JSON value; raises ``ImportFailed`` that names ``where`` when it is not one."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ImportFailed(f"{where}: JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ImportFailed(
            f"{where}: not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            "The file may be cut off; export it again.",
        ) from None
    except ValueError:
        # Python refuses integers of more than 4,300 digits.
        raise ImportFailed(f"{where}: JSON holds a number too large to read") from None


def text_field(record: dict[str, Any], key: str) -> str:
    """A field as storable text; a number becomes its digits, anything else an empty string."""
    value = record.get(key)
    if isinstance(value, str):
        return storable(value.replace("\r\n", "\n").replace("\r", "\n"))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:
            return ""
    return ""


def top_level_keys(head: str) -> tuple[str, ...]:
    """The keys of a JSON object, or of the first object of an array or of JSON lines, as far as ``head`` shows.

    ``head`` may be cut off anywhere; an empty tuple when it does not begin as such JSON.
    """
    decoder = json.JSONDecoder()
    place = _skip(head, 0)
    if head[place : place + 1] == "[":
        place = _skip(head, place + 1)
    if head[place : place + 1] != "{":
        return ()
    place += 1
    keys: list[str] = []
    try:
        while True:
            place = _skip(head, place)
            if head[place : place + 1] != '"':
                break
            key, place = decoder.raw_decode(head, place)
            place = _skip(head, place)
            if head[place : place + 1] != ":":
                break
            keys.append(storable(key))
            _, place = decoder.raw_decode(head, _skip(head, place + 1))
            place = _skip(head, place)
            if head[place : place + 1] != ",":
                break
            place += 1
    except (ValueError, RecursionError):
        pass
    return tuple(keys)


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
