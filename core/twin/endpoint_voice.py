"""The persona behind an OpenAI-compatible server, such as vLLM with LoRA modules: prompts go, words come.

A host beside this machine must be allowed by a person, which is asked again for every answer; every answer is a row of
the ledger, written down before it leaves.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence

from core.calls.consent import allowed, leaves_the_machine
from core.calls.ledger import GroupCommit, moment
from core.errors import ConsentError, ModelError
from core.models.endpoint import key_from
from core.models.endpoint_completion import CompletionEndpoint
from core.models.hosts import spellings
from core.store.adapters import AdapterRow
from core.store.identity import content_uid
from core.store.model_calls import ANSWERED, Ended, Leaving, close_call, open_call
from core.twin.speech import Finish, Manner
from core.workspace import Workspace

STOPPED = "stopped"
FAILED = "failed"


class EndpointVoice:
    """Speaks with an adapter by asking the server for a model of the adapter's name, and with the base by its own."""

    engine = "endpoint"
    anywhere = True
    takes_bias = True
    # Another program decides what shares a step of its engine.
    repeatable = False

    def __init__(self, workspace: Workspace, adapter: AdapterRow | None, commits: GroupCommit, slots: int) -> None:
        settings = workspace.settings.models.persona
        self._model = adapter.name if adapter else settings.model
        self._privacy = workspace.settings.privacy
        self._price = settings.price
        self._within = settings.timeout
        self._commits = commits
        self._server = CompletionEndpoint(settings.base_url, key_from(settings.api_key_env, os.environ), slots)
        self.host = self._server.host

    def speak(
        self, prompt: str, tokens: Sequence[int], manner: Manner, about: Sequence[str] = ()
    ) -> Generator[str, None, Finish]:
        """Yield the answer as it comes. Raises ConsentError before anything is sent, ModelError."""
        if (
            leaves_the_machine(self.host)
            and not self._commits.submit(lambda database: allowed(self.host, self._privacy, database)).result()
        ):
            raise ConsentError(
                f"words would leave this machine for {self.host}, which nobody has allowed",
                f"simulee consent grant {spellings(self.host)[1]}",
            )
        size = len(prompt.encode("utf-8", "replace"))
        leaving = Leaving(
            moment(), "", "persona", self.engine, self.host, self._model, "talk", size, tuple(about),
            content_uid(self._model, prompt, manner.seed),
        )  # fmt: skip
        row = self._commits.submit(lambda database: open_call(database, leaving)).result()
        outcome, pieces = STOPPED, 0
        try:
            speaking = self._server.stream(
                self._model,
                prompt,
                max_tokens=manner.max_tokens,
                temperature=manner.temperature,
                seed=manner.seed,
                stop=manner.stop,
                logit_bias=dict(manner.logit_bias),
                within=self._within,
            )
            while True:
                try:
                    piece = next(speaking)
                except StopIteration as end:
                    outcome = ANSWERED
                    finish: Finish = end.value
                    return finish
                pieces += 1
                yield piece
        except ModelError:
            outcome = FAILED
            raise
        finally:
            speaking.close()
            # A piece is about a token; the server counts its own only at the end.
            cost = (len(tokens) * self._price.prompt + pieces * self._price.answer) / 1e6
            ended = Ended(moment(), outcome, len(tokens), pieces, cost)
            self._commits.submit(lambda database: close_call(database, row, ended))

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()
