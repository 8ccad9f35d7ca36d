"""What the slash commands do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import UsageError
from tui.screens.chat.boxes import passages_box
from tui.screens.chat.commands import Command, listing
from tui.screens.chat.judging import forget, never, state

if TYPE_CHECKING:
    from tui.screens.chat.screen import ChatScreen

LONGEST_NAME = 200


async def obey(screen: ChatScreen, command: Command) -> None:
    """Do one command. Raises UsageError for what it cannot take."""
    rest, sitting = command.rest, screen.sitting
    match command.name:
        case "as-of":
            _set_as_of(screen, rest)
        case "memories":
            if rest not in ("on", "off"):
                raise UsageError("say on or off", "/memories on, /memories off")
            sitting.memories = rest == "on"
            screen.say(f"memories are {rest}", "good")
        case "hybrid":
            if rest not in ("on", "off"):
                raise UsageError("say on or off", "/hybrid on, /hybrid off")
            sitting.hybrid = rest == "on"
            screen.say(f"hybrid mode is {rest}", "good")
        case "who":
            sitting.speaker = rest[:LONGEST_NAME]
            screen.say(f"you are {sitting.speaker}" if rest else "you are nobody in particular", "good")
        case "recall":
            from core.twin.lookup import look_up

            screen.say("looking…")
            found, how = await screen.bench.read(look_up, rest, sitting.as_of)
            screen.say("")
            await screen.bench.push_screen(passages_box(rest, found, how))
        case "wrong":
            await state(screen, rest)
        case "never":
            await never(screen, rest)
        case "retry":
            screen.action_retry()
        case "find":
            await screen.find_session(rest)
        case "save":
            await _export(screen, "markdown")
        case "export":
            await _export(screen, rest)
        case "forget":
            await forget(screen)
        case _:
            screen.say(f"there is no /{rest}: {listing()}", "warning")
    screen.draw()


async def _export(screen: ChatScreen, format_name: str) -> None:
    from core.twin.session_files import check_format, export_session

    check_format(format_name)
    transcript = screen.sitting.transcript
    if transcript is None:
        raise UsageError("this session holds nothing yet", "ask something first")
    path = await screen.bench.read(export_session, transcript.session.id, format_name)
    screen.say(f"saved in {path}", "good")


def _set_as_of(screen: ChatScreen, as_of: str) -> None:
    """A session has one date: another begins where this one holds something."""
    from core.dates import as_of_request

    if screen.busy:
        raise UsageError("an answer is under way", f"{screen.key('leave', 'app')} stops it")
    if as_of and as_of_request(as_of) is None:
        raise UsageError(f"{as_of!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    screen.sitting.begin(as_of)
    screen.say(f"the next question begins a session as of {as_of or 'today'}", "good")
