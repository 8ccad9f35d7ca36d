"""A voice that says what it is told to, in place of a model: the rest of the twin around it is real."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from core.store.adapters import AdapterRow
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


class ScriptedParts(Parts):
    """The parts of a twin whose voice follows a script."""

    def __init__(self, workspace: Workspace, script: Script) -> None:
        super().__init__(workspace)
        self.scripted = ScriptedVoice(script)

    def _load_voice(self, adapter: AdapterRow | None) -> Voice:
        return self.scripted
