"""Where the words of a passage stand in a text that was changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.store import carrying
from core.store.carrying import REACH

SHORT = st.text("ab ", max_size=40)


@given(SHORT, st.text("ab ", min_size=1, max_size=3), st.integers(-3, 45))
def test_the_nearest_of_their_places_is_found(text: str, words: str, place: int) -> None:
    found = carrying._nearest(text, words, place)
    places = [each for each in range(len(text)) if text.startswith(words, each)]
    if not places:
        assert found == -1
    else:
        assert found in places
        assert abs(found - max(0, place)) == min(abs(each - max(0, place)) for each in places)


def test_words_are_looked_for_within_reach_of_their_place_only() -> None:
    text = "x" * (2 * REACH) + "words"
    assert carrying._nearest(text, "words", REACH + 10) == 2 * REACH
    assert carrying._nearest(text, "words", REACH - 10) == -1
