"""Stable identities: the same content gives the same uid on every machine and after every restart."""

from __future__ import annotations

import hashlib
import json


def content_uid(*parts: object) -> str:
    """16 hex digits over the parts, in order; JSON keeps their borders apart."""
    data = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()[:16]
