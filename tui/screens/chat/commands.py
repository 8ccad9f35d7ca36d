"""What begins with a slash in the input: the commands of a talk, and how a line is read."""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = {
    "as-of": "DATE: talk with the person of that date; without one, of today",
    "memories": "on or off: whether passages are recalled",
    "hybrid": "on or off: whether answers are merged from facts and a simulated chat",
    "who": "NAME: who you are to them; without one, nobody in particular",
    "recall": "WORDS: look passages up, as the twin does",
    "wrong": "IT IS …: what is so instead; it outranks every memory. [since DATE] at its end dates it",
    "never": "WORDS: never say them again",
    "retry": "answer the last question again",
    "find": "WORDS: the sessions in which they were said",
    "save": "write this session to a file",
    "export": "FORMAT: the same as markdown, messages or sillytavern",
    "forget": "remove this session for good",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command as it was typed."""

    name: str
    rest: str


def read(text: str) -> Command | None:
    """The command in a line, or None where it is something to say. ``name`` is empty for an unknown one."""
    if not text.startswith("/"):
        return None
    word, _, rest = text[1:].strip().partition(" ")
    name = word.casefold().replace("_", "-")
    return Command(name if name in COMMANDS else "", rest.strip() if name in COMMANDS else word)


def listing() -> str:
    """The names in one line."""
    return " ".join(f"/{name}" for name in COMMANDS)
