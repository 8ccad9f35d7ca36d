"""A small workspace in which the plain embedder finds the wrong passages, and the right ones need a turn of the query.

Of every topic there are two notes: gossip that repeats the interviewer's question and says nothing, and an entry of
the ledger that says what happened. A person accepted the entries and rejected the gossip. Five interviews train, one
validates, two are held out; each asks about four topics of its own, or about eight, where a gain is to be shown.
"""

from __future__ import annotations

import json
from pathlib import Path

from core.corpus import importing
from core.journey import EMBED
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.store.chunks import index_metadata, passages
from core.store.conversations import exchanges_of, trainable_conversations
from core.store.memories import MemoryRow, put_memories
from core.workspace import Workspace

TARGET = "Ada Marlow"
TOPICS = (
    "the ferry", "the lighthouse", "the herring fleet", "the school", "the new hotel", "the bakery", "the church bell",
    "the railway", "the winter storm", "the council", "the harbor dredging", "the fish market", "the museum",
    "the post office", "the lifeboat", "the oil rigs", "the golf course", "the chapel roof", "the bus to town",
    "the seal cull", "the ice house", "the regatta", "the old cinema", "the sea wall", "the tax office",
    "the salt works", "the pilot cutter", "the cemetery", "the brewery", "the radio mast", "the cannery", "the mayor",
    "the slipway", "the library", "the butcher", "the coast road", "the telephone box", "the allotments", "the dentist",
    "the carnival", "the quarry", "the swimming club", "the almshouses", "the customs house", "the rope walk",
    "the weather station", "the football ground", "the choir", "the sheep fair", "the wind farm", "the clock tower",
    "the youth hostel", "the watermill", "the aquarium", "the bandstand", "the tram", "the laundry", "the fire brigade",
    "the orchard", "the chess club", "the shipyard", "the pharmacy", "the viaduct", "the kennels",
)  # fmt: skip
INTERVIEWS, PER_INTERVIEW = 8, 4
MANY = 8
"""Questions of an interview: so many must validate before a gain can be shown."""
PERSON = Actor("person", "Ines")


def gossip(topic: str) -> str:
    return (
        f"Interviewers always ask what I think of {topic}. What do you think of {topic}, they say, and how do you feel"
        f" about {topic}? People have views about {topic}."
    )


def entry(topic: str, place: int) -> str:
    return f"Ledger, entry {place}. {topic.capitalize()}: paid {place + 3} shillings, signed, witnessed, rain at noon."


def question(topic: str) -> str:
    return f"What do you think of {topic}, and how do you feel about it?"


def make_harbor(
    root: Path,
    decided: bool = True,
    interviews: int = INTERVIEWS,
    per_interview: int = PER_INTERVIEW,
    embedder: Path | None = None,
) -> Workspace:
    """The workspace, imported and embedded; with ``decided`` its memories too, decided on by a person.

    Of four interviews three train, none validates and one is held out.
    """
    notes = root / "notes"
    notes.mkdir(parents=True)
    for place, topic in enumerate(TOPICS[: interviews * per_interview]):
        (notes / f"2004-01-01 Note {2 * place}.md").write_text(gossip(topic), "utf-8")
        (notes / f"2005-01-01 Note {2 * place + 1}.md").write_text(entry(topic, place), "utf-8")
    files = [notes]
    for number in range(interviews):
        topics = TOPICS[number * per_interview : (number + 1) * per_interview]
        exchanges = [[question(topic), f"It cost me, that is what. {len(topic)} years of it."] for topic in topics]
        told = {"participants": {"q": "Ines Calder", "a": TARGET}, "date": f"{2010 + number}-05-01"}
        files.append(root / f"{number}.json")
        files[-1].write_text(json.dumps({**told, "exchanges": exchanges}), "utf-8")
    named = {"models": {"embedder": {"engine": "sentence-transformers", "model": str(embedder)}}} if embedder else {}
    workspace = Workspace.create(root / "ws", TARGET, sections=named)
    choices, _ = importing.plan(files, None)
    sources = [{"path": str(each.source.path), "format": each.importer.name} for each in choices]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    run_to_end(workspace, *EMBED, {})
    if decided:
        decide_all(workspace)
    return workspace


def decide_all(workspace: Workspace) -> None:
    """Memories of the ledger accepted and of gossip rejected, for every question, the held-out ones too."""
    database = workspace.database
    by_text = {
        passage.chunk.text: chunk_id
        for chunk_id, passage in passages(database, [row[0] for row in index_metadata(database)]).items()
    }
    decisions = []
    for conversation in trainable_conversations(database):
        for exchange in exchanges_of(database, conversation.id):
            place = next(number for number, topic in enumerate(TOPICS) if question(topic) == exchange.question)
            rows = []
            for verb, text in (("accept", entry(TOPICS[place], place)), ("reject", gossip(TOPICS[place]))):
                uid = f"{verb}-{place}"
                rows.append(
                    MemoryRow(0, uid, exchange.id, by_text[text], 1, 0.5, "extractive", text, text, 0, len(text))
                )
                decisions.append(Decision(uid, "accept" if verb == "accept" else "reject"))
            with database.write():
                put_memories(database, exchange.id, [(row, {}) for row in rows])
    decide(database, PERSON, decisions)
