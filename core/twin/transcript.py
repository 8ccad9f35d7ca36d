"""A session as it is read: questions, the answer that stands for each, its notes, and what a person made of it.

Several answers to one question are kept (a retry, two to choose from). The newest stands, unless a pair prefers another
one of them; a correction stands in place of the answer that it corrects. What stands is what the twin is told it said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from core.corpus.sentences import sentences_of
from core.errors import UsageError
from core.prompts.render import PromptTurn, RecalledMemory
from core.store.chunks import Passage, passages
from core.store.pairs import PairRow, pairs_of_session
from core.store.sessions import (
    MessageRow,
    SessionRow,
    find_session,
    memories_of_message,
    receipts_of_message,
    session_messages,
)
from core.twin.receipts import shown_title
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Note:
    """What one sentence of an answer rests on. ``chunk`` is None for a sentence without support."""

    sentence: str
    chunk: int | None
    score: float
    title: str = ""
    date: str = ""
    passage: str = ""
    """Empty where ``private``."""
    quote_start: int = 0
    quote_stop: int = 0
    """The words of the passage that the twin was reminded of; equal where they are not found any more."""
    private: bool = False
    """The passage may be recalled and is not shown."""
    style: bool = False
    """The sentence claims nothing that could be supported."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    message_id: int
    text: str
    rating: int
    notes: tuple[Note, ...]
    correction: str = ""
    """What a person would rather have read."""
    settings: dict[str, Any] = field(default_factory=dict)
    at: str = ""
    corrected_at: str = ""

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it before its end."""
        return self.settings.get("finish") == "stopped"

    @property
    def broken(self) -> bool:
        """Whether it broke off, because what spoke it failed."""
        return self.settings.get("finish") == "broken"

    @property
    def fell_back(self) -> str:
        """Why an answer in hybrid mode is not what was merged; empty for any other answer."""
        hybrid = self.settings.get("hybrid")
        return str(hybrid.get("why", "")) if isinstance(hybrid, dict) else ""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question and every answer to it; ``standing`` is the place of the one that stands, -1 without any."""

    message_id: int
    asker: str
    question: str
    at: str
    answers: tuple[Said, ...]
    standing: int

    @property
    def answer(self) -> Said | None:
        """The answer that stands."""
        return self.answers[self.standing] if self.answers else None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole session."""

    session: SessionRow
    asked: tuple[Asking, ...]


def load_transcript(workspace: Workspace, session_id: int) -> Transcript:
    """Read a session. Raises UsageError when there is none."""
    database = workspace.database
    session = find_session(database, session_id)
    if session is None:
        raise UsageError(f"there is no session {session_id} here", "`simulee sessions list` shows those that are")
    pairs: dict[int, list[PairRow]] = {}
    for pair in pairs_of_session(database, session_id):
        pairs.setdefault(pair.message_id or 0, []).append(pair)
    asked = []
    for question, answers in _groups(session_messages(database, session_id)):
        said = tuple(_said(workspace, answer, pairs.get(answer.id, [])) for answer in answers)
        asked.append(
            Asking(question.id, question.speaker, question.text, question.created_at, said, _standing(answers, pairs))
        )
    return Transcript(session, tuple(asked))


@dataclass(frozen=True, slots=True)
class PastTurns:
    """What a prompt shows of a session."""

    turns: tuple[PromptTurn, ...] = ()
    """Each with its asker; the answers are what stands."""
    guarded: bool = False
    owners: tuple[str, ...] = ()
    """uids of the documents and exchanges that were recalled in it."""


def past_turns(workspace: Workspace, session_id: int, before: int | None = None) -> PastTurns:
    """The answered questions of a session, those before one question's message where one is named.

    A memory is left out where its passage is gone, or may not be used any more.
    """
    database = workspace.database
    pairs: dict[int, list[PairRow]] = {}
    for pair in pairs_of_session(database, session_id):
        pairs.setdefault(pair.message_id or 0, []).append(pair)
    turns = []
    owners: dict[str, None] = {}
    guarded = False
    groups = takewhile(lambda group: group[0].id != before, _groups(session_messages(database, session_id)))
    for question, answers in groups:
        if not answers:
            continue
        answer = answers[_standing(answers, pairs)]
        correction = _correction(pairs.get(answer.id, []))
        text = correction.left if correction else answer.text
        shown = memories_of_message(database, answer.id)
        found = passages(database, [each.chunk_id for each in shown if each.chunk_id is not None])
        # A passage that is gone may have been one that must not be repeated.
        guarded = guarded or any(each.chunk_id not in found or found[each.chunk_id].use != "train" for each in shown)
        owners |= dict.fromkeys(each.owner_uid for each in found.values())
        memories = tuple(
            RecalledMemory(each.text, passage.date, passage.title)
            for each in shown
            if (passage := found.get(each.chunk_id or 0)) is not None and passage.use != "none"
        )
        turns.append(PromptTurn(question.text, question.speaker, memories, text))
    return PastTurns(tuple(turns), guarded, tuple(owners))


def as_markdown(transcript: Transcript, target: str) -> str:
    """A session as a text to keep."""
    session = transcript.session
    lines = [
        f"# A talk with {target}, session {session.id}",
        "",
        f"Begun {session.created_at[:10]} · as of {session.as_of or 'the day of each answer'} ·"
        f" {session.adapter or 'the bare base model'}",
    ]
    for asking in transcript.asked:
        lines += ["", f"**{asking.asker or 'you'}:** {asking.question}"]
        said = asking.answer
        if said is None:
            lines += ["", "*(no answer)*"]
            continue
        mark = " *(stopped)*" if said.stopped else " *(broken off)*" if said.broken else ""
        lines += ["", f"**{target}:** {said.text}{mark}"]
        sources = dict.fromkeys(
            f"> {note.title}, {note.date or 'undated'} (k{note.chunk})" for note in said.notes if note.chunk is not None
        )
        lines += ["", *sources] if sources else []
        if said.fell_back:
            lines += ["", f"*Fell back:* {said.fell_back}"]
        if said.correction:
            lines += ["", f"*Corrected:* {said.correction}"]
    return "\n".join(lines) + "\n"


def _groups(messages: list[MessageRow]) -> list[tuple[MessageRow, list[MessageRow]]]:
    """Each question with its answers."""
    groups: list[tuple[MessageRow, list[MessageRow]]] = []
    for message in messages:
        if message.role == "user":
            groups.append((message, []))
        elif groups:
            groups[-1][1].append(message)
    return groups


def _standing(answers: list[MessageRow], pairs: dict[int, list[PairRow]]) -> int:
    standing = len(answers) - 1
    for pair in pairs.get(answers[-1].id, []) if answers else []:
        if pair.origin == "comparison" and pair.state == "accepted":
            preferred = pair.left if pair.preferred == "left" else pair.right
            standing = next((place for place, each in enumerate(answers) if each.text == preferred), standing)
    return standing


def _correction(pairs: list[PairRow]) -> PairRow | None:
    """The last correction that is still preferred."""
    return next((
        pair for pair in reversed(pairs)
        if pair.origin == "correction" and pair.state == "accepted" and pair.preferred == "left"
    ), None)  # fmt: skip


def _said(workspace: Workspace, answer: MessageRow, pairs: list[PairRow]) -> Said:
    receipts = receipts_of_message(workspace.database, answer.id)
    shown = {each.chunk_id: each.text for each in memories_of_message(workspace.database, answer.id)}
    found = passages(workspace.database, [each.chunk_id for each in receipts if each.chunk_id is not None])
    notes = []
    for receipt in receipts:
        passage = found.get(receipt.chunk_id or 0)
        if passage is None:
            notes.append(Note(receipt.sentence, None, receipt.score, style=receipt.kind == "style"))
        else:
            notes.append(note_of(receipt.sentence, receipt.score, passage, shown.get(passage.chunk.id, "")))
    words, at = (pair.left, pair.created_at) if (pair := _correction(pairs)) else ("", "")
    return Said(answer.id, answer.text, answer.rating, tuple(notes), words, answer.settings, answer.created_at, at)


def note_of(sentence: str, score: float, passage: Passage, memory: str) -> Note:
    """A note on a passage, with the part of it that a memory quotes."""
    private = passage.use != "train"
    text = "" if private else passage.chunk.text
    start, stop = _quoted(text, memory)
    return Note(sentence, passage.chunk.id, score, shown_title(passage), passage.date, text, start, stop, private)


def _quoted(passage: str, memory: str) -> tuple[int, int]:
    """From the first to the last sentence of the passage that stands in the memory."""
    told = " ".join(memory.split())
    quoted = [each for each in sentences_of(passage) if told and " ".join(each.text.split()) in told]
    return (quoted[0].start, quoted[-1].stop) if quoted else (0, 0)
