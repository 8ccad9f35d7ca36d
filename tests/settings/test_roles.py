"""The engines of the roles: a role of which only a part is set has the rest of its default."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.settings.models import DEFAULTS, ModelSettings


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
        ("persona", {"attempts": 2}, "attempts is not a setting of the persona"),
        ("persona", {"engine": "endpoint", "model": "m", "base_url": "http://h/v1", "batch": True}, "batch is not"),
        ("persona", {"max_calls": 4}, "max_calls of the persona needs the engine endpoint"),
    ],
)
def test_what_is_missing_is_told(role: str, given: object, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ModelSettings.model_validate({role: given})
