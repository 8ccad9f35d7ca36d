"""What a person states outranks memories, is dated, can be taken back; and what is never to be said is not said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.dates import as_of_request
from core.errors import UsageError
from core.models.roles import embedder_of
from core.store.statements import statements
from core.twin.statements import bearing_on, facts_before, never_said, never_say, state_fact, take_back
from core.workspace import Workspace

COMMAND = [sys.executable, "-c", "from tui.cli import main; main()"]


def test_a_fact_holds_from_its_date_on(workspace: Workspace) -> None:
    state_fact(workspace, "Ada", "I sold the boat.", "2019-05")
    state_fact(workspace, "Ada", "I was born on Skerrow.")
    held = {
        day: [row.text for row in facts_before(workspace, as_of_request(day))] for day in ("2019-04", "2019-05", "2018")
    }
    assert held["2018"] == held["2019-04"] == ["I was born on Skerrow."]
    assert held["2019-05"] == ["I sold the boat.", "I was born on Skerrow."]
    assert len(facts_before(workspace, None)) == 2


def test_what_is_taken_back_holds_no_more_and_said_again_holds_again(workspace: Workspace) -> None:
    row = never_say(workspace, "Ada", "  as an\nAI ")
    assert never_said(workspace) == ["as an AI"]
    take_back(workspace, "Ada", f"s{row.id}")
    assert never_said(workspace) == []
    with pytest.raises(UsageError, match="no statement"):
        take_back(workspace, "Ada", f"s{row.id}")
    never_say(workspace, "Ada", "as an AI")
    assert [each.uid for each in statements(workspace.database)] == [row.uid]


@pytest.mark.parametrize(("text", "since"), [("", ""), ("…", ""), ("It was.", "Tuesday"), ("x" * 501, "")])
def test_what_is_no_statement_is_refused(workspace: Workspace, text: str, since: str) -> None:
    with pytest.raises(UsageError):
        state_fact(workspace, "Ada", text, since)
    assert statements(workspace.database) == []


def test_only_facts_that_bear_on_the_question_are_shown_the_nearest_first(workspace: Workspace) -> None:
    facts = [
        state_fact(workspace, "Ada", "I sold the boat in the spring of 2019.", "2019"),
        state_fact(workspace, "Ada", "My brother Joss builds boats in Dunmarrow."),
        state_fact(workspace, "Ada", "I am allergic to walnuts."),
    ]
    shown = bearing_on("What happened to your boat?", facts, embedder_of(workspace.settings))
    assert [each.text for each in shown] == [facts[0].text, facts[1].text]
    assert shown[0].date == "2019"
    assert bearing_on("What is seven times eight?", facts, embedder_of(workspace.settings)) == []


def _run(workspace: Workspace, *arguments: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [*COMMAND, "feedback", *arguments, "-w", str(workspace.root), "--json"], capture_output=True, text=True
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_feedback_from_the_shell(workspace: Workspace) -> None:
    from core.store.pairs import list_pairs
    from core.store.sessions import add_message, begin_session, find_message

    database = workspace.database
    with database.write():
        session = begin_session(database, None, "", "2027-01-01")
        add_message(database, session, "user", "", "Do you keep the boat?", "", {}, "2027-01-01")
        first = add_message(database, session, "assistant", "Ada", "Yes.", "p", {}, "2027-01-01")
        second = add_message(database, session, "assistant", "Ada", "I sold it.", "p", {}, "2027-01-01")
    assert _run(workspace, "rate", str(first), "bad")[0] == 0
    found = find_message(database, first)
    assert found is not None
    assert found.rating == -1
    assert _run(workspace, "compare", str(first), f"m{second}", "second")[0] == 0
    assert _run(workspace, "correct", str(second), "I sold it in 2019.")[0] == 0
    pairs = [(pair.origin, pair.state, pair.preferred) for pair in list_pairs(database)]
    assert pairs == [("comparison", "accepted", "right"), ("correction", "accepted", "left")]
    code, told, _ = _run(workspace, "fact", "I sold the boat.", "--since", "2019", "--answer", str(first))
    assert (code, told["text"], told["message_id"]) == (0, "I sold the boat.", first)
    assert _run(workspace, "list")[1]["statements"][0]["date"] == "2019"
    assert _run(workspace, "remove", f"s{told['id']}")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [("rate", "first", "good"), ("rate", "7", "good"), ("rate", "1", "fine"), ("compare", "1", "2", "both"),
     ("fact", ""), ("never", "  "), ("remove", "s9"), ("fact", "It was.", "--answer", "99")],
)  # fmt: skip
def test_bad_feedback_is_one_clear_line(workspace: Workspace, arguments: tuple[str, ...]) -> None:
    code, _, errors = _run(workspace, *arguments)
    assert code == 2
    assert len(errors.strip().splitlines()) <= 2
    assert Path(workspace.root).exists()
