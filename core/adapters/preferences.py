"""The judgements that are in an adapter's weights, as far as the workspace still holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.dataset.preference_file import read_pairs
from core.errors import UsageError
from core.store.adapters import AdapterRow, judged_behind
from core.store.database import Database
from core.store.decisions import decisions_of_card
from core.store.identity import content_uid
from core.store.pairs import PairRow, list_pairs
from core.store.sessions import MessageRow, answer_uid, question_of, rests_on, said_answers
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Learned:
    """One judgement that was trained on."""

    origin: str
    """As a pair's, or ``rating``, or ``file``."""
    decided: str
    """``person``, ``rule`` or ``import``; empty where no decision says so any more."""
    question: str
    texts: tuple[str, ...]
    """The answers that were judged: both are trained on, the one away from."""
    owners: tuple[str, ...] | None
    """uids of what they rest on; None where nobody can tell."""


def learned_by(workspace: Workspace, adapter: AdapterRow) -> tuple[list[Learned], int]:
    """What an adapter, and those that it goes on from, was trained on, and how many judgements are not here."""
    database, behind = workspace.database, judged_behind(adapter)
    if not behind:
        return [], 0
    pairs = {pair.uid: pair for pair in list_pairs(database)}
    answers = {answer_uid(_question(database, each), each): each for each in said_answers(database)}
    found: dict[tuple[str, str], Learned | None] = {}
    for judged in behind:
        lines = _lines(judged.file)
        for uid, choice in judged.references:
            if uid in lines:
                learned: Learned | None = Learned("file", "import", *lines[uid], ())
            elif uid in pairs:
                learned = _of_pair(database, pairs[uid], choice)
            elif uid in answers:
                learned = Learned(
                    "rating", "person", _question(database, answers[uid]), (answers[uid].text,),
                    rests_on(database, answers[uid].id),
                )  # fmt: skip
            else:
                learned = None
            found[uid, choice] = learned or found.get((uid, choice))
    here = [each for each in found.values() if each is not None]
    return here, len(found) - len(here)


def _of_pair(database: Database, pair: PairRow, choice: str) -> Learned:
    """Who decided it so is read from its decisions: it may have been decided on anew since."""
    verb, text = ("reject", None) if choice == "neither" else ("accept", choice)
    made = [
        row.actor_kind
        for row in decisions_of_card(database, "pair", pair.uid)
        if row.verb == verb and text in (None, row.text)
    ]
    return Learned(pair.origin, made[-1] if made else "", pair.question, (pair.left, pair.right), pair.owners)


def _question(database: Database, message: MessageRow) -> str:
    question = question_of(database, message)
    return question.text if question else ""


def _lines(file: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Question and answers of a file of pairs by their uid; nothing where it is not here any more."""
    try:
        pairs = read_pairs(Path(file)).pairs if file else ()
    except UsageError:
        return {}
    return {
        content_uid("pair", each.question, each.prompt, each.chosen, each.rejected): (
            each.question,
            (each.chosen, each.rejected),
        )
        for each in pairs
    }
