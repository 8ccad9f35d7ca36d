"""What a twin is loaded from: judge, recollector and voices. Loaded once, each at its first use, and shared.

A conversation (``core.twin.chat``) is light: it borrows these. All of it belongs to one thread; what a voice says may
be listened to on another one, and a voice is let go only when nobody listens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.adapters.bases import base_of
from core.dataset.build import renderer_of
from core.errors import SettingsError, UsageError
from core.models.embedder import Embedder
from core.models.roles import check_role, embedder_of
from core.prompts.render import Renderer
from core.recall.load import load_recollector
from core.recall.recollect import Recollector
from core.scoring.inference import Inference
from core.store.adapters import AdapterRow, active_adapter, find_adapter
from core.store.texts import use_key
from core.twin.guard import Withheld
from core.twin.hybrid.style import Style, own_texts
from core.twin.private import withheld_of
from core.twin.speech import LlamaVoice, Stopping, TransformersVoice, Voice
from core.twin.statements import never_said
from core.twin.support import Matcher
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.models.causal_lm import CausalLM
    from core.twin.endpoint_voice import Books

CONTEXT_TOKENS = 2048
"""Least room for prompt and answer together; a longer training sample asks for more."""
LONGEST_ANSWER = 1024
BASE_ONLY = "base"
"""The name that asks for the bare base model instead of an adapter."""
VOICES = 2
"""llama.cpp processes that are kept; the one used longest ago makes room."""

Tell = Callable[[str], None]
"""Told what is being loaded."""


class Parts:
    """The loaded parts of a workspace's twin."""

    def __init__(self, workspace: Workspace, tell: Tell = lambda _: None, slots: int = 1, run: str = "") -> None:
        """``slots`` answers may be spoken at once; ``run`` is the id under which calls to the persona's server are
        counted and capped. Raises ModelError."""
        check_role("persona", workspace.settings.models.persona)
        self.workspace = workspace
        self.slots = slots
        self._tell = tell
        self._run = run
        self._models: dict[str, CausalLM] = {}
        self._recollector: Recollector | None = None
        self._matcher: Matcher | None = None
        self._inference: Inference | None = None
        self._bases: dict[tuple[str, str, str], str] = {}
        self._renderers: dict[str, Renderer] = {}
        self._voices: dict[tuple[str, str], Voice] = {}
        self._listeners: Counter[Voice] = Counter()
        self._books: Books | None = None
        self._withheld: tuple[tuple[object, ...], Withheld] | None = None
        self._style: tuple[int, Style] | None = None
        self.context = max(CONTEXT_TOKENS, workspace.settings.dataset.max_tokens + LONGEST_ANSWER)

    def refresh(self) -> None:
        """Heed what ``persona.toml`` says now of a persona behind a server: to one that it does not name any more,
        nothing is sent. Raises ModelError for a persona that cannot be.

        A file that cannot be read changes nothing here: what would leave this machine is refused when it is sent.
        """
        if self.workspace.settings.models.persona.engine != "endpoint":
            return
        try:
            persona = self.workspace.persona
        except SettingsError:
            return
        if persona == self.workspace.settings.models.persona:
            return
        check_role("persona", persona)
        self.workspace.forget_settings()
        if self._books is not None:
            self._books.budget.settings = persona
        voices, self._voices = self._voices, {}
        for voice in voices.values():
            if not self._listeners[voice]:
                voice.close()

    def adapter(self, name: str | None) -> AdapterRow | None:
        """The adapter of this name, the one in use for None, and None for the bare base. Raises UsageError."""
        if name == BASE_ONLY:
            return None
        if name is None:
            return active_adapter(self.workspace.database)
        found = find_adapter(self.workspace.database, name)
        if found is None:
            raise UsageError(f"no adapter {name!r} here", "see `simulee adapters list`, or --adapter base")
        return found

    def base(self, adapter: AdapterRow | None) -> str:
        """The base model under an adapter, or the persona's own."""
        own = self.workspace.settings.models.base
        if adapter is None:
            return own
        # It is asked for with every question, and a folder that took another one's place was read to tell.
        key = (adapter.name, adapter.hash, own)
        found = self._bases.get(key) or base_of(self.workspace, adapter)
        if found != adapter.base:
            self._bases[key] = found
        return found

    def renderer(self, base: str) -> Renderer:
        if base not in self._renderers:
            self._renderers[base] = renderer_of(self.workspace, base)
        return self._renderers[base]

    @property
    def recollector(self) -> Recollector:
        if self._recollector is None:
            settings = self.workspace.settings
            compares = settings.judges_by_likelihood and settings.twin.judgement == "recall"
            judge = self._model(self.workspace.settings.models.judge.model, "the judge") if compares else None
            self._tell("the embedder")
            self._recollector = load_recollector(self.workspace, judge, live=True)[0]
        return self._recollector

    @property
    def matcher(self) -> Matcher:
        """What tells which passages support a sentence."""
        if self._matcher is None:
            self._matcher = Matcher(self.recollector.embedder)
        return self._matcher

    @property
    def inference(self) -> Inference | None:
        """The model of inference that the settings name. Raises ModelError."""
        name = self.workspace.settings.twin.inference
        if name and self._inference is None:
            self._tell("the model of inference")
            self._inference = Inference(name)
        return self._inference

    def voice(self, adapter: AdapterRow | None) -> Voice:
        """What speaks with an adapter, or as the bare base."""
        key = (adapter.name, adapter.hash) if adapter else ("", "")
        voice = self._voices.pop(key, None)
        if voice is None:
            voice = self._load_voice(adapter)
        self._voices[key] = voice
        return voice

    def borrow(self, *voices: Voice) -> None:
        """Keep voices until each is given back."""
        for voice in voices:
            self._listeners[voice] += 1

    @contextmanager
    def borrowed(self, adapter: AdapterRow | None) -> Iterator[Voice]:
        """Borrow what speaks with an adapter, for whatever is prepared with it here; where that fails it is given back
        at once."""
        voice = self.voice(adapter)
        self.borrow(voice)
        try:
            yield voice
        except BaseException:
            self.give_back(voice)
            raise

    def give_back(self, voice: Voice, broken: bool = False) -> None:
        """One answer of a voice has ended. A voice that failed is loaded again for the next answer, and let go once
        nobody listens to it any more."""
        if broken:
            self._voices = {key: each for key, each in self._voices.items() if each is not voice}
        self._listeners[voice] -= 1
        if self._listeners[voice] > 0:
            return
        del self._listeners[voice]
        if voice not in self._voices.values():
            voice.close()

    def withheld(self) -> Withheld:
        """What must not be shown, as the corpus is now: what was never to be said, the words of passages that must not
        be repeated, and what identifies in them.

        It holds in every turn, not only where such a passage was recalled: a client may tell a conversation that it
        had elsewhere, and an adapter may be older than the use of its sources.
        """
        phrases = never_said(self.workspace)
        key = (use_key(self.workspace.database), *phrases)
        if self._withheld is None or self._withheld[0] != key:
            self._withheld = (key, withheld_of(self.workspace, self._embedder, phrases))
        return self._withheld[1]

    def _embedder(self) -> Embedder:
        return self._recollector.embedder if self._recollector else embedder_of(self.workspace.settings)

    def style(self) -> Style | None:
        """How the target writes, as the corpus is now; None where there is too little of theirs."""
        texts = own_texts(self.workspace)
        if not texts:
            return None
        key = hash(tuple(texts))
        if self._style is None or self._style[0] != key:
            self._style = (key, Style(texts))
        return self._style[1]

    def stop(self) -> None:
        """End what voices of other programs are saying, and let them say no more; for any thread."""
        for voice in [*self._voices.values(), *self._listeners]:
            if isinstance(voice, Stopping):
                voice.stop()

    def close(self) -> None:
        for voice in {*self._voices.values(), *self._listeners}:
            voice.close()
        self._voices.clear()
        self._listeners.clear()
        if self._books is not None:
            self._books.close()
            self._books = None
        if self._recollector is not None:
            self._recollector.close()
            self._recollector = None
            self._matcher = None

    def _load_voice(self, adapter: AdapterRow | None) -> Voice:
        base = self.base(adapter)
        engine = self.workspace.settings.models.persona.engine
        if engine == "endpoint":
            # Imported here: a persona on this machine needs none of it.
            from core.twin.endpoint_voice import Books, endpoint_voice

            self._books = self._books or Books(self.workspace, self._run)
            return endpoint_voice(self.workspace, adapter, self._books, self.slots)
        if engine == "transformers":
            model = self._model(base, "the voice")
            return TransformersVoice(self.workspace, model, adapter)
        self._tell(f"the voice, {adapter.name}" if adapter else "the voice")
        idle = [key for key, each in self._voices.items() if not self._listeners[each]]
        for key in idle[: max(0, len(self._voices) - VOICES + 1)]:
            self._voices.pop(key).close()
        return LlamaVoice(self.workspace, base, adapter, self.context, self.slots)

    def _model(self, name: str, role: str) -> CausalLM:
        """A model in this process; judge and voice share theirs where it is the same."""
        if name not in self._models:
            self._tell(role)
            # Imported here: a twin that recalls nothing and speaks through llama.cpp needs no torch.
            from core.models.causal_lm import CausalLM

            self._models[name] = CausalLM(name)
        return self._models[name]
