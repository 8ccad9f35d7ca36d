"""Quotes are found in their passage, or they are no quotes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.recall.anchor import anchor

PASSAGE = "Nobody asked the tide. Every map is an argument with the coast, and the coast wins by Thursday. I keep them."


def test_a_quote_is_returned_in_the_passages_own_words() -> None:
    found = anchor("every map is an ARGUMENT with the coast — and the coast wins by thursday", PASSAGE)
    assert found is not None
    assert found.quote == "Every map is an argument with the coast, and the coast wins by Thursday."
    assert PASSAGE[found.start : found.stop] == found.quote


def test_a_quote_that_was_embroidered_gives_what_stands_in_the_passage() -> None:
    found = anchor("Truly, every map is an argument with the coast indeed", PASSAGE)
    assert found is not None
    assert found.quote == "Every map is an argument with the coast,"


def test_words_that_stand_there_in_another_order_are_no_quote() -> None:
    assert anchor("the coast is an argument every map wins with Thursday", PASSAGE) is None


def test_a_run_below_six_tenths_is_no_quote() -> None:
    # Six of the eleven words stand in one run; seven are needed.
    assert anchor("every map is an argument with sea and salt and storm", PASSAGE) is None
    assert anchor("every map is an argument with sea and salt", PASSAGE) is not None


def test_three_words_are_too_few() -> None:
    assert anchor("I keep them", PASSAGE) is None


def test_curly_and_straight_apostrophes_are_one() -> None:
    assert anchor("I don't keep what won't float", "They say: I don’t keep what won’t float!") is not None


@given(st.text(max_size=60), st.text(max_size=200))
def test_whatever_comes_an_anchor_is_a_stretch_of_its_passage(quote: str, passage: str) -> None:
    found = anchor(quote, passage)
    assert found is None or (passage[found.start : found.stop] == found.quote and len(found.quote.split()) >= 1)


@given(
    st.lists(
        st.sampled_from(["map", "coast", "tide", "salt", "lamp", "ferry", "ledger", "storm"]), min_size=4, max_size=30
    )
)
def test_the_whole_passage_is_always_a_quote_of_itself(words: list[str]) -> None:
    text = " ".join(words)
    found = anchor(text, text)
    assert found is not None
    assert found.quote == text
