"""Words in and out of a room: cleaned, cut where a sentence ends, and never two lines or half a character."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.twin.rooms.irc_message import LONGEST_SENT, read_message, write_message
from core.twin.rooms.splitting import LineSplitter
from core.twin.rooms.text import Limits, clean, clean_name, fit, harmless

ANY = st.text(st.characters(), max_size=400)
"""Surrogates and controls too."""
WORDY = st.lists(
    st.sampled_from(["Yes.", "no", "…", "/x", "naïve", "👩‍👩‍👧", "e\u0301", "日本語。", "a" * 60, "!"]), max_size=40
)


@given(ANY)
def test_what_comes_in_is_one_line_without_controls(text: str) -> None:
    cleaned = clean(text)
    assert all(unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp") for each in cleaned)
    assert cleaned == " ".join(cleaned.split())
    assert clean(cleaned) == cleaned
    assert ":" not in clean_name(text)


@given(ANY | WORDY.map(" ".join) | WORDY.map("".join), st.integers(1, 90), st.integers(4, 200), st.integers(1, 4))
def test_what_goes_out_fits_and_is_no_command(text: str, characters: int, size: int, lines: int) -> None:
    said = fit(text, Limits(characters, size, lines))
    assert len(said) <= lines
    for line in said:
        assert line.strip()
        assert len(line) <= characters
        assert len(line.encode()) <= size
        assert line == " ".join(line.split())
        assert line[0] not in "/!.\\"
        read = read_message(write_message("PRIVMSG", "#r", line))
        assert read is not None
        assert read.params == ("#r", line)


def test_it_is_cut_where_a_sentence_ends() -> None:
    text = "I keep them. The paper ones too. Nobody pays for that."
    assert fit(text, Limits(40)) == ("I keep them. The paper ones too.",)
    assert fit(text, Limits(20, lines=2)) == ("I keep them.", "The paper ones too.")
    assert fit(text, Limits(200)) == (text,)
    assert fit("one two three four five six", Limits(14)) == ("one two three…",)
    assert fit("one two three four five six", Limits(9, lines=3)) == ("one two", "three", "four…")
    assert fit("", Limits(40)) == ()
    assert fit("Yes.", Limits(0)) == ()


def test_a_character_of_many_parts_stays_whole() -> None:
    family = "👩‍👩‍👧‍👦"
    for size in range(1, 60):
        (said,) = fit(family * 3, Limits(200, size)) or ("",)
        assert said.removesuffix("…").replace(family, "") == "" or size < len(family.encode()) + 3


@given(ANY)
def test_a_harmless_line_stays_what_it_is(line: str) -> None:
    once = harmless(line)
    assert harmless(once) == once
    assert not once.startswith(("/", ".", "!", "\\"))


@given(st.binary(max_size=600))
def test_no_bytes_make_reading_a_message_fail(line: bytes) -> None:
    message = read_message(line)
    assert message is None or (message.command and "\n" not in message.nick)


@given(st.lists(ANY, min_size=1, max_size=4), ANY)
def test_a_written_message_is_one_line_or_an_error(params: list[str], tag: str) -> None:
    try:
        line = write_message("PRIVMSG", *params, tags={"id": tag})
    except ValueError:  # Surrogates cannot be written either, and say so the same way.
        return
    assert line.endswith(b"\r\n")
    assert line.count(b"\n") == line.count(b"\r") == 1
    body = line.partition(b" ")[2]
    assert len(body) <= LONGEST_SENT
    read = read_message(line.removesuffix(b"\r\n"))
    assert read is not None
    assert (read.params[-1], read.tags["id"]) == (params[-1], tag)


@pytest.mark.parametrize(
    ("line", "command", "params", "source", "tags"),
    [  # From the public test vectors of ircdocs/parser-tests.
        (b"foo bar baz :asdf", "FOO", ("bar", "baz", "asdf"), "", {}),
        (b":coolguy foo bar baz :  asdf quux ", "FOO", ("bar", "baz", "  asdf quux "), "coolguy", {}),
        (b":src AWAY :", "AWAY", ("",), "src", {}),
        (b"@a=b;c=32;k;rt=ql7 foo", "FOO", (), "", {"a": "b", "c": "32", "k": "", "rt": "ql7"}),
        (rb"@a=b\\and\nk;c=72\s45;d=gh\:764 foo", "FOO", (), "", {"a": "b\\and\nk", "c": "72 45", "d": "gh;764"}),
        (rb"@tag1=value\\ntest\ COMMAND", "COMMAND", (), "", {"tag1": "value\\ntest"}),
        (b":gravel.mozilla.org 432  #momo :Erroneous Nickname: Illegal characters", "432",
         ("#momo", "Erroneous Nickname: Illegal characters"), "gravel.mozilla.org", {}),
        (b":irc.example.com MODE #c :+i", "MODE", ("#c", "+i"), "irc.example.com", {}),
    ],
)  # fmt: skip
def test_messages_are_read_as_the_grammar_says(
    line: bytes, command: str, params: tuple[str, ...], source: str, tags: dict[str, str]
) -> None:
    message = read_message(line)
    assert message is not None
    assert (message.command, message.params, message.source, message.tags) == (command, params, source, tags)


@given(st.lists(st.binary(max_size=30), max_size=20), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_lines_are_the_same_however_their_bytes_come(lines: list[bytes], steps: list[int]) -> None:
    data = b"".join(line.replace(b"\n", b"").replace(b"\r", b"") + b"\r\n" for line in lines)
    whole = LineSplitter(20)
    wanted = whole.push(data)
    split = LineSplitter(20)
    got: list[bytes] = []
    place = turn = 0
    while place < len(data):
        step = steps[turn % len(steps)]
        got += split.push(data[place : place + step])
        place, turn = place + step, turn + 1
    assert got == wanted
    assert split.passed_over == whole.passed_over
    assert all(len(line) <= 20 for line in got)
