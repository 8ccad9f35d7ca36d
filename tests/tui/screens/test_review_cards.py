"""The card of a memory in little room: the passage is cut around its quote, between words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.review_queue import MemoryCard, load_cards
from core.workspace import Workspace
from tests.review_rows import fill
from tui.screens.review.cards import _first_words, _last_words, layout

FAMILY = "👨‍👩‍👧‍👦"


@pytest.fixture
def memory(workspace: Workspace) -> MemoryCard:
    fill(workspace.database, 5)
    found = load_cards(workspace.database, "memory", [1])[1]
    assert isinstance(found, MemoryCard)
    return found


def test_a_long_passage_is_cut_between_words_and_its_quote_stays_whole(memory: MemoryCard) -> None:
    quote = "The storm took the east wall."
    before, after = "harbourmaster " * 60, f" {FAMILY} lighthouse" * 60
    card = replace(memory, passage=before + quote + after, quote_start=len(before), quote_stop=len(before) + len(quote))
    for height in range(8, 40):
        shown = " ".join(" ".join(each.plain for each in layout(card, 60, height, False, "a")).split())
        _, _, passage = shown.partition("undated" if "undated" in shown else card.passage_date)
        told = passage.partition(" judges ")[0]
        lead, _, rest = told.partition("▐")
        marked, _, tail = rest.partition("▌")
        assert marked == quote
        assert set(lead.replace("…", " ").split()) <= {"harbourmaster"}
        assert set(tail.replace("…", " ").split()) <= {"lighthouse", FAMILY}


def test_as_much_of_the_passage_is_shown_as_the_room_takes(memory: MemoryCard) -> None:
    quote = "The storm took the east wall."
    before, after = "the harbour was calm " * 40, " and the lamp was lit" * 40
    card = replace(memory, passage=before + quote + after, quote_start=len(before), quote_stop=len(before) + len(quote))
    shortest = len(layout(card, 60, 0, False, "a"))
    longest = len(layout(card, 60, 1000, False, "a"))
    assert longest > shortest + 5
    taken = [len(layout(card, 60, height, False, "a")) for height in range(shortest, longest + 1)]
    assert taken == sorted(taken)
    # A step takes 40 characters from each side: never more than two lines of sixty stay unused.
    assert all(0 <= height - used <= 2 for height, used in enumerate(taken, shortest))


@given(st.text(alphabet="ab \n", max_size=40), st.integers(0, 45))
def test_what_is_cut_off_ends_at_a_space_wherever_there_is_one(text: str, most: int) -> None:
    first, last = _first_words(text, most), _last_words(text, most)
    if len(text) <= most:
        assert (first, last) == (text, text)
        return
    assert first.endswith("…")
    assert text.startswith(first[:-1])
    assert last.startswith("…")
    assert text.endswith(last[1:])
    assert len(first) <= most + 1
    assert len(last) <= most + 1
    rest = text[len(first) - 1 :]
    assert not rest or rest[0].isspace() or not any(each.isspace() for each in text[: most + 1])
