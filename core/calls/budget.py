"""Hard caps on calls, tokens and money, per run and role; and what a stage is going to cost.

Before a call leaves it reserves the most it can use, so that calls under way together cannot pass a cap together.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from core.errors import BudgetError
from core.models.generation import Ask, Told
from core.settings import PriceSettings, RoleSettings
from core.store.model_calls import Spent

CHARACTERS_PER_TOKEN = 4
"""Of English under the usual tokenizers; for figures that a server does not report."""
PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call and what they cost."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stage's calls would use, before the cache takes its share."""

    calls: int
    prompt_tokens: int
    answer_tokens: int
    cost: float


@dataclass(slots=True)
class Budget:
    """What a run may spend in a role, and what it has. For any thread."""

    role: str
    settings: RoleSettings
    spent: Spent = field(default_factory=Spent)
    again: str = "run the same command again"
    """What to do once the cap is raised."""
    _reserved_tokens: int = 0
    _reserved_cost: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, usage: Usage, counted: Usage | None = None) -> Usage:
        """Set aside the most that a call can use. Raises BudgetError where a cap does not have that much left.

        ``counted`` is what the same call was counted as before, when its answer had not come; it counts once.
        """
        with self._lock:
            spent = self.spent
            if counted is not None:
                tokens = counted.prompt_tokens + counted.answer_tokens
                self.spent = Spent(spent.calls - 1, spent.tokens - tokens, spent.cost - counted.cost)
            try:
                self._check(usage)
            except BudgetError:
                self.spent = spent
                raise
            self.spent = Spent(self.spent.calls + 1, self.spent.tokens, self.spent.cost)
            self._reserved_tokens += usage.prompt_tokens + usage.answer_tokens
            self._reserved_cost += usage.cost
        return usage

    def _check(self, usage: Usage) -> None:
        tokens, cost = usage.prompt_tokens + usage.answer_tokens, usage.cost
        wanted = (
            ("max_calls", self.spent.calls + 1, self.settings.max_calls),
            ("max_tokens", self.spent.tokens + self._reserved_tokens + tokens, self.settings.max_tokens),
            ("max_cost", self.spent.cost + self._reserved_cost + cost, self.settings.max_cost),
        )
        for name, would_be, cap in wanted:
            if cap is not None and would_be > cap:
                raise BudgetError(
                    f"the {self.role} has reached its cap: [models.{self.role}] {name} = {cap:g}",
                    f"what was done is kept; raise the cap in persona.toml and {self.again}",
                )

    def settle(self, reserved: Usage, used: Usage) -> None:
        """Give back what was set aside and count what was used."""
        tokens = used.prompt_tokens + used.answer_tokens
        with self._lock:
            self._reserved_tokens -= reserved.prompt_tokens + reserved.answer_tokens
            self._reserved_cost -= reserved.cost
            self.spent = Spent(self.spent.calls, self.spent.tokens + tokens, self.spent.cost + used.cost)

    def most(self, ask: Ask) -> Usage:
        """The most that an ask uses, by the length of its words."""
        characters = sum(len(said.content) for said in ask.messages)
        return priced(self.settings.price, -(-characters // CHARACTERS_PER_TOKEN), ask.max_tokens)

    def of_answer(self, ask: Ask, told: Told) -> Usage:
        """What an answer used: as the server says, or where it does not, by the length of the words."""
        prompt = told.prompt_tokens or self.most(ask).prompt_tokens
        answer = told.answer_tokens or -(-len(told.text) // CHARACTERS_PER_TOKEN)
        return priced(self.settings.price, prompt, answer)

    def estimate(self, asks: int, mean_prompt_tokens: float, mean_answer_tokens: float) -> Estimate:
        """What so many asks would use; retries not counted."""
        usage = priced(self.settings.price, round(asks * mean_prompt_tokens), round(asks * mean_answer_tokens))
        return Estimate(asks, usage.prompt_tokens, usage.answer_tokens, usage.cost)


def priced(price: PriceSettings, prompt_tokens: int, answer_tokens: int) -> Usage:
    """The tokens with their cost, in the currency of the price."""
    cost = (prompt_tokens * price.prompt + answer_tokens * price.answer) / PER_MILLION
    return Usage(prompt_tokens, answer_tokens, cost)
