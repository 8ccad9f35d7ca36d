"""Stop strings: never shown, however the words are cut into pieces."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from core.twin.stops import StopStrings

TEXTS = st.text(alphabet="ab\n:", max_size=40)
STOPS = st.lists(st.text(alphabet="ab\n:", min_size=1, max_size=4), max_size=4)


@example("a::", [":", "a::"], [2])
@given(TEXTS, STOPS, st.lists(st.integers(1, 5), max_size=40))
def test_what_comes_in_pieces_is_shown_up_to_the_first_stop_string(
    text: str, stops: list[str], lengths: list[int]
) -> None:
    stream = StopStrings(stops)
    shown, at = "", 0
    for length in [*lengths, len(text) + 1]:
        shown += stream.feed(text[at : at + length])
        assert not any(stop in shown for stop in stops)
        at += length
    shown += stream.end()
    whole = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    assert shown == (text[: min(whole)[1]] if whole else text)
    assert stream.found == bool(whole)


def test_words_are_held_back_only_while_they_may_be_a_stop_string() -> None:
    stream = StopStrings(["\nUser:"])
    assert stream.feed("Well\nUs") == "Well"
    assert stream.feed("ually.") == "\nUsually."
    assert stream.feed(" Yes.\nUser") == " Yes."
    assert stream.feed(": and") == ""
    assert stream.found
    assert stream.feed("more") == stream.end() == ""
