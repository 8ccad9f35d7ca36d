"""Sessions are found by the words that were said in them, and a removed one leaves none behind."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.store.database import Database
from core.store.session_search import excerpts
from core.store.sessions import add_message, begin_session, list_sessions, remove_session
from core.workspace import Workspace

AT = "2026-01-02T03:04:05+00:00"
WORDS = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)


def put(database: Database, *said: str) -> int:
    with database.write():
        session = begin_session(database, None, "", AT)
        for place, text in enumerate(said):
            add_message(database, session, "assistant" if place % 2 else "user", "Ada", text, "", {}, AT)
    return session


def found(database: Database, *words: str) -> list[int]:
    return [row.id for row in list_sessions(database, words)]


def test_words_are_found_by_their_beginning_whatever_their_case_and_accents(workspace: Workspace) -> None:
    database = workspace.database
    charts = put(database, "Do you keep CHARTS?", "In the café, under the stairs. Don't tell.")
    tea = put(database, "Tea?", "Instead of coffee: 100% protest, 👩‍🚀.")
    for words, sessions in (
        (["chart"], [charts]), (["charts", "cafe"], [charts]), (["CAFÉ"], [charts]), (["don't"], [charts]),
        (["tea"], [tea]), (["stead"], []), (["100%"], [tea]), (["%"], [tea]), (["👩‍🚀"], [tea]),
        (["charts", "tea"], []), (["t"], [tea, charts]), (["_"], []), (["\\"], []),
    ):  # fmt: skip
        assert found(database, *words) == sessions, words


def test_a_script_without_spaces_is_found_inside_its_lines(workspace: Workspace) -> None:
    session = put(workspace.database, "潮はどこへ行きますか", "港から海へ帰ります。")
    assert found(workspace.database, "海へ") == [session]
    assert found(workspace.database, "山") == []
    assert excerpts(workspace.database, [session], ["海へ"])[session].text == "港から海へ帰ります。"


def test_nothing_that_is_looked_for_is_an_operator(workspace: Workspace) -> None:
    database = workspace.database
    session = put(database, 'She said "NEAR the AND" OR so.', "text: * ^start (a) - b + c")
    for word in ('"NEAR', 'AND"', "OR", "text:", "*", "^start", "(a)", "NOT", '"', "'", "-", "a*"):
        assert found(database, word) in ([session], []), word
    assert found(database, "OR") == [session]
    assert found(database, '"NEAR') == [session]
    assert found(database, "NOT") == []


def test_the_excerpt_stands_around_the_words_that_were_met_best(workspace: Workspace) -> None:
    database = workspace.database
    far = "word " * 60
    session = put(database, "The tide?", f"{far}the old tide charts lie there {far}", "And the tide again?")
    other = put(database, "Nothing of that.")
    told = excerpts(database, [session, other], ["tide", "charts"])
    assert set(told) == {session}
    assert told[session].role == "assistant"
    assert "old tide charts" in told[session].text
    assert len(told[session].text) < 250


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    workspace = Workspace.create(tmp_path_factory.mktemp("searched") / "ws", "Ada")
    yield workspace.database
    workspace.database.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(WORDS, WORDS)
def test_what_was_said_is_found_by_each_of_its_words_and_no_search_fails(
    searched: Database, text: str, sought: str
) -> None:
    session = put(searched, text, "And so on.")
    found(searched, sought)
    excerpts(searched, [session], [sought])
    for word in text.split():
        if word.isascii():
            assert session in found(searched, word)
    with searched.write():
        remove_session(searched, session)


def test_a_removed_session_leaves_no_word_in_the_index(workspace: Workspace) -> None:
    database = workspace.database
    kept = put(database, "Tea?", "Under protest.")
    gone = put(database, "Who drowned?", "Bartholomew zzyzx did.")
    assert found(database, "zzyzx") == [gone]
    in_the_index = "SELECT count(*) FROM message_text_data WHERE instr(block, CAST('zzyzx' AS BLOB))"
    assert database.value(in_the_index) > 0
    with database.write():
        remove_session(database, gone)
    assert found(database, "zzyzx") == []
    assert found(database, "protest") == [kept]
    assert database.value(in_the_index) == 0
    database.execute("INSERT INTO message_text (message_text, rank) VALUES ('integrity-check', 1)")


def test_a_workspace_from_before_the_index_is_searched_whole(tmp_path: Path) -> None:
    path = tmp_path / "persona.db"
    connection = apsw.Connection(str(path))
    migrations = sorted(each.name for each in resources.files("core.store").joinpath("migrations").iterdir()
                        if each.name.endswith(".sql"))  # fmt: skip
    before = [name for name in migrations if name < next(each for each in migrations if "session_search" in each)]
    for name in before:
        connection.execute(resources.files("core.store").joinpath("migrations", name).read_text("utf-8"))
    connection.execute(f"PRAGMA user_version = {len(before)}")
    connection.execute("INSERT INTO session (as_of, created_at) VALUES ('', ?)", (AT,))
    connection.execute(
        "INSERT INTO message (session_id, role, speaker, text, prompt, settings, created_at)"
        " VALUES (1, 'user', '', 'Do you keep charts?', '', '{}', ?)",
        (AT,),
    )
    connection.close()
    database = Database.open(path)
    assert found(database, "charts") == [1]
    database.close()
