"""Which interface a persona is asked by, and what does not go with it, in one clear line."""

from __future__ import annotations

import pytest

from core.errors import SettingsError
from core.settings import parse_settings

SERVER = 'engine = "endpoint"\nmodel = "m"\nbase_url = "http://127.0.0.1:8000/v1"\n'


def test_a_persona_gets_its_prompt_rendered_unless_it_says_chat() -> None:
    assert parse_settings("", "persona.toml").models.persona.api == "completions"
    assert parse_settings(f'[models.persona]\n{SERVER}api = "chat"', "persona.toml").models.persona.api == "chat"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[models.persona]\nengine = "llama.cpp"\napi = "chat"',
            'persona.toml, line 1: models.persona: api = "chat" needs the engine',
        ),
        (f'[models.persona]\n{SERVER}api = "responses"', "persona.toml, line 5: models.persona.api: "),
        (f'[models.writer]\n{SERVER}api = "chat"', "persona.toml, line 5: models.writer.api: extra"),
        (
            f'[models.persona]\n{SERVER}api = "chat"\n[dataset]\nmemory_form = "thinking"',
            "persona.toml: messages cannot begin an answer with its thinking: set [dataset] memory_form",
        ),
    ],
)
def test_what_does_not_go_together_is_said_with_what_to_do(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as failed:
        parse_settings(text, "persona.toml")
    assert str(failed.value).startswith(told)
    assert "\n" not in str(failed.value)
