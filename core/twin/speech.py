"""What speaks: a rendered prompt in, words out, piece by piece; llama.cpp or transformers behind one interface."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from core.adapters.files import check_base, whole_folder
from core.adapters.gguf import gguf_of
from core.errors import ModelError, UsageError
from core.models.generation import Reply
from core.models.llamacpp import Adapter, LlamaServer
from core.models.llamacpp_completion import Sampling
from core.models.packaged import resolve_persona
from core.prompts.messages import Message
from core.settings import Settings
from core.store.adapters import AdapterRow
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.models.causal_lm import CausalLM


@dataclass(frozen=True, slots=True)
class Manner:
    """How to speak. Temperature 0 is greedy; the same seed gives the same words where the engine can."""

    max_tokens: int = 200
    temperature: float = 0.7
    seed: int = 0
    ban_end: bool = False
    """Whether the end-of-text token is banned, so that only ``max_tokens`` or a closed stream ends the words."""
    stop: tuple[str, ...] = ()
    """What ends the answer and is never shown."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Token ids of the base model, and what is added to their logits where the engine can."""


Finish = Literal["stop", "length"]
"""How an answer ended: by itself, or cut at ``max_tokens``."""


class Voice(Protocol):
    """An engine that continues a rendered prompt until the end of the turn."""

    engine: str
    anywhere: bool
    """Whether it may speak on another thread than the one it was made on, several times at once."""
    takes_bias: bool
    """Whether it heeds ``Manner.logit_bias``."""
    host: str
    """``name:port`` that receives the prompts; empty for an engine of this program's own."""

    @property
    def repeatable(self) -> bool:
        """Whether the same prompt with the same seed gives the same words."""

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        """Yield the answer in pieces and return how it ended; closing it stops the engine where it can.

        ``tokens`` are the prompt's, by the renderer's tokenizer; ``about`` names the documents whose words it shows,
        for the ledger of what is sent. Raises ModelError, ConsentError.
        """

    def close(self) -> None:
        """Let go of processes and memory."""


@runtime_checkable
class Conversing(Protocol):
    """A voice that answers messages instead of going on with a prompt."""

    def converse(
        self,
        messages: Sequence[Message],
        functions: bool,
        tokens: Sequence[int],
        manner: Manner,
        about: Sequence[str] = (),
    ) -> Generator[str, None, Reply]:
        """As ``speak``; where ``functions`` are offered the answer may end with calls of them, to be asked again."""


@runtime_checkable
class Reading(Protocol):
    """A voice whose answer to a prompt begins sooner where it has read the beginning of it before, at no price."""

    def read(self, tokens: Sequence[int]) -> None:
        """Read a prompt and say nothing. Raises ModelError."""


@runtime_checkable
class Stopping(Protocol):
    """A voice that waits for another program's words, which may never come."""

    def stop(self) -> None:
        """End what it says, and let it say no more; for any thread."""


def check_continues(settings: Settings, what: str) -> None:
    """Raises UsageError where the persona answers messages only, and ``what`` needs one that goes on with a text."""
    if settings.models.persona.api == "chat":
        raise UsageError(
            f'{what} needs a persona that goes on with a text, and [models.persona] api = "chat" only answers messages',
            'set api = "completions" for a server that has /completions, such as vLLM',
        )


class LlamaVoice:
    """llama.cpp in a process of its own, with the adapter converted to GGUF once."""

    engine = "llama.cpp"
    anywhere = True
    takes_bias = True
    host = ""

    def __init__(
        self, workspace: Workspace, base: str, adapter: AdapterRow | None, context: int, slots: int = 1
    ) -> None:
        model = resolve_persona(base, "llama.cpp")
        if not isinstance(model, Path) or not model.is_file():
            raise ModelError(
                f"the llama.cpp engine has no GGUF file for {base}",
                'name a .gguf file, or set [models.persona] engine = "transformers"',
            )
        adapters = [Adapter(gguf_of(workspace, adapter))] if adapter else []
        # Answers that share a step of the engine change the order in which it adds up, and with it the last bits.
        self.repeatable = slots == 1
        self._server = LlamaServer.start(model, adapters=adapters, context=context, slots=slots)

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        """Yield the answer as tokens come."""
        sampling = Sampling(
            max_tokens=manner.max_tokens,
            temperature=manner.temperature,
            seed=manner.seed,
            stop=manner.stop,
            logit_bias=manner.logit_bias,
            ban_end=manner.ban_end,
        )
        done = yield from self._server.complete(tokens, sampling)
        return done.finish

    def read(self, tokens: Sequence[int]) -> None:
        """Read a prompt, which the server then keeps, and say nothing."""
        self._server.completion(tokens, Sampling(max_tokens=1))

    def close(self) -> None:
        """End the server process."""
        self._server.stop()


class TransformersVoice:
    """transformers and PEFT in this process; one model may serve a judge too, so all of it stays on one thread."""

    engine = "transformers"
    anywhere = False
    takes_bias = True
    host = ""
    repeatable = True

    def __init__(self, workspace: Workspace, model: CausalLM, adapter: AdapterRow | None) -> None:
        self._model = model
        self._name = adapter.name if adapter else ""
        if adapter:
            check_base(workspace, adapter, model.folder)
            model.load_adapter(adapter.name, whole_folder(workspace, adapter), adapter.hash)
            model.use("")

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        """Yield the answer as words become certain."""
        from core.models.streaming import stream

        before = self._model.active
        self._model.use(self._name)
        writing = stream(
            self._model, tokens, manner.max_tokens, manner.temperature, manner.seed, manner.ban_end, manner.logit_bias
        )
        try:
            written = yield from writing
        finally:
            writing.close()
            self._model.use(before)
        return "stop" if written.ended else "length"

    def close(self) -> None:
        """Nothing to end: the memory goes with the process."""
