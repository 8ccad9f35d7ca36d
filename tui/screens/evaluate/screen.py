"""Evaluate: the ladder of systems with intervals, two scorecards side by side, and each question behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui.estimates import about, brief_plan
from tui.results import result_line
from tui.screens.evaluate.starting import ask_what, plans
from tui.screens.evaluate.tables import (
    LADDER_HEADS,
    compared_heads,
    compared_row,
    interview_heads,
    interview_parts,
    interview_row,
    ladder_row,
    notes_words,
    question_heads,
    question_parts,
    question_row,
    scorecard_line,
    system_parts,
    title_words,
)
from tui.screens.stage import Stage
from tui.widgets.boxes import ChoiceBox
from tui.widgets.frame import GLYPHS
from tui.widgets.line_list import LineList, Row
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.fidelity.plan import Plan
    from core.fidelity.reading import Compared, Question, Scored
    from core.runs.snapshot import RunPicture
    from core.workspace import Workspace

EVALUATE_KIND = "evaluate"
View = Literal["ladder", "interviews", "questions", "question"]
UP: dict[View, View] = {"question": "questions", "questions": "ladder", "interviews": "ladder"}
"""Where escape goes from a part of the scorecard."""
VIEWS: tuple[View, ...] = ("ladder", "interviews", "questions", "question")
BAR = 20
"""Columns of the progress bar."""


def _scorecards(workspace: Workspace) -> list[Scored]:
    """On the reader's thread: the import alone takes a third of a second."""
    from core.fidelity.reading import scorecards

    return scorecards(workspace)


def _questions(workspace: Workspace, scored: Scored) -> list[Question]:
    from core.fidelity.reading import questions_of

    return questions_of(workspace, scored)


def _compared(_: Workspace, first: Scored, second: Scored) -> tuple[list[Compared], str]:
    from core.fidelity.reading import apart, compare

    return compare(first, second), apart(first, second)


class EvaluateScreen(Stage):
    """Scorecards, from the whole down to one question."""

    NAME = "evaluate"
    CSS_PATH = "evaluate.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Scored] = []
        self._picked = 0
        """The scorecard that is read; 0: the newest."""
        self._beside = 0
        """The one beside it; 0: none."""
        self._view: View = "ladder"
        self._place = 0
        """Which question is open."""
        self._questions: list[Question] = []
        self._compared: list[Compared] = []
        self._apart = ""
        """Why the two cannot be compared in full."""
        self._plan: Plan | None = None

    def body(self) -> ComposeResult:
        yield Words(id="title")
        yield Words(id="work")
        yield Words(id="empty")
        yield Words(id="heads")
        yield LineList(id="list", empty="nothing here")
        yield Words(id="more")
        yield Words(id="notes")
        with VerticalScroll(id="page", can_focus=True):
            yield Words(id="question")

    def on_mount(self) -> None:
        self.add_class("-empty")

    def without_workspace(self) -> None:
        self.query_one("#empty", Words).put(f"There is no workspace here to measure. {self.ways_in}")

    async def load(self, workspace: Workspace) -> None:
        self._all = await self.bench.read(_scorecards)
        await self._read()
        if not self._all:
            await self._say_what_is_missing()
        self._draw()

    async def _say_what_is_missing(self) -> None:
        from core.errors import SimuleeError
        from core.fidelity.launch import evaluate_params

        parts: list[Part] = [("Nothing was measured yet.\n\n", "bold")]
        try:
            plan, _, _ = await self.bench.read(plans, evaluate_params())
        except SimuleeError as error:
            parts += [("! ", "$warning"), f"{error.message}\n  ", (error.hint, "$quiet")]
        else:
            parts += [
                "What the twin says to questions it never saw is compared with what was really answered.\n",
                f"Here that would be {brief_plan(plan)}.\n\n",
                (f"  {self.key('start')}  ", "bold $accent"), "measures it. It goes on without this terminal.",
            ]  # fmt: skip
        self.query_one("#empty", Words).put(*parts)

    async def _read(self) -> None:
        """What hangs on the chosen scorecards."""
        now, beside = self._now(), self._other()
        self._questions = await self.bench.read(_questions, now) if now else []
        self._place = min(self._place, max(0, len(self._questions) - 1))
        self._compared, self._apart = await self.bench.read(_compared, now, beside) if now and beside else ([], "")

    def runs_changed(self) -> None:
        self._draw_work()
        self.keys_changed()

    def on_resize(self, event: events.Resize) -> None:
        if self.ready:
            self._draw()

    def place(self) -> dict[str, Any]:
        return {"scorecard": self._picked, "beside": self._beside, "view": self._view, "question": self._place}

    def come_back(self, place: dict[str, Any]) -> None:
        numbers = [place.get(name, 0) for name in ("scorecard", "beside", "question")]
        self._picked, self._beside, self._place = (number if isinstance(number, int) else 0 for number in numbers)
        self._view = next((view for view in VIEWS if view == place.get("view")), "ladder")

    @property
    def part_open(self) -> bool:
        return self._view in UP

    def leave(self) -> bool:
        if self._view in UP:
            self._show(UP[self._view])
            return True
        if self._beside:
            self._beside, self._compared = 0, []
            self._draw()
            return True
        return False

    def shown_actions(self) -> Callable[[str], bool]:
        run = self._run()
        sense = {
            "start": run is None or run.state != "running",
            "question": bool(self._all) and self._view != "question",
            "interviews": bool(self._all) and self._view != "question",
            "scorecard": len(self._all) > 1,
            "compare": len(self._all) > 1,
            "next": self._view == "question",
            "previous": self._view == "question",
            "cancel": run is not None and run.state == "running",
            "resume": run is not None and run.state in ("cancelled", "failed", "lost"),
        }
        return lambda name: sense.get(name, True)

    # What is shown

    def _now(self) -> Scored | None:
        return next((each for each in self._all if each.id == self._picked), self._all[0] if self._all else None)

    def _other(self) -> Scored | None:
        now = self._now()
        return next((each for each in self._all if each.id == self._beside and each is not now), None)

    def _run(self) -> RunPicture | None:
        """The newest evaluation."""
        return next((picture for picture in self.bench.pictures if picture.kind == EVALUATE_KIND), None)

    def _show(self, view: View) -> None:
        cursor = {"questions": self._place, "interviews": 0, "ladder": 0}.get(view)
        self._view = view
        self._draw(cursor)

    def _draw(self, cursor: int | None = None) -> None:
        self._draw_work()
        now = self._now()
        self.set_class(now is None, "-empty")
        title = self.query_one("#title", Words)
        if now is None:
            title.put("")
            self.keys_changed()
            return
        title.put((title_words(now, self._other()), "bold"), layout=False)
        self.set_class(self._view == "question", "-page")
        self.set_class(self._view in ("questions", "interviews"), "-rows")
        if self._view == "question" and self._questions:
            self._draw_question(now)
        else:
            heads, count, row = self._rows(now)
            self.query_one("#heads", Words).put(heads, layout=False)
            listed = self.query_one("#list", LineList)
            listed.fill(count, row, cursor)
            if not listed.has_focus:
                listed.focus()
            self._draw_more(listed.cursor)
            notes = notes_words(now)
            if self._other() is not None and self._apart:
                notes = f" {self._apart}\n{notes}"
            self.query_one("#notes", Words).put(notes)
        self.keys_changed()

    def _rows(self, now: Scored) -> tuple[str, int, Row]:
        """Heads, number of rows, and how a row is drawn."""
        other = self._other()
        if self._view == "interviews":
            return interview_heads(now), len(now.card["interviews"]), lambda place: interview_row(now, place)
        if self._view in ("questions", "question"):
            questions = self._questions
            return question_heads(now), len(questions), lambda place: question_row(now, questions[place])
        if other is not None:
            compared = self._compared
            return compared_heads(now, other), len(compared), lambda place: compared_row(compared[place])
        names = list(now.everything)
        return LADDER_HEADS, len(names), lambda place: ladder_row(now, names[place])

    def _draw_more(self, place: int) -> None:
        """What the row under the cursor has no room for."""
        now = self._now()
        parts: list[Part] = []
        if now is not None and self._view == "interviews" and place < len(now.card["interviews"]):
            parts = interview_parts(now, place)
        elif now is not None and self._view == "questions" and place < len(self._questions):
            asked = self._questions[place]
            parts = [(f" {asked.asker}: ", "bold"), asked.question[:400], (f"\n {asked.real[:200]}", "$quiet")]
        elif now is not None and self._other() is not None and place < len(self._compared):
            parts = [(f" {self._compared[place].system}  ", "bold"), self._compared[place].title]
        elif now is not None and self._view == "ladder" and place < len(now.everything):
            parts = system_parts(now, list(now.everything)[place])
        self.query_one("#more", Words).put(*parts)

    def _draw_question(self, now: Scored) -> None:
        asked = self._questions[min(self._place, len(self._questions) - 1)]
        width = max(20, self.size.width - 6)
        self.query_one("#question", Words).put(
            *question_parts(now, asked, len(self._questions), self.bench.target, width)
        )
        page = self.query_one("#page", VerticalScroll)
        page.scroll_home(animate=False)
        page.focus()

    def _draw_work(self) -> None:
        """The evaluation that runs, or why the last one stopped."""
        run = self._run()
        work = self.query_one("#work", Words)
        parts: list[Part] = []
        keys = {name: self.key(name) for name in ("cancel", "resume")}
        if run is not None and run.state == "running":
            full = round(run.share * BAR)
            left = f" · {about(run.seconds_left)} left" if run.seconds_left >= 1 and run.done else ""
            parts = [
                (f"{GLYPHS['running']} {run.id} running  ", "bold $accent"), "█" * full + "·" * (BAR - full),
                f" {run.share:.0%}  {run.what or 'loading the models'}{left}",
                (f"   {keys['cancel']} stops", "$quiet"),
            ]  # fmt: skip
        elif run is not None and run.state in ("failed", "cancelled", "lost"):
            style = "$warning" if run.state == "cancelled" else "$error"
            hint = "" if run.state != "failed" else f" · {run.result.get('hint', '')}"
            parts = [
                (f"{GLYPHS[run.state]} {run.id} {run.state}: ", style), result_line(run)[:300] + hint[:300],
                (f"   {keys['resume']} goes on", "$quiet"),
            ]  # fmt: skip
        work.display = bool(parts)
        work.put(*parts)

    # Moving

    def on_line_list_moved(self, message: LineList.Moved) -> None:
        """Tell more of the row under the cursor."""
        if self._view == "questions":
            self._place = message.place
        self._draw_more(message.place)

    async def on_line_list_chosen(self, message: LineList.Chosen) -> None:
        """Down one level: from a system to the questions, from a question to its answers."""
        await self.action_question()

    async def action_question(self) -> None:
        """The questions; from their list, the one under the cursor."""
        if not self._questions:
            self.say("there is no scorecard to look into yet", "warning")
        elif self._view == "questions":
            self._show("question")
        elif self._view != "question":
            self._show("questions")

    def _step(self, by: int) -> None:
        if self._view == "question" and self._questions:
            self._place = min(max(self._place + by, 0), len(self._questions) - 1)
            self._draw()

    async def action_next(self) -> None:
        """The next question."""
        self._step(1)

    async def action_previous(self) -> None:
        """The question before."""
        self._step(-1)

    async def action_interviews(self) -> None:
        """Interview by interview, and back to the ladder."""
        if self._all:
            self._show("ladder" if self._view == "interviews" else "interviews")

    # Which scorecards

    def _choose(self, title: str, offered: list[Scored], none: str, then: Callable[[int], None]) -> None:
        async def ask() -> None:
            words = [none] if none else []
            place = await self.bench.push_screen_wait(ChoiceBox(title, [*words, *map(scorecard_line, offered)]))
            if place is not None:
                then(
                    ([0] if none else [])[place : place + 1][0]
                    if place < len(words)
                    else offered[place - len(words)].id
                )
                await self._read()
                self._draw(0)

        self.bench.do(ask())

    async def action_scorecard(self) -> None:
        """Another scorecard."""
        if not self._all:
            self.say("nothing was measured yet", "warning")
            return

        def then(number: int) -> None:
            self._picked = number if number != self._all[0].id else 0

        self._choose("Which scorecard", self._all, "", then)

    async def action_compare(self) -> None:
        """Another scorecard beside this one."""
        now = self._now()
        others = [each for each in self._all if each is not now]
        if not others:
            self.say("there is no other scorecard to put beside this one", "warning")
            return

        def then(number: int) -> None:
            self._beside, self._view = number, "ladder"

        self._choose("Beside it", others, "none", then)

    # The run

    async def action_start(self) -> None:
        """Say what it would measure and how long, then start it."""

        async def ask() -> None:
            params = await ask_what(self)
            if params is not None:
                self.bench.do(self._start(params))

        if self.bench.workspace is None:
            self.say("there is no workspace here", "warning")
        elif self.bench.screen is self:
            self.bench.do(ask, exclusive="evaluate start")

    async def _start(self, params: dict[str, Any]) -> None:
        from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND

        self.say("starting…")
        run = await self.bench.start_run(EVALUATE_KIND, EVALUATE_ENTRY, params)
        self.say(f"{run.id} measures; it goes on without this terminal" if run else "it was not started",
                 "good" if run else "warning")  # fmt: skip

    async def action_cancel(self) -> None:
        """Ask the evaluation to stop; what it scored is kept."""
        run = self._run()
        if run is None or run.state != "running":
            self.say("no evaluation is at work", "warning")
        elif await self.bench.cancel_run(run.id) is not None:
            self.say(f"asked {run.id} to stop; what it scored is kept", "good")

    async def action_resume(self) -> None:
        """Go on with an evaluation that stopped."""
        run = self._run()
        if run is None or run.state in ("running", "done"):
            self.say("there is nothing to resume", "warning")
        elif await self.bench.resume_run(run.id) is not None:
            self.say(f"{run.id} goes on", "good")


def screen() -> Stage:
    """What the workbench installs."""
    return EvaluateScreen()
