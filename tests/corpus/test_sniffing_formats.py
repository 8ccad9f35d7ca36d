"""Formats are told by content; what is unclear is asked; a preview stores nothing."""

from __future__ import annotations

import pytest

from core.corpus.importers import IMPORTERS
from core.corpus.opening import open_source
from core.corpus.records import Options
from core.corpus.sniffing import choose, choose_each, importer_named, inspect, rank
from core.errors import ImportFailed, UsageError

INTERVIEW = "Date: 2019-03-04\nInterviewer: Ines\nInterviewee: Ada\n\nQ: Why?\n\nA: Because.\n"

SAMPLES = {
    "markdown": "---\ntitle: x\ndate: 2014\n---\nwords",
    "feed": '<?xml version="1.0"?><rss version="2.0"><channel><title>x</title></channel></rss>',
    "raft-transcript": '{"participants": {"q": "Q", "a": "A"}, "exchanges": [["x", "y"]]}',
    "raft-corpus": '{"title": "t", "link": "l", "date": "2014", "content": "c"}\n{"title": "t"}\n',
    "tiddlywiki": '[{"title": "t", "text": "x", "created": "20140305000000000"}]',
    "whatsapp": "14/02/2019, 18:31 - Bo: hi\n14/02/2019, 18:32 - Ada: hm\n",
    "transcript": INTERVIEW,
    "subtitles": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Bo>hi\n",
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("file_name", ["a.txt", "a.md", "a.dat", "a"])
def test_content_decides_whatever_the_name(write_file, name, file_name):
    assert choose(write_file(file_name, SAMPLES[name])).importer.name == name


def test_srt_is_told_by_its_first_cue(write_file):
    path = write_file("a.txt", "1\n00:00:01,000 --> 00:00:02,000\nBo: hi\n")
    assert choose(path).importer.name == "subtitles"


@pytest.mark.parametrize("name", ["profile.txt", "Profile-of-Ada.txt", "about.txt", "about_me.md"])
def test_a_text_named_as_a_profile_is_one(write_file, name):
    assert choose(write_file(name, "Ada was born in 1957.")).importer.name == "profile"


def test_plain_text_is_asked_about(write_file):
    with pytest.raises(UsageError) as asked:
        choose(write_file("essay.txt", "Some words.\n\nMore words."))
    assert asked.value.message == "essay.txt: could be text, profile"
    assert "--format text" in asked.value.hint


@pytest.mark.parametrize(("kind", "importer"), [("writing", "text"), ("journal", "text"), ("profile", "profile")])
def test_plain_text_is_what_the_user_says_it_is(write_file, kind, importer):
    assert choose(write_file("essay.txt", "Some words."), kind=kind).importer.name == importer


def test_a_tie_is_asked_about(write_file):
    with pytest.raises(UsageError, match=r"profile, markdown|markdown, profile"):
        choose(write_file("profile.md", "---\ntitle: x\n---\nwords"))


def test_the_user_s_word_overrules(write_file):
    assert choose(write_file("essay.txt", "Words."), "text").importer.name == "text"
    with pytest.raises(UsageError, match="no format"):
        choose(write_file("essay.txt", "Words."), "nonsense")


@pytest.mark.parametrize("content", ['{"guild": 1, "messages": []}', "<html><p>hello</p></html>"])
def test_unknown_structure_is_refused_rather_than_read_as_prose(write_file, content):
    with pytest.raises(ImportFailed, match="no known format"):
        choose(write_file("a.txt", content))


def test_key_value_lines_are_no_transcript(write_file):
    path = write_file("a.txt", "Name: Ada Marlow\nBorn: 1957\nTrade: surveyor\nHome: Skerrow\n")
    assert "transcript" not in [
        importer.name for importer, match in rank(open_source(path).probe()) if match.confidence > 0.8
    ]


def test_every_source_of_a_folder_is_chosen_and_the_unclear_ones_are_issues(tmp_path, write_file):
    for name, content in {"notes/a.md": "# A\n\nwords", "talk.txt": INTERVIEW, "odd.txt": "Words."}.items():
        write_file(f"ada/{name}", content)
    choices, issues = choose_each(tmp_path / "ada")
    assert [choice.importer.name for choice in choices] == ["markdown", "transcript"]
    assert [(issue.locator, issue.reason) for issue in issues] == [("odd.txt", "could be text, profile")]


def test_formats_have_distinct_names_and_rules():
    assert len({importer.name for importer in IMPORTERS}) == len(IMPORTERS)
    assert all(importer.sniff_rule and importer.library for importer in IMPORTERS)


def test_a_preview_counts_speakers_and_shows_short_samples(write_file):
    path = write_file("a.txt", INTERVIEW + "\nQ: And?\n\nA: " + "No. " * 100)
    choice = choose(path)
    preview = inspect(choice.source, choice.importer, Options())
    assert (preview.conversations, preview.documents, preview.private) == (1, 0, False)
    assert [(each.name, each.turns) for each in preview.speakers] == [("Ines", 2), ("Ada", 2)]
    assert preview.first_date == preview.last_date == "2019-03-04"
    assert all(len(text) <= 80 for each in preview.speakers for text in (*each.samples, *preview.samples))


def test_a_preview_of_documents_spans_their_dates(write_file):
    path = write_file(
        "a.jsonl", '{"title":"a","date":"2014","content":"x"}\n{"title":"b","date":"2011-02","content":"y"}\n'
    )
    preview = inspect(open_source(path), importer_named("raft-corpus"), Options())
    assert (preview.documents, preview.first_date, preview.last_date) == (2, "2011-02", "2014")
    assert preview.samples == ("a: x", "b: y")


def test_a_preview_of_an_ambiguous_chat_says_what_must_be_asked(write_file):
    path = write_file("a.txt", "02/03/2019, 18:31 - Bo: hi\n02/03/2019, 18:32 - Ada: hm\n")
    preview = inspect(open_source(path), importer_named("whatsapp"), Options())
    assert preview.private
    assert len(preview.ambiguities) == 1
    assert "day and month" in preview.ambiguities[0]
    assert len(preview.speakers) == 2
