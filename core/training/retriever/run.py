"""The ``retriever`` run: gather, score, train, measure, keep, and adopt what brings a gain.

What is dear, the scores of the language model, is cached passage by passage, and a whole encoder has checkpoints; a
head trains in seconds, and begins anew. So a run that was stopped or killed gathers nothing again, scores what is left,
and trains to the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.atomic import write_atomically
from core.errors import UsageError
from core.models.embedder import Embedder
from core.models.roles import embedder_of
from core.recall.load import training_words
from core.retrieval.retrievers import CARD, FOLDER, LEARNED_FROM, use_retriever
from core.retrieval.search import Searcher
from core.runs.job import Job
from core.settings import RetrieverSettings
from core.store.chunks import chunks_without_vector
from core.store.identity import content_uid
from core.store.sight import Sight
from core.training.failures import told_with
from core.training.retriever import encoder, head
from core.training.retriever.examples import TRAIN, VALIDATION, Gathered, gather_once, sight_of
from core.training.retriever.figures import PassageSpace, read_space
from core.training.retriever.fitting import Fitted, Moment, QueryModel, fit
from core.training.retriever.launch import EXAMPLES
from core.training.retriever.lessons import Scores, lessons_of, teaching
from core.training.retriever.measure import Measure, verdict
from core.training.retriever.outlook import nothing_accepted, nothing_to_choose, nothing_to_learn
from core.training.retriever.pace import Pace, pace_of
from core.training.retriever.preference import flatness, preference, score_answers
from core.training.retriever.standing import CHECKPOINTS, Checkpoints


def run(job: Job) -> dict[str, Any]:
    """The work of a ``retriever`` run; its params are those of ``retriever_params``.

    Raises TrainingError where there is nothing to learn from, UsageError where passages are not embedded, and, when
    asked to stop, Interrupted.
    """
    return _Training(job).all()


class _Training:
    """One attempt at a run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._workspace = job.workspace
        self._settings = RetrieverSettings(**job.params["settings"])
        self._embedder: Embedder = embedder_of(job.workspace.settings)
        spec = self._embedder.spec
        missing = len(chunks_without_vector(job.workspace.database, spec.model, spec.revision))
        if missing:
            raise UsageError(f"{missing} passages are not embedded with {spec.model}", "simulee embed")
        self._plain = job.workspace.settings.retrieval.model_copy(update={"query_head": False})
        self._accept = training_words(job.workspace)

    def all(self) -> dict[str, Any]:
        job, settings = self._job, self._settings
        searcher = Searcher(self._workspace, lambda: self._embedder, self._plain)
        gathered = gather_once(self._workspace, searcher, settings, job.folder / EXAMPLES)
        self._refuse_nothing(gathered)
        examples = gathered.examples
        sights = [sight_of(self._workspace, example.exchange) for example in examples]
        space = read_space(self._workspace.database, self._embedder.spec, self._accept)
        with told_with(job.folder / CHECKPOINTS, "score with a smaller --base, or not: --lsr-weight 0"):
            scores = self._scored(gathered)
        plain = self._embedded([example.exchange.question for example in examples])
        job.stop_point()
        rows = teaching(examples, TRAIN, scores, settings)
        if not rows:
            raise nothing_accepted()
        pace = pace_of(settings, bool(job.params["full"]), len(rows), job.params.get("epochs"))
        with told_with(job.folder / CHECKPOINTS, f"set a batch under {pace.batch} under [retriever], then train again"):
            return self._trained(gathered, sights, space, scores, plain, rows, pace)

    def _trained(
        self,
        gathered: Gathered,
        sights: list[Sight],
        space: PassageSpace,
        scores: Scores,
        plain: NDArray[np.float32],
        rows: list[int],
        pace: Pace,
    ) -> dict[str, Any]:
        """The result of the run, with the version that it kept."""
        job, settings, examples, full = self._job, self._settings, gathered.examples, bool(self._job.params["full"])
        validation = teaching(examples, VALIDATION, scores, settings)
        if not full:
            # Sums in an order that does not hang on the machine's cores; it is small enough for one.
            torch.set_num_threads(1)
        model: head.HeadModel | encoder.EncoderModel = (
            encoder.EncoderModel(
                self._embedder.spec.model, [each.exchange.question for each in examples], settings.seed
            )
            if full
            else head.HeadModel(plain, settings)
        )
        checkpoints = Checkpoints(job, self._learns_from(sights, pace), model.device) if full else None
        lessons = lessons_of(space, examples, sights, scores, settings, model.device)
        flat = round(fmean(flatness(preference(bits, settings.tau)) for bits in scores), 4) if scores else None
        told: dict[str, Any] = {
            "embedder": self._embedder.spec.model,
            "base": job.params["base"] if scores else "",
            "questions": {"train": len(rows), "validation": len(validation)},
            "passages": len(lessons.passages),
            "accepted": sum(len(example.accepted) for example in examples),
            "rejected": sum(len(example.rejected) for example in examples),
            "decided_by": dict(gathered.decided_by),
            "last_decision": gathered.last_decision,
            "target_entropy": flat,
        }
        job.event(
            "plan",
            **told, samples=len(rows), device=model.device,
            **{**settings.model_dump(mode="json"), "steps": pace.steps, "batch": pace.batch,
               "learning_rate": pace.learning_rate},
            **(checkpoints.told() if checkpoints else {}),
        )  # fmt: skip
        measure = Measure(
            self._workspace, self._embedder, self._plain, self._accept, space, gathered.examples, sights, scores
        )
        before = measure.of(None, plain)
        watch = self._watch(pace, model, measure)
        fitted = fit(model, lessons, rows, validation, settings, pace, watch, checkpoints)
        learned_from = {example.exchange.uid: example.exchange.said for example in (examples[row] for row in rows)}
        result = self._finish(model, fitted, measure, plain, before, told, learned_from)
        if checkpoints:
            checkpoints.remove()
        return result

    def _learns_from(self, sights: list[Sight], pace: Pace) -> str:
        """Changes with all that decides the weights and may change between two attempts."""
        spec, examples = self._embedder.spec, (self._job.folder / EXAMPLES).read_text("utf-8")
        return content_uid(examples, [asdict(sight) for sight in sights], spec.model, spec.revision, asdict(pace))

    def _refuse_nothing(self, gathered: Gathered) -> None:
        if not gathered.examples:
            raise nothing_to_choose()
        decided = any(example.accepted or example.rejected for example in gathered.examples)
        if not (decided and self._settings.contrastive_weight) and not self._settings.lsr_weight:
            raise nothing_to_learn()

    def _scored(self, gathered: Gathered) -> Scores:
        """The language model's word on every question's candidates; empty where it counts for nothing."""
        if not self._settings.lsr_weight:
            return []
        from core.models.causal_lm import CausalLM

        def watch(done: int, total: int) -> None:
            self._job.stop_point()
            self._job.progress(done, total, "scoring answers, passage by passage")

        self._job.stop_point()
        return score_answers(
            CausalLM(self._job.params["base"]), self._workspace.database, self._workspace.target, gathered.examples,
            self._settings.answer_tokens, watch,
        )  # fmt: skip

    def _embedded(self, texts: list[str]) -> NDArray[np.float32]:
        # One by one, as a search does: in a batch some embedders give other last bits.
        return np.stack([self._embedder.embed([text])[0] for text in texts])

    def _watch(self, pace: Pace, model: QueryModel, measure: Measure) -> Callable[[Moment], bool]:
        def watch(moment: Moment) -> bool:
            values = {"loss": moment.loss, "eval_loss": moment.eval_loss}
            if moment.eval_loss is not None:
                values["mrr"] = measure.validation_mrr(model, pace.batch)
            figures = {name: round(value, 6) for name, value in values.items() if value is not None}
            if figures:
                self._job.event("metrics", step=moment.step, lr=moment.learning_rate, **figures)
            self._job.progress(moment.step, pace.steps, "training")
            return self._job.stop_requested

        return watch

    def _finish(
        self,
        model: head.HeadModel | encoder.EncoderModel,
        fitted: Fitted,
        measure: Measure,
        plain: NDArray[np.float32],
        before: dict[str, Any],
        told: dict[str, Any],
        learned_from: dict[str, str],
    ) -> dict[str, Any]:
        """Write the version whole, measure it through the files a search will read, and adopt it if it is to be."""
        adapters, name, spec = self._workspace.adapters, self._job.folder.name, self._embedder.spec
        partial = adapters / f".{name}.{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        tuned = model.save(partial, spec)
        turned = measure.turned(tuned, plain)
        after = measure.of(tuned, turned)
        drift = round(float(np.einsum("qd,qd->q", plain, turned).mean()), 4)
        gain = measure.gain(plain, turned)
        better, words = verdict(before, after, gain, fitted.best, told["target_entropy"])
        outcome = {
            "steps": fitted.best,
            "taken": fitted.taken,
            "loss": round(fitted.loss, 6),
            "eval_loss": None if fitted.eval_loss is None else round(fitted.eval_loss, 6),
            "measured_by": measure.right,
            "before": before,
            "after": after,
            "drift": drift,
            "gain": None if gain is None else round(gain.value, 4),
            "gain_interval": None if gain is None else [round(gain.low, 4), round(gain.high, 4)],
            "verdict": words,
            "hash": tuned.identity,
        }
        card = {
            "kind": model.kind,
            **told,
            **outcome,
            "embedder": {"model": spec.model, "revision": spec.revision, "dimension": spec.dimension},
            "settings": self._settings.model_dump(mode="json"),
            LEARNED_FROM: learned_from,
            "run": name,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_atomically(partial / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
        self._keep(partial, name)
        chosen = self._job.params.get("use")
        used = better if chosen is None else bool(chosen)
        if used:
            use_retriever(adapters, name, spec)
        return {"adapter": name, "kind": model.kind, "used": used, **told, **outcome}

    def _keep(self, partial: Path, name: str) -> None:
        folder = self._workspace.adapters / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(folder / name, ignore_errors=True)
        partial.rename(folder / name)
