"""The journal: an empty page and nothing else. No earlier entry is ever shown here."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.timer import Timer

from core.errors import SimuleeError
from tui.screens.stage import Stage
from tui.widgets.editing import edit_outside
from tui.widgets.inputs import Page
from tui.widgets.text import Words

if TYPE_CHECKING:
    from core.corpus.drafts import Draft
    from core.workspace import Workspace

DRAFT_SECONDS = 0.5
"""From a key to the draft on the disk, at most twice this."""


class JournalScreen(Stage):
    """Write, save, and the page is empty again."""

    NAME = "journal"
    CSS_PATH = "journal.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self._soon: Timer | None = None

    def body(self) -> ComposeResult:
        yield Words(id="without")
        yield Page()

    @property
    def _page(self) -> Page:
        return self.query_one(Page)

    def without_workspace(self) -> None:
        self._page.display = False
        sign = self.query_one("#without", Words)
        overview = (self.key("overview", "app"), "bold $accent")
        sign.put("An entry needs a workspace to be kept in. ", overview, " shows the ways in.")
        sign.display = True

    async def load(self, workspace: Workspace) -> None:
        from core.corpus.drafts import Draft
        from core.corpus.journal import left_draft

        self.query_one("#without", Words).display = False
        self._page.display = True
        if self._draft is None or self._draft.root != workspace.root:
            if self._draft is not None:
                self._draft.release()
            try:
                draft = Draft.claim(workspace.root)
            except OSError:  # Nothing can be written there; saving says so too.
                draft = Draft(workspace.root)
            kept = await self.bench.read(lambda opened: left_draft(draft, opened))
            if kept:
                # What was typed before the workspace was open stands after it.
                typed = self._page.text
                self._page.put(f"{kept}\n\n{typed}" if typed else kept)
                self._page.move_cursor(self._page.document.end)
                self.say("this is the draft you left; it is kept as you type")
            self._draft = draft
            draft.text = self._page.text
            self._keep_draft()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        self._page.focus()

    def on_text_area_changed(self, event: Page.Changed) -> None:
        """Something was typed: the draft is written soon."""
        event.stop()
        if self._draft is not None:
            self._draft.text = self._page.text
        if self._soon is None:
            self._soon = self.set_timer(DRAFT_SECONDS, self._keep_draft)

    def _keep_draft(self) -> None:
        self._soon = None
        draft = self._draft
        if draft is not None and self.bench.workspace is not None:
            self.bench.do(self._write_draft(draft))

    async def _write_draft(self, draft: Draft) -> None:
        try:
            await self.bench.write(lambda _: draft.write())
        except OSError as error:
            self.say(f"the draft cannot be kept: {error.strerror}; save the entry, or copy it", "error")

    def on_screen_suspend(self, event: events.ScreenSuspend) -> None:
        """Going elsewhere: nothing waits for the timer."""
        self._keep_draft()

    def on_unmount(self) -> None:
        """Leaving: the lanes may be closed already."""
        if self._draft is not None:
            with suppress(OSError):
                self._draft.write()
            self._draft.release()

    async def action_save(self) -> None:
        """Store the page as an entry; the page is empty again."""
        from core.retrieval.entries import keep_entry

        if self.bench.workspace is None:
            self.say("no workspace is open: nothing can be saved here", "warning")
            return
        text = self._page.text
        if not text.strip():
            self.say("the page is empty: there is nothing to save", "warning")
            return
        try:
            kept = await self.bench.write(lambda workspace: keep_entry(workspace, text, now=False))
        except SimuleeError as error:
            self.bench.complain(error)
            return
        # What was typed while it was saved belongs to the next entry.
        self._page.put(self._page.text.removeprefix(text))
        self._keep_draft()
        if kept.trouble:
            self.say(f"saved, {kept.saved.words} words, but {kept.trouble}", "warning")
        else:
            self.say(f"saved, {kept.saved.words} words", "good")
        self.bench.refresh_stage()

    async def action_editor(self) -> None:
        """Write in one's own editor, in the draft's own file: what is saved there outlives whatever ends."""
        draft = self._draft
        if draft is None:
            self.say("the workspace is not open yet: try again in a moment", "warning")
            return
        before = self._page.text
        try:
            draft.keep(before)
        except OSError as error:
            self.say(f"the draft cannot be kept: {error.strerror}; save the entry, or copy it", "error")
            return
        try:
            edit_outside(self.bench, draft.path)
        finally:
            text = draft.read_edited().rstrip("\n")
            if text != before:
                self._page.put(text)
                self._page.move_cursor(self._page.document.end)
                self._keep_draft()
            self._page.focus()


def screen() -> Stage:
    """What the workbench installs."""
    return JournalScreen()
