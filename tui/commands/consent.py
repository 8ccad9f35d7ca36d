"""``simulee consent``: which hosts may receive words."""

from __future__ import annotations

from typing import Annotated

import typer

from core.calls.hosts import forget_host, known_hosts, let_host
from tui.face import Face, command, group, table
from tui.moments import local

app = group("Which hosts may receive your words.")

_Host = Annotated[str, typer.Argument(metavar="HOST", help="As in api.example.org, or with a port.")]


@command(app, "list")
def list_(face: Face) -> None:
    """Every host that a role or a consent names, and whether it may receive words.

    Example: simulee consent list
    """
    hosts = known_hosts(face.workspace())
    rows = [
        {
            "host": each.host, "allowed": each.allowed, "by": each.by, "granted_at": each.granted_at,
            "roles": list(each.roles),
        }
        for each in hosts
    ]  # fmt: skip
    shown = [
        [
            each.host,
            "may receive words" if each.allowed else "NOT ALLOWED",
            each.by + (f", {local(each.granted_at)}" if each.granted_at else ""),
            ", ".join(each.roles),
        ]
        for each in hosts
    ]
    nothing = ["no host is named: everything stays on this machine"]
    face.result({"hosts": rows}, table(shown, ("host", "", "by", "roles")) if rows else nothing)


@command(app)
def grant(face: Face, host: _Host) -> None:
    """Let a host receive the words that its roles are asked about.

    Example: simulee consent grant api.example.org
    """
    name = let_host(face.workspace(), host)
    face.result({"host": name, "allowed": True}, [f"{name} may receive words; simulee ledger shows what it gets"])


@command(app)
def revoke(face: Face, host: _Host) -> None:
    """Let nothing more go to a host; holds at once, also for runs under way.

    Example: simulee consent revoke api.example.org
    """
    name = forget_host(face.workspace(), host)
    face.result({"host": name, "allowed": False}, [f"nothing more goes to {name}"])
