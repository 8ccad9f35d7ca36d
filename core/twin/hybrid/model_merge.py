"""The merge by a writer that is a model: asked through the role's caller, with its consent, caps, cache and ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.calls.caller import Caller
from core.calls.consent import leaves_the_machine, objection
from core.calls.structured import read_json
from core.models.generation import Ask, CallFailed, Told
from core.prompts.asks import AskPrompt
from core.prompts.log import name_of
from core.store.consents import standing_of
from core.twin.hybrid.facts import Fact
from core.twin.hybrid.simulation import Simulation
from core.workspace import Workspace

WITHIN = 120.0
"""Seconds for a merge, retries included: somebody waits for it."""
ROOM = 4
"""Tokens of an answer for each word of the simulated turn; JSON and longer words included."""
FEWEST_TOKENS = 96
MOST_LETTERS = 4000
FEWEST_LETTERS = 80
LONGER = 2
"""How much longer than the simulated turn a merge may be."""


class Merge(BaseModel):
    """What the writer is to answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    answer: str


SCHEMA: Mapping[str, Any] = Merge.model_json_schema()


def narrow_schema(turn: str) -> Mapping[str, Any]:
    """The schema of a merge with this turn, for an engine that writes by it: a small model does not end by itself."""
    longest = max(FEWEST_LETTERS, LONGER * len(turn))
    return {**SCHEMA, "properties": {"answer": {"type": "string", "maxLength": longest}}}


async def merged_by_model(
    workspace: Workspace, caller: Caller, simulation: Simulation, facts: Sequence[Fact], question: str, asker: str
) -> str:
    """The writer's merge of CONTEXT and the simulated chat. Raises CallFailed, ConsentError, SettingsError and
    BudgetError.

    Facts that may not go where the writer is are left out of what it reads.
    """
    sent = sendable(workspace, caller.engine.host, facts)
    words = len(simulation.turns[0].split())
    chat = "\n".join(f"{name_of(line.name)} {line.text}" for line in simulation.lines)
    prompt = AskPrompt("merge", workspace.root / "prompts")
    messages = prompt.messages(
        name=workspace.target, facts=[fact.line for fact in sent], asker=asker, question=question, chat=chat,
        words=words,
    )  # fmt: skip
    schema = narrow_schema(simulation.turns[0]) if caller.engine.holds_schemas else SCHEMA
    ask = Ask(messages, max(FEWEST_TOKENS, 2 * ROOM * words), schema=schema)
    about = dict.fromkeys(fact.source.found.passage.owner_uid for fact in sent if fact.source is not None)
    try:
        async with asyncio.timeout(WITHIN):
            return await caller.ask(ask, read_merge, purpose="merge", about=list(about))
    except TimeoutError:
        raise CallFailed("timeout", f"no merge within {WITHIN:.0f} s", retryable=True) from None


def read_merge(told: Told) -> str:
    """The merge in an answer. Raises CallFailed for what is none."""
    words = " ".join(read_json(told, Merge).answer.split())
    if not words:
        raise CallFailed("empty", "the merge is empty", retryable=True)
    if len(words) > MOST_LETTERS:
        raise CallFailed("too long", f"the merge has {len(words)} characters", retryable=True)
    return words


def sendable(workspace: Workspace, host: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that may stand in a prompt for this host, by what may be done with their passages.

    What was recalled in earlier turns is known by its words alone, so it leaves this machine for nowhere.
    """
    away = leaves_the_machine(host)
    objected = _objected({fact.source.found.passage.owner_uid for fact in facts if fact.source}, away, workspace)
    return [
        fact for fact in facts
        if (fact.source.found.passage.owner_uid not in objected if fact.source else fact.stated or not away)
    ]  # fmt: skip


def _objected(uids: Collection[str], away: bool, workspace: Workspace) -> set[str]:
    privacy = workspace.privacy if away else workspace.settings.privacy
    return {each.uid for each in standing_of(workspace.database, list(uids)) if objection(each, away, privacy)}
