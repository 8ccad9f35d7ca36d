"""What is read of the messages that chat programs send."""

from __future__ import annotations

from typing import Any

import pytest

from core.twin.protocol import ChatRequest
from core.twin.serving.heard import Heard, heard
from core.twin.serving.refusals import Refusal


def hear(*messages: tuple[str, str] | tuple[str, str, str], **fields: Any) -> Heard:
    sent = [dict(zip(("role", "content", "name"), each, strict=False)) for each in messages]
    return heard(ChatRequest.model_validate({"messages": sent, **fields}))


def test_a_room_s_messages_before_an_answer_are_one_question_that_names_its_people() -> None:
    room = hear(
        ("user", "Good evening.", "Ines Calder"),
        ("assistant", "Evening."),
        ("user", "Who pays?", "Ines Calder"),
        ("user", "And why?", "Tom"),
    )
    assert [(turn.asker, turn.question, turn.answer) for turn in room.turns] == [
        ("Ines Calder", "Good evening.", "Evening.")
    ]
    assert (room.asker, room.question) == ("Ines Calder and Tom", "Ines Calder: Who pays?\nTom: And why?")


def test_one_person_s_messages_are_one_question_without_a_name_in_it() -> None:
    assert hear(("user", "Hm."), ("user", "Why?"), speaker="Tom").question == "Hm.\nWhy?"
    assert hear(("user", "Why?"), speaker="Tom").asker == "Tom"
    assert hear(("user", "Why?", "Ines"), speaker="Tom").asker == "Ines"


def test_cards_and_instructions_around_the_talk_change_nothing() -> None:
    talk = (("user", "Why?"), ("assistant", "Because."), ("user", "Truly?"))
    plain = hear(*talk)
    carded = hear(("system", "You are Napoleon. " * 900), *talk, ("system", "Write in verse."), ("tool", "{}"))
    assert carded == plain


def test_a_greeting_that_the_character_said_first_is_kept() -> None:
    greeted = hear(("system", "card"), ("assistant", "Come in."), ("assistant", "Sit down."), ("user", "Thanks."))
    assert [(turn.question, turn.answer) for turn in greeted.turns] == [("", "Come in.\nSit down.")]


def test_a_history_is_known_again_and_another_one_is_not() -> None:
    first = hear(("user", "Why?", "Ines"))
    assert first.history == ""
    second = hear(("user", "Why?", "Ines"), ("assistant", " Because.\n"), ("user", "Truly?"))
    assert second.history == first.history_with("Because.")
    assert second.history != hear(("user", "Why?", "Tom"), ("assistant", "Because."), ("user", "Truly?")).history
    other = hear(("user", "Why?", "Ines"), ("assistant", "Because."), ("user", "Truly?"), as_of="2019")
    assert second.history != other.history


@pytest.mark.parametrize(
    "messages",
    [[("system", "card")], [("user", "  ")], [("user", "Why?"), ("assistant", "Because")]],
    ids=["no question", "blank", "an answer that is begun"],
)
def test_without_a_question_at_the_end_it_is_refused(messages: list[tuple[str, str]]) -> None:
    with pytest.raises(Refusal) as refused:
        hear(*messages)
    assert refused.value.status == 400
