"""Freeze a dataset: accepted memories, packed exchanges, splits, the leak guard's verdict, a content hash."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import Any

from core.corpus.exchanges import is_named
from core.corpus.holdout import Placing, Splits, place, plan_splits
from core.dataset.leaks import Leak, find_leaks
from core.dataset.logs import log_lines, windows
from core.dataset.packing import Stretch, pack
from core.dataset.remembered import Memories
from core.dataset.scenes import conversation_scene, stretches_of, turn_of
from core.errors import DatasetError
from core.models.chat_tokenizer import load_tokenizer
from core.prompts.commands import command_for
from core.prompts.messages import Message
from core.prompts.render import Renderer
from core.retrieval.function_words import FUNCTION_WORDS
from core.settings import DatasetSettings
from core.store.conversations import (
    ConversationRow,
    ExchangeRow,
    TurnRow,
    exchanges_of,
    splits,
    turns_of,
)
from core.store.datasets import ExampleRow, PartRow, put_dataset
from core.store.decisions import last_decision_id
from core.store.identity import content_uid
from core.store.texts import document_texts, every_answer, trainable_turns
from core.workspace import Workspace


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
    released: Sequence[str] = (),
) -> BuiltDataset:
    """Freeze what is accepted now. ``memories=False`` builds the same samples without memories, to compare.

    ``heldout`` and ``released`` are a person's choice, as in ``plan_splits``: it stands once the dataset is frozen, and
    nothing of it when this raises. What others decide or set aside meanwhile is newer than the dataset.
    ``how`` takes the place of the workspace's ``[dataset]``.
    ``watch`` is told how many conversations of how many are packed.

    Raises DatasetError when there is nothing to train on, a held-out answer leaks, or what is held out changes
    meanwhile, and UsageError for a conversation that cannot be held out or released.
    """
    database, settings = workspace.database, workspace.settings
    how = how or settings.dataset
    memories = memories and how.form == "chat"
    with database.snapshot():
        material = _material(workspace, how, plan_splits(workspace, heldout, released), memories)
    split_of, conversations = material.placing.of_conversations(), material.conversations
    renderer = renderer_of(workspace)
    max_tokens = how.max_tokens
    examples: list[ExampleRow] = []
    left_out = 0
    for done, (row, exchanges) in enumerate(conversations):
        if watch is not None:
            watch(done, len(conversations))
        split = split_of[row.uid]
        if split == "heldout":
            continue
        found: list[_Part]
        if how.form == "completion":
            lines = log_lines(settings, workspace.target, material.turns[row.id])
            found = [(stretch, ()) for stretch in windows(renderer, lines, max_tokens)]
        else:
            share = how.failed_recall if split == "train" and memories else 0.0
            found, missed = _stretches(workspace, how, renderer, row, exchanges, material.memories, share)
            left_out += missed
        for stretch, parts in found:
            messages = [message.stored() for message in stretch.messages]
            examples.append(
                ExampleRow(0, len(examples), split, row.uid, messages, stretch.tokens, stretch.trained_tokens, parts)
            )
    held = {row.uid: [exchange.uid for exchange in exchanges] for row, exchanges in conversations
            if split_of[row.uid] == "heldout"}  # fmt: skip
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
        place(database, material.placing)
        dataset_id = put_dataset(
            database, content_hash, frozen, material.decision,
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
class _Material:
    """What a dataset is made of, as it was at one moment."""

    decision: int
    """The last decision."""
    placing: Placing
    conversations: list[tuple[ConversationRow, list[ExchangeRow]]]
    """What can be trained on, and the questions of each."""
    turns: dict[int, list[TurnRow]]
    """By conversation id, where whole conversations are trained on."""
    memories: Memories


def _material(workspace: Workspace, how: DatasetSettings, placing: Placing, memories: bool) -> _Material:
    """Read and check it. The caller holds the snapshot. Raises DatasetError."""
    database = workspace.database
    split_of = placing.of_conversations()
    _check_that_some_train(Counter(split_of.values()))
    material = _Material(
        last_decision_id(database),
        placing,
        [(row, [each for each in exchanges_of(database, row.id) if each.question]) for row in placing.conversations],
        {row.id: turns_of(database, row.id) for row in placing.conversations if split_of[row.uid] != "heldout"}
        if how.form == "completion"
        else {},
        Memories.read(database, placing) if memories else Memories({}),
    )
    leaks = check_leaks(workspace, material.memories.words(), placing.after)
    if leaks:
        first = leaks[0]
        raise DatasetError(
            f"{len(leaks)} times a held-out answer is nearly repeated elsewhere; first, exchange {first.heldout} in"
            f" {first.where}: {first.share:.0%} of its runs of eight words",
            "leave that source out (simulee import … --use none) or that memory (simulee review --decide ID reject),"
            " or hold out other conversations (--heldout ID)",
        )
    return material


def _check_that_some_train(counts: Counter[str]) -> None:
    if counts["train"]:
        return
    if not counts:
        raise DatasetError(
            "there is nothing to train on: no exchange of the target is cleared for training",
            "import interviews or chats in which they answer: simulee import FILE --target NAME",
        )
    raise DatasetError(
        "there is nothing to train on: every conversation that is cleared for training is set aside,"
        f" {counts['heldout']} held out and {counts['validation']} to validate",
        "hold out fewer of them, or release one: simulee dataset build --release ID; `simulee corpus list` shows them",
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
    accepted: Memories,
    failed_share: float,
) -> tuple[list[_Part], int]:
    """The samples of one conversation, and how many of its exchanges fit in none."""
    settings = workspace.settings
    found: list[_Part] = []
    left_out: dict[str, int] = {}
    known: set[tuple[str, tuple[Message, ...]]] = set()
    for stretch_exchanges in stretches_of(exchanges):
        scene = conversation_scene(settings, workspace.target, row, stretch_exchanges)
        recalled = [accepted.of(row, each, failed_share, settings.training.seed) for each in stretch_exchanges]
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


def check_leaks(
    workspace: Workspace, memories: Iterable[tuple[str, str]] = (), placed: Splits | None = None
) -> list[Leak]:
    """Near-copies of held-out answers in anything that the twin may learn or recall: documents, other answers, what
    others say in conversations that are trained on, and these memories, each (where, text).

    What is held out is what ``placed`` says, by default what is now.
    """
    database = workspace.database
    placed = splits(database) if placed is None else placed
    held = {uid for uid, (split, _) in placed.items() if split == "heldout"}
    answers = every_answer(database)
    return find_leaks(
        [(each.exchange_uid, each.answer) for each in answers if each.conversation_uid in held],
        chain(
            document_texts(database),
            ((each.where, each.answer) for each in answers if each.conversation_uid not in held),
            _heard(workspace, held),
            memories,
        ),
    )


def _heard(workspace: Workspace, held: Collection[str]) -> Iterator[tuple[str, str]]:
    """(where, text) of what others say, without a break, in conversations that are trained on."""
    names = (*workspace.settings.target_names, workspace.target)
    spoken = [turn for turn in trainable_turns(workspace.database) if turn.conversation_uid not in held]
    mine = {speaker: is_named(speaker, names) for speaker in {turn.speaker for turn in spoken}}
    for (_, own), run in groupby(spoken, key=lambda turn: (turn.conversation_id, mine[turn.speaker])):
        if not own:
            said = [*run]
            yield f"{said[0].title}, turn {said[0].position + 1}", "\n".join(turn.text for turn in said)
