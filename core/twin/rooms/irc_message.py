"""IRC's messages: one line each, with IRCv3's tags before it (modern.ircdocs.horse, ircv3.net/specs/extensions).

Reading never raises for what a server sends, and writing raises for what could be two messages. No library: irctokens
2.0.2 (of 2022) and pydle 1.2.0 both raise for a line of tags alone, the second inside its own reader, which also makes
a task of each message without a bound; irc 20.5 brings a loop of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_RECEIVED = 8191 + 512
"""Bytes: IRCv3's tags and a message."""
LONGEST_SENT = 512
"""Bytes of a message with its line's end, by RFC 2812 2.3."""
_FREE_TEXT = frozenset(("PRIVMSG", "QUIT", "CAP", "PONG"))
"""Commands whose last parameter is always marked as one."""
_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as it was received."""

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def nick(self) -> str:
        """Who it comes from, without user and host."""
        return self.source.partition("!")[0].partition("@")[0]

    def param(self, place: int) -> str:
        """A parameter, or an empty string."""
        return self.params[place] if -len(self.params) <= place < len(self.params) else ""


def read_message(line: bytes) -> Message | None:
    """A line as a message, bad bytes replaced; None for one that has no command."""
    rest = line.decode("utf-8", "replace").replace("\0", "").strip("\r\n").lstrip(" ")
    tags: dict[str, str] = {}
    source = ""
    if rest.startswith("@"):
        written, _, rest = rest[1:].partition(" ")
        for tag in written.split(";"):
            key, _, value = tag.partition("=")
            if key:
                tags[key] = _unescaped(value)
        rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
        rest = rest.lstrip(" ")
    rest, colon, trailing = rest.partition(" :")
    command, *params = rest.split(" ") if rest else [""]
    if not command or command.startswith(":"):
        return None
    params = [each for each in params if each]
    return Message(command.upper(), (*params, trailing) if colon else tuple(params), source, tags)


def write_message(command: str, *params: str, tags: dict[str, str] | None = None) -> bytes:
    """A message with its line's end; the last parameter may hold spaces. Raises ValueError for what is not one
    message of at most 512 bytes."""
    *middle, last = params if params else ("",)
    if any(not each or " " in each or each.startswith(":") for each in (command, *middle)):
        raise ValueError(f"not a parameter of {command}")
    marked = f":{last}" if command in _FREE_TEXT or not last or " " in last or last.startswith(":") else last
    body = " ".join([command, *middle, *([marked] if params else [])])
    head = "@" + ";".join(f"{key}={_escaped(value)}" for key, value in tags.items()) + " " if tags else ""
    if any(each in head + body for each in "\r\n\0"):
        raise ValueError("a message is one line")
    line = f"{body}\r\n".encode()
    if len(line) > LONGEST_SENT:
        raise ValueError(f"a message of {len(line)} bytes")
    return head.encode() + line


def _unescaped(value: str) -> str:
    said = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            character = _ESCAPES.get(following, following)
        said.append(character)
    return "".join(said)


def _escaped(value: str) -> str:
    for mark, character in (("\\", "\\"), (":", ";"), ("s", " "), ("r", "\r"), ("n", "\n")):
        value = value.replace(character, f"\\{mark}")
    return value
