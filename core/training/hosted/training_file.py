"""The file that a host trains on: one sample a line, in OpenAI's chat format, checked before it leaves.

The host would refuse a bad file too, but only after the words are there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from core.dataset.export import messages_line
from core.store.datasets import ExampleRow

LEAST_SAMPLES = 10
"""Fewer are refused (OpenAI's guide to supervised fine-tuning)."""
MOST_BYTES = 512 * 1024 * 1024
"""Of one file (OpenAI's files interface)."""
MOST_TOKENS = 65_536
"""Of one sample (OpenAI's guide, for its models of 2024 and since)."""
ROLES = frozenset(("system", "user", "assistant"))


def content_of(rows: Sequence[ExampleRow]) -> bytes:
    """The file's bytes: the same as ``dataset export --to openai`` writes."""
    return "".join(messages_line(row) for row in rows).encode("utf-8", "backslashreplace")


def problems_of_rows(rows: Sequence[ExampleRow]) -> list[str]:
    """What the file's format cannot say of the samples, one line for each problem."""
    problems = []
    for number, row in enumerate(rows, start=1):
        if row.tokens > MOST_TOKENS:
            problems.append(f"sample {number} has {row.tokens} tokens, more than {MOST_TOKENS}")
        said = [message for message in row.messages if message["role"] == "assistant"]
        if any(message.get("head") for message in said):
            problems.append(
                f"sample {number} holds memories in its answers, and the host would train on them:"
                ' set [dataset] memory_form = "question" and build it again'
            )
        elif not all(message.get("trained") for message in said):
            problems.append(f"sample {number} holds an answer that is not to be trained, and the host would")
    return problems


def problems_of(content: bytes) -> list[str]:
    """What is wrong with a file, one line for each problem; empty for a good one."""
    lines = content.decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    problems = []
    if len(content) > MOST_BYTES:
        problems.append(f"the file has {len(content):,} bytes, more than {MOST_BYTES:,}")
    if len(lines) < LEAST_SAMPLES:
        problems.append(f"the file has {len(lines)} samples, fewer than {LEAST_SAMPLES}")
    for number, line in enumerate(lines, start=1):
        problem = _problem(line)
        if problem:
            problems.append(f"sample {number} {problem}")
    return problems


def _problem(line: str) -> str:
    """The first problem of a sample, or an empty string."""
    try:
        loaded = json.loads(line)
    except (ValueError, RecursionError):
        return "is not JSON"
    messages = loaded.get("messages") if isinstance(loaded, dict) else None
    if not isinstance(messages, list) or not messages:
        return "has no messages"
    if not all(_is_message(message) for message in messages):
        return f"has a message without a role of {', '.join(sorted(ROLES))} and a text"
    roles = [message["role"] for message in messages]
    if "system" in roles[1:]:
        return "has a system message that is not the first"
    if roles[-1] != "assistant":
        return "does not end with an answer"
    spoken = [role for role in roles if role != "system"]
    if spoken != ["user", "assistant"] * (len(spoken) // 2):
        return "does not go from a question to its answer"
    empty = next((m["role"] for m in messages if not m["content"].strip()), "")
    return f"has an empty {'answer' if empty == 'assistant' else f'{empty} message'}" if empty else ""


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ROLES and isinstance(message.get("content"), str)
