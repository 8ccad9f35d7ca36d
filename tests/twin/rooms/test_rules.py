"""When the twin speaks: by rules alone, over moments that the test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import RoomSettings
from core.twin.rooms.pace import MINUTE, Flood, Pace
from core.twin.rooms.room import Heard, Room
from core.twin.rooms.rules import addressed, asks_to_mute, due, is_bot, is_for_another, is_question

NAMES = ("adatwin", "Ada Marlow", "ada")


class Playing:
    """A room in which things are said at moments."""

    def __init__(self, **how: Any) -> None:
        self.room = Room()
        self.how = RoomSettings(**how)

    def say(self, name: str, text: str, at: float = 0.0, luck: float = 0.0, **heard: Any) -> int:
        said = Heard(name, text, **heard)
        line = self.room.hear(said, at, luck, addressed(said, NAMES, self.room.own_ids))
        return line.place if line else 0

    def why(self, now: float, likeness: dict[int, float] | None = None) -> str | None:
        found = due(self.room, self.how, now, likeness)
        return found.why if found else None

    def answer(self, at: float, ids: Sequence[str] = ()) -> None:
        self.room.answered(self.room.asked(), "So it is.", at, ids)


@pytest.mark.parametrize(
    "text",
    [
        "Ada, hello",
        "hello ada",
        "@ada hello",
        "hello @AdaTwin!",
        "(ada)",
        "ADA  MARLOW?",
        "was it ada's?",
        "adatwin: hm",
    ],
)
def test_a_line_that_names_it_is_addressed(text: str) -> None:
    assert addressed(Heard("joe", text), NAMES)


@pytest.mark.parametrize("text", ["canada", "adamant", "@adamant hi", "nevada?", "ada_fan said so", "e@ada hm", ""])
def test_a_part_of_a_word_is_no_name(text: str) -> None:
    assert not addressed(Heard("joe", text), NAMES)


def test_an_answer_to_its_line_is_addressed_and_one_to_another_is_not() -> None:
    play = Playing()
    play.say("joe", "ada?")
    play.answer(1.0, ["own-1"])
    play.say("joe", "really?", 2.0, reply_to="own-1")
    assert play.why(2.0) == "addressed"
    play.answer(3.0)
    play.say("joe", "really?", 4.0, reply_to="somebody-elses")
    assert play.why(4.0) is None
    assert is_for_another(Heard("joe", "really?", reply_to="x"), play.room)


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_line_breaks_the_rules(text: str, name: str) -> None:
    play = Playing(answer_when="worth")
    play.say(name, text)
    asks_to_mute(Heard(name, text), NAMES)
    is_bot(Heard(name, text))
    for now in (0.0, 30.0, 200.0, 1e9):
        play.why(now)


def test_no_line_is_answered_twice_nor_one_that_is_stale() -> None:
    play = Playing(answer_when="always")
    play.say("joe", "ada?")
    assert play.why(0.0) == "addressed"
    play.answer(1.0)
    assert play.why(1.0) is None
    play.say("joe", "ada, again?", 2.0)
    assert play.why(500.0) is None


def test_a_question_to_the_room_waits_for_others_first() -> None:
    play = Playing(answer_when="worth", open_question=20)
    play.say("joe", "does anybody know the tides?")
    assert play.why(19.0) is None
    assert play.why(21.0) == "open question"
    play.say("joe", "hello?", 22.0)
    assert play.why(23.0) == "open question", "who asks again has no answer yet"
    play.say("ann", "at six", 24.0)
    assert play.why(45.0) is None
    for text in ("@ann what do you say?", "ann: and you?", "just so", "ann, really?"):
        other = Playing(answer_when="worth", open_question=20, silence=0)
        other.say("ann", "hm")
        other.say("joe", text, 1.0)
        assert other.why(30.0) is None, text
    unlucky = Playing(answer_when="worth", open_question=20, open_question_chance=0.3)
    unlucky.say("joe", "does anybody know?", luck=0.5)
    assert unlucky.why(30.0) is None
    quiet = Playing(answer_when="addressed")
    quiet.say("joe", "does anybody know?")
    assert quiet.why(30.0) is None


def test_a_topic_of_its_own_needs_a_strong_passage_and_luck() -> None:
    play = Playing(answer_when="worth", topic_likeness=0.6, topic_chance=0.5)
    place = play.say("joe", "the paper charts are gone", luck=0.4)
    assert play.why(1.0, {place: 0.59}) is None
    assert play.why(1.0, {place: 0.61}) == "topic"
    place = play.say("joe", "the paper charts were good", 1.0, luck=0.6)
    assert play.why(1.0, {place: 0.9}) is None


def test_a_silence_is_broken_once_and_a_long_one_not_at_all() -> None:
    play = Playing(answer_when="worth", silence=180, silence_chance=0.3)
    play.say("joe", "so it goes", luck=0.2)
    assert play.why(170.0) is None
    assert play.why(181.0) == "silence"
    assert play.why(400.0) is None
    play.answer(182.0)
    assert play.why(400.0) is None, "it never answers itself"


def test_two_programs_do_not_talk_for_ever() -> None:
    play = Playing(in_a_row=3)
    at = 0.0
    for number in range(3):
        play.say("loop", f"ada, and {number}?", at)
        assert play.why(at) == "addressed"
        play.answer(at)
        at += 40
    play.say("loop", "ada, and on?", at)
    assert play.why(at) is None
    play.say("joe", "ada, stop it", at + 1)
    assert play.why(at + 1) == "addressed"


def test_a_question_is_every_line_since_the_last_answer_and_a_silence_begins_anew() -> None:
    play = Playing()
    play.say("joe", "hello")
    play.say("joe", "ada?", 1.0)
    asked = play.room.asked()
    assert (asked.question, asked.asker, asked.begins) == ("hello\nada?", "joe", True)
    play.say("ann", "me too", 2.0)
    play.room.answered(asked, "Yes.", 3.0)
    play.say("joe", "thanks", 4.0)
    following = play.room.asked()
    assert (following.question, following.asker) == ("ann: me too\njoe: thanks", "")
    assert [each.answer for each in following.told] == ["Yes."]
    assert not following.begins
    play.say("joe", "ada, back again", 4.0 + 21 * 60)
    later = play.room.asked()
    assert (later.question, later.told, later.begins) == ("ada, back again", (), True)


def test_the_mute_command_names_nobody_or_the_twin() -> None:
    assert asks_to_mute(Heard("joe", "!mute"), NAMES) is True
    assert asks_to_mute(Heard("joe", "!UNMUTE @ada"), NAMES) is False
    assert asks_to_mute(Heard("joe", "!mute ann"), NAMES) is None
    assert asks_to_mute(Heard("joe", "please !mute"), NAMES) is None


def test_names_of_programs_and_marks_of_questions() -> None:
    for name in ("Nightbot", "my_bot", "bot-7", "CoolBot", "StreamElements"):
        assert is_bot(Heard(name, "x")), name
    for name in ("abbot", "talbot", "botany", "joe", "Abbott"):
        assert not is_bot(Heard(name, "x")), name
    assert is_question('he said "why?" ')
    assert not is_question("why? no.")


@given(st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=150), st.integers(1, 6), st.floats(0, 20))
def test_no_minute_holds_more_answers_than_allowed_and_none_comes_too_soon(
    waits: list[float], per_minute: int, min_gap: float
) -> None:
    pace = Pace(per_minute, min_gap)
    now = 0.0
    said: list[float] = []
    for wait in waits:
        now += wait
        may = now >= pace.ready_at()
        assert pace.take(now) is may
        if may:
            said.append(now)
    assert said[0] == waits[0], "the first one is never held back"
    for place, moment in enumerate(said):
        assert sum(moment <= each < moment + MINUTE for each in said) <= per_minute
        assert place == 0 or moment >= said[place - 1] + min_gap


@given(
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["joe", "ann", "bob"]), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.floats(0, 15),
    st.floats(0, 9),
)
def test_whenever_lines_come_answers_keep_their_pace_and_no_line_is_in_two_questions(
    lines: list[tuple[float, str, bool]], per_minute: int, min_gap: float, thinking: float
) -> None:
    play = Playing(per_minute=per_minute, min_gap=min_gap, answer_when="worth")
    pace = Pace(per_minute, min_gap)
    arrivals, at = [], 0.0
    for wait, who, named in lines:
        at += wait
        arrivals.append((at, who, named))
    now, said, places = 0.0, [], []

    def hear_until(moment: float) -> None:
        while arrivals and arrivals[0][0] <= moment:
            at, who, named = arrivals.pop(0)
            play.say(who, f"{'ada, ' if named else ''}line {at}?", at, luck=0.0)

    while now < at + 120:
        hear_until(now)
        found = due(play.room, play.how, now)
        if found is not None and now >= pace.ready_at():
            asked = play.room.asked()
            now += thinking
            hear_until(now)
            assert pace.take(now)
            play.room.answered(asked, "So it is.", now)
            said.append(now)
            places += asked.places
        now += 0.5
    assert len(places) == len(set(places))
    for place, moment in enumerate(said):
        assert sum(moment <= each < moment + MINUTE for each in said) <= per_minute
        assert place == 0 or moment - said[place - 1] >= min_gap


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=80))
def test_nobody_is_heard_more_often_than_the_sieve_lets_through(lines: list[tuple[str, float]]) -> None:
    flood = Flood(3, 10.0)
    now = 0.0
    heard: dict[str, list[float]] = {}
    for who, wait in lines:
        now += wait
        before = [each for each in heard.get(who, []) if now - each < 10.0]
        assert flood.lets(who, now) is (len(before) < 3)
        if len(before) < 3:
            heard.setdefault(who, []).append(now)


def test_a_crowd_of_many_names_costs_little_memory() -> None:
    flood, room = Flood(3, 10.0), Room()
    for number in range(5000):
        flood.lets(f"p{number}", float(number))
        room.hear(Heard(f"p{number}", f"line {number}", id=str(number)), float(number), 0.0, False)
    assert len(flood._heard) == 1000
    assert len(room.pending) == 20
    assert len(room.asked().question) < 2000
