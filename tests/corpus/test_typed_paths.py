"""Paths as people type and paste them, and their completion."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.corpus.typed_paths import complete, refuse_addresses, typed_paths
from core.errors import ImportFailed, UsageError


@pytest.fixture
def folder(tmp_path):
    for name in ("my notes.md", "more.md", ".hidden"):
        (tmp_path / name).write_text("words", "utf-8")
    (tmp_path / "mail").mkdir()
    return tmp_path


def test_a_path_with_spaces_needs_no_quotes(folder):
    assert typed_paths(f"  {folder}/my notes.md ") == [folder / "my notes.md"]


@pytest.mark.parametrize(
    "written", ["'{}/my notes.md'", '"{}/my notes.md"', "{}/my\\ notes.md", "file://{}/my%20notes.md"]
)
def test_what_a_terminal_pastes_is_understood(folder, written):
    assert typed_paths(written.format(folder)) == [folder / "my notes.md"]


def test_several_dropped_files_are_several_paths(folder):
    assert typed_paths(f"'{folder}/my notes.md' {folder}/more.md") == [folder / "my notes.md", folder / "more.md"]


def test_what_is_not_there_stays_as_it_was_typed():
    assert typed_paths("no such file.txt") == [Path("no such file.txt")]
    assert typed_paths("it's") == [Path("it's")]


def test_the_home_folder_is_meant_by_a_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert typed_paths("~/more.md") == [folder / "more.md"]
    assert complete("~/mor").text == "~/more.md"


def test_an_empty_line_is_refused():
    with pytest.raises(UsageError, match="no file or folder"):
        typed_paths("  ")


@pytest.mark.parametrize("address", ["https://example.org/feed.xml", "http://127.0.0.1:8000/", "gopher://a/b"])
def test_an_address_is_refused_as_it_was_written(address):
    with pytest.raises(ImportFailed) as refused:
        refuse_addresses(typed_paths(address))
    assert refused.value.message.startswith(address.rstrip("/"))


def test_a_completion_goes_as_far_as_it_is_clear(folder):
    assert complete(f"{folder}/mo").text == f"{folder}/more.md"
    assert complete(f"{folder}/ma").text == f"{folder}/mail/"
    found = complete(f"{folder}/m")
    assert (found.text, found.names) == (f"{folder}/m", ("mail/", "more.md", "my notes.md"))
    assert complete(f"{folder}/.h").text == f"{folder}/.hidden"


@pytest.mark.parametrize("text", ["/nowhere/x", "a\0b", "~nobody-at-all/x"])
def test_what_cannot_be_completed_stays(text):
    assert complete(text).text == text
