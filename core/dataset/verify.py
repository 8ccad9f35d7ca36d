"""Check a frozen dataset against the store: what was trained on is what the twin would be asked today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.dataset.build import check_leaks, renderer_of
from core.dataset.leaks import Leak
from core.dataset.logs import log_lines, windows
from core.dataset.scenes import conversation_scene, is_before, stretches_of, turn_of
from core.prompts.commands import command_for
from core.prompts.messages import Message
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Scene
from core.retrieval.function_words import FUNCTION_WORDS
from core.store.chunks import passages
from core.store.conversations import ExchangeRow, exchanges_of, list_conversations, turns_of
from core.store.database import Database
from core.store.datasets import DatasetRow, ExampleRow, examples_of
from core.store.memories import find_memory
from core.workspace import Workspace

Known = dict[str, tuple[Scene, ExchangeRow]]
"""Exchange uid → the scene it is asked in, and the exchange."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of a frozen dataset; nothing in either list is well."""

    dataset: str
    leaks: list[Leak]
    parity: list[str]

    def lines(self) -> list[str]:
        """In words, the count last."""
        return [
            *(f"leak: {leak.heldout} in {leak.where}, {leak.share:.0%} of its runs of eight words"
              for leak in self.leaks),
            *self.parity,
            f"{self.dataset}: {len(self.leaks)} leaks, {len(self.parity)} parity problems",
        ]  # fmt: skip


def verify(workspace: Workspace, dataset: DatasetRow) -> Verdict:
    """Check for leaks, and that every sample is byte for byte what the twin would be asked."""
    leaks = check_leaks(workspace, _shown(workspace.database, dataset))
    return Verdict(f"ds{dataset.id}", leaks, parity_problems(workspace, dataset))


def _shown(database: Database, dataset: DatasetRow) -> Iterator[tuple[str, str]]:
    """(where, text) of every memory that a sample shows, as it is now: that it was other words then is for parity."""
    parts = (part for example in examples_of(database, dataset.id) for part in example.parts)
    for uid in dict.fromkeys(uid for part in parts for uid in part.memory_uids):
        if (row := find_memory(database, uid)) is not None:
            yield f"memory m{row.memory.id}", row.edited or row.memory.text


def parity_problems(workspace: Workspace, dataset: DatasetRow) -> list[str]:
    """What differs between each sample and the prompts made afresh from the store; one line each.

    Every question, memory and scene is read from the store and rendered as the twin's prompt would be; the sample's
    text up to each answer must be exactly that prompt.
    """
    renderer = renderer_of(workspace, dataset.settings["base"])
    problems = []
    if renderer.version != dataset.settings["prompts"]:
        problems.append("the prompt files have changed since this dataset was frozen")
    if renderer.tokenizer.fingerprint != dataset.settings["tokenizer"]:
        problems.append("the base model's tokenizer or template has changed since this dataset was frozen")
    known = _known(workspace)
    logs = _logs(workspace, renderer, dataset) if dataset.settings.get("form") == "completion" else None
    for example in examples_of(workspace.database, dataset.id):
        if logs is not None:
            problem = "" if _key(example) in logs else "its conversation reads otherwise today"
        else:
            problem = _problem(workspace.database, renderer, known, example)
        if problem:
            problems.append(f"sample {example.position + 1}: {problem}")
    return problems


def _key(example: ExampleRow) -> tuple[str, str]:
    return example.conversation_uid, "\n".join(message["content"] for message in example.messages)


def _logs(workspace: Workspace, renderer: Renderer, dataset: DatasetRow) -> set[tuple[str, str]]:
    """Every window of every conversation as it would be frozen today: its conversation, and its lines."""
    found = set()
    for row in list_conversations(workspace.database):
        lines = log_lines(workspace.settings, workspace.target, turns_of(workspace.database, row.id))
        for stretch in windows(renderer, lines, dataset.settings["max_tokens"]):
            found.add((row.uid, "\n".join(message.content for message in stretch.messages)))
    return found


def _known(workspace: Workspace) -> Known:
    known: Known = {}
    for row in list_conversations(workspace.database):
        asked = [exchange for exchange in exchanges_of(workspace.database, row.id) if exchange.question]
        for stretch in stretches_of(asked):
            scene = conversation_scene(workspace.settings, workspace.target, row, stretch)
            known.update({exchange.uid: (scene, exchange) for exchange in stretch})
    return known


def _problem(database: Database, renderer: Renderer, known: Known, example: ExampleRow) -> str:
    """The first difference, or an empty string."""
    if any(part.exchange_uid not in known for part in example.parts):
        return "an exchange of it has changed or is gone"
    turns: list[PromptTurn] = []
    said = {message["content"] for message in example.messages if message["role"] == "assistant"}
    for part in example.parts:
        memories = [_memory(database, uid) for uid in part.memory_uids]
        found = [memory for memory in memories if memory is not None]
        if len(found) < len(memories):
            return "a memory that it shows is gone"
        exchange = known[part.exchange_uid][1]
        if any(not is_before(day, exchange) for _, day in found):
            return "a memory that it shows is from after its conversation"
        shown = tuple(memory for memory, _ in found)
        command = command_for(exchange.question, FUNCTION_WORDS)
        turns.append(turn_of(exchange, shown, command if command in said and shown else ""))
    scene = known[example.parts[0].exchange_uid][0]
    frozen = [Message.of(message) for message in example.messages]
    text = "".join(segment.text for segment in renderer.segments(frozen))
    for index, turn in enumerate(turns):
        asked = PromptTurn(turn.question, turn.asker, turn.memories, command=turn.command)
        prompt = renderer.prompt(renderer.messages(scene, [*turns[:index], asked]))
        if not text.startswith(prompt):
            return f"turn {index + 1} would be asked in other words today"
        answer = renderer.messages(scene, [turn])[-1]
        if not text[len(prompt) :].startswith(answer.content[answer.head :]):
            return f"answer {index + 1} is not that of the corpus"
    return ""


def _memory(database: Database, uid: str) -> tuple[RecalledMemory, int] | None:
    """A memory as it is now, with the last day that its passage's date may mean."""
    row = find_memory(database, uid)
    if row is None:
        return None
    passage = passages(database, [row.memory.chunk_id])[row.memory.chunk_id]
    memory = RecalledMemory(row.edited or row.memory.text, passage.date, passage.title)
    return memory, passage.chunk.last_day
