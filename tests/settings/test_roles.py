"""The engines of the roles: a role of which only a part is set has the rest of its default."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.doctor import check_workspace
from core.settings.models import CAPS, DEFAULTS, ModelSettings
from core.workspace import SETTINGS_FILE, Workspace


def test_an_engine_alone_keeps_the_role_s_model() -> None:
    models = ModelSettings.model_validate({"persona": {"engine": "transformers"}, "judge": {"attempts": 2}})
    assert (models.persona.engine, models.base) == ("transformers", DEFAULTS["persona"]["model"])
    assert (models.judge.engine, models.judge.model, models.judge.attempts) == (*DEFAULTS["judge"].values(), 2)
    assert models.writer.engine == "extractive"


def test_a_model_alone_keeps_the_role_s_engine() -> None:
    models = ModelSettings.model_validate({"persona": {"model": "some/other"}})
    assert (models.persona.engine, models.base) == ("llama.cpp", "some/other")


@pytest.mark.parametrize(
    ("role", "given", "why"),
    [
        ("writer", {"engine": "llama.cpp"}, "the engine llama.cpp needs a model"),
        ("persona", {"engine": "transformers", "model": ""}, "the engine transformers needs a model"),
        ("persona", {"engine": "endpoint", "base_url": "http://127.0.0.1:1/v1"}, "needs base_url and model"),
        ("persona", {"model": "m", "base_url": "http://127.0.0.1:1/v1"}, "persona.engine\n  Field required"),
        ("judge", {"api_key_env": "KEY"}, "judge.engine\n  Field required"),
        ("writer", {"model": "some/other"}, "writer.engine\n  Field required"),
        ("persona", 7, "persona"),
    ],
)
def test_what_is_missing_is_told(role: str, given: object, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ModelSettings.model_validate({role: given})


HERE = {"engine": "llama.cpp", "model": "m", "price": {"answer": 1.0}}
SERVED = {"engine": "endpoint", "model": "m", "base_url": "http://h/v1", "price": {"answer": 1.0}}


@pytest.mark.parametrize(
    ("given", "idle"),
    [
        ({}, set()),
        (HERE | {"attempts": 5, "batch": False}, set()),
        ({"attempts": 2}, {"attempts"}),
        (HERE | dict.fromkeys(CAPS, 4), set(CAPS)),
        (SERVED | {"batch": True, "attempts": 2}, {"attempts", "batch"}),
        (SERVED | dict.fromkeys(CAPS, 4), set()),
    ],
)
def test_what_does_nothing_for_a_persona_is_taken_and_known(given: dict[str, object], idle: set[str]) -> None:
    assert ModelSettings.model_validate({"persona": given}).persona.idle.keys() == idle


def test_a_workspace_whose_persona_has_settings_that_do_nothing_opens_and_the_doctor_names_them(
    workspace: Workspace,
) -> None:
    with (workspace.root / SETTINGS_FILE).open("a") as file:
        file.write("\n[models.persona]\nattempts = 2\nmax_calls = 4\n")
    checks = {each.name: each for each in check_workspace(Workspace.open(workspace.root), False, False)}
    for name in ("attempts", "max_calls"):
        check = checks[f"setting models.persona.{name}"]
        assert check.ok
        assert check.detail.startswith("does nothing: ")
