"""The ``questions`` run: what one would ask to be told each passage, so that a question meets a question.

A passage answers in other words than it is asked about. A writer model is asked for a few questions per passage
(doc2query, Nogueira et al. 2019); a judge drops those that the passage does not answer (doc2query--, Gospodinov et al.
2023), by yes or no where a model judges, else by the likeness of question and passage. Only what is new is asked; each
passage is stored by itself as soon as it is answered, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from core.errors import UsageError
from core.models.embedder import Embedder
from core.models.generation import Ask, Asker, CallFailed, Told
from core.models.roles import check_role, embedder_of
from core.prompts.asks import AskPrompt
from core.retrieval.question_checks import CHECKS, SCHEMA, Checked, read_questions
from core.retrieval.question_index import embed_questions
from core.runs.job import Job
from core.store.chunks import Passage, vectors_of
from core.store.identity import content_uid
from core.store.questions import QuestionRow, asked_keys, passages_to_ask_about, put_questions, question_counts
from core.workspace import Workspace

PER_PASSAGE = 3
IN_FLIGHT = 64
"""Passages that wait for an answer at once; how many calls a server gets is the asker's own business."""
STOP_WITHIN = 0.5
"""Seconds after which a stop is noticed while no answer comes."""
ANSWER_TOKENS = 200
LEAST_CHANCE = 0.5
"""The judge's probability of yes from which a question is kept."""


@dataclass(slots=True)
class Asked:
    """What came of asking about passages."""

    passages: int = 0
    """That had to be asked about."""
    answered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Questions by the reason they were not taken or not kept."""
    parked: Counter[str] = field(default_factory=Counter)
    """Passages whose calls failed, by reason: the next run asks about them again."""


def run(job: Job) -> dict[str, Any]:
    """The work of a ``questions`` run: ask about what is new, then embed what was kept.

    Where the params say so, only about documents of one ``kind``.
    """
    started = time.monotonic()
    workspace = job.workspace
    embedder = embedder_of(workspace.settings)
    asked = asyncio.run(_ask_with_models(job, embedder))
    embedded = embed_questions(
        workspace, embedder, lambda done, total: job.progress(done, total, "embedding questions"), job.stop_point
    )
    questions, kept = question_counts(workspace.database)
    return {
        "passages": asked.passages,
        "answered": asked.answered,
        "questions": questions,
        "kept": kept,
        "dropped": dict(sorted(asked.dropped.items())),
        "parked": dict(sorted(asked.parked.items())),
        "embedded": embedded,
        "seconds": round(time.monotonic() - started, 2),
    }


async def _ask_with_models(job: Job, embedder: Embedder) -> Asked:
    async with open_askers(job) as (writer, judge):
        return await ask_about_passages(
            job.workspace, embedder, writer, judge,
            lambda done, total: job.progress(done, total, "asking about passages"), job.stop_point,
            kind=str(job.params.get("kind", "")),
        )  # fmt: skip


@asynccontextmanager
async def open_askers(job: Job) -> AsyncIterator[tuple[Asker, Asker | None]]:
    """The writer, and the judge where a text model plays it. Raises ModelError, UsageError."""
    models = job.workspace.settings.models
    for role in ("writer", "judge"):
        check_role(role, getattr(models, role))
    if models.writer.engine == "extractive":
        raise UsageError(
            "the extractive writer quotes, and asks no questions",
            "name a text model as the writer: [models.writer] in persona.toml",
        )
    # Imported here: neither is needed where nothing is asked of a model.
    from core.calls.caller import open_caller

    settings, run = job.workspace.settings, job.folder.name
    async with open_caller(job.workspace, "writer", run=run) as writer:
        if settings.judges_by_likelihood:
            yield writer, None
        else:
            async with open_caller(job.workspace, "judge", run=run) as judge:
                yield writer, judge


async def ask_about_passages(
    workspace: Workspace,
    embedder: Embedder,
    writer: Asker,
    judge: Asker | None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    stop_point: Callable[[], None] = lambda: None,
    *,
    kind: str = "",
) -> Asked:
    """Ask about every passage that is new, or that was asked about with another writer, judge or prompt.

    ``kind`` leaves out the passages that are not of documents of this kind.
    ``stop_point`` raises to stop: what waits for an answer is let go. Raises what the askers raise but CallFailed.
    """
    asking = _Asking(workspace, embedder, writer, judge)
    known = asked_keys(workspace.database)
    waiting = [
        (passage, key)
        for passage in passages_to_ask_about(workspace.database, kind)
        if known.get(passage.chunk.id) != (key := asking.key(passage))
    ]
    asked = Asked(len(waiting))
    rest: Iterator[tuple[Passage, str]] = iter(waiting)
    tasks: set[asyncio.Task[None]] = set()
    done = 0
    try:
        while True:
            stop_point()
            for passage, key in islice(rest, IN_FLIGHT - len(tasks)):
                tasks.add(asyncio.ensure_future(asking.about(passage, key, asked)))
            if not tasks:
                return asked
            finished, tasks = await asyncio.wait(tasks, timeout=STOP_WITHIN, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
            done += len(finished)
            progress(done, len(waiting))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Asking:
    """One way of asking: these models, these prompts."""

    def __init__(self, workspace: Workspace, embedder: Embedder, writer: Asker, judge: Asker | None) -> None:
        overrides = workspace.root / "prompts"
        self._database = workspace.database
        self._embedder = embedder
        self._writer = writer
        self._judge = judge
        self._likeness = workspace.settings.retrieval.question_likeness
        self._question_prompt = AskPrompt("questions", overrides)
        self._judge_prompt = AskPrompt("question_judge", overrides)
        spec = embedder.spec
        if judge is None:
            self._judged_by = f"likeness:{spec.model}:{spec.revision}:{self._likeness:g}"
        else:
            self._judged_by = f"{judge.identity}:{self._judge_prompt.version}"
        self._written_by = f"{writer.identity}:{self._question_prompt.version}"

    def key(self, passage: Passage) -> str:
        """Changes with everything that the questions of a passage depend on."""
        chunk = passage.chunk
        return content_uid(
            "questions", CHECKS, PER_PASSAGE, self._written_by, self._judged_by, chunk.uid, chunk.text,
            passage.question, passage.title,
        )  # fmt: skip

    async def about(self, passage: Passage, key: str, asked: Asked) -> None:
        """Ask, judge and store; a call that failed for good parks the passage."""
        try:
            checked = await self._written(passage)
            values = await self._judged(passage, checked.questions)
        except CallFailed as failed:
            asked.parked[failed.reason] += 1
            return
        rows = [
            QuestionRow(
                0, content_uid("question", passage.chunk.uid, self._written_by, text), passage.chunk.id, position,
                text, self._written_by, self._judged_by, round(value, 4), value >= self._least,
            )
            for position, (text, value) in enumerate(zip(checked.questions, values, strict=True))
        ]  # fmt: skip
        with self._database.write():
            put_questions(self._database, passage.chunk.id, key, rows)
        asked.answered += 1
        asked.dropped.update(checked.dropped)
        asked.dropped += Counter({"not answered by the passage": sum(not row.kept for row in rows)})

    @property
    def _least(self) -> float:
        return self._likeness if self._judge is None else LEAST_CHANCE

    async def _written(self, passage: Passage) -> Checked:
        ask = Ask(
            self._question_prompt.messages(
                count=PER_PASSAGE, passage=passage.chunk.text, question=passage.question, title=passage.title
            ),
            max_tokens=ANSWER_TOKENS,
            schema=SCHEMA,
        )
        return await self._writer.ask(
            ask,
            lambda told: read_questions(told, passage.chunk.text, PER_PASSAGE),
            purpose="questions",
            about=[passage.owner_uid],
        )

    async def _judged(self, passage: Passage, questions: tuple[str, ...]) -> list[float]:
        """For each question, the chance that the passage answers it; without a judge, the likeness of the two."""
        if not questions:
            return []
        if self._judge is None:
            return self._alike(passage, questions)
        judge = self._judge
        return list(
            await asyncio.gather(
                *(
                    judge.ask(
                        Ask(
                            self._judge_prompt.messages(passage=passage.chunk.text, question=question),
                            max_tokens=2,
                            choices=("yes", "no"),
                        ),
                        chance_of_yes,
                        purpose="judge",
                        about=[passage.owner_uid],
                    )
                    for question in questions
                )
            )
        )

    def _alike(self, passage: Passage, questions: tuple[str, ...]) -> list[float]:
        """Cosines of the questions and the passage's stored vector, or a fresh one where it is not embedded."""
        spec = self._embedder.spec
        stored = vectors_of(self._database, [passage.chunk.id], spec.model, spec.revision).get(passage.chunk.id)
        own = self._embedder.embed([passage.chunk.text])[0] if stored is None else np.frombuffer(stored, dtype="<f4")
        # Rounded, so that the last bits of a float never decide.
        return [round(float(each), 4) for each in self._embedder.embed(questions) @ own]


def chance_of_yes(told: Told) -> float:
    """The judge's probability of yes. Raises CallFailed for an answer that is neither yes nor no."""
    chances = told.chances
    if chances is not None and {"yes", "no"} <= chances.keys() and chances["yes"] + chances["no"] > 0:
        return chances["yes"] / (chances["yes"] + chances["no"])
    word = told.text.strip().strip(".!\"'").casefold()
    if word not in ("yes", "no"):
        raise CallFailed("no choice", "the judge said neither yes nor no", retryable=True)
    return 1.0 if word == "yes" else 0.0
