"""The chat screen: the talk, the input under it, and the keys that say what answers are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from core.errors import SimuleeError
from core.twin.launch import SERVE_KIND
from tui.missed import missed_lines
from tui.safe_text import safe_line
from tui.screens.chat import judging
from tui.screens.chat.boxes import SessionsBox, receipt_box
from tui.screens.chat.commands import listing, read
from tui.screens.chat.layout import Item, Laid, lay_out, names_width, question_rows, short_name
from tui.screens.chat.obeying import obey
from tui.screens.chat.sitting import Sitting
from tui.screens.chat.talk import Live
from tui.screens.stage import Stage
from tui.widgets.frame import GLYPHS
from tui.widgets.inputs import Field
from tui.widgets.text import Part, Words, line
from tui.widgets.transcript import TalkRow, TalkView, wrapped

if TYPE_CHECKING:
    from core.twin.transcript import Said
    from core.workspace import Workspace

PAINT_SECONDS = 0.1
"""Between two paints of an answer under way."""


class ChatScreen(Stage):
    """One session at a time."""

    NAME = "chat"
    CSS_PATH = "chat.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._sitting: Sitting | None = None
        self._laid = Laid()
        self._laid_for: tuple[object, ...] = ()
        self._painted: tuple[object, ...] = ()
        self._draft = ""
        self._arrived = False

    def body(self) -> ComposeResult:
        yield Words(id="header")
        yield Words(id="rule")
        yield TalkView(id="talk")
        with Horizontal(id="asking"):
            yield Words("> ", id="prompt")
            yield Field(placeholder="ask something: enter sends it; / for the commands", id="words")

    @property
    def sitting(self) -> Sitting:
        """Made at the first use."""
        if self._sitting is None:
            self._sitting = Sitting(self.bench)
        return self._sitting

    @property
    def view(self) -> TalkView:
        """The talk."""
        return self.query_one(TalkView)

    @property
    def field(self) -> Field:
        """The input."""
        return self.query_one("#words", Field)

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self.sitting.live is not None

    @property
    def under_way(self) -> str:
        """Why something has to wait."""
        return f"an answer is under way: {self.key('leave', 'app')} stops it"

    # Coming and going

    def on_mount(self) -> None:
        self.set_interval(PAINT_SECONDS, self._paint_live)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        # The input has the focus when one arrives, not when a box over the screen was closed.
        self._arrived = self._arrived and not self.due

    async def on_unmount(self) -> None:
        await self.sitting.close()

    def without_workspace(self) -> None:
        words = f"Open a workspace to talk with its twin: {self.ways_in}"
        self.view.show(wrapped(self.view.room, "", words, indent=1), 0)

    async def load(self, workspace: Workspace) -> None:
        if not self._arrived:
            self._arrived = True
            self.set_focus(self.field)
        await self.sitting.open(workspace)
        if self._draft:
            self.field.put(self._draft)
            self._draft = ""
        await self.show_stored(to_end=self.focused is not self.view)

    def place(self) -> dict[str, Any]:
        return self.sitting.place() | {"draft": self.field.value}

    def come_back(self, place: dict[str, Any]) -> None:
        self.sitting.come_back(place)
        draft = place.get("draft")
        self._draft = draft if isinstance(draft, str) else ""

    def leave(self) -> bool:
        """Escape stops an answer, else leaves the input for the talk."""
        if self.busy:
            self.stop()
            return True
        if self.focused is not self.view:
            self.set_focus(self.view)
            return True
        return False

    def runs_changed(self) -> None:
        self._draw_header()

    def shown_actions(self) -> Callable[[str], bool] | None:
        answered = self.answered() is not None
        idle = not self.busy
        shown = {
            "write": not self.is_writing(),
            "receipt": not self.is_writing() and answered,
            "stop": not idle,
            "compare": answered and idle,
            "retry": self.sitting.transcript is not None and idle,
            **dict.fromkeys(("good", "bad", "correct", "copy"), answered),
        }
        return lambda name: shown.get(name, True)

    # Drawing

    async def show_stored(self, to_end: bool = False) -> None:
        """Read the session again, and show it."""
        await self.sitting.read()
        self.draw(to_end)

    def draw(self, to_end: bool = False) -> None:
        """Lay everything out and paint what differs."""
        self._draw_header()
        view = self.view
        if view.size.width == 0:  # Out of sight: it is laid out when it is seen.
            return
        sitting = self.sitting
        width = view.room
        indent = names_width(self.bench.target, sitting.transcript, sitting.speaker)
        wanted = (sitting.transcript, width, indent)
        if wanted != self._laid_for:
            transcript = sitting.transcript
            self._laid = Laid()
            if transcript:
                self._laid = lay_out(transcript, self.bench.target, width, indent, self.key("retry"))
            self._laid_for = wanted
        rows = [*self._laid.rows, *self._live_rows(width, indent)]
        if sitting.failure is not None:
            rows += wrapped(width, "", (f"✗ {sitting.failure.message}", "$error"), indent=1)
            rows += wrapped(width, "", (f"  {sitting.failure.hint}", "$quiet"), indent=1)
        view.show(rows or self._opening_rows(width), len(self._laid.items), to_end)
        self.keys_changed()

    def _draw_header(self) -> None:
        if self.bench.workspace is None:
            return
        sitting = self.sitting
        session = sitting.transcript.session if sitting.transcript else None
        adapter = session.adapter if session else sitting.adapter
        told = [
            f"twin {adapter}" if adapter else "base model",
            f"as of {sitting.as_of or 'today'}",
            f"memories {'on' if sitting.memories else 'off'}",
            *([f"with {short_name(sitting.speaker)}"] if sitting.speaker else []),
            *(["hybrid"] if sitting.hybrid else []),
        ]
        left = " · ".join(told)
        right = f"{self._server_words()}   {f'session {session.id}' if session else 'new session'}"
        header = self.query_one("#header", Words)
        width = max(1, header.size.width)
        room = max(0, width - len(right))
        title = "Chat   " if len(left) + 9 <= room else ""
        header.put((f"{title}{left}"[: max(0, room - 2)].ljust(room), "bold"), right, layout=False)
        self.query_one("#rule", Words).put("─" * width, layout=False)

    def _server_words(self) -> str:
        serving = next((each for each in self.bench.pictures if each.kind == SERVE_KIND), None)
        if serving is None or serving.state != "running":
            return "○ asleep"
        return "● awake" if serving.ready else f"{GLYPHS['queued']} waking"

    def _opening_rows(self, width: int) -> list[TalkRow]:
        lines: list[Part] = [
            f"Ask {self.bench.target or 'the twin'} something; enter sends.",
            ("The first answer wakes the twin, which takes a while. It sleeps again when it is not asked for long.",
             "$quiet"),
            (listing(), "$quiet"),
        ]  # fmt: skip
        return [row for each in lines for row in [*wrapped(width, "", each, indent=1), TalkRow()]]

    def _live_rows(self, width: int, indent: int) -> list[TalkRow]:
        live = self.sitting.live
        if live is None:
            return []
        rows = [] if live.again else question_rows(live.question, live.asker, width, indent)
        words: Part = live.text or (f"… {live.state}", "$quiet")
        if live.stopped:
            words = line(words, ("  – stopping", "$quiet"))
        label = (short_name(self.bench.target), "bold $primary")
        return [*rows, *wrapped(width, label, words, indent=indent), TalkRow()]

    def _paint_live(self) -> None:
        live = self.sitting.live
        now = (live.text, live.state, live.stopped) if live is not None else ()
        if now != self._painted and self.is_attached:
            self._painted = now
            self.draw()

    def on_talk_view_resized(self, event: TalkView.Resized) -> None:
        if self.bench.workspace is not None:
            self.draw()
        elif self.bench.trouble is not None:
            self.without_workspace()

    # Asking

    async def on_input_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if not text or self.bench.workspace is None:
            return
        command = read(text)
        if command is not None:
            self.field.put("")
            try:
                await obey(self, command)
            except SimuleeError as error:
                self.say(f"{error.message}; {error.hint}", "error")
        elif self.busy:
            self.say(self.under_way, "warning")
        else:
            self.field.put("")
            self.bench.do(self._ask_alone(text))

    async def _ask_alone(self, text: str, again: bool = False) -> None:
        await self.ask(text, again)

    async def ask(self, text: str, again: bool = False) -> Live | None:
        """Ask, and show what comes until it is stored."""
        self.say("")
        before = self.sitting.session
        live = await self.sitting.ask(text, again, lambda: self.draw(to_end=True))
        if live is None:
            self.say(self.under_way, "warning")
            return None
        if live.error is not None and not (again or live.begun or self.field.value):
            self.field.put(text)  # The twin never took the question: it is not lost.
        if live.missed or live.fell_back:
            fell_back = [f"fell back: {safe_line(live.fell_back)}"] if live.fell_back else []
            self.say("; ".join([*missed_lines(live.missed), *fell_back]), "warning")
        self.draw(to_end=True)
        if self.sitting.session != before:
            self.bench.refresh_stage()
        return live

    def stop(self) -> None:
        """Stop the answer that is under way."""
        self.sitting.stop()
        self.say("stopped: what was said so far is kept")
        self.draw()

    # Actions

    def answered(self) -> tuple[str, Said] | None:
        """The question and answer under the cursor, else the last ones."""
        here = self._here() if self.focused is self.view else None
        asked = self.sitting.transcript.asked if self.sitting.transcript else ()
        asking = here.asking if here is not None else next((each for each in reversed(asked) if each.answers), None)
        return (asking.question, asking.answer) if asking is not None and asking.answer is not None else None

    def _here(self) -> Item | None:
        """What the cursor is on."""
        cursor = self.view.cursor
        return self._laid.items[cursor] if 0 <= cursor < len(self._laid.items) else None

    def action_write(self) -> None:
        """Into the input."""
        self.set_focus(self.field)

    def action_stop(self) -> None:
        """Stop the answer that is under way."""
        if self.busy:
            self.stop()
        else:
            self.say("nothing is being answered")

    async def action_receipt(self) -> None:
        """Open the passage under the cursor; on an answer, its first one."""
        here = self._here()
        note = here.note if here is not None else None
        if note is None and here is not None and here.said is not None:
            note = next((each for each in here.said.notes if each.chunk is not None), None)
        if note is None:
            self.say("no passage here: j and k move over answers and their notes")
        else:
            await self.bench.push_screen(receipt_box(note))

    async def action_good(self) -> None:
        """Call the answer good; again takes it back."""
        await judging.rate(self, 1)

    async def action_bad(self) -> None:
        """Call it bad; again takes it back."""
        await judging.rate(self, -1)

    async def action_correct(self) -> None:
        """Write what the answer should have been."""
        await judging.correct(self)

    async def action_compare(self) -> None:
        """A second answer to the last question, to choose between both."""
        await judging.compare(self)

    def action_retry(self) -> None:
        """Answer the last question again."""
        transcript = self.sitting.transcript
        if self.busy:
            self.say(self.under_way, "warning")
        elif transcript is None:
            self.say("nothing was asked yet")
        else:
            self.bench.do(self._ask_alone(transcript.asked[-1].question, again=True))

    async def action_sessions(self) -> None:
        """The sessions, to open another one."""
        await self.find_session()

    async def find_session(self, words: str = "") -> None:
        """The sessions in which words were said, to open one."""
        await self.bench.ask(SessionsBox(self.sitting.find, self.sitting.session, words), self._open_session)

    async def _open_session(self, chosen: int | None) -> None:
        if chosen is None or chosen == self.sitting.session:
            return
        if self.busy:
            self.say(self.under_way, "warning")
            return
        self.sitting.leave()
        self.sitting.session = chosen
        await self.show_stored(to_end=True)
        self.set_focus(self.field)

    def action_new(self) -> None:
        """Begin another session with the next question."""
        if self.busy:
            self.say(self.under_way, "warning")
            return
        self.sitting.begin()
        self.draw()
        self.set_focus(self.field)
        self.say("the next question begins a new session")

    def action_copy(self) -> None:
        """Copy the answer."""
        answered = self.answered()
        if answered is None:
            self.say("there is no answer to copy yet")
            return
        self.bench.copy_to_clipboard(answered[1].text)
        self.say("copied", "good")


def screen() -> Stage:
    """What the workbench installs."""
    return ChatScreen()
