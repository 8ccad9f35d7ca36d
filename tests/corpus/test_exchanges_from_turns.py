"""What counts as a question and its answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.corpus.exchanges import derive_exchanges
from core.corpus.records import Conversation, Turn
from core.dates import DateSpan

START = datetime(2020, 5, 1, 9, 0)
ADA = {"Ada Marlow", "ada"}


def at(minutes: float, speaker: str, text: str, **more: object) -> Turn:
    return Turn(speaker, text, START + timedelta(minutes=minutes), **more)  # type: ignore[arg-type]


def chat(*turns: Turn) -> Conversation:
    return Conversation("u", "", DateSpan.of_day(START), turns, chat=True)


def sitting(*pairs: tuple[str, str]) -> Conversation:
    return Conversation("u", "", DateSpan.parse("2019"), tuple(Turn(*pair) for pair in pairs))


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(each.question, each.answer) for each in derive_exchanges(conversation, ADA)]


def test_an_interview_becomes_its_questions_and_answers():
    first, second = derive_exchanges(
        sitting(("Ines", "Why?"), ("Ada Marlow", "Because."), ("Ines", "And?"), ("Ada Marlow", "No.")), ADA
    )
    assert (first.question, first.answer, first.asker, first.segment) == ("Why?", "Because.", "Ines", 0)
    assert (first.question_turns, first.answer_turns, first.date) == ((0,), (1,), None)
    assert (second.position, second.question_turns, second.answer_turns) == (1, (2,), (3,))


def test_names_match_whatever_their_case_spaces_and_width():
    assert said(sitting(("Q", "x"), ("  ada   MARLOW ", "y"), ("Q", "z"), ("\uff21da", "w"))) == [
        ("x", "y"),
        ("z", "w"),
    ]


def test_the_question_is_every_turn_since_the_last_answer():
    assert said(chat(at(0, "Bo", "one"), at(10, "Bo", "two"), at(11, "ada", "three"))) == [("one\ntwo", "three")]


def test_messages_within_three_minutes_are_one_answer():
    assert said(chat(at(0, "Bo", "q"), at(1, "ada", "a"), at(4, "ada", "b"), at(7.1, "ada", "c"))) == [
        ("q", "a\nb"),
        ("", "c"),
    ]


def test_a_target_who_opens_is_flagged():
    opening, reply = derive_exchanges(chat(at(0, "ada", "morning"), at(1, "Bo", "q"), at(2, "ada", "a")), ADA)
    assert (opening.initiates, opening.question, opening.asker) == (True, "", "")
    assert (reply.initiates, reply.question) == (False, "q")


def test_an_hour_of_silence_begins_another_segment():
    exchanges = derive_exchanges(
        chat(at(0, "Bo", "old"), at(61, "ada", "new"), at(62, "Bo", "q"), at(63, "ada", "a")), ADA
    )
    assert [(each.segment, each.question) for each in exchanges] == [(1, ""), (1, "q")]


def test_a_group_falls_apart_after_twenty_minutes():
    turns = (at(0, "Bo", "old"), at(1, "Cy", "older"), at(22, "ada", "new"))
    assert said(chat(*turns)) == [("", "new")]
    assert said(chat(turns[0], turns[2])) == [("old", "new")]


def test_a_reply_bridges_the_silence():
    assert said(chat(at(0, "Bo", "old"), at(600, "ada", "late", reply_to=0))) == [("old", "late")]


def test_a_reply_brings_the_turn_it_answers_however_far_back():
    exchanges = derive_exchanges(
        chat(at(0, "Bo", "far"), at(1, "ada", "x"), at(300, "Bo", "near"), at(301, "ada", "y", reply_to=0)), ADA
    )
    assert (exchanges[1].question, exchanges[1].question_turns) == ("far\nnear", (0, 2))


def test_a_reply_to_the_target_s_own_words_brings_nothing():
    assert said(chat(at(0, "ada", "x"), at(10, "Bo", "q"), at(11, "ada", "y", reply_to=0)))[1] == ("q", "y")


def test_replies_to_different_turns_are_different_answers():
    assert said(
        chat(at(0, "Bo", "p"), at(1, "Bo", "q"), at(2, "ada", "to q", reply_to=1), at(3, "ada", "to p", reply_to=0))
    ) == [("p\nq", "to q"), ("p", "to p")]


def test_a_group_keeps_names_and_joins_askers():
    (exchange,) = derive_exchanges(
        chat(at(0, "Mags Orrin", "come?"), at(1, "Pell", "do"), at(5, "Mags Orrin", "well?"), at(6, "ada", "no")), ADA
    )
    assert exchange.question == "Mags Orrin: come?\nPell: do\nMags Orrin: well?"
    assert exchange.asker == "Mags Orrin and Pell"


def test_what_was_not_said_is_dropped():
    assert said(
        chat(
            at(0, "", "created group", kind="system"),
            at(1, "Bo", "<Media omitted>", kind="media"),
            at(2, "Bo", "gone", kind="deleted"),
            at(3, "Bo", "  "),
            at(4, "Bo", "q"),
            at(5, "ada", "a"),
        )
    ) == [("q", "a")]


def test_turns_are_put_in_order_of_time_and_dated_by_the_answer():
    later, earlier = (replace(at(*each), time=START.replace(tzinfo=UTC) + timedelta(minutes=each[0]))
                      for each in ((1500, "ada", "a"), (1499, "Bo", "q")))  # fmt: skip
    (exchange,) = derive_exchanges(chat(later, earlier), ADA)
    assert (exchange.question, exchange.question_turns, exchange.answer_turns) == ("q", (1,), (0,))
    assert exchange.date == DateSpan.parse("2020-05-02")


def test_what_was_said_in_the_hour_that_comes_twice_stays_in_the_order_of_the_file():
    night = chat(at(0, "Bo", "are you awake?"), at(-53, "ada", "yes"), at(-50, "Bo", "why?"), at(5, "ada", "rain"))
    assert said(night) == [("are you awake?", "yes"), ("why?", "rain")]


def test_what_is_more_than_an_hour_earlier_is_put_before():
    assert said(chat(at(90, "Bo", "why?"), at(91, "ada", "rain"), at(0, "Bo", "q"), at(1, "ada", "a"))) == [
        ("q", "a"), ("why?", "rain"),
    ]  # fmt: skip


def test_naive_and_aware_times_may_stand_side_by_side():
    aware = Turn("ada", "a", datetime(2020, 5, 1, 9, 1, tzinfo=UTC))
    assert said(chat(at(0, "Bo", "q"), aware)) == [("q", "a")]


def test_line_breaks_within_a_message_are_kept():
    assert said(sitting(("Q", "one\n\ntwo"), ("ada", "three\nfour"))) == [("one\n\ntwo", "three\nfour")]


def test_nobody_s_answers_are_found_when_the_target_is_absent():
    assert said(chat(at(0, "Bo", "q"), at(1, "Cy", "a"))) == []


TURNS = st.lists(
    st.builds(
        Turn,
        speaker=st.sampled_from(["ada", "Bo", "Cy"]),
        text=st.text(max_size=6),
        time=st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2020, 1, 3)),
        reply_to=st.none() | st.integers(-2, 8),
        kind=st.sampled_from(["said", "said", "said", "media"]),
    ),
    max_size=8,
)


@given(TURNS, st.booleans())
def test_every_turn_of_the_target_is_answered_for_exactly_once(turns, running):
    conversation = Conversation("u", "", DateSpan.unknown(), tuple(turns), chat=running)
    exchanges = derive_exchanges(conversation, {"ada"})
    answered = [place for each in exchanges for place in each.answer_turns]
    expected = {n for n, t in enumerate(turns) if t.speaker == "ada" and t.kind == "said" and t.text.strip()}
    assert len(answered) == len(set(answered))
    assert set(answered) == expected
    assert [each.position for each in exchanges] == list(range(len(exchanges)))
    assert all(each.initiates == (not each.question_turns) for each in exchanges)
    assert all(turns[place].speaker != "ada" for each in exchanges for place in each.question_turns)
