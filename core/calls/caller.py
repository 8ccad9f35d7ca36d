"""The way from a stage to a text model: consent, cache, caps, pace, the ledger, retries, and the answer's check.

A stage sees one method, ``ask``. What it gets is an answer that its own ``accept`` took, and that is on the disk by
then; or ``CallFailed``, and the item is to be parked. A caller belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar, runtime_checkable

from core.calls.breaker import Bounds, Breaker
from core.calls.budget import Budget, Estimate, Usage
from core.calls.consent import check_host, check_words, leaves_the_machine
from core.calls.ledger import GroupCommit, Ledger, moment
from core.calls.limiter import FIRST_LIMIT, Limiter, Place
from core.calls.patience import FINAL, UNUSED, Patience, Waits, kind_of
from core.calls.structured import check_text
from core.models.generation import Ask, CallFailed, TextEngine, Told
from core.models.roles import load_text_engine
from core.settings import PrivacySettings, RoleSettings
from core.store.call_cache import cached
from core.store.database import Database
from core.store.model_calls import ANSWERED, Ended, Leaving, Spent, spent_by, unanswered_calls
from core.workspace import DATABASE_FILE, Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stats:
    """How the calls of one caller go, at one moment."""

    calls: int
    """Attempts that left."""
    answered: int
    cached: int
    in_flight: int
    waiting: int
    limit: int
    """Calls that may be under way at once, at this moment."""
    failures: Mapping[str, int]
    """Reason → attempts."""
    given_up: Mapping[str, int]
    """Reason → asks without an answer."""
    prompt_tokens: int
    answer_tokens: int
    cost: float
    calls_per_second: float


@dataclass(frozen=True, slots=True)
class _Wish(Generic[T]):
    """One ask with what belongs to it."""

    key: str
    ask: Ask
    accept: Callable[[Told], T]
    purpose: str
    about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """A row of the ledger whose answer has not come, and what it was counted as."""

    row: int
    counted: Usage


@runtime_checkable
class Holding(Protocol):
    """An engine whose answers may come long after what they were asked for has ended, or in another process."""

    async def holds(self, ask: Ask) -> bool:
        """Whether an ask was sent before and its answer is still to come, so that nothing new is sent for it."""


class Caller:
    """Asks one role's model for the stages of one run; an ``Asker``."""

    def __init__(
        self,
        engine: TextEngine,
        database: Database,
        *,
        role: str,
        settings: RoleSettings,
        privacy: Callable[[], PrivacySettings],
        run: str = "",
        waits: Waits | None = None,
        first_limit: int = FIRST_LIMIT,
    ) -> None:
        """Takes over ``engine`` and ``database``: ``close`` closes both. ``privacy`` is asked for every call that would
        leave this machine. See ``open_caller``."""
        self._engine = engine
        self._database = database
        self._role = role
        self._settings = settings
        self._privacy = privacy
        self._run = run
        self._waits = waits or Waits()
        self._away = leaves_the_machine(engine.host)
        self._commits = GroupCommit(database.path)
        self._ledger = Ledger(self._commits)
        self._limiter = Limiter(engine.slots, self._waits.longest_pause, first_limit)
        self._breaker = Breaker(Bounds(), self._waits.cooldown, self._pause)
        self._budget = Budget(role, settings, spent_by(database, run, role) if run else Spent())
        self._holding = engine if isinstance(engine, Holding) else None
        self._unanswered: dict[str, _Unanswered] = {}
        """Key → the last attempt, for an engine that may still bring its answer."""
        if self._holding and run:
            self._unanswered = {
                key: _Unanswered(call.id, Usage(call.prompt_tokens, call.answer_tokens, call.cost))
                for key, call in unanswered_calls(database, run, role).items()
            }
        self._flying: dict[str, asyncio.Future[Told | CallFailed | None]] = {}
        self._began = 0.0
        self._calls = self._answered = self._cached = 0
        self._failures: Counter[str] = Counter()
        self._given_up: Counter[str] = Counter()
        self._used = Usage()

    @property
    def identity(self) -> str:
        return f"{self._role}:{self._engine.identity}"

    @property
    def role(self) -> str:
        return self._role

    @property
    def engine(self) -> TextEngine:
        return self._engine

    async def ask(self, ask: Ask, accept: Callable[[Told], T], *, purpose: str, about: Sequence[str]) -> T:
        """As ``Asker.ask``. Raises also ConsentError, SettingsError, BudgetError, which concern every ask to come."""
        privacy = self._privacy() if self._away else PrivacySettings()
        check_words(about, self._away, privacy, self._database)
        wish = _Wish(self._key(ask), ask, accept, purpose, tuple(about))
        known = cached(self._database, [wish.key]).get(wish.key)
        if known is not None:
            try:
                accepted = accept(_told(known))
            except CallFailed:
                pass  # What a stage takes has become stricter since: the answer is replaced.
            else:
                self._cached += 1
                return accepted
        while (flying := self._flying.get(wish.key)) is not None:
            ended = await asyncio.shield(flying)
            if isinstance(ended, CallFailed):
                raise ended
            if ended is not None:
                self._cached += 1
                return accept(ended)
        return await self._lead(wish)

    def estimate(self, asks: int, mean_prompt_tokens: float, mean_answer_tokens: float) -> Estimate:
        """What so many asks would use, by the role's prices."""
        return self._budget.estimate(asks, mean_prompt_tokens, mean_answer_tokens)

    def stats(self) -> Stats:
        elapsed = time.monotonic() - self._began if self._began else 0.0
        return Stats(
            calls=self._calls,
            answered=self._answered,
            cached=self._cached,
            in_flight=self._limiter.under_way,
            waiting=self._limiter.waiting,
            limit=self._limiter.window.limit,
            failures=dict(self._failures),
            given_up=dict(self._given_up),
            prompt_tokens=self._used.prompt_tokens,
            answer_tokens=self._used.answer_tokens,
            cost=self._used.cost,
            calls_per_second=self._calls / elapsed if elapsed else 0.0,
        )

    async def close(self) -> None:
        await self._engine.close()
        await self._commits.close()
        self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _lead(self, wish: _Wish[T]) -> T:
        """Make the call that others with the same key wait for."""
        flying: asyncio.Future[Told | CallFailed | None] = asyncio.get_running_loop().create_future()
        self._flying[wish.key] = flying
        ended: Told | CallFailed | None = None
        try:
            ended, accepted = await self._tried(wish)
            return accepted
        except CallFailed as failure:
            ended = failure
            self._given_up[failure.reason] += 1
            raise
        finally:
            # None sends those that wait to ask for themselves: this one was cancelled.
            del self._flying[wish.key]
            flying.set_result(ended)

    async def _tried(self, wish: _Wish[T]) -> tuple[Told, T]:
        patience = Patience(self._settings.attempts, self._waits)
        last: CallFailed | None = None

        async def attempt() -> tuple[Told, T]:
            async with self._limiter.place() as place:
                probe = await self._breaker.admit()
                try:
                    return await self._sent(wish, patience.as_asked_now(wish.ask), place)
                except CallFailed as failure:
                    nonlocal last
                    last = failure
                    raise
                finally:
                    if probe:
                        self._breaker.probed()

        try:
            return await patience.retrying()(attempt)
        except CallFailed as failure:
            # Its own failure tells more than that by now nothing may leave.
            raise (last or failure) if failure.reason in FINAL else failure from None

    async def _sent(self, wish: _Wish[T], ask: Ask, place: Place) -> tuple[Told, T]:
        """One attempt, written down before it leaves and after it has ended."""
        if self._away:
            check_host(self._engine.host, self._privacy(), self._database)
        earlier = await self._held(wish.key, ask)
        reserved = self._budget.reserve(self._budget.most(ask), earlier.counted if earlier else None)
        used, row, opened, outcome = Usage(), None, None, "cancelled"
        try:
            row = await (self._ledger.reopen(earlier.row) if earlier else self._ledger.open(self._leaving(wish, ask)))
            opened = row
            self._calls += 1
            place.started = time.monotonic()
            self._began = self._began or place.started
            used = reserved
            told = await self._engine.ask(ask, self._settings.timeout)
            place.answered()
            used = self._budget.of_answer(ask, told)
            check_text(told.text)
            accepted = wish.accept(told)
            ended, row_of_answer, row, opened = _ended(ANSWERED, used), row, None, None
            await self._ledger.answered(row_of_answer, ended, wish.key, _kept(told))
            self._breaker.answered()
            self._answered += 1
            return told, accepted
        except CallFailed as failure:
            outcome = failure.reason
            used = Usage() if failure.reason in UNUSED else used
            self._note(failure, place)
            if row is not None:
                failed, row = row, None
                await self._ledger.failed(failed, _ended(outcome, used))
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._budget.settle(reserved, used)
            self._used = Usage(
                self._used.prompt_tokens + used.prompt_tokens,
                self._used.answer_tokens + used.answer_tokens,
                self._used.cost + used.cost,
            )
            if row is not None:
                self._ledger.given_up(row, _ended(outcome, used))
            if self._holding is not None:
                self._unanswered.pop(wish.key, None)
                if opened is not None:
                    self._unanswered[wish.key] = _Unanswered(opened, used)

    async def _held(self, key: str, ask: Ask) -> _Unanswered | None:
        """The attempt before, where its answer is still to come: this one only waits for it, and counts with it."""
        earlier = self._unanswered.get(key)
        return earlier if earlier and self._holding and await self._holding.holds(ask) else None

    def _note(self, failure: CallFailed, place: Place) -> None:
        self._failures[failure.reason] += 1
        kind = kind_of(failure)
        if kind == "no room":
            place.refused(failure.retry_after)
            self._breaker.refused(place.started, failure)
        elif kind == "server":
            self._breaker.failed(place.started, failure)
        elif kind == "invalid":
            self._breaker.not_valid(failure)

    def _pause(self, failures: int) -> None:
        self._limiter.pause(min(self._waits.most, self._waits.first * 2.0 ** (failures - 1)))

    def _key(self, ask: Ask) -> str:
        """The same words to the same model with the same parameters: the same answer will do."""
        asked = [
            [(said.role, said.content) for said in ask.messages],
            ask.max_tokens,
            ask.schema,
            ask.temperature,
            ask.seed,
            ask.choices,
        ]
        data = json.dumps(["call", self._role, self._engine.identity, asked], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(data.encode()).hexdigest()[:32]

    def _leaving(self, wish: _Wish[Any], ask: Ask) -> Leaving:
        return Leaving(
            started_at=moment(),
            run=self._run,
            role=self._role,
            engine=self._settings.engine,
            host=self._engine.host,
            model=self._settings.model,
            purpose=wish.purpose,
            bytes=sum(len(said.content.encode("utf-8", "surrogatepass")) for said in ask.messages),
            about=wish.about,
            key=wish.key,
        )


def open_caller(
    workspace: Workspace,
    role: str,
    run: str = "",
    *,
    settings: RoleSettings | None = None,
    waits: Waits | None = None,
    attempts: int | None = None,
) -> Caller:
    """A caller for a role as ``persona.toml`` names it, or as ``settings`` do; ``run`` is the id under which calls are
    counted and capped.

    Raises ModelError where the engine cannot be had, and ConsentError where its host may not receive words.
    """
    chosen: RoleSettings = settings or getattr(workspace.settings.models, role)
    settings = chosen if attempts is None else chosen.model_copy(update={"attempts": attempts})
    engine = load_text_engine(role, settings)
    check_host(engine.host, workspace.settings.privacy, workspace.database)
    database = Database.open(workspace.root / DATABASE_FILE)
    first_limit = FIRST_LIMIT
    if settings.batch:
        from core.calls.batches import BatchEngine
        from core.models.endpoint import EndpointEngine

        assert isinstance(engine, EndpointEngine)  # The settings see to it.
        engine = BatchEngine(engine, database.path)
        # A batch is as large as what waits: there is no pace to be found out.
        first_limit = engine.slots
    return Caller(
        engine,
        database,
        role=role,
        settings=settings,
        privacy=lambda: workspace.privacy,
        run=run,
        waits=waits,
        first_limit=first_limit,
    )


def _ended(outcome: str, used: Usage) -> Ended:
    return Ended(moment(), outcome, used.prompt_tokens, used.answer_tokens, used.cost)


def _kept(told: Told) -> str:
    return json.dumps(asdict(told))


def _told(kept: str) -> Told:
    return Told(**json.loads(kept))
