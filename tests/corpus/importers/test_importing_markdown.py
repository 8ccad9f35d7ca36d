"""Notes keep their words; their syntax, and bad front matter, never cost one."""

from __future__ import annotations

import os

import pytest

from core.corpus.opening import open_source
from core.corpus.records import Document, Issue, Options
from core.corpus.sniffing import importer_named


def note(parse, write_file, text, name="note.md") -> Document:
    documents = [each for each in parse(write_file(name, text), "markdown") if isinstance(each, Document)]
    assert len(documents) == 1
    return documents[0]


def test_front_matter_gives_title_date_link_and_tags(parse, write_file):
    found = note(
        parse, write_file, "---\ntitle: 'The: pilot'\ndate: 2010-11-07\ntags: [a, '#b']\nurl: http://x\n---\n\nWords.\n"
    )
    assert (found.title, found.date.iso(), found.tags, found.link) == (
        "The: pilot",
        "2010-11-07",
        ("a", "b"),
        "http://x",
    )
    assert (found.text, found.kind) == ("Words.", "writing")


@pytest.mark.parametrize(
    ("front", "iso"),
    [
        ("created: 2011-01-02T10:00:00Z", "2011-01-02"),
        ("published: 2012", "2012"),
        ("created: 2011\ndate: 2010-05", "2010-05"),
        ("date: someday\ncreated: 2011", "2011"),
        ("Date: March 5, 2014", "2014-03-05"),
    ],
)
def test_dates_of_front_matter(parse, write_file, front, iso):
    assert note(parse, write_file, f"---\n{front}\n---\nx").date.iso() == iso


def test_the_file_name_dates_a_note_and_the_file_system_never_does(parse, write_file):
    assert note(parse, write_file, "x", "2014-03-05 The boat.md").date.iso() == "2014-03-05"
    assert note(parse, write_file, "x", "2014-03-05 The boat.md").title == "The boat"
    path = write_file("plain.md", "x")
    os.utime(path, (0, 0))
    (found,) = parse(path, "markdown")
    assert not found.date.known


def test_a_heading_is_the_title_and_not_part_of_the_text(parse, write_file):
    found = note(parse, write_file, "# The *boat*\n\nWords.\n\n## Later\n\nMore.")
    assert (found.title, found.text) == ("The *boat*", "Words.\n\n## Later\n\nMore.")


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("see [[Tides|the tides]] now", "see the tides now"),
        ("see [[Tides]] now", "see Tides now"),
        ("see [[Tides#Spring]] now", "see Tides now"),
        ("a ![[chart.png]] b", "a  b"),
        ("a %%secret%% b", "a  b"),
        ("a\n\n%%\nsecret\n\nlines\n%%\n\nb", "a\n\nb"),
        ('[words](http://x "t") and ![alt](y.png)', "words and"),
        ("`[[code]]` and\n```\n%%kept%%\n```", "`[[code]]` and\n```\n%%kept%%\n```"),
        ("50%% and more", "50%% and more"),
        ("*so* **very** _plain_", "*so* **very** _plain_"),
        ("half [[open", "half [[open"),
    ],
)
def test_syntax_becomes_words(parse, write_file, written, plain):
    assert note(parse, write_file, written).text == plain


@pytest.mark.parametrize(
    "front",
    [
        "title: a: b\ndate: 2014-03-05",
        "date: 2014-03-05\ntags: [unclosed",
        "date: 2014-03-05\n\tx: {",
        'date: 2014-03-05\nx: "\\UFFFFFFFF"',
        "date: 2014-03-05\nx: " + "[" * 3000,
        "date: 2014-03-05\n? [a]\n: b",
    ],
)
def test_bad_yaml_costs_an_issue_and_not_the_note(parse, write_file, front):
    records = parse(write_file("n.md", f"---\n{front}\n---\nThe words."), "markdown")
    assert [type(each) for each in records] == [Issue, Document]
    assert "front matter" in records[0].reason
    assert (records[1].text, records[1].date.iso()) == ("The words.", "2014-03-05")


@pytest.mark.parametrize(
    "front", ["date: " + "9" * 5000, "date: [1, 2]", "a: &a [*a]", 'title: "\\uD800"', "date: 0000-00-00"]
)
def test_odd_values_do_no_harm(parse, write_file, front):
    found = note(parse, write_file, f"---\n{front}\n---\nThe words.")
    assert found.text == "The words."
    found.title.encode("utf-8")
    assert not found.date.known


def test_rules_around_prose_are_not_front_matter(parse, write_file):
    assert note(parse, write_file, "---\nJust prose.\n---\nMore.").text == "---\nJust prose.\n---\nMore."


def test_an_alias_bomb_is_harmless(parse, write_file):
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    assert note(parse, write_file, f"---\nl0: &l0 [x]\n{levels}\n---\nWords.").text == "Words."


def test_a_vault_yields_its_notes_in_order_and_reports_empty_ones(tmp_path, parse, write_file):
    write_file("vault/b.md", "second")
    write_file("vault/a/deep.md", "first")
    write_file("vault/empty.md", "---\ntitle: x\n---\n\n")
    write_file("vault/latin.md", "déjà vu".encode("cp1252"))
    records = parse(tmp_path / "vault", "markdown")
    assert [each.text for each in records if isinstance(each, Document)] == ["first", "second", "déjà vu"]
    assert [each.locator for each in records if isinstance(each, Issue)] == ["empty.md"]


def test_a_corrected_note_keeps_its_identity(tmp_path, parse, write_file):
    write_file("vault/a.md", "frist")
    (before,) = parse(tmp_path / "vault", "markdown")
    write_file("vault/a.md", "first")
    (after,) = parse(tmp_path / "vault", "markdown")
    assert before.uid == after.uid
    assert before.text != after.text


def test_the_user_may_say_what_the_notes_are(write_file):
    source = open_source(write_file("a.md", "x"))
    (found,) = importer_named("markdown").parse(source, Options(kind="journal"))
    assert found.kind == "journal"


def test_an_interview_among_the_notes_is_not_taken_for_the_target_s_words(tmp_path, parse, write_file):
    write_file("vault/note.md", "My words.\n\nRemember: tides.")
    write_file("vault/talk.md", "---\ndate: 2019\n---\n**Bo:** Why?\n\n**Ada:** So.\n\n**Bo:** And?\n\n**Ada:** No.")
    note_, interview = parse(tmp_path / "vault", "markdown")
    assert note_.text.startswith("My words.")
    assert isinstance(interview, Issue)
    assert "looks like an interview" in interview.reason
