"""Whatever is added to the search, nothing of the as-of day or later is found, nor of the conversation itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.journey import EMBED
from core.models.embedder import Embedder
from core.retrieval.graph import second_hop
from core.retrieval.search import Query, Searcher
from core.runs.control import run_to_end
from core.settings import RetrievalSettings
from core.store.sight import Sight
from core.workspace import Workspace
from tests.question_asker import answering, ask_all

FIRST, LAST = 2009, 2020
PEOPLE = ("Enoch Strand", "Ines Calder", "Tam Ferrow")
THINGS = ("lamp", "ledger", "damson", "causeway")
ALL = RetrievalSettings(questions=True, second_hop=True, mmr_lambda=0.7, per_document=2)


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A note a year and person, some undated, three interviews, all of the same names and things; with questions."""
    from core.corpus import importing

    root = tmp_path_factory.mktemp("dated")
    notes = root / "notes"
    notes.mkdir()
    for year, (place, person) in product(range(FIRST, LAST + 1), enumerate(PEOPLE)):
        thing = THINGS[(year + place) % len(THINGS)]
        text = f"---\ntitle: {person} {year}\ndate: {year}-0{place + 1}-15\ntags: [{thing}]\n---\n"
        text += f"In those days {person} kept the {thing} of the island. " * 3
        (notes / f"{year}-{place}.md").write_text(text, "utf-8")
    for thing in THINGS:
        (notes / f"undated {thing}.md").write_text(f"I never dated what I know of the {thing} and of Enoch Strand.")
    files = [notes]
    for year in (2012, 2015, 2018):
        asked = [(f"What of the {thing}?", f"The {thing} was Enoch Strand's, and then nobody's.") for thing in THINGS]
        path = root / f"{year}.json"
        told = {"participants": {"q": "Ines Calder", "a": "Ada Marlow"}, "date": f"{year}-06-01", "exchanges": asked}
        path.write_text(json.dumps(told), "utf-8")
        files.append(path)
    workspace = Workspace.create(root / "ws", "Ada Marlow", sections={"dataset": {"heldout": 0.0}})
    choices, _ = importing.plan(files, None)
    sources = [
        {"path": str(choice.source.path), "format": choice.importer.name, "confidence": choice.match.confidence}
        for choice in choices
    ]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    run_to_end(workspace, *EMBED, {})
    with answering() as server:
        ask_all(workspace, server.url, judged=True)
    assert workspace.database.value("SELECT count(*) FROM question_vector") > 90
    yield workspace
    workspace.database.close()


DAYS = st.integers(date(FIRST - 1, 1, 1).toordinal(), date(LAST + 1, 12, 31).toordinal())
MODES = st.sampled_from(["hybrid", "vector", "lexical"])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.none() | DAYS, undated=st.booleans(), own=st.integers(0, 3), mode=MODES, k=st.integers(1, 30),
    text=st.sampled_from([*PEOPLE, *THINGS, "What did Enoch Strand do with the lamp?"]),
)  # fmt: skip
def test_nothing_on_or_after_the_day_is_found(
    dated: Workspace, embedder: Embedder, before: Any, undated: bool, own: int, mode: Any, k: int, text: str
) -> None:
    query = Query(text, k, before, mode, undated, own)
    searcher = Searcher(dated, lambda: embedder, ALL)
    found = searcher.search(query)
    for each in found:
        day = each.passage.chunk.last_day
        assert before is None or day < before
        assert undated or day >= 0
        assert own == 0 or each.passage.conversation_id != own
    assert found == searcher.search(query)
    assert len({each.passage.chunk.id for each in found}) == len(found)
    if mode != "lexical" and (undated or before is None):
        assert found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=DAYS, undated=st.booleans(), own=st.integers(0, 3), data=st.data())
def test_the_second_hop_reaches_and_weighs_only_what_is_in_sight(
    dated: Workspace, before: int, undated: bool, own: int, data: st.DataObject
) -> None:
    database = dated.database
    sight = Sight(before, undated, own)
    rows = {
        row[0]: (row[1], row[2])
        for row in database.rows(
            "SELECT chunk.id, chunk.last_day, coalesce(conversation_id, 0) FROM chunk"
            " LEFT JOIN exchange ON exchange.id = exchange_id"
        )
    }
    seen = [chunk_id for chunk_id, (day, conversation) in rows.items() if sight.shows(day, conversation)]
    first = data.draw(st.lists(st.sampled_from(seen), max_size=5, unique=True)) if seen else []
    reached = second_hop(database, first, sight)
    assert {chunk_id for chunk_id, _ in reached} <= set(seen)
    with database.write():
        database.execute("SAVEPOINT future")
        for chunk_id in rows.keys() - set(seen):
            database.execute("DELETE FROM chunk WHERE id = ?", (chunk_id,))
        without = second_hop(database, first, sight)
        database.execute("ROLLBACK TO future")
        database.execute("RELEASE future")
    assert reached == without


def test_on_an_early_day_other_passages_are_found(dated: Workspace, embedder: Embedder) -> None:
    searcher = Searcher(dated, lambda: embedder, ALL)
    late = searcher.search(Query("Enoch Strand", 30))
    early = searcher.search(Query("Enoch Strand", 30, before=date(2011, 1, 1).toordinal()))
    assert {each.passage.chunk.id for each in early} != {each.passage.chunk.id for each in late}
    assert early
