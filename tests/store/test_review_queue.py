"""Which cards a filter finds: those on which its words stand, whatever their case and their script."""

from __future__ import annotations

import pytest

from core.review.decisions import Actor, CardKind, Decision, decide
from core.store.pairs import put_pair
from core.store.review_queue import matching
from core.workspace import Workspace
from tests.review_rows import fill

NELL = Actor("person", "Nell")


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, 60)
    return workspace


def _found(workspace: Workspace, *words: str, kind: CardKind = "memory") -> set[int]:
    return matching(workspace.database, kind, words)


def test_a_filter_finds_the_words_of_an_edit_and_no_longer_those_it_took_away(queue: Workspace) -> None:
    queue.database.execute("UPDATE memory SET text = 'The weighbridge was shut.' WHERE id = 4")
    assert _found(queue, "weighbridge") == {4}
    decide(queue.database, NELL, [Decision("m000004", "edit", text="The lighthouse was shut.")])
    assert _found(queue, "lighthouse") == {4}
    assert _found(queue, "weighbridge") == set()


@pytest.mark.parametrize(
    ("text", "word"),
    [("Москва зимой", "москва"), ("ΟΔΟΣ 1901", "οδος"), ("Straße am Hafen", "STRASSE"), ("CAFE\u0301", "caf\u00e9")],
)
def test_a_filter_finds_a_word_of_any_script_in_any_case(queue: Workspace, text: str, word: str) -> None:
    queue.database.execute("UPDATE memory SET text = ? WHERE id = 7", (text,))
    assert _found(queue, word) == {7}


def test_every_word_may_stand_on_another_part_of_the_card(queue: Workspace) -> None:
    database = queue.database
    database.execute("UPDATE memory SET text = 'A weighbridge.' WHERE id IN (3, 9, 14)")
    database.execute("UPDATE exchange SET question = 'Which quarry?' WHERE id IN (1, 3)")
    database.execute("UPDATE chunk SET text = 'The towpath, 100% dry.' WHERE id IN (4, 10)")
    assert _found(queue, "WEIGHBRIDGE") == {3, 9, 14}
    assert _found(queue, "weighbridge", "quarry") == {3, 14}
    assert _found(queue, "weighbridge", "quarry", "towpath") == {3}
    assert _found(queue, "100%") == {3, 9}
    assert _found(queue, "towpath%") == set()


def test_a_passage_of_an_earlier_answer_is_found_by_the_title_of_its_conversation(queue: Workspace) -> None:
    database = queue.database
    database.execute("UPDATE chunk SET document_id = NULL, exchange_id = 2 WHERE id = 6")
    database.execute("UPDATE conversation SET title = 'Двор ДОМА' WHERE id = (SELECT conversation_id FROM exchange"
                     " WHERE id = 2)")  # fmt: skip
    assert _found(queue, "дома") == {5}


def test_a_filter_finds_pairs_and_proposals_in_any_script(queue: Workspace) -> None:
    with queue.database.write():
        put_pair(queue.database, "Где?", "", "МОСКВА", "Tver", "import", None, "2024-01-01")
        queue.database.execute(
            "INSERT INTO proposal (uid, kind, about, title, before, after, reason, score, created_at)"
            " VALUES ('q1', 'cleaning', '', 'Улица', '', 'Old words', '', 0.0, '2024-01-01')"
        )
    assert _found(queue, "москва", "tver", kind="pair") == {1}
    assert _found(queue, "улица", "old", kind="proposal") == {1}
    decide(queue.database, NELL, [Decision("q1", "edit", text="Lighthouse", card_kind="proposal")])
    assert _found(queue, "lighthouse", kind="proposal") == {1}
    assert _found(queue, "old", kind="proposal") == set()
