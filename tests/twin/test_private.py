"""Words that may not be used any more are kept from answers, and from the turns before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.journey import EMBED
from core.models.load_embedder import load_embedder
from core.runs.control import run_to_end
from core.store.sessions import add_memories, add_message, begin_session
from core.twin.guard import WITHHELD
from core.twin.private import withheld_of
from core.twin.transcript import past_turns
from core.workspace import Workspace
from tests.conftest import Importing

AT = "2026-01-02T03:04:05+00:00"
PRIVATE = "I sold the ferry to my brother in the spring and told nobody what he paid for it."


@pytest.fixture
def note(workspace: Workspace, tmp_path: Path, import_paths: Importing) -> Path:
    """A note that may be recalled, in one source; it is embedded."""
    path = tmp_path / "2014-03-02 The ferry.md"
    path.write_text(f"{PRIVATE}\n", "utf-8")
    import_paths(workspace, [path], use="recall")
    run_to_end(workspace, *EMBED, {})
    return path


@pytest.mark.parametrize("use", ["recall", "none"])
def test_a_source_that_is_used_for_nothing_is_repeated_as_little_as_one_for_recall(
    workspace: Workspace, note: Path, import_paths: Importing, use: str
) -> None:
    import_paths(workspace, [note], use=use)
    assert withheld_of(workspace, load_embedder).redact(f"Well: {PRIVATE}") == f"Well: {WITHHELD}."


def test_a_turn_shows_no_memory_of_what_may_not_be_used_any_more(
    workspace: Workspace, note: Path, import_paths: Importing
) -> None:
    database = workspace.database
    chunk = int(database.value("SELECT id FROM chunk"))
    with database.write():
        session = begin_session(database, None, "", AT)
        add_message(database, session, "user", "Nell", "And the ferry?", "", {}, AT)
        answer = add_message(database, session, "assistant", "Ada Marlow", "It went.", "p", {}, AT)
        add_memories(database, answer, [(chunk, PRIVATE)])
    past = past_turns(workspace, session)
    assert [each.text for each in past.turns[0].memories] == [PRIVATE]
    with database.write():
        database.execute("UPDATE source SET use = 'none'")
    marked = past_turns(workspace, session)
    import_paths(workspace, [note], use="none")
    assert database.value("SELECT count(*) FROM chunk") == 0
    for past in (marked, past_turns(workspace, session)):
        assert [(turn.question, turn.memories, turn.answer) for turn in past.turns] == [
            ("And the ferry?", (), "It went.")
        ]
        assert past.guarded
