"""One answer in hybrid mode: simulated, merged, verified, and marked where it is not what was merged.

It simulates with a voice, and then needs the embedder, the store and perhaps the writer: it belongs to their thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.errors import BudgetError, ConsentError, ModelError, SettingsError
from core.prompts.log import Line
from core.recall.recollect import Recollection, Recollector
from core.twin.guard import Withheld
from core.twin.hybrid.claims import Checked, checked
from core.twin.hybrid.facts import Fact
from core.twin.hybrid.merge import merged_by_rule, without_unsupported
from core.twin.hybrid.model_merge import merged_by_model
from core.twin.hybrid.simulation import Log, Simulation, simulate
from core.twin.hybrid.style import Style
from core.twin.hybrid.verify import Drift, drift_of
from core.twin.speech import Manner, Voice
from core.workspace import Workspace

Outcome = Literal["merged", "simulated", "plain"]
"""What is said: the merge; the simulated turn, its unsupported facts taken out; or an answer without a simulation."""
RULE = "rule"
"""The writer of a merge that no model made."""


@dataclass(frozen=True, slots=True)
class Hybrid:
    """How an answer in hybrid mode came about. All of it may be shown."""

    text: str
    """Empty for ``plain``: the twin then answers as it does without."""
    outcome: Outcome
    why: str
    """Why it fell back; empty where it did not."""
    simulation: tuple[Line, ...]
    """What the persona wrote, invented lines of others among it."""
    context: tuple[str, ...]
    writer: str
    """``rule``, or the engine of the writer."""
    adapter: str
    """What simulated; empty for the bare base."""
    prompt: str
    """The log that was gone on with."""
    before: float | None = None
    """Style distance of the simulated turn to the target, where it is known."""
    after: float | None = None
    """Of the merge."""

    @property
    def fell_back(self) -> bool:
        return self.outcome != "merged"

    def stored(self) -> dict[str, Any]:
        """As a message's settings keep it, and as JSON shows it."""
        return {
            "outcome": self.outcome,
            "why": self.why,
            "writer": self.writer,
            "adapter": self.adapter or None,
            "context": list(self.context),
            "simulation": [{"name": each.name, "text": each.text, "target": each.mine} for each in self.simulation],
            "style": None if self.before is None else {"before": self.before, "after": self.after},
        }


@dataclass(frozen=True)
class HybridTurn:
    """All that one answer is made from."""

    workspace: Workspace
    recollector: Recollector
    voice: Voice
    adapter: str
    log: Log
    manner: Manner
    question: str
    asker: str
    facts: Sequence[Fact]
    recollections: tuple[Recollection, ...]
    """What was recalled for the question: every one is among the facts."""
    known: Sequence[str]
    """Who else talks."""
    withheld: Withheld
    style: Style | None
    tell: Callable[[str], None] = field(default=lambda _: None)
    """Told what is being done."""

    def answer(self) -> Generator[str, None, Hybrid]:
        """Yield an empty piece now and then, and return what came of it. Raises ModelError where the voice fails."""
        self.tell("simulating")
        simulation = yield from simulate(
            self.voice, self.log, self.manner, self.workspace.target, self.workspace.settings.twin.target_turns,
            self.workspace.settings.target_names, self.known,
        )  # fmt: skip
        if not simulation.turns:
            return self._hybrid("", "plain", f"the simulation has no turn of {self.workspace.target}", simulation)
        self.tell("merging")
        if self._writer == RULE:
            return self._by_rule(simulation)
        yield ""
        return self._by_model(simulation)

    @property
    def _writer(self) -> str:
        engine = self.workspace.settings.models.writer.engine
        return RULE if engine == "extractive" else engine

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys([self.workspace.target, *self.workspace.settings.target_names, *self.known]))

    def _check(self, text: str) -> list[Checked]:
        return checked(text, self.facts, self.recollector.embedder, self.question, self._names)

    def _by_rule(self, simulation: Simulation) -> Hybrid:
        """The first turn of which something is left. No turn is cut for its length: what is missing was not so."""
        own = [self.workspace.target, *self.workspace.settings.target_names]
        for turn in simulation.turns:
            told = merged_by_rule(
                turn, self.facts, self.recollector.embedder, self._check, own, self.withheld, self.question
            )
            if told.text:
                break
        else:
            return self._hybrid("", "plain", "CONTEXT supports nothing of the simulation", simulation)
        self.tell("verifying")
        drift = self._drift(told.text, turn, judge_length=False)
        if not drift.reasons:
            return self._hybrid(told.text, "merged", "", simulation, drift)
        return self._fallen_back("; ".join(drift.reasons), simulation, drift)

    def _by_model(self, simulation: Simulation) -> Hybrid:
        shown = Simulation(self._guarded(simulation.lines))
        caller = self.recollector.writer_caller
        if caller is None or not shown.turns:
            return self._fallen_back("there is no writer to ask", simulation)
        asking = merged_by_model(self.workspace, caller, shown, self.facts, self.question, self.asker)
        try:
            merged = self.recollector.wait_for(asking)
        except (ModelError, ConsentError, BudgetError, SettingsError) as error:
            return self._fallen_back(f"the writer gave no merge: {error.message}", simulation)
        self.tell("verifying")
        drift = self._drift(merged, simulation.turns[0], judge_length=True)
        if drift.reasons:
            return self._fallen_back("; ".join(drift.reasons), simulation, drift)
        return self._hybrid(merged, "merged", "", simulation, drift)

    def _drift(self, merged: str, turn: str, judge_length: bool) -> Drift:
        most = self.workspace.settings.twin.style_drift
        return drift_of(merged, turn, self._check(merged), self.style, most, judge_length)

    def _fallen_back(self, why: str, simulation: Simulation, drift: Drift | None = None) -> Hybrid:
        """The first simulated turn of which something is left without its unsupported facts."""
        for turn in simulation.turns:
            told = without_unsupported(turn, self._check)
            if told.text:
                return self._hybrid(told.text, "simulated", why, simulation, drift)
        return self._hybrid("", "plain", f"{why}; CONTEXT supports nothing of the simulation", simulation, drift)

    def _hybrid(
        self, text: str, outcome: Outcome, why: str, simulation: Simulation, drift: Drift | None = None
    ) -> Hybrid:
        return Hybrid(
            text=self.withheld.redact(text),
            outcome=outcome,
            why=self.withheld.redact(why),
            simulation=self._guarded(simulation.lines),
            context=tuple(self.withheld.redact(fact.shown) for fact in self.facts),
            writer=self._writer,
            adapter=self.adapter,
            prompt=self.log.text,
            before=drift.before if drift else None,
            after=drift.after if drift else None,
        )

    def _guarded(self, lines: Sequence[Line]) -> tuple[Line, ...]:
        return tuple(
            replace(line, name=self.withheld.redact(line.name), text=self.withheld.redact(line.text)) for line in lines
        )
