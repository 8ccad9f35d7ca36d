"""A voice that says what it is told to, in place of a model: the rest of the twin around it is real."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from core.models.packaged import SMOLLM2
from core.store.adapters import AdapterRow, put_adapter
from core.twin.parts import Parts
from core.twin.speech import Finish, Manner, Voice
from core.workspace import Workspace

Script = Callable[[str], str]
"""From a prompt to what is said."""


class ScriptedVoice:
    """Says the script's words, a few letters at a time."""

    engine = "scripted"
    repeatable = True
    anywhere = False
    takes_bias = False
    host = ""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.prompts: list[str] = []

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        self.prompts.append(prompt)
        text = self._script(prompt)
        for start in range(0, len(text), 7):
            yield text[start : start + 7]
        return "stop"

    def close(self) -> None:
        """Nothing to end."""


class Process(ScriptedVoice):
    """Stands for a process of llama.cpp: it speaks on any thread, until it is let go."""

    engine = "llama.cpp"
    anywhere = True

    def __init__(self, adapter: str, script: Script) -> None:
        super().__init__(script)
        self.adapter = adapter
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Processes:
    """In place of ``LlamaVoice``: what it starts says the script's words."""

    def __init__(self) -> None:
        self.script: Script = lambda _: "So it was."
        self.started: list[Process] = []

    def __call__(
        self, workspace: Workspace, base: str, adapter: AdapterRow | None, context: int, slots: int = 1
    ) -> Process:
        self.started.append(Process(adapter.name if adapter else "", lambda prompt: self.script(prompt)))
        return self.started[-1]

    @property
    def kept(self) -> list[str]:
        """The adapters of those that are not let go yet."""
        return [each.adapter for each in self.started if not each.closed]


def put_adapters(workspace: Workspace, *names: str) -> None:
    """Adapters without files, which nothing but a scripted voice can speak with."""
    with workspace.database.write():
        for name in names:
            row = AdapterRow(0, name, None, f"run {name}", SMOLLM2, "r", 0, name, f"h{name}", {}, "2026-01-01")
            put_adapter(workspace.database, row)


class ScriptedParts(Parts):
    """The parts of a twin whose voice follows a script."""

    def __init__(self, workspace: Workspace, script: Script) -> None:
        super().__init__(workspace)
        self.scripted = ScriptedVoice(script)

    def _load_voice(self, adapter: AdapterRow | None) -> Voice:
        return self.scripted
