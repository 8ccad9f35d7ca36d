"""The coverage report: which passages the memories come from, how evenly, and which never."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.recall.coverage import coverage, gini
from core.workspace import Workspace


@pytest.fixture
def counted(workspace: Workspace) -> Workspace:
    """Twelve passages of two sources: the first recalled ten times, the next two once, nine never; some private."""
    db = workspace.database
    with db.write():
        for source, use in ((1, "train"), (2, "train"), (3, "recall")):
            db.execute(
                "INSERT INTO source (id, uid, location, format, content_hash, use, use_chosen, imported_at)"
                " VALUES (?, ?, ?, 'markdown', 'x', ?, 0, '2024-01-01')",
                (source, f"s{source}", f"/notes/{source}", use),
            )
        for n in range(1, 15):
            year = 2010 + n % 3
            day = -1 if n == 12 else 733773 + 365 * (n % 3)
            source = 3 if n > 12 else 1 + n % 2
            db.execute(
                "INSERT INTO document (id, uid, source_id, position, kind, title, link, date, date_precision,"
                " first_day, last_day, text, language, visibility, reply_to, tags, content_hash)"
                " VALUES (?, ?, ?, ?, 'writing', ?, '', ?, 'day', ?, ?, '', 'en', 'public', '', '[]', ?)",
                (n, f"d{n}", source, n, f"Note {n}", f"{year}-01-01", day, day, f"h{n}"),
            )
            db.execute(
                "INSERT INTO chunk (id, uid, document_id, position, start, stop, text, tokens, last_day)"
                " VALUES (?, ?, ?, 0, 0, 9, 'words', 2, ?)",
                (n, f"c{n}", n, day),
            )
        db.execute(
            "INSERT INTO conversation (id, uid, source_id, position, title, link, date, date_precision, first_day,"
            " last_day, visibility, chat, content_hash)"
            " VALUES (1, 'k', 1, 0, 'Talk', '', '2012-01-01', 'day', 734503, 734503, 'public', 0, 'k')"
        )
        for n in range(1, 13):
            db.execute(
                "INSERT INTO exchange (id, uid, conversation_id, position, segment, asker, question, answer,"
                " first_day, last_day, initiates) VALUES (?, ?, 1, ?, 0, 'Ines', 'Q?', 'A.', 734503, 734503, 0)",
                (n, f"e{n}", n),
            )
            db.execute(
                "INSERT INTO memory (uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start,"
                " quote_stop) VALUES (?, ?, ?, 1, 0.5, 'extractive', 'm', 'q', 0, 1)",
                (f"m{n}", n, max(1, n - 9)),
            )
    return workspace


def test_the_report_of_a_small_workspace(counted: Workspace) -> None:
    report = coverage(counted.database)
    assert (report.passages, report.recalled, report.memories) == (12, 3, 12)
    assert report.share == 0.25
    assert report.top_hundredth == round(10 / 12, 4)
    assert report.top_tenth == round(11 / 12, 4)
    assert [(used.id, used.memories) for used in report.most_used] == [("k1", 10), ("k2", 1), ("k3", 1)]
    assert [used.title for used in report.most_used_documents] == ["Note 1", "Note 2", "Note 3"]
    assert [(each.name, each.passages, each.never) for each in report.by_source] == [
        ("/notes/1", 6, 5),
        ("/notes/2", 6, 4),
    ]
    assert [each.name for each in report.by_year] == ["2010", "2011", "2012", "undated"]
    assert sum(each.never for each in report.by_year) == 9


def test_what_no_question_could_recall_is_told_apart(counted: Workspace) -> None:
    report = coverage(counted.database)
    on_the_day = [n for n in range(1, 12) if n % 3 == 2]
    assert report.too_new == len([n for n in on_the_day if n > 3])


def test_an_empty_workspace_has_an_empty_report(workspace: Workspace) -> None:
    report = coverage(workspace.database)
    assert (report.passages, report.memories, report.gini, report.share, report.most_used) == (0, 0, 0.0, 0.0, ())


def test_gini_of_known_spreads() -> None:
    assert gini([3, 3, 3, 3]) == 0
    assert gini([0, 0, 0, 4]) == 0.75
    assert gini([]) == gini([0, 0]) == 0


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.randoms())
def test_gini_does_not_depend_on_order_and_grows_when_the_rich_take(counts: list[int], chance: Any) -> None:
    shuffled = list(counts)
    chance.shuffle(shuffled)
    assert gini(shuffled) == gini(counts)
    assert 0 <= gini(counts) < 1
    taken = sorted(counts)
    if taken[0] > 0:
        taken[0] -= 1
        taken[-1] += 1
        assert gini(taken) >= gini(counts)


def test_the_command_tells_the_report_and_writes_nothing(counted: Workspace, simulee: Callable[..., Any]) -> None:
    counted.database.close()
    done = simulee("recall", "--coverage", "--json", "-w", counted.root)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["passages"], report["recalled"], report["share"]) == (12, 3, 0.25)
    assert report["most_used"][0] == {"id": "k1", "title": "Note 1", "date": "2011-01-01", "memories": 10}
    told = simulee("recall", "--coverage", "-w", counted.root).stdout
    assert "3 of 12 passages recalled at least once (25%)" in told
    assert not list(Path(counted.root / "runs").iterdir())
