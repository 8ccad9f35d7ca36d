"""Keys that are typed faster than the screen changes: each does what it was meant for, or nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from textual.dom import NoScreen
from textual.events import Key
from textual.widget import Widget

from tui.loop.defects import OutlivesErrors

if TYPE_CHECKING:
    from tui.widgets.boxes import Box

Answer = TypeVar("Answer")
REMEMBERED = 1024
"""Keys whose first target is known."""


class KeysInOrder(OutlivesErrors):
    """Hands a key that came before its box or input was open on to it."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        self._sent_keys: deque[tuple[Key, Widget]] = deque(maxlen=REMEMBERED)

    async def on_event(self, event: Any) -> None:
        if isinstance(event, Key):
            if not event.is_forwarded:
                self._sent_keys.append((event, self.focused or self.screen))
            elif self._typed_ahead(event):
                return
        await super().on_event(event)

    def _typed_ahead(self, event: Key) -> bool:
        """Send a key on that was typed before its box or input was open: it belongs there, and decides nothing here.

        Keys are handed out as they arrive, but what they do is done one after another; so a key can come back here
        from a screen that an earlier key has since covered.
        """
        target = self.focused or self.screen
        for sent, first in self._sent_keys:
            if sent is event and first is not target:
                try:
                    covered = first.screen in self.screen_stack
                except NoScreen:
                    covered = False
                if not covered:  # Its box is closed: what it had to do there is done, or is not to be done here.
                    return True
                again = Key(event.key, event.character)
                self._sent_keys.append((again, target))
                target._forward_event(again)
                return True
        return False

    async def ask(self, box: Box[Answer], then: Callable[[Answer | None], Coroutine[Any, Any, None]]) -> None:
        """Open a box, and go on with its answer. When this returns, the keys that follow go to the box."""

        async def answered(answer: Answer | None) -> None:
            # On the app's own queue, not in a worker: a box that follows is open before the next key is taken up.
            try:
                await then(answer)
            except Exception as error:  # As with an action: shown, and the app lives.
                self.complain(error)

        await self.push_screen(box, answered)
