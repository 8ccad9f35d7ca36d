"""What a person settles before an import: format, kind, use, dates, private parts, and who is the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.screens.importing.asking import KIND_WORDS, KINDS, USE_WORDS, USES, Asked
from tui.screens.stage import Stage
from tui.widgets.boxes import ChoiceBox
from tui.widgets.line_list import LineList

if TYPE_CHECKING:
    from core.corpus.looking import Sight
    from core.store.sources import SourceRow
    from tui.screens.importing.rows import Row, Standing

SAMPLE = 40
"""Characters of a speaker's words beside the name."""


class Settling(Stage):
    """The part of the import screen that asks."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = Asked()
        self._sight: Sight | None = None
        self._names: tuple[str, ...] = ()
        """By which the target is known already."""
        self._known: dict[str, SourceRow] = {}
        """What was imported before, by location."""
        self._rows: list[Row] = []

    def changed(self, look: bool = False) -> None:
        """An answer has changed; ``look`` when it changes what is found in the sources."""

    def _is_target(self, speaker: str) -> bool:
        from core.corpus.exchanges import is_named

        return is_named(speaker, (*self._names, *self._asked.targets))

    def _standing(self) -> Standing:
        from tui.screens.importing.rows import Standing

        workspace = self.bench.workspace
        assert workspace is not None
        asked = self._asked
        keys = {name: self.key(name) for name in ("dates", "format", "use")}
        return Standing(self._known, asked.use, workspace.settings.privacy, self._is_target, asked.day_first, keys)

    @property
    def _look_first(self) -> str:
        return f"look into a file first: {self.key('address')}"

    def _has_target(self) -> bool:
        return self._sight is not None and any(self._is_target(each.name) for each in self._sight.speakers)

    def _row_now(self) -> Row | None:
        place = self.query_one(LineList).cursor
        return self._rows[place] if place < len(self._rows) else None

    async def action_format(self) -> None:
        """Overrule the sniffing for the source under the cursor."""
        if self._sight is None or not self._sight.looks:
            self.say(self._look_first, "warning")
            return
        row = self._row_now()
        look = row.value if row is not None and row.kind in ("look", "format") else None
        if look is None and len(self._sight.looks) == 1:
            look = self._sight.looks[0]
        if look is None:
            self.say("put the cursor on a source first", "warning")
            return
        from core.corpus.importers import IMPORTERS

        claims = {claim.format: claim for claim in look.claims}
        names = [*claims, *(each.name for each in IMPORTERS if each.name not in claims)]
        words = [f"{name} {claims[name].confidence:.0%}: {claims[name].reason}" if name in claims else name
                 for name in names]  # fmt: skip
        chosen = look.format or names[0]

        async def settle(place: int | None) -> None:
            if place is not None:
                self._asked.formats[look.location] = names[place]
                self.changed(look=True)

        await self.bench.ask(ChoiceBox(f"How {look.name} is read", words, names.index(chosen)), settle)

    async def action_kind(self) -> None:
        """Say what the documents are."""

        async def settle(place: int | None) -> None:
            if place is not None:
                self._asked.kind = KINDS[place]
                self.changed(look=True)

        await self.bench.ask(ChoiceBox("What the documents are", KIND_WORDS, KINDS.index(self._asked.kind)), settle)

    async def action_use(self) -> None:
        """Say what the words may be used for."""

        async def settle(place: int | None) -> None:
            if place is not None:
                self._asked.use = USES[place]
                self.changed()

        await self.bench.ask(
            ChoiceBox("What the words may be used for", USE_WORDS, USES.index(self._asked.use)), settle
        )

    async def action_dates(self) -> None:
        """Say how numeric dates are written."""
        ways = (None, True, False)

        async def settle(place: int | None) -> None:
            if place is not None:
                self._asked.day_first = ways[place]
                self.changed(look=True)

        words = ("as found", "day first: 14/02/2019", "month first: 02/14/2019")
        await self.bench.ask(ChoiceBox("How dates are written", words, ways.index(self._asked.day_first)), settle)

    def action_private(self) -> None:
        """Let private parts in, drafts and the like, or leave them out."""
        self._asked.private = not self._asked.private
        self.changed(look=True)

    async def action_target(self) -> None:
        """Choose who is the target."""
        speakers = self._sight.speakers if self._sight is not None else ()
        if not speakers:
            self.say("nobody speaks in it" if self._sight else self._look_first, "warning")
            return
        words = [
            f"{'◉' if self._is_target(each.name) else '○'} {each.name} · {each.turns:,} turns"
            + "".join(f" · {sample[:SAMPLE]}" for sample in each.samples[:1])
            for each in speakers
        ]

        async def settle(place: int | None) -> None:
            if place is not None:
                self._toggle_target(speakers[place].name)

        await self.bench.ask(ChoiceBox("Who is the target? Their names are saved", words), settle)

    def _toggle_target(self, name: str) -> None:
        from core.corpus.exchanges import is_named

        if is_named(name, self._names):
            self.say(f"{name} is a name of the target already; persona.toml holds the names")
            return
        targets = self._asked.targets
        targets.remove(name) if name in targets else targets.append(name)
        self.changed()
        self.say(f"{name} is the target; the name is saved with the import" if name in targets
                 else f"{name} is not the target")  # fmt: skip
