"""Captions: cues of a speaker joined, offsets never dates, no labels no guess."""

from __future__ import annotations

import pytest

from core.corpus.records import Conversation, Issue
from core.errors import ImportFailed

VTT = """WEBVTT

NOTE date: 2015-09-11

NOTE
title: Slack Water

1
00:00:04.000 --> 00:00:12.090
<v Lewis Tarn>What &amp; <i>when</i>

00:00:12.340 --> 00:00:16.590
<v.loud Lewis Tarn>did it?</v>

00:00:16.840 --> 00:00:29.160
<v Ada Marlow>Twenty
pounds.

00:00:30.000 --> 00:00:31.000
And a pear.

00:00:31.000 --> 00:00:32.000
<v Ada Marlow>Yes.</v> <v Lewis Tarn>No.</v>
"""
SRT = """1
00:00:01,000 --> 00:00:02,000
Bo: Why did

2
00:00:02,000 --> 00:00:03,000
you go?

3
00:00:03,000 --> 00:00:04,000
- Ada: Because.

4
00:00:04,000 --> 00:00:05,000
- Bo: I see.
- Ada: Do you?
"""


def test_voices_become_turns(parse, write_file):
    (talk,) = parse(write_file("a.vtt", VTT), "subtitles")
    assert isinstance(talk, Conversation)
    assert [(turn.speaker, turn.text) for turn in talk.turns] == [
        ("Lewis Tarn", "What & when did it?"),
        ("Ada Marlow", "Twenty pounds. And a pear. Yes."),
        ("Lewis Tarn", "No."),
    ]
    assert (talk.title, talk.date.iso()) == ("Slack Water", "2015-09-11")
    assert all(turn.time is None for turn in talk.turns)


def test_names_with_a_colon_become_turns(parse, write_file):
    (talk,) = parse(write_file("2015 a.srt", SRT), "subtitles")
    assert [(turn.speaker, turn.text) for turn in talk.turns] == [
        ("Bo", "Why did you go?"),
        ("Ada", "Because."),
        ("Bo", "I see."),
        ("Ada", "Do you?"),
    ]
    assert not talk.date.known


def test_marks_of_place_and_style_are_neither_names_nor_words(parse, write_file):
    text = SRT.replace("- Ada: Because.", "{\\an8}ADA: Because.").replace("- Bo: I see.", "{\\i1}BO: {\\i0}I see.")
    (talk,) = parse(
        write_file("2015 a.srt", text + "\n5\n00:00:05,000 --> 00:00:06,000\n{\\an8}ADA: Yes.\n"), "subtitles"
    )
    assert ("ADA", "Because.") in [(turn.speaker, turn.text) for turn in talk.turns]
    assert not any("{" in turn.speaker + turn.text for turn in talk.turns)


def test_captions_without_speakers_are_refused(parse, write_file):
    with pytest.raises(ImportFailed, match="never guessed"):
        parse(
            write_file("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n\n00:03.000 --> 00:04.000\nNote: hi\n"),
            "subtitles",
        )


def test_cues_before_the_first_speaker_and_damaged_cues_are_reported(parse, write_file):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nmusic\n\n00:99 --> x\nlost\n\n00:03.000 --> 00:04.000\n<v Bo>hi\n"
    issues = [each.reason for each in parse(write_file("a.vtt", text), "subtitles") if isinstance(each, Issue)]
    assert issues == ["1 cues before the first named speaker, skipped", "1 damaged or empty cues, skipped"]


@pytest.mark.parametrize("text", ["WEBVTT", "hello", "1\n2\n3\n", "WEBVTT\n\n-->\n"])
def test_anything_else_is_refused(parse, write_file, text):
    with pytest.raises(ImportFailed):
        parse(write_file("a.vtt", text), "subtitles")
