"""What every section of ``persona.toml`` is: typed, frozen, and without room for a misspelled key."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

Use = Literal["train", "recall", "none"]
_BASE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#\\]*)?"
)
"""Nothing before the host and nothing after the path: no address that two readers could take for two hosts."""
BASE_URL_FORM = "without user, query or fragment, and with a port up to 65535 if with any"


def is_base_url(text: str) -> bool:
    """Whether this is the address of a server that could be, up to what stands before the path of a request."""
    if not _BASE_URL.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        if parts.netloc.startswith("["):
            ipaddress.IPv6Address(parts.hostname or "")
        return parts.port != 0
    except ValueError:
        return False


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    # What this module raises itself names keys and addresses, whose letters count.
    said = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else first["msg"].lower()
    return f"{'.'.join(str(part) for part in first['loc'])}: {said}"
