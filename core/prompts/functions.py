"""Function calling: the persona's three functions as an OpenAI-compatible interface takes them, and what it calls.

They are the plain-text commands in another form: what was called becomes a ``Command``, and from there on nobody asks
which form it had. What a server calls is hostile: any name, any arguments, which need not be JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.dates import DateSpan
from core.prompts.commands import LONGEST, Command
from core.prompts.messages import Call, Message

_WORDS = {"type": "string", "description": "a few words that say what to look for"}
_DATE = "YYYY, YYYY-MM or YYYY-MM-DD"


def _function(name: str, description: str, properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    parameters = {
        "type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False,
    }  # fmt: skip
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


FUNCTIONS: tuple[dict[str, Any], ...] = (
    _function(
        "recall",
        "Recall your own memories: what you wrote and said. Do it before you answer what is about your life.",
        {
            "words": _WORDS,
            "before": {"type": "string", "description": f"only what is older than this date: {_DATE}"},
            "after": {"type": "string", "description": f"only what is newer than this date: {_DATE}"},
        },
        ["words"],
    ),
    _function("journal", "Look into your journal alone.", {"words": _WORDS}, ["words"]),
    _function("today", "Which day it is.", {}, []),
)
"""What a request offers as ``tools``."""

_DATED = re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}")
_MARKS = re.compile(r"[\[\]|\s]+")
"""What would end a command early, or begin a part of it."""
_STRANGE = re.compile(r"[^A-Za-z0-9_-]+")


def read_call(name: str, arguments: str) -> Command:
    """What a called function asks for; with a ``problem`` where it cannot be understood. Never raises."""
    known = name if name in ("recall", "journal", "today") else ""
    try:
        given = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not known:
        # Sent back as it was called, as far as an interface takes the name.
        shown = _STRANGE.sub("_", name)[:64] or "unnamed"
        return Command(shown, f"[{shown}]", problem="there is no such function: recall, journal and today are")
    if known == "today":
        return Command("today", "[today]")
    if not isinstance(given, dict):
        return Command(known, f"[{known}]", problem="the arguments are no JSON object")
    words, after, before = given.get("words"), _date_of(given.get("after")), _date_of(given.get("before"))
    said = _MARKS.sub(" ", words).strip() if isinstance(words, str) else ""
    # JSON can spell half a character, which nothing can store.
    said = said.encode("utf-8", "replace").decode()[:LONGEST].strip()
    if not said:
        return Command(known, f"[{known}]", problem="words to look for are missing")
    if after is None or before is None:
        return Command(known, f"[{known}: {said}]", said, problem=f"write a date as {_DATE}")
    narrowed = (f" | after {after}" if after else "") + (f" | before {before}" if before else "")
    return Command(known, f"[{known}: {said}{narrowed}]", said, after, before)


def call_of(command: Command, number: int) -> Call:
    """A command as a call that can be sent back; ``number`` counts the calls of one answer, from 1.

    Its arguments are written anew, since servers refuse a talk with arguments that are no JSON.
    """
    given = {"words": command.words, "before": command.before, "after": command.after}
    arguments = json.dumps({key: value for key, value in given.items() if value}, ensure_ascii=False)
    # Nine letters and digits: Mistral's servers take no other uid, and all others take this.
    return Call(f"call{number:05d}", command.name, arguments, command.text)


def sent_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as a chat interface takes them."""
    sent: list[dict[str, Any]] = []
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.calls:
            one["content"] = message.content or None
            one["tool_calls"] = [
                {
                    "id": call.uid,
                    "type": "function",
                    "function": {"name": call.function, "arguments": call.arguments},
                }
                for call in message.calls
            ]
        if message.answers:
            one["tool_call_id"] = message.answers
        sent.append(one)
    return sent


def _date_of(value: object) -> str | None:
    """A date as a command takes it; empty where none is given, None for what is none."""
    if value is None or value == "":
        return ""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    said = text.strip() if isinstance(text, str) else ""
    return said if _DATED.fullmatch(said) and DateSpan.parse(said).known else None
