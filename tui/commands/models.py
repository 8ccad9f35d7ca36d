"""``simulee models``: roles, engines, and what each needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from core.errors import WorkspaceError
from core.models.roles import role_states
from core.settings import Settings
from tui.face import Face, command, group, table

app = group("Roles, engines, and what each needs.")


@app.callback()
def models() -> None:
    """Roles, engines, and what each needs."""


@command(app, "list")
def list_(face: Face) -> None:
    """Which engine plays each role here, and where the packaged models are.

    Example: simulee models list
    """
    _show(face, [asdict(state) for state in role_states(_settings(face))])


@command(app)
def test(face: Face) -> None:
    """Load the embedder and put one tiny question to each model: speed, JSON schema, chances.

    Example: simulee models test
    """
    from core.trial import try_roles

    rows = []
    for trial in try_roles(face.workspace()):
        rows.append(asdict(trial))
        face.note(f"  {trial.role}: {'ok' if trial.ok else 'NOT OK'}")
    _show(face, rows, ("seconds", "schema", "chances"))
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


@command(app)
def pull(face: Face) -> None:
    """Fetch from the model hub what the roles name and this machine lacks.

    Example: simulee models pull
    """
    from core.trial import pull_models

    rows = []
    for pulled in pull_models(_settings(face)):
        rows.append({key: getattr(pulled, key) for key in ("role", "engine", "model", "ok", "detail")})
        face.note(f"  {pulled.role}: {pulled.detail}")
    _show(face, rows)


def _settings(face: Face) -> Settings:
    try:
        return face.workspace().settings
    except WorkspaceError:
        if face.folder:
            raise
        return Settings()


def _show(face: Face, rows: Sequence[dict[str, Any]], more: Sequence[str] = ()) -> None:
    shown = []
    for row in rows:
        state = "ok" if row["ok"] else "NOT OK"
        shown.append(
            [row["role"], row["engine"], row["model"], state, *(_cell(row[key]) for key in more), row["detail"]]
        )
    face.result({"models": rows}, table(shown, ("role", "engine", "model", "", *more, "")))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
