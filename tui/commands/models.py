"""``simulee models``: roles, engines, and what each needs."""

from __future__ import annotations

from core.errors import SimuleeError, WorkspaceError
from core.models.packaged import describe
from core.models.roles import ENGINES, check_role
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
    packaged = {model.name: model for model in describe()}
    rows = []
    for role in ENGINES:
        chosen = getattr(settings.models, role)
        try:
            check_role(role, chosen)
            ok, detail = True, ""
        except SimuleeError as error:
            ok, detail = False, f"{error.message}: {error.hint}"
        if ok and chosen.model in packaged:
            model = packaged[chosen.model]
            detail = f"packaged ({model.package})" if model.location else f"from the model hub: {model.hub}"
        rows.append({"role": role, "engine": chosen.engine, "model": chosen.model, "ok": ok, "detail": detail})
    face.result(
        {"models": rows},
        table([[r["role"], r["engine"], r["model"], "ok" if r["ok"] else "NOT OK", r["detail"]] for r in rows],
              ("role", "engine", "model", "", "")),
    )  # fmt: skip
