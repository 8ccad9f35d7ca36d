"""Moments as a person here reads them. The store and the runs keep UTC."""

from __future__ import annotations

from datetime import datetime


def local(at: str, form: str = "%Y-%m-%d %H:%M") -> str:
    """An ISO 8601 moment in the time of this machine; a text that is none comes back cut to the minute."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime(form)
    except ValueError:
        return at[:16].replace("T", " ")
