"""``simulee models``: roles, engines, and what each needs."""

from __future__ import annotations

from dataclasses import asdict

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
    try:
        settings = face.workspace().settings
    except WorkspaceError:
        if face.folder:
            raise
        settings = Settings()
    rows = [asdict(state) for state in role_states(settings)]
    face.result(
        {"models": rows},
        table([[r["role"], r["engine"], r["model"], "ok" if r["ok"] else "NOT OK", r["detail"]] for r in rows],
              ("role", "engine", "model", "", "")),
    )  # fmt: skip
