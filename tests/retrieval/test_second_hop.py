"""The second hop: what a passage names, and which passages a rare name, a title or a place beside another leads to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.retrieval.graph import MOST_PASSAGES, Around, known_names, names_in, second_hop
from core.retrieval.search import Query, Searcher
from core.store.mentions import names_of
from core.store.sight import Sight
from core.workspace import Workspace

Embedded = Callable[..., Workspace]
"""Imports notes and embeds."""

KNOWN = known_names(
    ["Tam", "Ines Calder", "Ada Marlow"], ["Ada Marlow", "Ada"], ["The argument with the coast", "Salt"]
)


def named(text: str, *around: str) -> set[str]:
    return set(names_in(text, Around(around), KNOWN))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("His name is Enoch Strand and he had it for years.", {"enoch strand"}),
        ("Enoch Strand's box gives two flashes.", {"enoch strand"}),
        ("Yesterday Enoch Strand came.", {"yesterday enoch strand", "enoch strand"}),
        ("The Lamp Commission came on the boat.", {"lamp commission"}),
        ("We met the Duke of Dunmarrow Head there.", {"duke of dunmarrow head"}),
        ("He left. Dunmarrow slept. Nothing Else Mattered.", {"nothing else mattered", "else mattered"}),
        ("Tam came by, and so did the dog.", {"tam"}),
        ("Ada Marlow wrote this.", set()),
        ("See [[On lamps|the piece]] and [[The pilot#end]].", {"on lamps", "the pilot"}),
        ("I wrote in the argument with the coast that maps lie.", {"the argument with the coast"}),
        ("Salt is a title of one word and finds nothing.", set()),
        ("no capitals here at all, nor any name", set()),
        ("", set()),
    ],
)
def test_what_a_text_names(text: str, names: set[str]) -> None:
    assert named(text) == names


def test_tags_titles_links_and_askers_are_names_of_the_passage() -> None:
    around = ("Enoch Strand", "lamps", "https://Example.org/a", "")
    assert named("nothing", *around) == {"enoch strand", "lamps", "https://example.org/a"}


NOTES = {
    "2010-01-01 The box.md": "Three men came with a gray box that Enoch Strand would not look at.",
    "2011-01-01 A funeral.md": "We buried Enoch Strand on a Thursday, and the ferry waited for the bearers.",
    "2012-01-01 Jam.md": "Damson jam takes eleven jars and a patience that I have not got.",
    "2013-01-01 Tea.md": "Tea is for the ill; whoever rows before breakfast drinks coffee.",
}


def titles(searcher: Searcher, text: str, k: int) -> list[str]:
    return [each.passage.title for each in searcher.search(Query(text, k))]


def chunk_of(workspace: Workspace, title: str) -> int:
    return int(
        workspace.database.value(
            "SELECT chunk.id FROM chunk JOIN document ON document.id = document_id WHERE title = ?", (title,)
        )
    )


def test_a_rare_name_leads_to_the_other_passage_that_has_it(embedded: Embedded) -> None:
    workspace = embedded(NOTES)
    reached = second_hop(workspace.database, [chunk_of(workspace, "The box")], Sight())
    assert [chunk_id for chunk_id, _ in reached] == [chunk_of(workspace, "A funeral")]


def test_the_second_hop_brings_up_what_the_query_does_not_say(
    embedded: Embedded, searcher: Callable[..., Searcher]
) -> None:
    workspace = embedded(NOTES)
    query = "the gray box that three men came with"
    plain, hopped = (titles(searcher(workspace, second_hop=hop), query, 4) for hop in (False, True))
    assert plain[0] == hopped[0] == "The box"
    assert hopped[1] == "A funeral"
    assert hopped.index("A funeral") <= plain.index("A funeral")


def test_what_many_passages_name_leads_nowhere(embedded: Embedded) -> None:
    notes = {f"2010-01-01 N{n}.md": f"Enoch Strand did thing number {n}." for n in range(MOST_PASSAGES + 1)}
    workspace = embedded(notes)
    assert second_hop(workspace.database, [chunk_of(workspace, "N0")], Sight()) == []
    workspace.database.execute("DELETE FROM document WHERE title = 'N1'")
    assert len(second_hop(workspace.database, [chunk_of(workspace, "N0")], Sight())) == MOST_PASSAGES - 1


def test_a_title_that_comes_later_is_found_in_what_was_there(embedded: Embedded) -> None:
    workspace = embedded({"2012-01-01 Jam.md": "I said it in the argument with the coast, and I say it again of jam."})
    assert second_hop(workspace.database, [chunk_of(workspace, "Jam")], Sight()) == []
    embedded({"2011-01-01 The argument with the coast.md": "Every map argues, and loses by Thursday."})
    there = chunk_of(workspace, "The argument with the coast")
    assert [each for each, _ in second_hop(workspace.database, [chunk_of(workspace, "Jam")], Sight())] == [there]
    assert [each for each, _ in second_hop(workspace.database, [there], Sight())] == [chunk_of(workspace, "Jam")]


def test_answers_of_one_conversation_stand_beside_each_other(
    embedded: Embedded, write_interview: Callable[..., Path]
) -> None:
    exchanges = [(f"And thing number {n}?", f"That was my answer number {n}.") for n in range(4)]
    workspace = embedded({}, write_interview("2012-01-01", exchanges))
    ids = [row[0] for row in workspace.database.rows("SELECT id FROM chunk ORDER BY exchange_id")]
    if not ids:
        workspace.database.execute("UPDATE conversation_split SET split = 'train'")
    beside = dict(second_hop(workspace.database, [ids[1]], Sight()))
    assert beside[ids[0]] == beside[ids[2]] > beside[ids[3]]
    conversation = int(workspace.database.value("SELECT id FROM conversation"))
    assert second_hop(workspace.database, [ids[1]], Sight(not_conversation=conversation)) == []


def test_a_changed_tag_changes_what_the_passage_names(embedded: Embedded) -> None:
    note = "---\ntitle: Lamp\ndate: 2011-01-01\ntags: [{}]\n---\nThe light went out in March."
    workspace = embedded({"lamp.md": note.format("keepers")})
    chunk_id = chunk_of(workspace, "Lamp")
    assert names_of(workspace.database, chunk_id) == ["keepers", "lamp"]
    embedded({"lamp.md": note.format("storms")})
    assert names_of(workspace.database, chunk_of(workspace, "Lamp")) == ["lamp", "storms"]
