"""The ``evaluate`` run: every system on the held-out interviews, controls beside them, into one scorecard."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.adapters.bases import base_of
from core.adapters.files import check_base, whole_folder
from core.corpus.holdout import assign_splits
from core.dataset.build import renderer_of
from core.dataset.leaks import ngrams
from core.errors import ModelError
from core.fidelity.heldout import Interview, load_interviews, turns_with
from core.fidelity.launch import GENERATED_TOKENS
from core.fidelity.metrics import (
    OVERLAP_WORDS,
    AnswerBits,
    answer_bits,
    copied_share,
    likeness_to_truth,
    line_up,
    reciprocal_ranks,
)
from core.fidelity.plan import Weights, weights_of
from core.fidelity.systems import System, chosen_systems
from core.models.causal_lm import BASE, CausalLM
from core.models.embedder import Embedder
from core.models.roles import embedder_of
from core.prompts.render import Renderer
from core.recall.load import load_recollector
from core.runs.job import Job
from core.scoring.bootstrap import FEWEST_CLUSTERS, ClusterRatio
from core.scoring.likelihood import Likelihood
from core.settings import Settings
from core.store.call_cache import cached, remember
from core.store.conversations import exchanges_of, list_conversations
from core.store.identity import content_uid
from core.store.scorecards import PLAYED, RETRIEVER, put_scorecard
from core.store.texts import answers, document_texts
from core.twin.private import withheld_of
from core.workspace import Workspace

GENERATION_BATCH = 18
"""Prompts of like length that are answered side by side: each word reads all weights once for all of them."""


def run(job: Job) -> dict[str, Any]:
    """The work of an ``evaluate`` run. Params: ``systems``, ``control`` (a workspace), ``limit``, ``adapter``."""
    started = time.monotonic()
    workspace = job.workspace
    systems = chosen_systems(job.params.get("systems"))
    if workspace.settings.models.persona.engine == "endpoint":
        raise ModelError(
            "a twin behind an endpoint cannot be measured: likelihoods are read from weights on this machine",
            'measure where the weights are, with [models.persona] engine = "transformers" or "llama.cpp"',
        )
    assign_splits(workspace)  # First: whose weights may be measured hangs on what is held out.
    weights = weights_of(workspace, job.params)
    base = base_of(workspace, weights.memories) if weights.memories else workspace.settings.models.base
    model = CausalLM(base)
    renderer = renderer_of(workspace, base)
    shared = workspace.settings.judges_by_likelihood and workspace.settings.models.judge.model == base
    settings = workspace.settings if weights.retriever else _without_retriever(workspace.settings)
    recollector, _ = load_recollector(
        workspace, model if shared else None, run=job.folder.name, settings=settings, live=True
    )
    try:
        interviews = load_interviews(job, renderer, recollector, job.params.get("limit"))
    finally:
        recollector.close()
    parts = _load_parts(model, workspace, weights)
    missing = [system.name for system in systems if system.weights not in parts]
    systems = [system for system in systems if system.weights in parts]
    notes = list(weights.notes)
    if not any(item.shuffled for each in interviews for item in each.items):
        unshuffled = [system.name for system in systems if system.shown == "shuffled"]
        systems = [system for system in systems if system.name not in unshuffled]
        notes += [f"No question has another one's memories to be given, so {name} is not run." for name in unshuffled]
    embedder = embedder_of(workspace.settings)
    board = _Scoreboard(job, workspace, model, renderer, embedder, interviews, len(systems))
    results = {}
    for system in systems:
        model.use(parts[system.weights], merge=True)
        results[system.name] = board.score(system)
    controls = board.controls(weights.control[0] if weights.control else None)
    if weights.control and "c1" not in controls:
        notes.append(f"{weights.control[0].target} answers no question in the control workspace: there is no c1.")
    scorecard = {
        "base": base,
        "adapter": weights.memories.name if weights.memories else None,
        "adapter_without_memories": weights.plain.name if weights.plain else None,
        "control": weights.control[1].name if weights.control else None,
        RETRIEVER: weights.retriever,
        PLAYED: {
            key: played.hash
            for key, played in (("adapter", weights.memories), ("adapter_without_memories", weights.plain))
            if played is not None
        },
        "not_run": missing,
        "interviews": [
            {"title": each.conversation.title, "date": each.conversation.date, "exchanges": len(each.items)}
            for each in interviews
        ],
        "questions": [
            {"exchange": item.exchange.uid, "interview": place}
            for place, each in enumerate(interviews)
            for item in each.items
        ],
        "questions_with_memories": sum(bool(item.memories) for each in interviews for item in each.items),
        "systems": {name: result.summary for name, result in results.items()},
        "controls": controls,
        "differences": _differences({name: result.bits for name, result in results.items()}),
        "notes": [*notes, *_notes(interviews, board.ranked)],
        "seconds": round(time.monotonic() - started, 1),
    }
    with workspace.database.write():
        scorecard["id"] = put_scorecard(
            workspace.database,
            weights.memories.id if weights.memories else None,
            weights.memories.dataset_id if weights.memories else None,
            scorecard,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
    return {"scorecard": scorecard}


def _without_retriever(settings: Settings) -> Settings:
    return settings.model_copy(update={"retrieval": settings.retrieval.model_copy(update={"query_head": False})})


def _load_parts(model: CausalLM, workspace: Workspace, weights: Weights) -> dict[str, str]:
    """Load what there is, and say under which name each part's weights are."""
    parts = {"base": BASE}
    owned = {
        "memories": weights.memories and (workspace, weights.memories),
        "plain": weights.plain and (workspace, weights.plain),
        "control": weights.control,
    }
    for part, found in owned.items():
        if found:
            owner, adapter = found
            check_base(owner, adapter, model.folder)
            model.load_adapter(part, whole_folder(owner, adapter), adapter.hash)
            parts[part] = part
    model.use(BASE)
    return parts


@dataclass(frozen=True, slots=True)
class _SystemResult:
    summary: dict[str, Any]
    bits: ClusterRatio


class _Scoreboard:
    """Scores one system after another on the same interviews."""

    def __init__(
        self,
        job: Job,
        workspace: Workspace,
        model: CausalLM,
        renderer: Renderer,
        embedder: Embedder,
        interviews: list[Interview],
        systems: int,
    ) -> None:
        self._job = job
        self._database = workspace.database
        self._model = model
        self._renderer = renderer
        self._embedder = embedder
        self._interviews = interviews
        self._likelihood = Likelihood(model, workspace.database)
        self._answers = [item.exchange.answer for each in interviews for item in each.items]
        self._lineup = line_up(self._answers, embedder.embed(self._answers))
        self._known: set[tuple[str, ...]] = set()
        trained = [answer for _, _, answer in answers(workspace.database)]
        for text in (*(text for _, text in document_texts(workspace.database)), *trained):
            self._known |= ngrams(text, OVERLAP_WORDS)
        self._private = withheld_of(workspace, lambda: embedder)
        self._total = systems * len(self._answers) * 2
        self._done = 0
        self._target = workspace.target

    @property
    def ranked(self) -> int:
        """Among how many answers the true one is ranked."""
        return len(self._lineup.rows[0])

    def score(self, system: System) -> _SystemResult:
        per_interview = []
        per_question: dict[str, AnswerBits] = {}
        for interview in self._interviews:
            self._job.stop_point()
            found = answer_bits(self._renderer, self._likelihood, interview, system)
            per_interview.append((sum(each.bits for each in found), float(sum(each.tokens for each in found))))
            per_question |= {each.exchange_uid: each for each in found}
            self._progress(len(interview.items), f"{system.name}: likelihood")
        bits = ClusterRatio.of(per_interview)
        generated = self._generate(system)
        summary = self._text_metrics(generated)
        summary["metrics"]["bits_per_token"] = bits.interval().rounded()
        summary["per_interview"]["bits_per_token"] = [round(b / t, 4) for b, t in per_interview]
        summary["title"] = system.title
        summary["answers"] = [self._private.redact(text) for text in generated]
        measured = [per_question.get(item.exchange.uid) for each in self._interviews for item in each.items]
        summary["per_question"] |= {
            "bits": [round(each.bits, 3) if each else None for each in measured],
            "tokens": [each.tokens if each else None for each in measured],
        }
        return _SystemResult(summary, bits)

    def controls(self, other: Workspace | None) -> dict[str, Any]:
        """C1: another person's real answer to the nearest question. C3: the target's to another question. Neither where
        there is no such answer."""
        controls: dict[str, Any] = {}
        others = self._lineup.outside()
        if others is not None:
            controls["c3"] = self._text_metrics([self._answers[index] for index in others])
            controls["c3"]["title"] = f"{self._target}'s real answer to another question"
        if other is not None:
            exchanges = [
                exchange
                for row in list_conversations(other.database)
                for exchange in exchanges_of(other.database, row.id)
                if exchange.question
            ]
            if not exchanges:
                return controls
            asked = [item.exchange.question for each in self._interviews for item in each.items]
            likeness = self._embedder.embed(asked) @ self._embedder.embed([e.question for e in exchanges]).T
            nearest = np.argmax(np.round(likeness, 6), axis=1)
            controls["c1"] = self._text_metrics([exchanges[index].answer for index in nearest])
            controls["c1"]["title"] = f"{other.target}'s real answer to the nearest question"
        return controls

    def _generate(self, system: System) -> list[str]:
        """Each question answered on its own, greedily; cached by prompt and weights."""
        prompts = []
        for interview in self._interviews:
            for item in interview.items:
                turn = turns_with(item, system.shown)
                asked = type(turn)(turn.question, turn.asker, turn.memories)
                prompts.append(self._renderer.prompt(self._renderer.messages(interview.scene, [asked])))
        answers = [""] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        for start in range(0, len(prompts), GENERATION_BATCH):
            self._job.stop_point()
            places = order[start : start + GENERATION_BATCH]
            batch = [prompts[place] for place in places]
            key = content_uid("generate", self._model.identity, GENERATED_TOKENS, batch)
            known = cached(self._database, [key]).get(key)
            if known is None:
                known = json.dumps(self._model.generate(batch, GENERATED_TOKENS), ensure_ascii=False)
                with self._database.write():
                    remember(self._database, {key: known})
            for place, answer in zip(places, json.loads(known), strict=True):
                answers[place] = answer
            self._progress(len(batch), f"{system.name}: answering")
        return answers

    def _text_metrics(self, texts: list[str]) -> dict[str, Any]:
        """What can be said of texts alone, pooled and per interview."""
        vectors = self._embedder.embed([text or "." for text in texts])
        ranks = reciprocal_ranks(self._lineup, vectors)
        copied = [copied_share(text, self._known) for text in texts]
        words = [len(text.split()) for text in texts]
        rows: dict[str, list[tuple[float, float]]] = {"mrr": [], "verbatim_overlap": [], "words": []}
        first = 0
        for interview in self._interviews:
            span = slice(first, first + len(interview.items))
            first = span.stop
            rows["mrr"].append((sum(ranks[span]), float(len(interview.items))))
            rows["verbatim_overlap"].append(
                (float(sum(c for c, _ in copied[span])), float(max(1, sum(n for _, n in copied[span]))))
            )
            rows["words"].append((float(sum(words[span])), float(len(interview.items))))
        return {
            "metrics": {name: ClusterRatio.of(each).interval().rounded() for name, each in rows.items()},
            "per_interview": {name: [round(a / b, 4) for a, b in each] for name, each in rows.items()},
            "per_question": {
                "rank": [round(1 / rank) for rank in ranks],
                "likeness": likeness_to_truth(self._lineup, vectors),
            },
        }

    def _progress(self, count: int, what: str) -> None:
        self._done += count
        self._job.progress(min(self._done, self._total), self._total, what)


def _differences(bits: dict[str, ClusterRatio]) -> dict[str, Any]:
    """b4 minus each other system, in bits per token: below zero means that b4 finds the real answers likelier."""
    if "b4" not in bits:
        return {}
    differences = {}
    for name, other in bits.items():
        if name != "b4":
            ours = bits["b4"]
            each = ours.numerator / ours.denominator - other.numerator / other.denominator
            differences[name] = {
                **ours.difference(other).rounded(),
                "per_interview": [round(float(value), 4) for value in each],
            }
    return differences


def _notes(interviews: list[Interview], ranked: int) -> list[str]:
    chance = sum(1 / rank for rank in range(1, ranked + 1)) / ranked
    notes = [f"The true answer is ranked among {ranked} held-out answers; chance gives an MRR of {chance:.2f}."]
    if len(interviews) < FEWEST_CLUSTERS:
        notes.append(
            f"Only {len(interviews)} interviews: the intervals are too narrow (about 74% coverage at 3). Read the"
            " values per interview."
        )
    return notes
