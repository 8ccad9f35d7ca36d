"""What a recall run will ask of models, told before it starts: calls, tokens, cost. Loads no model."""

from __future__ import annotations

from dataclasses import dataclass

from core.corpus.holdout import expected_splits
from core.prompts.asks import AskPrompt
from core.recall.model_writer import MOST_TOKENS
from core.settings import RoleSettings, Settings
from core.store.chunks import mean_chunk_characters
from core.store.conversations import exchanges_of, trainable_conversations
from core.workspace import Workspace

CHARACTERS_PER_TOKEN = 4.0
"""English prose under the tokenizers of current models: 4 to 4.5."""
MEAN_MEMORY = 260
"""Characters of a memory: one or two sentences."""
MEAN_RETELLING = 140
"""Tokens of a retelling with its quote, as JSON."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """What one role is asked at the most; cached answers and passages without a memory make it less."""

    role: str
    model: str
    calls: int
    prompt_tokens: int
    answer_tokens: int
    cost: float | None
    """None where no price is set."""


def estimate_recall(workspace: Workspace, settings: Settings, limit: int | None = None) -> list[RoleEstimate]:
    """For each role that is asked of a model, what the run would ask; empty where none is."""
    database = workspace.database
    splits = expected_splits(workspace)
    exchanges = [
        exchange
        for row in trainable_conversations(database)
        if splits[row.uid] != "heldout"
        for exchange in exchanges_of(database, row.id)
        if exchange.question
    ][: limit or None]
    candidates = len(exchanges) * settings.recall.candidates
    if not candidates:
        return []
    question = sum(len(each.question) for each in exchanges) / len(exchanges)
    answer = sum(len(each.answer) for each in exchanges) / len(exchanges)
    found = []
    if settings.models.writer.engine != "extractive":
        prompt = _fixed(workspace, "retell") + question + mean_chunk_characters(database)
        found.append(_role("writer", settings.models.writer, candidates, prompt, min(MEAN_RETELLING, MOST_TOKENS)))
    if not settings.judges_by_likelihood:
        prompt = _fixed(workspace, "judge_question") + question + MEAN_MEMORY
        calls = candidates
        if settings.recall.second_opinion:
            second = _fixed(workspace, "judge_answer") + question + answer + MEAN_MEMORY
            prompt, calls = (prompt + second) / 2, 2 * candidates
        found.append(_role("judge", settings.models.judge, calls, prompt, 1))
    return found


def _fixed(workspace: Workspace, name: str) -> float:
    """Characters of a prompt's own words."""
    return AskPrompt(name, workspace.root / "prompts").fixed_characters


def _role(role: str, settings: RoleSettings, calls: int, characters: float, answer: int) -> RoleEstimate:
    prompt_tokens = round(calls * characters / CHARACTERS_PER_TOKEN)
    answer_tokens = calls * answer
    price = settings.price
    cost = (prompt_tokens * price.prompt + answer_tokens * price.answer) / 1e6
    priced = bool(price.prompt or price.answer)
    return RoleEstimate(role, settings.model, calls, prompt_tokens, answer_tokens, round(cost, 4) if priced else None)
