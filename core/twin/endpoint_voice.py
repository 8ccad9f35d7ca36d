"""The persona behind an OpenAI-compatible server: a rendered prompt or messages go, words come.

A host beside this machine must be allowed by a person, which is asked again for every answer; every answer has to fit
under the caps, and is a row of the ledger, written down before it leaves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.calls.budget import Budget, Usage, priced
from core.calls.consent import allowed, leaves_the_machine
from core.calls.ledger import GroupCommit, moment
from core.errors import ConsentError, ModelError
from core.models.api_keys import key_from
from core.models.endpoint_chat import ChatEndpoint
from core.models.endpoint_completion import CompletionEndpoint
from core.models.endpoint_stream import NotTaken, ParameterRefused, StreamingEndpoint
from core.models.generation import Reply
from core.models.hosts import spellings
from core.prompts.functions import FUNCTIONS, sent_messages
from core.prompts.messages import Message
from core.store.adapters import AdapterRow
from core.store.identity import content_uid
from core.store.model_calls import ANSWERED, Ended, Leaving, Spent, close_call, open_call, spent_by
from core.twin.speech import Finish, Manner, Voice, check_continues
from core.workspace import Workspace

ROLE = "persona"
STOPPED = "stopped"
FAILED = "failed"
T = TypeVar("T")


class Books:
    """Where the persona's calls are written down and counted, for all voices of one run together."""

    def __init__(self, workspace: Workspace, run: str) -> None:
        """``run`` is the id of a run, which may have spent something before; or empty."""
        self.run = run
        self.commits = GroupCommit(workspace.database.path)
        spent = spent_by(workspace.database, run, ROLE) if run else Spent()
        self.budget = Budget(ROLE, workspace.settings.models.persona, spent, "ask again")

    def close(self) -> None:
        """Blocks until all is written."""
        self.commits.close_now()


@dataclass(frozen=True, slots=True)
class _Sent:
    """What the ledger tells of one request."""

    size: int
    """Bytes of the words."""
    most: Usage
    """What it can use."""
    about: tuple[str, ...]
    key: str


class _ServedVoice:
    """Asks the server for a model of the adapter's name, and for the base by its own."""

    engine = "endpoint"
    anywhere = True
    takes_bias = True
    # Another program decides what shares a step of its engine.
    repeatable = False

    def __init__(
        self, workspace: Workspace, adapter: AdapterRow | None, books: Books, server: StreamingEndpoint
    ) -> None:
        settings = workspace.settings.models.persona
        self._workspace = workspace
        self._settings = workspace.settings
        self._model = adapter.name if adapter else settings.model
        self._price = settings.price
        self._within = settings.timeout
        self._books = books
        self._connections = server
        self.host = server.host

    def close(self) -> None:
        """Let go of the connections."""
        self._connections.close()

    def stop(self) -> None:
        """End what it says, and let it say no more; for any thread."""
        self._connections.stop()

    def _most(self, tokens: Sequence[int], manner: Manner) -> Usage:
        return priced(self._price, len(tokens), manner.max_tokens)

    def _check_host(self) -> None:
        """By what settings and consents say now."""
        if not leaves_the_machine(self.host):
            return
        privacy = self._workspace.privacy
        if not self._books.commits.submit(lambda database: allowed(self.host, privacy, database)).result():
            raise ConsentError(
                f"words would leave this machine for {self.host}, which nobody has allowed",
                f"simulee consent grant {spellings(self.host)[1]}",
            )

    def _send(self, sent: _Sent, stream: Callable[[], Generator[str, None, T]]) -> Generator[str, None, T]:
        """One request with its consent, its part of the budget and its row of the ledger. Raises ConsentError,
        SettingsError and BudgetError before anything is sent, ModelError, Interrupted."""
        books = self._books
        self._check_host()
        reserved = books.budget.reserve(sent.most)
        leaving = Leaving(
            moment(), books.run, ROLE, self.engine, self.host, self._model, "talk", sent.size, sent.about, sent.key
        )
        row: int | None = None
        outcome, taken, pieces = STOPPED, False, 0
        speaking = stream()
        try:
            row = books.commits.submit(lambda database: open_call(database, leaving)).result()
            taken = True
            while True:
                try:
                    piece = next(speaking)
                except StopIteration as end:
                    outcome = ANSWERED
                    answer: T = end.value
                    return answer
                pieces += 1
                yield piece
        except ModelError as error:
            outcome, taken = FAILED, not isinstance(error, NotTaken)
            raise
        finally:
            speaking.close()
            # A piece is about a token; the server counts its own only at the end.
            used = priced(self._price, sent.most.prompt_tokens, pieces) if taken else Usage()
            books.budget.settle(reserved, used)
            if row is not None:
                opened, ended = row, Ended(moment(), outcome, used.prompt_tokens, used.answer_tokens, used.cost)
                books.commits.submit(lambda database: close_call(database, opened, ended))


class EndpointVoice(_ServedVoice):
    """Has a rendered prompt continued, as vLLM does with LoRA modules."""

    def __init__(self, workspace: Workspace, adapter: AdapterRow | None, books: Books, slots: int) -> None:
        settings = workspace.settings.models.persona
        self._server = CompletionEndpoint(settings.base_url, key_from(settings.api_key_env, os.environ), slots)
        super().__init__(workspace, adapter, books, self._server)

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        """Yield the answer as it comes. Raises ConsentError before anything is sent, ModelError."""
        size = len(prompt.encode("utf-8", "replace"))
        sent = _Sent(size, self._most(tokens, manner), tuple(about), content_uid(self._model, prompt, manner.seed))
        return self._send(
            sent,
            lambda: self._server.stream(
                self._model,
                prompt,
                max_tokens=manner.max_tokens,
                temperature=manner.temperature,
                seed=manner.seed,
                stop=manner.stop,
                logit_bias=dict(manner.logit_bias),
                within=self._within,
            ),
        )


class ChatVoice(_ServedVoice):
    """Has messages answered by any chat model, which may call functions instead."""

    def __init__(self, workspace: Workspace, adapter: AdapterRow | None, books: Books, slots: int) -> None:
        settings = workspace.settings.models.persona
        self._server = ChatEndpoint(settings.base_url, key_from(settings.api_key_env, os.environ), slots)
        super().__init__(workspace, adapter, books, self._server)

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        """Raises UsageError: a chat model answers messages, and goes on with no text."""
        check_continues(self._settings, "a raw text")
        yield ""
        return "stop"

    def converse(
        self,
        messages: Sequence[Message],
        functions: bool,
        tokens: Sequence[int],
        manner: Manner,
        about: Sequence[str] = (),
    ) -> Generator[str, None, Reply]:
        """Yield the answer as it comes; ``functions`` are offered where the server knows any. What it refuses of a
        request is left out from then on. Raises ConsentError before anything is sent, ModelError."""
        said = sent_messages(messages)
        tools = FUNCTIONS if functions else ()
        size = len(json.dumps([said, tools], ensure_ascii=False).encode("utf-8", "replace"))
        key = content_uid(self._model, json.dumps(said), manner.seed)
        left_out: set[str] = set()
        while True:
            try:
                return (yield from self._send(
                    _Sent(size, self._most(tokens, manner), tuple(about), key),
                    lambda: self._server.stream(
                        self._model,
                        said,
                        tools=tools,
                        max_tokens=manner.max_tokens,
                        temperature=manner.temperature,
                        seed=manner.seed,
                        stop=manner.stop,
                        logit_bias=dict(manner.logit_bias),
                        within=self._within,
                    ),
                ))  # fmt: skip
            except ParameterRefused as refused:
                if refused.parameter in left_out:
                    raise
                left_out.add(refused.parameter)
                if refused.parameter == "tools" and self._settings.twin.tools == "on":
                    raise ModelError(
                        refused.message,
                        "serve it with function calling (vLLM: --enable-auto-tool-choice --tool-call-parser NAME),"
                        ' or set [twin] tools = "off"',
                    ) from None
                self._server.leave_out(refused.parameter)
                self.takes_bias = "logit_bias" not in self._server.refused


def endpoint_voice(workspace: Workspace, adapter: AdapterRow | None, books: Books, slots: int) -> Voice:
    """The voice behind the persona's server, by the interface that the settings name. Raises ModelError."""
    chats = workspace.settings.models.persona.api == "chat"
    return (ChatVoice if chats else EndpointVoice)(workspace, adapter, books, slots)
