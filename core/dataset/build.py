"""Freeze a dataset: accepted memories, packed exchanges, splits, the leak guard's verdict, a content hash."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from core.corpus.exchanges import is_named
from core.corpus.holdout import assign_splits, hold_out
from core.dataset.leaks import Leak, find_leaks
from core.dataset.logs import log_lines, windows
from core.dataset.packing import Stretch, pack
from core.dataset.scenes import conversation_scene, is_before, stretches_of, turn_of
from core.errors import DatasetError
from core.models.chat_tokenizer import load_tokenizer
from core.prompts.commands import command_for
from core.prompts.messages import Message
from core.prompts.render import RecalledMemory, Renderer
from core.retrieval.function_words import FUNCTION_WORDS
from core.settings import DatasetSettings
from core.store.chunks import passages
from core.store.conversations import (
    ConversationRow,
    ExchangeRow,
    exchanges_of,
    list_conversations,
    trainable_conversations,
    turns_of,
)
from core.store.datasets import ExampleRow, PartRow, put_dataset
from core.store.decisions import last_decision_id
from core.store.identity import content_uid
from core.store.memories import ReviewRow, accepted_memories
from core.store.texts import answers, document_texts, trained_turns
from core.workspace import Workspace

APART = 3
"""Memories of an exchange that are shown apart, each before a copy of its own (RA-DIT: 3)."""


@dataclass(frozen=True, slots=True)
class BuiltDataset:
    """What was frozen. ``splits`` counts exchanges, of logs the target's lines; ``left_out`` those too long for any
    sample."""

    id: int
    hash: str
    examples: int
    splits: dict[str, int]
    recall: dict[str, int]
    tokens: int
    trained_tokens: int
    left_out: int


def renderer_of(workspace: Workspace, base: str | None = None) -> Renderer:
    """The renderer for a base model (the persona's by default), with the workspace's own prompts where it has any."""
    name = base or workspace.settings.models.base
    return Renderer(load_tokenizer(name), workspace.root / "prompts", workspace.settings.dataset.memory_form)


def build(
    workspace: Workspace,
    heldout: Sequence[str] = (),
    memories: bool = True,
    watch: Callable[[int, int], None] | None = None,
    how: DatasetSettings | None = None,
) -> BuiltDataset:
    """Freeze what is accepted now. ``memories=False`` builds the same samples without memories, to compare.

    ``how`` takes the place of the workspace's ``[dataset]``.
    ``watch`` is told how many conversations of how many are packed; nothing is frozen when it raises.

    Raises DatasetError when there is nothing to train on or a held-out answer leaks.
    """
    database, settings = workspace.database, workspace.settings
    how = how or settings.dataset
    if heldout:
        hold_out(workspace, list(heldout))
    splits = assign_splits(workspace)
    conversations = [
        (row, [exchange for exchange in exchanges_of(database, row.id) if exchange.question])
        for row in trainable_conversations(database)
    ]
    if not any(splits[row.uid] == "train" and exchanges for row, exchanges in conversations):
        raise DatasetError(
            "there is nothing to train on: no exchange of the target is cleared for training",
            "import interviews or chats in which they answer: simulee import FILE --target NAME",
        )
    leaks = check_leaks(workspace)
    if leaks:
        first = leaks[0]
        raise DatasetError(
            f"{len(leaks)} times a held-out answer is nearly repeated elsewhere; first, exchange {first.heldout} in"
            f" {first.where}: {first.share:.0%} of its runs of eight words",
            "leave that source out (simulee import … --use none), or hold out other conversations (--heldout ID)",
        )
    renderer = renderer_of(workspace)
    memories = memories and how.form == "chat"
    accepted = _accepted(workspace, splits) if memories else {}
    max_tokens = how.max_tokens
    examples: list[ExampleRow] = []
    left_out = 0
    for done, (row, exchanges) in enumerate(conversations):
        if watch is not None:
            watch(done, len(conversations))
        split = splits[row.uid]
        if split == "heldout":
            continue
        found: list[_Part]
        if how.form == "completion":
            lines = log_lines(settings, workspace.target, turns_of(database, row.id))
            found = [(stretch, ()) for stretch in windows(renderer, lines, max_tokens)]
        else:
            share = how.failed_recall if split == "train" and memories else 0.0
            found, missed = _stretches(workspace, how, renderer, row, exchanges, accepted, share)
            left_out += missed
        for stretch, parts in found:
            messages = [message.stored() for message in stretch.messages]
            examples.append(
                ExampleRow(0, len(examples), split, row.uid, messages, stretch.tokens, stretch.trained_tokens, parts)
            )
    held = {row.uid: [exchange.uid for exchange in exchanges] for row, exchanges in conversations
            if splits[row.uid] == "heldout"}  # fmt: skip
    frozen: dict[str, Any] = {
        "base": settings.models.base,
        "tokenizer": renderer.tokenizer.fingerprint,
        "prompts": renderer.version,
        "max_tokens": max_tokens,
        "memories": memories,
        "form": how.form,
        "passages": how.passages,
        "tools": how.tools if memories else 0.0,
        "failed_recall": how.failed_recall if memories else 0.0,
        "heldout": held,
    }
    content_hash = content_uid(
        "dataset",
        frozen,
        [(e.split, e.messages, [(p.exchange_uid, p.memory_uids, p.recall) for p in e.parts]) for e in examples],
    )
    with database.write():
        dataset_id = put_dataset(
            database, content_hash, frozen, last_decision_id(database),
            datetime.now(UTC).isoformat(timespec="milliseconds"), examples,
        )  # fmt: skip
    counts = {split: sum(e.exchanges for e in examples if e.split == split) for split in ("train", "validation")}
    counts["heldout"] = sum(len(uids) for uids in held.values())
    return BuiltDataset(
        dataset_id,
        content_hash,
        len(examples),
        counts,
        {kind: sum(p.recall == kind for e in examples for p in e.parts) for kind in ("kept", "none", "wrong")},
        sum(e.tokens for e in examples),
        sum(e.trained_tokens for e in examples),
        left_out,
    )


@dataclass(frozen=True, slots=True)
class _Commands:
    """Which questions' samples let the target ask for its memories: a share of them, the same ones every time."""

    share: float
    seed: int

    def of(self, exchange: ExchangeRow) -> str:
        chance = random.Random(f"command:{self.seed}:{exchange.uid}")  # noqa: S311 - reproducible, not secret
        return command_for(exchange.question, FUNCTION_WORDS) if chance.random() < self.share else ""


_Part = tuple[Stretch, tuple[PartRow, ...]]
"""A sample, and for each of its exchanges what its prompt shows."""


def _stretches(
    workspace: Workspace,
    how: DatasetSettings,
    renderer: Renderer,
    row: ConversationRow,
    exchanges: Sequence[ExchangeRow],
    accepted: dict[str, list[_Accepted]],
    failed_share: float,
) -> tuple[list[_Part], int]:
    """The samples of one conversation, and how many of its exchanges fit in none."""
    settings = workspace.settings
    found: list[_Part] = []
    left_out: dict[str, int] = {}
    known: set[tuple[str, tuple[Message, ...]]] = set()
    for stretch_exchanges in stretches_of(exchanges):
        scene = conversation_scene(settings, workspace.target, row, stretch_exchanges)
        recalled = [_recall(row, each, accepted, failed_share, settings.training.seed) for each in stretch_exchanges]
        asked = [*zip(stretch_exchanges, recalled, strict=True)]
        commands = _Commands(how.tools, settings.training.seed)
        groups = [asked]
        if how.passages == "apart":
            groups = [[(exchange, one)] for exchange, memory in asked for one in memory.apart()]
        for group in groups:
            turns = [
                turn_of(exchange, memory.shown, commands.of(exchange) if memory.shown else "")
                for exchange, memory in group
            ]
            stretches, missed = pack(renderer, scene, turns, how.max_tokens)
            # The copies of an exchange that lost their memories are one and the same, or none.
            left_out[group[0][0].uid] = missed
            for stretch in stretches:
                if (copy := (group[stretch.first][0].uid, stretch.messages)) in known:
                    continue
                known.add(copy)
                shown = zip(group[stretch.first : stretch.stop], stretch.turns, strict=True)
                found.append((stretch, tuple(memory.part(bool(turn.memories)) for (_, memory), turn in shown)))
    return found, sum(left_out.values())


def check_leaks(workspace: Workspace) -> list[Leak]:
    """Near-copies of held-out answers in anything that the twin may learn or recall: documents, other answers, and what
    others say in conversations that are trained on."""
    database = workspace.database
    held = [(uid, answer) for uid, _, answer in answers(database, "heldout")]
    others = [(where, answer) for _, where, answer in answers(database)]
    return find_leaks(held, [*document_texts(database), *others, *_heard(workspace)])


def _heard(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """(where, text) of what others say, without a break, in conversations that are trained on."""
    names = (*workspace.settings.target_names, workspace.target)
    spoken = trained_turns(workspace.database)
    mine = {speaker: is_named(speaker, names) for speaker in {turn.speaker for turn in spoken}}
    for (_, own), run in groupby(spoken, key=lambda turn: (turn.conversation_id, mine[turn.speaker])):
        if not own:
            said = [*run]
            yield f"{said[0].title}, turn {said[0].position + 1}", "\n".join(turn.text for turn in said)


@dataclass(frozen=True, slots=True)
class _Recalled:
    exchange_uid: str
    memory_uids: tuple[str, ...]
    shown: tuple[RecalledMemory, ...]
    recall: str

    def apart(self) -> list[_Recalled]:
        """Each of the best memories by itself, as RA-DIT shows them; none at all is one way too."""
        alone = [
            _Recalled(self.exchange_uid, (uid,), (memory,), self.recall)
            for uid, memory in zip(self.memory_uids[:APART], self.shown[:APART], strict=True)
        ]
        return alone or [self]

    def part(self, shown: bool) -> PartRow:
        if not shown:
            return PartRow(self.exchange_uid, (), "none")
        return PartRow(self.exchange_uid, self.memory_uids, self.recall)


@dataclass(frozen=True, slots=True)
class _Accepted:
    uid: str
    chunk_id: int
    memory: RecalledMemory
    last_day: int
    conversation_id: int


def _accepted(workspace: Workspace, splits: dict[str, str]) -> dict[str, list[_Accepted]]:
    """Exchange uid → its accepted memories from passages that are cleared for training, best first.

    A conversation that was set aside since the memory was accepted is not cleared any more.
    """
    aside = {row.id for row in list_conversations(workspace.database) if splits.get(row.uid, "train") != "train"}
    rows = accepted_memories(workspace.database)
    found = passages(workspace.database, [row.memory.chunk_id for row in rows])
    accepted: dict[str, list[_Accepted]] = {}
    for row in rows:
        passage = found[row.memory.chunk_id]
        if passage.use == "train" and passage.conversation_id not in aside:
            accepted.setdefault(row.exchange_uid, []).append(
                _Accepted(
                    row.memory.uid,
                    row.memory.chunk_id,
                    RecalledMemory(_words(row), passage.date, passage.title),
                    passage.chunk.last_day,
                    passage.conversation_id,
                )
            )
    return accepted


def _words(row: ReviewRow) -> str:
    return row.edited or row.memory.text


def _recall(
    conversation: ConversationRow,
    exchange: ExchangeRow,
    accepted: dict[str, list[_Accepted]],
    failed_share: float,
    seed: int,
) -> _Recalled:
    """The memories that this exchange's prompt shows; for a share of them, on purpose, none or wrong ones."""
    own = [memory for memory in accepted.get(exchange.uid, []) if is_before(memory.last_day, exchange)]
    chance = random.Random(f"{seed}:{exchange.uid}")  # noqa: S311 - reproducible, not secret
    kind = "kept" if own else "none"
    if own and chance.random() < failed_share:
        kind = chance.choice(("none", "wrong"))
    if kind == "wrong":
        others = [
            memory
            for uid, memories in sorted(accepted.items())
            if uid != exchange.uid
            for memory in memories
            if memory.conversation_id != conversation.id
            and is_before(memory.last_day, exchange)
            and memory.chunk_id not in {each.chunk_id for each in own}
        ]
        own = chance.sample(others, min(len(own), len(others)))
        kind = "wrong" if own else "none"
    if kind == "none":
        own = []
    return _Recalled(exchange.uid, tuple(each.uid for each in own), tuple(each.memory for each in own), kind)
