"""How a face talks with the serving twin: find the run that serves or start one, wait until it answers, then stream.

No model is loaded in this process. Several faces share one server; one that has gone is started again for the next
question. Every wait has an end of its own, because the client's timeout is per read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from core.errors import ModelError, RunError, SimuleeError
from core.runs import control
from core.runs.journal import Run, list_runs, load_run, read_events
from core.twin.launch import SERVE_ENTRY, SERVE_KIND
from core.twin.protocol import EXTENSION, STOPPING, TWIN_MODEL, Begun, Finished
from core.workspace import Workspace

if TYPE_CHECKING:
    import openai

READY_WITHIN = 600.0
"""Seconds for loading: a large model on a cold disk takes minutes."""
ANSWER_WITHIN = 300.0
"""Seconds for one whole answer, the wait for its turn and drips included."""
CONNECT_WITHIN = 5.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Waking:
    """The server is loading this; ``total`` is 0 before it says so."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how: the extension of a request. ``session`` None begins one."""

    text: str
    session: int | None = None
    again: bool = False
    as_of: str = ""
    memories: bool = True
    speaker: str = ""
    adapter: str | None = None
    seed: int | None = None
    temperature: float = 0.7
    max_tokens: int | None = None
    """None leaves it to the server."""
    told: tuple[dict[str, str], ...] = ()
    """Messages before it, in OpenAI's form, for a question that begins a session."""
    hybrid: bool = False

    def extension(self) -> dict[str, Any]:
        """The fields that go beside OpenAI's own."""
        return {
            "session": self.session,
            "again": self.again,
            "as_of": self.as_of,
            "memories": self.memories,
            "speaker": self.speaker,
            "adapter": self.adapter,
            "hybrid": self.hybrid,
        }


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers."""

    run_id: str
    url: str
    token: str
    slots: int = 1
    """Answers at once."""


Event = Waking | Begun | str | Finished


class _Gone(Exception):
    """The server that was known does not answer any more."""


class TwinClient:
    """Asks the twin of one workspace. Belongs to one event loop."""

    def __init__(self, root: Path, answer_within: float = ANSWER_WITHIN, ready_within: float = READY_WITHIN) -> None:
        self._root = root
        self._answer_within = answer_within
        self._ready_within = ready_within
        self._serving: Serving | None = None
        self._client: openai.AsyncOpenAI | None = None

    async def ask(self, question: Question) -> AsyncGenerator[Event, None]:
        """Yield what happens until the answer is whole: waking, begun, words, finished. Closing it stops the answer.

        Raises RunError when no server can be started, ModelError when the answer fails.
        """
        for attempt in (1, 2):
            if self._serving is None:
                async for waking in self._wake():
                    yield waking
            streamed = False
            try:
                async with aclosing(self._stream(question)) as events:
                    async for event in events:
                        streamed = True
                        yield event
                return
            except _Gone as error:
                await self.close()
                if streamed or attempt == 2:
                    raise ModelError(f"the twin's server broke off: {error}", "ask again") from None

    async def close(self) -> None:
        """Let go of the server; it goes on."""
        client, self._client, self._serving = self._client, None, None
        if client is not None:
            await client.close()

    async def _wake(self) -> AsyncIterator[Waking]:
        """Find a server or start one, and wait until it is ready."""
        deadline = time.monotonic() + self._ready_within
        run = await asyncio.to_thread(find_or_start, self._root)
        offset, leaving = 0, False
        serving = (await asyncio.to_thread(_look, run, 0)).serving
        if serving is None:
            yield Waking(0, 0, "")
        while serving is None:
            state = await asyncio.to_thread(_look, run, offset)
            offset, leaving = state.offset, leaving or state.leaving
            if state.ended is not None:
                instead = await asyncio.to_thread(_instead_of, self._root, run, leaving)
                if instead is None:
                    raise state.ended
                run, offset, leaving = instead, 0, False
                continue
            serving = state.serving
            if serving is None:
                if state.waking is not None:
                    yield state.waking
                if time.monotonic() > deadline:
                    raise RunError(
                        f"{run.id} was not ready within {self._ready_within:.0f} s",
                        f"`simulee runs show {run.id}` tells how far it is",
                    )
                await asyncio.sleep(LOOK_SECONDS)
        # Its import takes long and is off the event loop's thread; the server is loading beside it.
        self._client = await asyncio.to_thread(_openai_client, serving)
        self._serving = serving

    async def _stream(self, question: Question) -> AsyncGenerator[Event, None]:
        import openai

        assert self._client is not None
        assert self._serving is not None
        extra = question.extension()
        if question.seed is not None:
            extra["seed"] = question.seed
        if question.max_tokens is not None:
            extra["max_tokens"] = question.max_tokens
        finished: Finished | None = None
        ended = ""
        try:
            async with asyncio.timeout(self._answer_within):
                stream = await self._client.chat.completions.create(
                    model=TWIN_MODEL,
                    messages=cast("Any", [*question.told, {"role": "user", "content": question.text}]),
                    temperature=question.temperature,
                    stream=True,
                    extra_body=extra,
                )
                async with stream:
                    async for chunk in stream:
                        told = (chunk.model_extra or {}).get(EXTENSION)
                        if not chunk.choices:
                            continue
                        choice = chunk.choices[0]
                        if choice.delta.content:
                            yield choice.delta.content
                        ended = choice.finish_reason or ended
                        if isinstance(told, dict) and "message_id" in told:
                            finished = Finished.model_validate(told)
                        elif isinstance(told, dict):
                            yield Begun.model_validate(told)
        except TimeoutError:
            raise self._too_late() from None
        except openai.APITimeoutError:
            raise self._too_late() from None
        except (openai.APIConnectionError, openai.AuthenticationError) as error:
            raise _Gone(_reason(error)) from None
        except openai.APIStatusError as error:
            if error.code == STOPPING:
                raise _Gone(_reason(error)) from None
            raise ModelError(f"the twin refused: {_reason(error)}", "change what is asked, or try again") from None
        except openai.APIError as error:
            raise ModelError(_reason(error), f"`simulee runs show {self._serving.run_id}` shows its log") from None
        except (ValidationError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"the twin's server answered with something else: {type(error).__name__}", "ask again") \
                from None  # fmt: skip
        except Exception as error:
            # The transport's own errors pass through a stream as they are.
            if not type(error).__module__.startswith("httpx"):
                raise
            raise _Gone(str(error) or type(error).__name__) from None
        if not ended or finished is None:
            raise _Gone("the answer has no end")
        yield finished

    def _too_late(self) -> SimuleeError:
        run = self._serving.run_id if self._serving else SERVE_KIND
        return ModelError(
            f"the twin did not answer within {self._answer_within:.0f} s",
            f"ask again; if it stays so, `simulee runs cancel {run}` and ask again",
        )


@dataclass(frozen=True, slots=True)
class _Look:
    """What a serving run has said since the last look."""

    offset: int
    waking: Waking | None = None
    serving: Serving | None = None
    ended: SimuleeError | None = None
    leaving: bool = False
    """Whether it has served, and does not any more."""


def running_server(workspace: Workspace) -> Run | None:
    """The serving run that is at work here."""
    for run in reversed(list_runs(workspace.runs)):
        if run.kind == SERVE_KIND and run.state == "running":
            return run
    return None


def find_or_start(root: Path) -> Run:
    """The serving run of the workspace at ``root``, started when there is none. Raises RunError."""
    workspace = Workspace.open(root)
    run = running_server(workspace)
    if run is not None:
        return run
    try:
        return control.start(workspace, SERVE_KIND, SERVE_ENTRY, {})
    except RunError:
        # Somebody else was faster.
        run = running_server(workspace)
        if run is None:
            raise
        return run


def _instead_of(root: Path, run: Run, leaving: bool) -> Run | None:
    """What to wait for when a server has ended that was waited for: one that was faster than it, or a new one where it
    was on its way out when it was found; None where it ended by itself."""
    if leaving:
        return find_or_start(root)
    other = running_server(Workspace.open(root))
    return other if other is not None and other.id != run.id else None


def serving_of(run: Run) -> Serving | None:
    """Where a run serves, once it does."""
    return _look(run, 0).serving


def _look(run: Run, offset: int) -> _Look:
    events, offset = read_events(run.folder, offset)
    waking: Waking | None = None
    serving = None
    ended: SimuleeError | None = None
    leaving = False
    for event in events:
        if event.kind == "started":
            serving, ended, waking, leaving = None, None, None, False
        elif event.kind == "progress":
            waking = Waking(event.payload["done"], event.payload["total"], event.payload["what"])
        elif event.kind == "ready":
            try:
                token = Path(event.payload["token_file"]).read_text("ascii")
            except OSError:
                leaving = True
                continue
            serving = Serving(run.id, event.payload["url"], token, event.payload.get("slots", 1))
        elif event.kind == "ended":
            result = event.payload["result"]
            ended = RunError(
                f"the twin cannot be woken: {result.get('error', 'its server ended')}",
                result.get("hint") or f"see {run.folder / 'output.log'}",
            )
    if ended is None and serving is None and load_run(run.folder.parent, run.id).state == "lost":
        ended = RunError(f"{run.id} was lost while it was loading", f"see {run.folder / 'output.log'}")
    return _Look(offset, waking, serving, ended, leaving)


def _openai_client(serving: Serving) -> openai.AsyncOpenAI:
    import openai

    return openai.AsyncOpenAI(
        base_url=serving.url,
        api_key=serving.token,
        max_retries=0,
        timeout=openai.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN),
        # Loopback: no proxy of the environment, and nobody sends the token elsewhere.
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False),
    )


def _reason(error: Exception) -> str:
    body = getattr(error, "body", None)
    told = body.get("message") if isinstance(body, dict) else None
    return str(told or error)[:500]
