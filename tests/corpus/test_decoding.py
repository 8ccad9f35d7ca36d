"""Text comes in exactly, whatever it was saved as, and always fit for the store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.decoding import decode, sample, storable, tidy_paragraphs
from core.errors import ImportFailed

PROSE = "Il a mangé une pêche — “déjà vu”, n’est-ce pas?"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_prose_survives_its_encoding(codec):
    assert decode(PROSE.encode(codec), "x") == PROSE


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Привет, как дела? Это длинное письмо о погоде.", "cp1251"),
        ("日本語のテキストです。これはテスト。", "shift_jis"),
    ],
)
def test_other_encodings_are_detected(text, codec):
    assert decode(text.encode(codec), "x") == text


def test_one_bad_byte_does_not_spoil_utf8():
    assert decode("café ".encode() * 20 + b"\xff", "x") == "café " * 20 + "\ufffd"


def test_line_ends_become_newlines():
    assert decode(b"a\r\nb\rc\n", "x") == "a\nb\nc\n"


def test_paragraphs_are_parted_by_one_blank_line():
    assert tidy_paragraphs("\n\n  first line\nsecond\n \t\n\n\nnext\n\n") == "  first line\nsecond\n\nnext"


def test_a_sample_is_one_short_line():
    assert sample("a\nb  c") == "a b c"
    assert len(sample("word " * 1000)) <= 80


@given(st.binary(max_size=400))
def test_any_bytes_become_storable_text_or_a_clear_refusal(data):
    try:
        text = decode(data, "x")
    except ImportFailed:
        return
    text.encode("utf-8")
    assert "\x00" not in text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00\ufeff")))
def test_utf8_text_is_exact(text):
    assert decode(text.encode("utf-8"), "x") == text


@given(st.text(st.characters()))
def test_storable_text_differs_only_where_it_must(text):
    for before, after in zip(text, storable(text), strict=True):
        assert after == before or (after == "\ufffd" and (before == "\x00" or "\ud800" <= before <= "\udfff"))
