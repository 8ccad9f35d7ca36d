"""Names and parameters of a co-host, for those who start one without importing what it needs."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel

from core.dates import as_of_request
from core.errors import UsageError
from core.settings import RoomSettings

JOIN_KIND = "join"
JOIN_ENTRY = "core.twin.rooms.run:run"


class JoinParams(BaseModel):
    """What a co-host is asked, frozen with the settings that held when it was started."""

    link: Literal["irc", "websocket", "stdin"]
    nick: str
    how: RoomSettings
    server: str = ""
    channel: str = ""
    url: str = ""
    token_env: str = ""
    """The name of the variable that holds the token, never the token."""
    as_of: str = ""
    memories: bool = True


def token_from(variable: str) -> str:
    """The token, or an empty string where no variable is named. Raises UsageError where it holds none."""
    if not variable:
        return ""
    token = os.environ.get(variable, "").strip()
    if not token:
        raise UsageError(f"the variable {variable} holds no token", f"export {variable}=…, then start it again")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"what {variable} holds is no token", "a token is one word without spaces")
    return token


def checked_as_of(text: str) -> str:
    """A date, or an empty string. Raises UsageError for what is none."""
    if text and as_of_request(text) is None:
        raise UsageError(f"{text!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    return text
