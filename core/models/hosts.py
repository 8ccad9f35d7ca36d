"""Which host an address names, and whether that is this machine for certain."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_PORT = re.compile(r":[0-9]{1,5}$")


def host_of(base_url: str) -> str:
    """``name:port`` of an address, in lower case; an IPv6 address in brackets. Raises ValueError for what is none."""
    parts = urlsplit(base_url)
    port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    return f"{_bracketed(_plain(parts.hostname or ''))}:{port}"


def spellings(host: str) -> tuple[str, str]:
    """How consent for ``name:port`` may be written: with the port, and without it."""
    name, _, _ = host.rpartition(":")
    return (host, name.strip("[]"))


def as_written(host: str) -> str:
    """A host that a person wrote, in the form it is compared in: lower case, no address around it.

    Empty where the text names no host.
    """
    text = host.strip().lower()
    if "://" in text:
        try:
            text = host_of(text) if urlsplit(text).hostname else ""
        except ValueError:
            return ""
    if _is_address(text.removeprefix("[").removesuffix("]")):
        return text.strip("[]")
    name, colon, port = text.rpartition(":") if _PORT.search(text) else (text, "", "")
    if _is_address(name.strip("[]")) if name.startswith("[") else _NAME.fullmatch(_plain(name)):
        return f"{_plain(name)}{colon}{port}"
    return ""


def is_loopback(host: str) -> bool:
    """Whether ``name:port`` can only be this machine.

    An address of 127.0.0.0/8, ::1, or the name ``localhost`` where it resolves to nothing else. Any other name is not,
    even one that resolves to loopback now: whoever owns it decides where it leads at the next look.
    """
    name = spellings(host)[1]
    if name == "localhost":
        try:
            found = socket.getaddrinfo(name, None)
        except OSError:
            return False
        return bool(found) and all(_is_loopback_address(str(each[4][0])) for each in found)
    return _is_loopback_address(name)


def answers_at(base_url: str, within: float = 5.0) -> str:
    """Why nothing accepts connections at an address, or an empty string. Sends nothing."""
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), within).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback_address(text: str) -> bool:
    if not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
