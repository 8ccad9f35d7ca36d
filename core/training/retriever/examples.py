"""What there is to learn from: every question that is trained or validated on, the passages it could find on its day,
and which of them a person or a rule accepted or rejected.

Held-out conversations are never asked, and no passage of the question's day or later, or of its own conversation, is a
candidate: both as recall has it. A run keeps its examples beside its log, so that a resumed run learns from the very
same ones, whatever was decided meanwhile.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.atomic import write_atomically
from core.corpus.holdout import assign_splits, expected_splits
from core.recall.load import as_of, training_words
from core.recall.recollect import UNRELATED_POOL
from core.retrieval.search import Query, Searcher
from core.settings import RetrieverSettings
from core.store.chunks import ChunkRow, Passage, passages
from core.store.conversations import ConversationRow, ExchangeRow, exchanges_of, trainable_conversations
from core.store.decisions import last_decision_id
from core.store.memories import VerdictRow, undecided, verdicts
from core.store.sight import Sight
from core.workspace import Workspace

TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True, slots=True)
class Example:
    """One question, what it could find, and what was decided about that."""

    exchange: ExchangeRow
    split: str
    candidates: tuple[int, ...]
    """Chunk ids: the best found, best first, then what was decided on and is not among them."""
    accepted: tuple[int, ...]
    rejected: tuple[int, ...]
    """Chunk ids of which every decided memory was rejected."""
    spared: tuple[int, ...]
    """Chunk ids that may be right too, though nobody has said so: memories of the question that are not decided on, and
    what shares words with an accepted one by the cut. Accepted for others, they are still no negatives of this one."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One question, and what was decided about the passages that it may see."""

    exchange: ExchangeRow
    split: str
    verdicts: tuple[VerdictRow, ...]
    accepted: tuple[int, ...]
    """Chunk ids."""
    rejected: tuple[int, ...]
    """Chunk ids of which every decided memory was rejected."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All examples, in the order of conversations and exchanges, and whose verdicts are in them."""

    examples: tuple[Example, ...]
    decided_by: Mapping[str, int]
    """``person: Ada`` or ``rule: …`` → how many of the verdicts used."""
    last_decision: int

    def of(self, split: str) -> list[Example]:
        return [example for example in self.examples if example.split == split]


def gather_once(workspace: Workspace, searcher: Searcher, settings: RetrieverSettings, kept: Path) -> Gathered:
    """The examples kept in a file by an earlier attempt, or gathered now and kept there.

    They are gathered again where one of them may no longer be used: its source was closed, its conversation held out.
    """
    found = _read(workspace, kept)
    if found is None:
        found = gather(workspace, searcher, settings)
        write_atomically(kept, json.dumps(_as_json(found)))
    return found


def gather(workspace: Workspace, searcher: Searcher, settings: RetrieverSettings) -> Gathered:
    """Find every question's candidates and verdicts. ``searcher`` is one without a trained retriever."""
    accept, limits = training_words(workspace), workspace.settings.retrieval
    assign_splits(workspace)
    examples, decided_by = [], Counter[str]()
    every = list(decided(workspace, accept))
    open_ones = defaultdict[int, list[int]](list)
    for exchange_id, chunk_id in undecided(workspace.database):
        open_ones[exchange_id].append(chunk_id)
    beside = _sharing_words(workspace, {chunk_id for each in every for chunk_id in each.accepted})
    for each in every:
        exchange = each.exchange
        # As many as recall over the corpus asks for: what merges several orders ranks by how many it is asked for.
        query = Query(
            exchange.question,
            max(UNRELATED_POOL, settings.candidates),
            as_of(exchange),
            "vector" if limits.mode == "lexical" else limits.mode,
            limits.include_undated,
            exchange.conversation_id,
        )
        found = [hit.passage.chunk.id for hit in searcher.search(query, accept)[: settings.candidates]]
        candidates = dict.fromkeys([*found, *each.accepted, *each.rejected])
        if len(candidates) > 1:
            spared = {*open_ones[exchange.id], *(other for one in each.accepted for other in beside[one])}
            examples.append(
                Example(
                    exchange, each.split, tuple(candidates), each.accepted, each.rejected,
                    tuple(sorted(spared.difference(each.accepted))),
                )
            )  # fmt: skip
            decided_by.update(verdict.by for verdict in each.verdicts)
    return Gathered(tuple(examples), dict(decided_by), last_decision_id(workspace.database))


def decided(workspace: Workspace, accept: Callable[[Passage], bool]) -> Iterator[Decided]:
    """Every question that is trained or validated on, with the verdicts on passages that it may see and ``accept``
    lets through. Writes nothing."""
    by_exchange: dict[int, list[VerdictRow]] = {}
    for verdict in verdicts(workspace.database):
        by_exchange.setdefault(verdict.exchange_id, []).append(verdict)
    for split, exchange in questions(workspace):
        every = by_exchange.get(exchange.id, [])
        visible = _visible(workspace, exchange, accept, (each.chunk_id for each in every))
        seen = [each for each in every if each.chunk_id in visible]
        accepted = dict.fromkeys(each.chunk_id for each in seen if each.accepted)
        rejected = dict.fromkeys(each.chunk_id for each in seen if each.chunk_id not in accepted)
        yield Decided(exchange, split, tuple(seen), tuple(accepted), tuple(rejected))


def _sharing_words(workspace: Workspace, ids: Iterable[int]) -> dict[int, list[int]]:
    """For each of some passages those of the others that share words with it by the cut, one beginning in the other."""
    found = [each.chunk for each in passages(workspace.database, sorted(ids)).values()]
    of_owner = defaultdict[tuple[int | None, int | None], list[ChunkRow]](list)
    for chunk in found:
        of_owner[chunk.document_id, chunk.exchange_id].append(chunk)
    return {
        chunk.id: [
            other.id
            for other in of_owner[chunk.document_id, chunk.exchange_id]
            if other.id != chunk.id and other.start < chunk.stop and chunk.start < other.stop
        ]
        for chunk in found
    }


def questions(workspace: Workspace) -> Iterator[tuple[str, ExchangeRow]]:
    """(split, exchange) of every question that is trained or validated on; never one that is held out."""
    splits = expected_splits(workspace)
    conversations: Sequence[ConversationRow] = trainable_conversations(workspace.database)
    for conversation in conversations:
        if splits[conversation.uid] in (TRAIN, VALIDATION):
            for exchange in exchanges_of(workspace.database, conversation.id):
                if exchange.question.strip():
                    yield splits[conversation.uid], exchange


def sight_of(workspace: Workspace, exchange: ExchangeRow) -> Sight:
    """What a question may see: what was there before its day, and not its own conversation."""
    return Sight(as_of(exchange), workspace.settings.retrieval.include_undated, exchange.conversation_id)


def _visible(
    workspace: Workspace, exchange: ExchangeRow, accept: Callable[[Passage], bool], ids: Iterable[int]
) -> set[int]:
    """Which of some passages are there and may be seen by the question and trained on."""
    sight = sight_of(workspace, exchange)
    found = passages(workspace.database, [*dict.fromkeys(ids)])
    return {
        chunk_id
        for chunk_id, each in found.items()
        if accept(each) and sight.shows(each.chunk.last_day, each.conversation_id)
    }


def _as_json(gathered: Gathered) -> dict[str, Any]:
    return {
        "decided_by": gathered.decided_by,
        "last_decision": gathered.last_decision,
        "examples": [
            {"exchange": each.exchange.uid, "split": each.split, "candidates": each.candidates,
             "accepted": each.accepted, "rejected": each.rejected, "spared": each.spared}
            for each in gathered.examples
        ],
    }  # fmt: skip


def _read(workspace: Workspace, kept: Path) -> Gathered | None:
    """What was kept, where it is there and all of it may still be used."""
    try:
        told = json.loads(kept.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not all("spared" in row for row in told["examples"]):  # Of an earlier release.
        return None
    usable = {exchange.uid: (split, exchange) for split, exchange in questions(workspace)}
    accept = training_words(workspace)
    examples = []
    for row in told["examples"]:
        split, exchange = usable.get(row["exchange"], ("", None))
        if exchange is None or split != row["split"]:
            return None
        if _visible(workspace, exchange, accept, row["candidates"]) != set(row["candidates"]):
            return None
        examples.append(
            Example(
                exchange, split, tuple(row["candidates"]), tuple(row["accepted"]), tuple(row["rejected"]),
                tuple(row["spared"]),
            )
        )  # fmt: skip
    return Gathered(tuple(examples), told["decided_by"], told["last_decision"])
