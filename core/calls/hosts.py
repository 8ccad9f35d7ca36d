"""Consent as a person gives it, sees it and takes it back."""

from __future__ import annotations

from dataclasses import dataclass

from core.calls.consent import allowed
from core.calls.ledger import moment
from core.errors import UsageError
from core.models.hosts import as_written, host_of, is_loopback, spellings
from core.store.consents import grant_consent, list_consents, revoke_consent
from core.workspace import SETTINGS_FILE, Workspace

TRAINING = "training"
"""What stands for a role in the ledger and the list of hosts where a host fine-tunes."""


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that a role asks, or that may receive words."""

    host: str
    allowed: bool
    by: str
    """``this machine``, ``persona.toml``, ``consent``, or empty."""
    granted_at: str
    roles: tuple[str, ...]
    """Roles whose endpoint it is."""


def known_hosts(workspace: Workspace) -> list[KnownHost]:
    """Every host that a role's endpoint, ``persona.toml`` or a person's consent names."""
    settings = workspace.settings
    roles: dict[str, list[str]] = {}
    for name, role in settings.models:
        if role.engine == "endpoint":
            roles.setdefault(host_of(role.base_url), []).append(name)
    if settings.training.hosted.address:
        roles.setdefault(host_of(settings.training.hosted.address), []).append(TRAINING)
    granted = {row.host: row.granted_at for row in list_consents(workspace.database)}
    written = [as_written(each) for each in settings.privacy.consent]
    hosts = []
    for host, played in roles.items():
        said = spellings(host)
        at = next((granted[each] for each in said if each in granted), "")
        by = (
            "this machine" if is_loopback(host)
            else SETTINGS_FILE if any(each in said for each in written)
            else "consent" if at
            else ""
        )  # fmt: skip
        may = is_loopback(host) or allowed(host, settings.privacy, workspace.database)
        hosts.append(KnownHost(host, may, by, at, tuple(played)))
    asked = {each for host in roles for each in spellings(host)}
    hosts += [KnownHost(host, True, SETTINGS_FILE, "", ()) for host in written if host not in asked]
    hosts += [
        KnownHost(host, True, "consent", at, ()) for host, at in granted.items() if host not in (*asked, *written)
    ]
    return hosts


def let_host(workspace: Workspace, host: str) -> str:
    """Write a person's consent down; returns the host as it is compared. Raises UsageError for what names no host."""
    name = _named(host)
    grant_consent(workspace.database, name, moment())
    return name


def forget_host(workspace: Workspace, host: str) -> str:
    """Take consent back. Raises UsageError where there was none, or where ``persona.toml`` gives it."""
    name = _named(host)
    had = revoke_consent(workspace.database, name)
    if name in [as_written(each) for each in workspace.settings.privacy.consent]:
        raise UsageError(f"{name} is allowed by persona.toml", "take it out of [privacy] consent")
    if not had:
        raise UsageError(f"{name} was not allowed anything", "simulee consent list")
    return name


def _named(host: str) -> str:
    name = as_written(host)
    if not name:
        raise UsageError(f"{host!r} names no host", "write it as in api.example.org, or with a port")
    return name
