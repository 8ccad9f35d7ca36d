"""Decisions are kept for ever; undo and redo walk them without end, a batch as one, across restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import UsageError
from core.review.decisions import Actor, Decision, Verb, decide, fold, recompute, redo, undo
from core.store.decisions import card_states, list_decisions
from core.store.second_looks import looked_twice
from core.workspace import Workspace
from tests.review_rows import fill

NELL = Actor("person", "Nell")
CARDS = st.sampled_from(["a", "b", "c"])
VERBS = st.sampled_from(["accept", "reject", "defer", "flag"])


@dataclass
class Batch:
    """What was decided at once: verdicts on cards, and second looks at cards with the batch each one looks back at."""

    verdicts: dict[str, str]
    looks: dict[str, tuple[str, Batch]] = field(default_factory=dict)


class Reviewing(RuleBasedStateMachine):
    """The store against a stack of batches."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.workspace = Workspace.create(Path(self._folder.name) / "ws", "Ada")
        self.done: list[Batch] = []
        self.undone: list[Batch] = []

    def _standing(self, card: str) -> Batch | None:
        return next((batch for batch in reversed(self.done) if card in batch.verdicts), None)

    @rule(verdicts=st.dictionaries(CARDS, VERBS, min_size=1))
    def decide(self, verdicts: dict[str, str]) -> None:
        decide(self.workspace.database, NELL, [Decision(card, verb) for card, verb in verdicts.items()])  # type: ignore[arg-type]
        self.done.append(Batch(verdicts))
        self.undone.clear()

    @rule(verdicts=st.dictionaries(CARDS, VERBS), looks=st.dictionaries(CARDS, VERBS, min_size=1))
    def look_again(self, verdicts: dict[str, str], looks: dict[str, str]) -> None:
        """A range may hold second looks and first verdicts: they are one batch, and undone as one."""
        looks = {card: verb for card, verb in looks.items() if card not in verdicts}
        first = {card: self._standing(card) for card in looks}
        decisions = [Decision(card, verb) for card, verb in verdicts.items()]  # type: ignore[arg-type]
        decisions += [Decision(card, verb, second=True) for card, verb in looks.items()]  # type: ignore[arg-type]
        if any(batch is None for batch in first.values()):
            with pytest.raises(UsageError):
                decide(self.workspace.database, NELL, decisions)
            return
        if decisions:
            decide(self.workspace.database, NELL, decisions)
            found = {card: (looks[card], batch) for card, batch in first.items() if batch is not None}
            self.done.append(Batch(verdicts, found))
            self.undone.clear()

    @rule()
    def undo(self) -> None:
        if not self.done:
            with pytest.raises(UsageError):
                undo(self.workspace.database, NELL)
            return
        undo(self.workspace.database, NELL)
        self.undone.append(self.done.pop())

    @rule()
    def redo(self) -> None:
        if not self.undone:
            with pytest.raises(UsageError):
                redo(self.workspace.database, NELL)
            return
        redo(self.workspace.database, NELL)
        self.done.append(self.undone.pop())

    @rule()
    def restart(self) -> None:
        root = self.workspace.root
        self.workspace.database.close()
        self.workspace = Workspace.open(root)

    @invariant()
    def states_are_what_stands(self) -> None:
        wanted: dict[str, str] = {}
        for batch in self.done:
            wanted |= batch.verdicts
        states = {card: state for (_, card), (state, _) in card_states(self.workspace.database).items()}
        names = {"accept": "accepted", "reject": "rejected", "defer": "deferred", "flag": "flagged"}
        assert states == {card: names[verb] for card, verb in wanted.items()}
        folded = {card: row[0] for (_, card), row in fold(list_decisions(self.workspace.database)).items()}
        assert folded == states

    @invariant()
    def second_verdicts_stand_beside_the_first(self) -> None:
        verdicts = ("accept", "reject")
        wanted = {
            card: (first.verdicts[card], verb)
            for batch in self.done
            for card, (verb, first) in batch.looks.items()
            if verb in verdicts and first.verdicts[card] in verdicts
        }
        found = looked_twice(self.workspace.database, "Nell")
        assert {pair.card_uid: (pair.first, pair.second) for pair in found} == wanted

    def teardown(self) -> None:
        self.workspace.database.close()
        self._folder.cleanup()


TestReviewing = Reviewing.TestCase
TestReviewing.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_decisions_cannot_be_changed_or_removed(workspace: Workspace) -> None:
    decide(workspace.database, NELL, [Decision("a", "accept")])
    decide(workspace.database, NELL, [Decision("a", "reject", second=True)])
    for sql in (
        "UPDATE decision SET verb = 'reject'", "DELETE FROM decision", "UPDATE second_look SET verb = 'accept'",
        "DELETE FROM second_look",
    ):  # fmt: skip
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            workspace.database.execute(sql)


def test_a_lost_cache_of_states_is_mended_from_the_log(workspace: Workspace) -> None:
    database = workspace.database
    decide(database, NELL, [Decision("a", "accept"), Decision("b", "edit", text="new words")])
    undo(database, NELL)
    redo(database, NELL)
    before = card_states(database)
    database.execute("DELETE FROM card_state WHERE card_uid = 'a'")
    database.execute("UPDATE card_state SET state = 'rejected'")
    assert recompute(database) == 2
    assert card_states(database) == before


def test_who_decided_is_told_apart_for_ever(workspace: Workspace) -> None:
    decide(workspace.database, NELL, [Decision("a", "accept")])
    decide(workspace.database, Actor("rule", "question-likelihood>=0"), [Decision("b", "accept")])
    assert [(row.actor_kind, row.actor) for row in list_decisions(workspace.database)] == [
        ("person", "Nell"),
        ("rule", "question-likelihood>=0"),
    ]


@pytest.mark.parametrize("verb", ["accept", "edit"])
def test_an_accepted_pair_says_which_side_is_better(workspace: Workspace, verb: Verb) -> None:
    good = Decision("a", "accept", text="left", card_kind="pair")
    with pytest.raises(UsageError, match="which side is better is not said"):
        decide(workspace.database, NELL, [good, Decision("b", verb, text="middle", card_kind="pair")])
    assert list_decisions(workspace.database) == []
    decide(workspace.database, NELL, [good, Decision("b", "reject", card_kind="pair")])
    assert card_states(workspace.database)["pair", "a"] == ("accepted", "left")


def test_the_command_keeps_words_that_were_edited_whatever_is_decided_then(
    workspace: Workspace, simulee: Callable[..., Any]
) -> None:
    fill(workspace.database, 5)
    decide(workspace.database, NELL, [Decision("m000001", "edit", text="I kept it.")])
    for verb, state in (("flag", "flagged"), ("accept", "accepted")):
        assert simulee("review", "--decide", "m1", verb, "-w", workspace.root).returncode == 0
        assert card_states(workspace.database)["memory", "m000001"] == (state, "I kept it.")
