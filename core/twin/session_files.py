"""Sessions as files for other programs: Markdown, OpenAI's messages, SillyTavern's chats.

In the two formats of JSON lines an answer is what stands for it: the one that is preferred, in the words of its
correction. SillyTavern's chats hold the others too, as swipes. A line break inside a line would end it for many readers
of such files, so every character that anybody takes for one is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.atomic import write_atomically
from core.errors import UsageError
from core.store.identity import row_number
from core.twin.transcript import Asking, Said, Transcript, as_markdown, load_transcript
from core.workspace import Workspace

FORMATS = {"markdown": "md", "messages": "messages.jsonl", "sillytavern": "sillytavern.jsonl"}
"""Name → how the name of such a file ends."""
NOBODY = "You"
"""Who asks where nobody said who they are; SillyTavern's own name for them."""

_BREAKS = re.compile("[\x85\u2028\u2029]")


def session_number(reference: str) -> int:
    """The number in ``12`` or ``s12``. Raises UsageError for anything else."""
    number = row_number(reference if reference.startswith("s") else f"s{reference}", "s")
    if number < 0:
        raise UsageError(f"{reference!r} is no session", "`simulee sessions list` shows their ids")
    return number


def check_format(name: str) -> None:
    """Raises UsageError for a format that is not one of ``FORMATS``."""
    if name not in FORMATS:
        raise UsageError(f"no export format {name!r}", f"choose one of: {', '.join(FORMATS)}")


def export_session(workspace: Workspace, session_id: int, format_name: str, path: Path | None = None) -> Path:
    """Write a session, mode 0600; into ``exports/`` where no path is named. Returns the file. Raises UsageError."""
    check_format(format_name)
    path = path or workspace.exports / f"session-{session_id}.{FORMATS[format_name]}"
    text = session_text(load_transcript(workspace, session_id), workspace.target, format_name)
    try:
        if path.parent == workspace.exports:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", "check the folder and the space on the disk"
        ) from None
    return path


def session_text(transcript: Transcript, target: str, format_name: str) -> str:
    """A session in one of ``FORMATS``."""
    if format_name == "messages":
        return as_messages(transcript)
    return as_sillytavern(transcript, target) if format_name == "sillytavern" else as_markdown(transcript, target)


def as_messages(transcript: Transcript) -> str:
    """One line ``{"messages": [{"role", "content"}, …]}``, as fine-tuning reads them.

    An empty answer is none; nor is one that was stopped or broke off, unless a person corrected it or called it good.
    """
    messages = []
    for asking in transcript.asked:
        messages.append({"role": "user", "content": asking.question})
        if (words := standing_words(asking)) and _is_whole(asking.answer):
            messages.append({"role": "assistant", "content": words})
    return _lines([{"messages": messages}])


def as_sillytavern(transcript: Transcript, target: str) -> str:
    """A chat of SillyTavern: its header, then ``name, is_user, send_date, mes`` for each message."""
    session = transcript.session
    askers = [asking.asker for asking in transcript.asked if asking.asker]
    rows: list[dict[str, Any]] = [
        {
            "user_name": askers[0] if askers else NOBODY,
            "character_name": target,
            "create_date": session.created_at,
            # Whoever reads it in again can tell that a twin said this, and not the person.
            "chat_metadata": {"simulee": {"session": session.id, "as_of": session.as_of, "adapter": session.adapter}},
        }
    ]
    for asking in transcript.asked:
        rows.append(_row(asking.asker or NOBODY, True, asking.at, asking.question))
        said = asking.answer
        if said is None or not (words := standing_words(asking)):
            continue
        swipes = [each.text for each in asking.answers]
        place = asking.standing
        if said.correction:
            place = len(swipes)
            swipes.append(said.correction)
        row = _row(target, False, said.at, words)
        rows.append(row | ({"swipes": swipes, "swipe_id": place} if len(swipes) > 1 else {}))
    return _lines(rows)


def standing_words(asking: Asking) -> str:
    """What stands as the answer to a question: the correction of it, else its text; empty where there is none."""
    return (asking.answer.correction or asking.answer.text) if asking.answer else ""


def _is_whole(said: Said | None) -> bool:
    """Whether an answer came to its end, or a person has made it one."""
    return said is not None and (not (said.stopped or said.broken) or bool(said.correction) or said.rating > 0)


def _row(name: str, is_user: bool, at: str, words: str) -> dict[str, Any]:
    return {"name": name, "is_user": is_user, "is_system": False, "send_date": at, "mes": words, "extra": {}}


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
