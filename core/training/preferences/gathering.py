"""What there is to learn from: decided pairs, thumbs on answers, or a file; never what is held out.

A run is told which by references that are frozen when it starts, so that a resumed run learns from the same ones;
whether it still may is looked at again each time. Imports no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from core.corpus.holdout import expected_splits
from core.dataset.leaks import find_leaks
from core.dataset.preference_file import PairLine, read_pairs
from core.errors import TrainingError
from core.store.conversations import exchanges_of, list_conversations
from core.store.identity import bare_words, content_uid
from core.store.pairs import PairRow, list_pairs
from core.store.sessions import MessageRow, answer_uid, question_of, rated_messages, rests_on
from core.training.preferences.clearance import Clearance
from core.workspace import Workspace

Reference = tuple[str, str]
"""The uid of a pair or of a rated answer, and what was chosen: left, right, neither; good, bad."""
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
    owners: tuple[str, ...] | None = None
    """uids of what its prompt and its answers rest on; None where nobody can tell."""

    @property
    def questions_uid(self) -> str:
        """The same for every judgement on one question, however it is written: they are trained on together, or
        validate together."""
        return content_uid("question", _words(self.question) or self.question)

    @property
    def asked(self) -> str:
        """What the answers answer."""
        return self.prompt or self.question


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
    """Judgements on answers to prompts with words that are not for training, or of which nobody can tell."""
    overruled: int = 0
    """Judgements, or with KTO single answers, of which another judgement says something else, or the same again."""
    refused: tuple[str, ...] = ()
    """Lines of a file that are no pairs."""

    @property
    def origins(self) -> dict[str, int]:
        return dict(sorted(Counter(each.origin for each in self.preferences).items()))


def gathered(workspace: Workspace, method: Method, file: Path | None = None) -> Gathered:
    """What is decided now, or what a file holds. Raises UsageError for a file that cannot be read."""
    refused: tuple[str, ...] = ()
    if file is not None:
        every, refused = _in_file(file)
        # As an import does: of two lines that contradict each other the first one counts.
        listed = list({_both(each): each for each in reversed(every)}.values())[::-1]
    else:
        every = [each for pair in list_pairs(workspace.database) for each in _of_pair(pair, method)]
        listed = [each for pair in _standing(workspace) for each in _of_pair(pair, method)]
        if method == "kto":
            judged = {(each.question, answer) for each in listed for answer in (each.chosen, each.rejected)}
            thumbs = [_of_message(workspace, message) for message in rated_messages(workspace.database)]
            every += thumbs
            # An answer that was corrected or compared is judged by that, not by an earlier thumb.
            listed += [each for each in thumbs if (each.question, each.chosen or each.rejected) not in judged]
    found = _learnable(workspace, listed)
    kept, again = _one_label(found.preferences) if method == "kto" else (found.preferences, 0)
    return replace(found, preferences=kept, overruled=len(every) - len(listed) + again, refused=refused)


def found_again(
    workspace: Workspace, method: Method, references: Sequence[Sequence[str]], file: Path | None
) -> list[Preference]:
    """The judgements that a run was started with. Raises TrainingError when one of them is gone, or may not be learned
    from any more."""
    wanted = {(str(uid), str(choice)) for uid, choice in references}
    if file is not None:
        every, _ = _in_file(file)
    else:
        pairs = {pair.uid: pair for pair in list_pairs(workspace.database)}
        messages = {_uid_of(workspace, message): message for message in rated_messages(workspace.database)}
        every = []
        for uid, choice in sorted(wanted):
            if uid in pairs:
                every += _chosen(pairs[uid], choice, method)
            elif uid in messages:
                every.append(_of_message(workspace, messages[uid], choice))
    listed = [each for each in every if each.reference in wanted]
    gone = len(wanted - {each.reference for each in listed})
    if gone:
        raise TrainingError(f"{gone} of the preferences that this run began with are gone", "start a new run")
    found = _learnable(workspace, listed)
    if len(found.preferences) < len(listed):
        raise TrainingError(
            f"{len(listed) - len(found.preferences)} of the preferences that this run began with may not be learned"
            " from any more: held out, or not cleared for training",
            "start a new run",
        )
    return sorted(_one_label(listed)[0] if method == "kto" else listed, key=_order)


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


def _learnable(workspace: Workspace, listed: Sequence[Preference]) -> Gathered:
    """All but what asks a held-out question or nearly says its answer, and what rests on words not cleared for it.

    Of two bad answers, which are one decision, both stay or neither: a reference that is kept means the same again.
    """
    splits = expected_splits(workspace)
    held = [
        exchange
        for row in list_conversations(workspace.database)
        if splits.get(row.uid) == "heldout"
        for exchange in exchanges_of(workspace.database, row.id)
    ]
    asked = {_words(exchange.question) for exchange in held if exchange.question}
    texts = ((str(place), f"{each.chosen}\n{each.rejected}") for place, each in enumerate(listed))
    leaks = find_leaks(((each.uid, each.answer) for each in held), texts)
    out = {listed[int(leak.where)].reference for leak in leaks}
    out |= {each.reference for each in listed if _words(each.question) in asked}
    clean = [each for each in listed if each.reference not in out]
    clearance = Clearance(workspace.database)
    unclear = {each.reference for each in clean if not clearance.covers(each.owners)}
    kept = tuple(each for each in clean if each.reference not in unclear)
    return Gathered(kept, len(listed) - len(clean), len(clean) - len(kept))


def _one_label(every: Iterable[Preference]) -> tuple[tuple[Preference, ...], int]:
    """(judgements, how many answers were taken out of them): each answer to a prompt is called good or bad once.

    One that was preferred and rejected is bad: a better one is known. It depends on nothing but these judgements, so
    that a resumed run comes to the same.
    """
    ordered = sorted(every, key=_order)
    bad = {(each.asked, each.rejected) for each in ordered if each.rejected}
    taken: set[tuple[str, str]] = set()
    kept, dropped = [], 0
    for each in ordered:
        sides = []
        for answer, is_taken in ((each.chosen, taken | bad), (each.rejected, taken)):
            counts = bool(answer) and (each.asked, answer) not in is_taken
            dropped += bool(answer) and not counts
            sides.append(answer if counts else "")
        taken |= {(each.asked, answer) for answer in sides if answer}
        if any(sides):
            kept.append(replace(each, chosen=sides[0], rejected=sides[1]))
    return tuple(kept), dropped


def _order(preference: Preference) -> tuple[str, str]:
    """The same whatever the order in which judgements are found."""
    return content_uid(preference.reference), preference.rejected


def _both(preference: Preference) -> tuple[str, str, frozenset[str]]:
    """The same for the same two answers to the same prompt, whichever is preferred."""
    return preference.question, preference.prompt, frozenset((preference.chosen, preference.rejected))


def _standing(workspace: Workspace) -> list[PairRow]:
    """Decided pairs; where the same two answers stand in two of them, as when their sides were exchanged, the one that
    was decided on last."""
    decided = [each for each in list_pairs(workspace.database) if each.state in ("accepted", "rejected")]
    last: dict[tuple[str, str, frozenset[str]], PairRow] = {}
    for pair in sorted(decided, key=lambda each: each.decision):
        last[pair.question, pair.prompt, frozenset((pair.left, pair.right))] = pair
    return sorted(last.values(), key=lambda each: each.id)


def _of_pair(pair: PairRow, method: Method) -> list[Preference]:
    if pair.state == "accepted":
        return _chosen(pair, pair.preferred, method)
    return _chosen(pair, "neither", method) if pair.state == "rejected" else []


def _chosen(pair: PairRow, choice: str, method: Method) -> list[Preference]:
    """A decided pair; of one whose answers are both bad only KTO can learn, one by one."""

    def made(chosen: str, rejected: str) -> Preference:
        return Preference(
            (pair.uid, choice), pair.origin, pair.question, pair.prompt, chosen, rejected, pair.created_at[:10],
            pair.owners,
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
    choice = choice or ("good" if message.rating > 0 else "bad")
    good, bad = (message.text, "") if choice == "good" else ("", message.text)
    return Preference(
        (_uid_of(workspace, message), choice), "rating", _question(workspace, message), message.prompt, good, bad,
        message.created_at[:10], rests_on(workspace.database, message.id),
    )  # fmt: skip


def _uid_of(workspace: Workspace, message: MessageRow) -> str:
    return answer_uid(_question(workspace, message), message)


def _question(workspace: Workspace, message: MessageRow) -> str:
    question = question_of(workspace.database, message)
    return question.text if question else ""


def _in_file(file: Path) -> tuple[list[Preference], tuple[str, ...]]:
    """Its pairs, each once, and its lines that are none."""
    found = read_pairs(file)
    return list(dict.fromkeys(map(_of_line, found.pairs))), found.refused


def _of_line(line: PairLine) -> Preference:
    """A file is its owner's: what its words rest on is theirs to answer for."""
    uid = content_uid("pair", line.question, line.prompt, line.chosen, line.rejected)
    return Preference((uid, "left"), "file", line.question, line.prompt, line.chosen, line.rejected, "", ())


def _words(text: str) -> str:
    """A question without what two ways of writing it differ in."""
    return " ".join(bare_words(text))
