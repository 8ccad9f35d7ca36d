"""A room's messages carry who says them, and each name becomes the asker of its turn."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.prompts.render import PromptTurn
from core.twin.protocol import ChatRequest
from core.twin.serving.heard import heard


def test_a_name_is_the_asker_of_its_turn_and_the_speaker_of_what_has_none() -> None:
    asked = ChatRequest.model_validate(
        {
            "speaker": "Ines",
            "messages": [
                {"role": "user", "content": "Hello?", "name": "Joe"},
                {"role": "assistant", "content": "Yes."},
                {"role": "user", "content": "And now?", "name": None},
                {"role": "assistant", "content": "No."},
                {"role": "user", "content": "Why?", "name": "Ann\0"},
            ],
        }
    )
    assert heard(asked).turns == (PromptTurn("Hello?", "Joe", (), "Yes."), PromptTurn("And now?", "Ines", (), "No."))
    assert asked.messages[-1].name == "Ann"
    with pytest.raises(ValidationError):
        ChatRequest.model_validate({"messages": [{"role": "user", "content": "x", "name": "n" * 201}]})
