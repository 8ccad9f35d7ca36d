"""Checking the review itself: the blind sample, its figures, and where one contradicted oneself."""

from __future__ import annotations

from core.errors import UsageError
from core.review import blind
from core.review.figures import review_figures
from core.review.second_looks import Consistency, consistency
from core.workspace import Workspace
from tui.review_figures import VERDICTS, figure_lines
from tui.screens.review.drawing import Drawing
from tui.widgets.boxes import AskBox, ChoiceBox, ShowBox

DRAWN = 30
"""Memories that a blind sample has, unless one says otherwise."""


class Checking(Drawing):
    """The keys that ask how far the review can be relied on."""

    async def action_blind(self) -> None:
        """Draw a blind sample; where one waits, go to it, add to it or give it up."""
        session = self.session
        if session.kind != "memory" or session.walk is None:
            self.say("only memories are drawn")
            return
        sample = await self.bench.read(_sample, session.person)
        if not sample.waiting:
            await self._ask_how_many()
            return

        async def chosen(choice: int | None) -> None:
            if choice == 0:
                await self._from_the_head("decide on these by what you read")
            elif choice == 1:
                await self._ask_how_many()
            elif choice == 2:
                count = await self.bench.write(_withdraw, session.person)
                await self._from_the_head(f"{count} memories are no longer in your blind sample")

        wait = f"{sample.waiting} wait at the head of the queue"
        await self.bench.ask(
            ChoiceBox("Blind sample", [f"go to them: {wait}", "draw more", "give up those that wait"]), chosen
        )

    async def _ask_how_many(self) -> None:
        async def typed(text: str | None) -> None:
            if text is None:
                return
            if not text.strip().isdecimal() or int(text) < 1:
                self.say("a number of memories, please: nothing was drawn", "warning")
                return
            try:
                count = await self.bench.write(_draw, self.session.person, min(int(text), 100_000))
            except UsageError as error:
                self.say(error.message, "warning")
                return
            await self._from_the_head(f"{count} drawn: judges hidden, nothing is learned from them", "good")

        note = "Memories drawn at random, which you judge without the judges' figures: how far a rule may be trusted."
        await self.bench.ask(AskBox("Blind sample of how many?", str(DRAWN), note=note), typed)

    async def _from_the_head(self, said: str, kind: str = "") -> None:
        session = self.session
        session.filter_text = ""
        session.forget_decided()
        await session.open("", 0)
        self._fill_list()
        self.say(said, kind)
        self.draw()

    async def action_figures(self) -> None:
        """All that is known of the review."""
        found = await self.bench.read(review_figures, self.session.person)
        lines = figure_lines(found, self.session.person)
        await self.bench.push_screen(ShowBox(lines[0], [[line] for line in lines[1:]]))

    async def action_contradictions(self) -> None:
        """Where the second verdict is not the first; one can be opened, and decided on anew."""
        found = (await self.bench.read(_consistency, self.session.person)).contradictions
        if not found:
            self.say("no second verdict of yours contradicts the first")
            return

        async def chosen(choice: int | None) -> None:
            if choice is None:
                return
            session = self.session
            session.kind, session.filter_text = "memory", "state:all"
            await session.open(found[choice].card_uid, 0)
            self._fill_list()
            self.say(f"first {VERDICTS[found[choice].first]}, then {VERDICTS[found[choice].second]}: decide anew")
            self.draw()

        choices = [
            f"{VERDICTS[each.first]}, then {VERDICTS[each.second]}{' (settled)' if each.settled else ''}: "
            f"{each.title or each.text}"[:120]
            for each in found
        ]
        await self.bench.ask(ChoiceBox("Contradictions, newest first", choices), chosen)


def _sample(workspace: Workspace, person: str) -> blind.BlindSample:
    return blind.blind_sample(workspace.database, person)


def _draw(workspace: Workspace, person: str, count: int) -> int:
    return blind.draw(workspace.database, person, count)


def _withdraw(workspace: Workspace, person: str) -> int:
    return blind.withdraw(workspace.database, person)


def _consistency(workspace: Workspace, person: str) -> Consistency:
    return consistency(workspace.database, person)
