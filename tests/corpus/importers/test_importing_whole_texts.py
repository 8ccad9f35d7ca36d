"""A profile and a plain text are one document each, exactly as written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.decoding import tidy_paragraphs
from core.corpus.importers.text import PlainText
from core.corpus.opening import FileSource
from core.corpus.records import Options


def test_a_profile_is_about_the_target_and_undated(parse, write_file):
    (found,) = parse(write_file("profile.txt", "Name: Ada\n\n\n\nBorn in 1957."), "profile")
    assert (found.kind, found.text, found.date.known) == ("profile", "Name: Ada\n\nBorn in 1957.", False)


def test_a_text_is_dated_by_its_name_only(parse, write_file):
    (found,) = parse(write_file("2014-03-05 The boat.txt", "Words."), "text")
    assert (found.title, found.date.iso(), found.kind) == ("The boat", "2014-03-05", "writing")


def test_project_gutenberg_s_header_and_footer_are_left_out(parse, write_file):
    start, end = (f"*** {edge} OF THE PROJECT GUTENBERG EBOOK X ***" for edge in ("START", "END"))
    (found,) = parse(write_file("a.txt", f"License\n{start}\n\nWords.\n\n{end}\nMore"), "text")
    assert found.text == "Words."


@pytest.mark.parametrize("form", ["profile", "text"])
def test_only_blank_text_is_an_issue(write_file, parse, form):
    (issue,) = parse(write_file("a.txt", "\u2003\n"), form)
    assert "no text" in issue.reason


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\r\x00\ufeff"), min_size=1))
def test_the_text_comes_out_as_it_was_written(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "exact.txt"
    path.write_text(text, encoding="utf-8", newline="")
    records = list(PlainText().parse(FileSource(path, path.name), Options()))
    assert [getattr(each, "text", "") for each in records] == [tidy_paragraphs(text)]
