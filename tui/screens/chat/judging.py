"""What a person says an answer is worth: ratings, corrections, a choice between two; and sessions removed."""

from __future__ import annotations

import asyncio
import getpass
import re
from typing import TYPE_CHECKING

from core.errors import UsageError
from tui.screens.chat.boxes import CompareBox, CorrectBox
from tui.screens.chat.talk import Live
from tui.widgets.boxes import ChoiceBox

if TYPE_CHECKING:
    from core.review.decisions import Actor
    from core.twin.preferences import Side
    from tui.screens.chat.screen import ChatScreen

_SINCE = re.compile(r"(.+?)\s*\[since\s+([^\]]*)\]\s*", re.DOTALL)
LONGEST_WRONG = 300
"""Characters of the answer that a fact stands instead of: enough to find it by."""
RATED = {1: "called good", -1: "called bad", 0: "no longer rated"}
SIDES: dict[str, Side] = {"left": "left", "right": "right"}


async def rate(screen: ChatScreen, rating: int) -> None:
    """Call an answer good or bad; the same again takes it back."""
    from core.twin.preferences import rate

    answered = screen.answered()
    if answered is None:
        screen.say("there is no answer to rate yet")
        return
    said = answered[1]
    value = 0 if said.rating == rating else rating
    await screen.bench.write(rate, said.message_id, value)
    await screen.show_stored()
    screen.say(RATED[value], "good")


async def correct(screen: ChatScreen) -> None:
    """Ask for the words that should have been said, and keep them as a pair."""
    from core.twin.preferences import correct

    answered = screen.answered()
    if answered is None:
        screen.say("there is no answer to correct yet")
        return
    question, said = answered

    async def keep(text: str | None) -> None:
        if text is None:
            return
        try:
            await screen.bench.write(correct, _actor(), said.message_id, text)
        except UsageError as error:
            screen.say(f"{error.message}; {error.hint}", "warning")
            return
        await screen.show_stored()
        screen.say("kept as a pair that prefers your words", "good")

    await screen.bench.ask(CorrectBox(question, said.correction or said.text), keep)


async def compare(screen: ChatScreen) -> None:
    """Let the twin answer the last question once more, and keep which answer is the better one."""
    from core.twin.preferences import compare

    sitting = screen.sitting
    asking = sitting.transcript.asked[-1] if sitting.transcript is not None else None
    if asking is None or asking.answer is None or screen.busy:
        screen.say(screen.under_way if screen.busy else "there is no answer to compare with yet")
        return
    first, before = asking.answer, sitting.last_live
    answering = asyncio.ensure_future(screen.ask(asking.question, again=True))

    async def keep(choice: str | None) -> None:
        live = await answering
        if choice is None or live is None or live.message_id is None:
            return
        try:
            await screen.bench.write(compare, _actor(), first.message_id, live.message_id, SIDES.get(choice))
        except UsageError as error:
            screen.say(f"{error.message}; {error.hint}", "warning")
            return
        await screen.show_stored()
        screen.say("kept as a pair" if choice in SIDES else "kept as a pair in which both are bad", "good")

    async def chosen(choice: str | None) -> None:
        if choice is None and screen.busy:
            screen.stop()
        # What was stopped is still being stored: keys do not wait for that.
        screen.bench.do(keep(choice))

    def fresh() -> Live | None:
        return sitting.last_live if sitting.last_live is not before else None

    await screen.bench.ask(CompareBox(asking.question, first.text, fresh), chosen)


async def state(screen: ChatScreen, words: str) -> None:
    """Keep what is so instead of the last answer. Raises UsageError."""
    from core.twin.statements import state_fact

    text, since = words, ""
    if (dated := _SINCE.fullmatch(words)) is not None:
        text, since = dated[1], dated[2]
    answered = screen.answered()
    said = answered[1] if answered else None
    wrong = said.text[:LONGEST_WRONG] if said else ""
    row = await screen.bench.write(state_fact, _actor().name, text, since, wrong, said.message_id if said else None)
    screen.say(f"kept{', since ' + row.date if row.date else ''}: it outranks memories from the next answer on", "good")


async def never(screen: ChatScreen, words: str) -> None:
    """Keep words that are never to be said again. Raises UsageError."""
    from core.twin.statements import never_say

    answered = screen.answered()
    await screen.bench.write(never_say, _actor().name, words, answered[1].message_id if answered else None)
    screen.say("they are not said any more", "good")


async def forget(screen: ChatScreen) -> None:
    """Remove the session, once it is confirmed. Raises UsageError."""
    from core.twin.preferences import forget_session

    transcript = screen.sitting.transcript
    if transcript is None:
        raise UsageError("this session holds nothing yet", f"{screen.key('sessions')} lists the others")
    if screen.busy:
        raise UsageError("an answer is under way", f"{screen.key('leave', 'app')} stops it")
    number = transcript.session.id
    choices = ["keep it", "remove it for good; pairs made of it stay"]

    async def remove(choice: int | None) -> None:
        if choice == 1:
            await screen.bench.write(forget_session, number)
            screen.sitting.begin()
            screen.say(f"session {number} is gone", "good")
            screen.bench.refresh_stage()

    await screen.bench.ask(ChoiceBox(f"Remove session {number}?", choices), remove)


def _actor() -> Actor:
    from core.review.decisions import Actor

    return Actor("person", getpass.getuser())
