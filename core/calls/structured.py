"""A model's answer read into a typed value, strictly: what is not exactly that is refused, and nothing is mended.

Two forms: a JSON object, for models that can be held to a schema, and labelled lines, for those that cannot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.models.generation import CallFailed, Told

T = TypeVar("T", bound=BaseModel)

LONGEST_ANSWER = 64 * 1024
"""Characters; a memory has a few hundred."""
MOST_DIGITS = 32
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def read_json(told: Told, model: type[T]) -> T:
    """The answer as ``model``, types taken strictly. One ```` ```json ```` fence and white space around it may stand.

    Raises CallFailed: ``length`` for a cut answer, ``not json`` for what is no single JSON object, ``not text`` for
    NULs and lone surrogates, ``wrong shape`` for everything that the model does not hold.
    """
    text = _whole(told)
    fenced = _FENCED.fullmatch(text)
    try:
        loaded = json.loads(
            fenced[1] if fenced else text,
            object_pairs_hook=_once_each,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise _refused("not json", "the answer is nested too deeply") from None
    except ValueError as error:
        raise _refused("not json", f"the answer is not JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise _refused("not json", f"the answer is no JSON object but a {type(loaded).__name__}")
    # JSON can spell what raw text cannot hold: "\u0000", "\ud800".
    check_text(loaded)
    try:
        return model.model_validate(loaded, strict=True)
    except (ValidationError, RecursionError) as error:
        raise _refused("wrong shape", _first(error)) from None


def read_lines(told: Told, labels: Sequence[str], longest: int = 4000) -> dict[str, str]:
    """Label → words of an answer of labelled lines: each label once, in this order, every line begun by one.

    ``QUOTE: the tide came in`` is a line; a value has 1 to ``longest`` characters. Raises CallFailed.
    """
    lines = [line.strip() for line in _whole(told).splitlines() if line.strip()]
    if len(lines) != len(labels):
        raise _refused("wrong shape", f"the answer has {len(lines)} lines, not one each for {', '.join(labels)}")
    found = {}
    for label, line in zip(labels, lines, strict=True):
        head, colon, value = line.partition(":")
        if not colon or head.strip().casefold() != label.casefold():
            raise _refused("wrong shape", f"a line begins otherwise than {label}:")
        if not 0 < len(value.strip()) <= longest:
            raise _refused("wrong shape", f"{label} has {len(value.strip())} characters")
        found[label] = value.strip()
    return found


def read_choice(told: Told, choices: Sequence[str]) -> str:
    """The one of ``choices`` that the answer is, whatever its case and the stop after it. Raises CallFailed."""
    said = told.text.strip().rstrip(".!").casefold()
    for choice in choices:
        if said == choice.casefold():
            return choice
    raise _refused("wrong shape", f"the answer is none of {', '.join(choices)}")


def check_text(value: object) -> None:
    """Raises CallFailed where a value of an answer holds a NUL or a lone surrogate, which no store keeps whole."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and _NOT_TEXT.search(each):
            raise _refused("not text", "the answer holds characters that are no text")
        if isinstance(each, Mapping):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each


def _whole(told: Told) -> str:
    if told.finish == "length":
        raise _refused("length", "the answer was cut")
    if len(told.text) > LONGEST_ANSWER:
        raise _refused("too long", f"the answer has {len(told.text)} characters")
    check_text(told.text)
    return told.text.strip()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _integer(digits: str) -> int:
    # Thousands of digits take Python quadratic time, and past 4,300 it refuses them with an error of its own.
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _first(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "the answer is nested too deeply"
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'answer'}: {first['msg']}"


def _refused(reason: str, message: str) -> CallFailed:
    """Asked again, the model may do better: such a failure is the item's, not the server's."""
    return CallFailed(reason, message, retryable=True)
