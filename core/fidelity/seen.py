"""Which of the held-out conversations something was trained on.

A conversation is known by its uid, and by its words: it may go by another uid than it was trained under, where a
corrected form came from another file or another machine. Words are compared as the guard of datasets compares them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from core.adapters.preferences import learned_by
from core.corpus.holdout import expected_splits
from core.dataset.leaks import NGRAM, find_leaks
from core.retrieval.retrievers import LEARNED_FROM, Retriever
from core.store.adapters import AdapterRow, datasets_behind
from core.store.conversations import ExchangeRow, exchanges_of, trainable_conversations
from core.store.datasets import trained_conversations, trained_texts
from core.store.identity import bare_words
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Seen:
    """What of the held-out conversations something has learned from."""

    conversations: frozenset[str]
    """Their uids."""
    known: bool
    """Whether all that it learned from is here to be looked at."""


class HeldOut:
    """The held-out conversations of a workspace, by uid: their questions, in order."""

    def __init__(self, workspace: Workspace) -> None:
        splits = expected_splits(workspace)
        self._workspace = workspace
        self.questions: dict[str, list[ExchangeRow]] = {
            row.uid: [each for each in exchanges_of(workspace.database, row.id) if each.question]
            for row in trainable_conversations(workspace.database)
            if splits[row.uid] == "heldout"
        }
        self._every = [(uid, each) for uid, asked in self.questions.items() for each in asked]
        self._owner = {uid: uid for uid in self.questions} | {each.uid: uid for uid, each in self._every}

    def seen_by(self, adapter: AdapterRow) -> Seen:
        """What is in an adapter's weights: datasets, and judgements, of those before it too."""
        database = self._workspace.database
        datasets, known = datasets_behind(database, adapter)
        learned, missing = learned_by(self._workspace, adapter)
        samples = chain.from_iterable(trained_texts(database, each) for each in datasets)
        judged = chain.from_iterable(each.texts for each in learned)
        found = {
            *self._named(uid for each in datasets for uid in trained_conversations(database, each)),
            *self._named(uid for each in learned for uid in each.owners or ()),
            *self._answered(chain(samples, judged)),
            *self._asked(each.question for each in learned),
        }
        return Seen(frozenset(found), known and not missing)

    def seen_by_retriever(self, retriever: Retriever) -> Seen:
        """What a retriever's card says that it was trained on."""
        told = retriever.card.get(LEARNED_FROM)
        if not isinstance(told, dict):
            return Seen(frozenset(), False)
        said = {str(each) for each in told.values()}
        # "And then?" "Nothing." is said in more than one conversation.
        telling = {uid for uid, each in self._every if each.said in said and _words(each) >= NGRAM}
        return Seen(frozenset({*self._named(told), *telling}), True)

    def _named(self, uids: Iterable[str]) -> set[str]:
        """By the uids of conversations and of their exchanges."""
        return {self._owner[uid] for uid in uids if uid in self._owner}

    def _answered(self, texts: Iterable[str]) -> set[str]:
        """By answers that a text nearly repeats."""
        leaks = find_leaks(((uid, each.answer) for uid, each in self._every), (("", text) for text in texts))
        return {leak.heldout for leak in leaks}

    def _asked(self, questions: Iterable[str]) -> set[str]:
        """By questions in the same words, which no run on preferences learns from once they are held out."""
        words = {tuple(bare_words(question)) for question in questions}
        return {uid for uid, each in self._every if tuple(bare_words(each.question)) in words}


def _words(exchange: ExchangeRow) -> int:
    return len(bare_words(exchange.question)) + len(bare_words(exchange.answer))
