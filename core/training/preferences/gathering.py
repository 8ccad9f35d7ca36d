"""What there is to learn from: decided pairs, thumbs on answers, or a file; never what is held out.

A run is told which by references that are frozen when it starts, so that a resumed run learns from the same ones.
Imports no torch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from core.corpus.holdout import expected_splits
from core.dataset.leaks import find_leaks
from core.dataset.preference_file import PairLine, read_pairs
from core.errors import TrainingError
from core.store.chunks import passages
from core.store.conversations import exchanges_of, list_conversations
from core.store.identity import content_uid
from core.store.pairs import PairRow, list_pairs
from core.store.sessions import MessageRow, memories_of_message, question_of, rated_messages
from core.workspace import Workspace

Reference = tuple[str, str]
"""A uid, or ``m<row id>`` of a rated answer, and what was chosen: left, right, neither; good, bad."""
Method = Literal["dpo", "kto"]


@dataclass(frozen=True, slots=True)
class Preference:
    """One judgement. A thumb has one of the two answers, the other is empty."""

    reference: Reference
    origin: str
    """As a pair's, or ``rating``, or ``file``."""
    question: str
    prompt: str
    """As the model read it; empty when it is not known."""
    chosen: str
    rejected: str
    day: str
    """When it was made, ISO; empty when it is not known."""
    message_id: int | None = None
    """The answer that was judged, where it was one in a chat."""

    @property
    def questions_uid(self) -> str:
        """The same for every judgement on one question: they are trained on together, or validate together."""
        return content_uid("question", self.question)


class Judged(Protocol):
    """A judgement with whatever is known of it."""

    @property
    def preference(self) -> Preference: ...


AJudged = TypeVar("AJudged", bound=Judged)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What may be learned from, and what was left out of it."""

    preferences: tuple[Preference, ...]
    held_out: int = 0
    """Judgements on held-out conversations."""
    not_cleared: int = 0
    """Judgements on answers to prompts with memories that are for recall only, or whose passages are gone."""
    refused: tuple[str, ...] = ()
    """Lines of a file that are no pairs."""

    @property
    def origins(self) -> dict[str, int]:
        return dict(sorted(Counter(each.origin for each in self.preferences).items()))


def gathered(workspace: Workspace, method: Method, file: Path | None = None) -> Gathered:
    """What is decided now, or what a file holds. Raises UsageError for a file that cannot be read."""
    if file is not None:
        found = read_pairs(file)
        return _learnable(workspace, dict.fromkeys(map(_of_line, found.pairs)), found.refused)
    pairs = [each for pair in list_pairs(workspace.database) for each in _of_pair(pair, method)]
    if method == "dpo":
        return _learnable(workspace, pairs, ())
    judged = {(each.question, answer) for each in pairs for answer in (each.chosen, each.rejected)}
    thumbs = [_of_message(workspace, message) for message in rated_messages(workspace.database)]
    # An answer that was corrected or compared is judged by that, not by an earlier thumb.
    thumbs = [each for each in thumbs if (each.question, each.chosen or each.rejected) not in judged]
    return _learnable(workspace, [*pairs, *thumbs], ())


def found_again(
    workspace: Workspace, method: Method, references: Sequence[Sequence[str]], file: Path | None
) -> list[Preference]:
    """The judgements that a run was started with. Raises TrainingError when one of them is gone."""
    wanted = {(str(uid), str(choice)) for uid, choice in references}
    if file is not None:
        every = list(gathered(workspace, method, file).preferences)
    else:
        pairs = {pair.uid: pair for pair in list_pairs(workspace.database)}
        messages = {f"m{message.id}": message for message in rated_messages(workspace.database)}
        every = []
        for uid, choice in sorted(wanted):
            if uid in pairs:
                every += _chosen(pairs[uid], choice, method)
            elif uid in messages:
                every.append(_of_message(workspace, messages[uid], choice))
    found = [each for each in every if each.reference in wanted]
    gone = len(wanted - {each.reference for each in found})
    if gone:
        raise TrainingError(f"{gone} of the preferences that this run began with are gone", "start a new run")
    return sorted(found, key=lambda each: (content_uid(each.reference), each.rejected))


def split(judged: Sequence[AJudged], share: float) -> tuple[list[AJudged], list[AJudged]]:
    """(train, validation): by the hash of each question, so that a judgement that comes later moves no other.

    What would leave nothing to train on is trained on.
    """
    validation = [each for each in judged if _place(each.preference) < share]
    train = [each for each in judged if _place(each.preference) >= share]
    return (train, validation) if train else (validation, [])


def _place(preference: Preference) -> float:
    """0 to 1, the same for all judgements on one question."""
    return int(content_uid("split", preference.questions_uid)[:8], 16) / 2**32


def _learnable(workspace: Workspace, every: Iterable[Preference], refused: tuple[str, ...]) -> Gathered:
    """All but what asks a held-out question or nearly says its answer, and what rests on words not cleared for it."""
    listed = list(every)
    splits = expected_splits(workspace)
    held = [
        exchange
        for row in list_conversations(workspace.database)
        if splits.get(row.uid) == "heldout"
        for exchange in exchanges_of(workspace.database, row.id)
    ]
    asked = {_words(exchange.question) for exchange in held if exchange.question}
    texts = ((str(place), f"{each.chosen}\n{each.rejected}") for place, each in enumerate(listed))
    leaking = {int(leak.where) for leak in find_leaks(((each.uid, each.answer) for each in held), texts)}
    clean = [each for place, each in enumerate(listed) if place not in leaking and _words(each.question) not in asked]
    kept = tuple(each for each in clean if _is_cleared(workspace, each))
    return Gathered(kept, len(listed) - len(clean), len(clean) - len(kept), refused)


def _is_cleared(workspace: Workspace, preference: Preference) -> bool:
    """Whether every passage that the answer could rest on may be trained on; one that is gone cannot tell."""
    if preference.message_id is None:
        return True
    shown = [each.chunk_id for each in memories_of_message(workspace.database, preference.message_id)]
    found = passages(workspace.database, [each for each in shown if each is not None])
    return all(each in found and found[each].use == "train" for each in shown)


def _of_pair(pair: PairRow, method: Method) -> list[Preference]:
    if pair.state == "accepted":
        return _chosen(pair, pair.preferred, method)
    return _chosen(pair, "neither", method) if pair.state == "rejected" else []


def _chosen(pair: PairRow, choice: str, method: Method) -> list[Preference]:
    """A decided pair; of one whose answers are both bad only KTO can learn, one by one."""

    def made(chosen: str, rejected: str) -> Preference:
        return Preference(
            (pair.uid, choice), pair.origin, pair.question, pair.prompt, chosen, rejected, pair.created_at[:10],
            pair.message_id,
        )  # fmt: skip

    match choice:
        case "left":
            return [made(pair.left, pair.right)]
        case "right":
            return [made(pair.right, pair.left)]
        case "neither" if method == "kto":
            return [made("", pair.left), made("", pair.right)]
    return []


def _of_message(workspace: Workspace, message: MessageRow, choice: str = "") -> Preference:
    question = question_of(workspace.database, message)
    choice = choice or ("good" if message.rating > 0 else "bad")
    good, bad = (message.text, "") if choice == "good" else ("", message.text)
    asked = question.text if question else ""
    return Preference(
        (f"m{message.id}", choice), "rating", asked, message.prompt, good, bad, message.created_at[:10], message.id
    )


def _of_line(line: PairLine) -> Preference:
    uid = content_uid("pair", line.question, line.prompt, line.chosen, line.rejected)
    return Preference((uid, "left"), "file", line.question, line.prompt, line.chosen, line.rejected, "")


def _words(text: str) -> str:
    """A question without what two ways of writing it differ in."""
    return " ".join(re.findall(r"\w+", text.casefold()))
