"""raft's interview JSON and corpus lines."""

from __future__ import annotations

import json

import pytest

from core.corpus.records import Conversation, Document, Issue
from core.errors import ImportFailed

TALK = {
    "participants": {"q": "Ines", "a": "Ada"},
    "date": "2019-03-04",
    "url": "https://x.example/1",
    "title": "T",
    "exchanges": [["Why?", "Because.\n\nTruly."], ["And?", "No."]],
}


def test_an_interview_becomes_a_conversation(parse, write_file):
    (talk,) = parse(write_file("a.json", json.dumps(TALK)), "raft-transcript")
    assert isinstance(talk, Conversation)
    assert [(turn.speaker, turn.text) for turn in talk.turns] == [
        ("Ines", "Why?"),
        ("Ada", "Because.\n\nTruly."),
        ("Ines", "And?"),
        ("Ada", "No."),
    ]
    assert (talk.title, talk.date.iso(), talk.link, talk.chat) == ("T", "2019-03-04", "https://x.example/1", False)


def test_an_address_is_an_identity(parse, write_file):
    (one,) = parse(write_file("a.json", json.dumps(TALK)), "raft-transcript")
    (two,) = parse(write_file("b.json", json.dumps({**TALK, "title": "U"})), "raft-transcript")
    assert one.uid == two.uid


def test_bad_exchanges_are_issues(parse, write_file):
    value = {**TALK, "exchanges": [["x", "y"], ["lonely"], 3, ["a", None], ["q\ud800", "a\u0000"], ["", ""]]}
    records = parse(write_file("a.json", json.dumps(value)), "raft-transcript")
    assert [each.locator for each in records[:-1]] == ["exchange 2", "exchange 3", "exchange 4", "exchange 6"]
    assert [turn.text for turn in records[-1].turns] == ["x", "y", "q\ufffd", "a\ufffd"]


def test_names_and_dates_may_be_missing(parse, write_file):
    (talk,) = parse(write_file("2014-05 Talk.json", '{"exchanges": [["x", "y"]]}'), "raft-transcript")
    assert [turn.speaker for turn in talk.turns] == ["Q", "A"]
    assert (talk.title, talk.date.iso()) == ("Talk", "2014-05")


@pytest.mark.parametrize("text", ["[]", "{}", '{"exchanges": {}}', '{"exchanges": []}', "3", "nonsense", "[" * 100_000])
def test_anything_else_is_refused(parse, write_file, text):
    with pytest.raises(ImportFailed):
        parse(write_file("a.json", text), "raft-transcript")


def test_corpus_lines_become_documents_and_bad_ones_issues(parse, write_file):
    lines = [
        '{"title": "A", "link": "l1", "date": "2014", "content": "x\\n\\n\\ny"}',
        "",
        "{broken",
        '{"title": "B", "date": "sometime", "content": "\\ud83d\\ude00\\ud800"}',
        '{"title": "C"}',
        "[1]",
        '{"content": ' + "9" * 5000 + "}",
        '{"a": ' * 50_000,
        '{"title": "A again", "link": "l1", "content": "z"}',
    ]
    records = parse(write_file("a.jsonl", "\n".join(lines)), "raft-corpus")
    first, second = [each for each in records if isinstance(each, Document)]
    assert (first.title, first.text, first.date.iso(), first.link) == ("A", "x\n\ny", "2014", "l1")
    assert (second.text, second.date.known) == ("\U0001f600\ufffd", False)
    assert [each.locator for each in records if isinstance(each, Issue)] == [
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
        "line 8",
        "A again",
    ]


def test_a_huge_line_is_read(parse, write_file):
    (found,) = parse(write_file("a.jsonl", json.dumps({"title": "t", "content": "x" * 5_000_000})), "raft-corpus")
    assert len(found.text) == 5_000_000
