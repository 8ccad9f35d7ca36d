"""Tiddlers: the dated texts of a wiki, without its machinery."""

from __future__ import annotations

import json

import pytest

from core.corpus.records import Document, Issue
from core.errors import ImportFailed

TIDDLERS = [
    {
        "title": "Tides",
        "text": "See [[the moon|Moon]] and [[Salt]].",
        "created": "20140305235959999",
        "tags": "a [[b c]]",
    },
    {"title": "Later", "text": "x", "modified": "20150102", "tags": ["Journal"]},
    {"title": "$:/config", "text": "x"},
    {"title": "Draft of 'x'", "draft.of": "x", "text": "x"},
    {"title": "plug", "plugin-type": "plugin", "text": "{}", "type": "application/json"},
    {"title": "pic", "type": "image/png", "text": "iVBOR"},
    {"title": "none"},
    {"title": "odd date", "text": "x", "created": "yesterday"},
    "stray",
]


def documents(records) -> list[Document]:
    return [each for each in records if isinstance(each, Document)]


def test_tiddlers_become_documents(parse, write_file):
    tides, later, odd = documents(parse(write_file("wiki.json", json.dumps(TIDDLERS)), "tiddlywiki"))
    assert (tides.text, tides.date.iso(), tides.tags) == ("See the moon and Salt.", "2014-03-05", ("a", "b c"))
    assert (tides.kind, later.kind, later.date.iso()) == ("writing", "journal", "2015-01-02")
    assert not odd.date.known


def test_what_is_left_out_is_reported(parse, write_file):
    issues = [
        each for each in parse(write_file("wiki.json", json.dumps(TIDDLERS)), "tiddlywiki") if isinstance(each, Issue)
    ]
    assert {each.locator: each.reason for each in issues} == {
        "$:/config": "system tiddler, skipped",
        "Draft of 'x'": "draft, skipped",
        "plug": "plugin, skipped",
        "pic": "image/png, not text, skipped",
        "none": "no text in it, skipped",
        "odd date": "its dates are not TiddlyWiki's; kept undated",
        "tiddler 9": "not a tiddler, skipped",
    }


@pytest.mark.parametrize("value", [TIDDLERS[0], {"Tides": {"text": "See [[Moon]]", "created": "20140305"}}])
def test_one_tiddler_and_tiddlers_by_title_are_read(parse, write_file, value):
    (found,) = documents(parse(write_file("wiki.json", json.dumps(value)), "tiddlywiki"))
    assert (found.title, found.date.iso()) == ("Tides", "2014-03-05")


def test_a_file_named_journal_holds_a_journal(parse, write_file):
    (found,) = documents(parse(write_file("my-journal.json", json.dumps(TIDDLERS[0])), "tiddlywiki"))
    assert found.kind == "journal"
    (told,) = documents(parse(write_file("my-journal.json", json.dumps(TIDDLERS[0])), "tiddlywiki", kind="writing"))
    assert told.kind == "writing"


@pytest.mark.parametrize("text", ["[]", "{}", "[1]", "3", '{"a": 1}', "[" * 100_000])
def test_anything_else_is_refused(parse, write_file, text):
    with pytest.raises(ImportFailed):
        parse(write_file("wiki.json", text), "tiddlywiki")
