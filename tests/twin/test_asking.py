"""What an answer may rest on, while the twin asks for its memories and its prompts have little room."""

from __future__ import annotations

from dataclasses import replace

from core.prompts.functions import read_call
from core.prompts.render import PromptTurn
from core.recall.judge import Verdict
from core.recall.recollect import Recollection
from core.recall.retell import Retold
from core.retrieval.search import Found
from core.store.chunks import ChunkRow, Passage
from core.twin.asking import Asking, CameBack


def recalled(number: int) -> Recollection:
    text = f"In the year {number} the tide came in."
    chunk = ChunkRow(number, f"k{number}", 1, None, 0, 0, len(text), text, 10, -1)
    passage = Passage(chunk, "A note", "2019", "writing", "train", "d", "", 0)
    return Recollection(Found(1, 1.0, passage), Retold(text, text, 0, len(text)), Verdict(1.0, None))


FIRST, SECOND, LATER, LAST = (recalled(number) for number in range(4))
CALL = read_call("recall", '{"words": "tide"}')
CAME = CameBack((LATER.remembered(), LAST.remembered()), (LATER, LAST))


def question(*memories: Recollection) -> PromptTurn:
    return PromptTurn("What of the tide?", memories=tuple(each.remembered() for each in memories))


def test_what_had_no_room_is_not_shown() -> None:
    asking = Asking(question(FIRST, SECOND), recollections=(FIRST, SECOND), form="functions")
    assert asking.shown(asking.turn) == (FIRST, SECOND)
    assert asking.shown(question(FIRST)) == (FIRST,)
    after = asking.after([CALL], [CAME], "Well. ")
    (only,) = after.turn.rounds
    short = replace(after.turn, rounds=(replace(only, calls=((CALL, CAME.memories[:1]),)),))
    assert after.shown(short) == (FIRST, SECOND, LATER)


def test_what_was_shown_before_it_called_functions_counts_though_it_then_made_room() -> None:
    asking = Asking(question(FIRST, SECOND), recollections=(FIRST, SECOND), form="functions")
    after = asking.after([CALL], [CAME], "Well. ", asking.shown(question(FIRST)))
    assert after.shown(replace(after.turn, memories=())) == (FIRST, LATER, LAST)


def test_of_plain_text_commands_the_last_alone_is_shown() -> None:
    asking = Asking(question(), form="text").after([CALL], [CameBack((FIRST.remembered(),), (FIRST,))], "")
    after = asking.after([CALL], [CAME], "", asking.shown(asking.turn))
    assert after.shown(after.turn) == (LATER, LAST)
