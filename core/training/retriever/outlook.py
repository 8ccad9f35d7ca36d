"""What a ``retriever`` run would learn from, told before it starts. Loads no model and imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import TrainingError, UsageError
from core.recall.load import training_words
from core.runs.journal import Run, list_runs, read_events, seconds_between
from core.scoring.bootstrap import FEWEST_CLUSTERS
from core.settings import RetrieverSettings
from core.store.chunks import has_vectors, index_metadata
from core.store.sight import Sight
from core.training.base_size import SMOLLM2_PARAMETERS, parameters_of
from core.training.means import seen_hardware
from core.training.measured import done_on
from core.training.retriever.examples import TRAIN, VALIDATION, Decided, decided, sight_of
from core.training.retriever.launch import RETRIEVER_KIND
from core.training.retriever.pace import Pace, pace_of
from core.workspace import Workspace

SECONDS_PER_ANSWER = 0.35
"""That a base of 135M parameters takes on two virtual cores of one physical one to score an answer of the sample after
a passage that other questions found too."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What there is to learn from. Which passages a question finds is known only once it is asked, in the run."""

    embedder: str
    base: str
    """The model that scores the real answers; empty where nothing is scored."""
    questions: dict[str, int]
    """Split → how many; without an answer's score only questions with an accepted memory teach."""
    accepted: int
    """Accepted memories' passages, by question."""
    rejected: int
    """The same of passages of which every decided memory was rejected."""
    decided_by: dict[str, int]
    """``person: Ada`` or ``rule: …`` → how many of the verdicts."""
    lsr_weight: float
    contrastive_weight: float
    scored: int
    """Answers to score at the most: one for each candidate of each question. Those scored before are kept."""
    scoring: float
    """Seconds that this takes at the most: a guess for a CPU; 0 where nothing is scored, or on a GPU."""
    pace: Pace
    measured_by: str
    """The newest finished run like this; empty where there is none."""
    seconds: float
    """What that one took, its scoring included; 0 without one."""
    warnings: tuple[str, ...]


def nothing_to_choose() -> TrainingError:
    """There are questions, and no passages to tell apart for them; or no questions."""
    return TrainingError(
        "no question that is trained on has two passages from before its day to choose between",
        "import more of what the target wrote, with dates, and an interview that is later",
    )


def nothing_to_learn() -> TrainingError:
    """Answers are not scored, and no memory was decided on."""
    return TrainingError(
        "there is nothing to learn from: no memory was decided on, and answers are not scored",
        "simulee recall and simulee review, or leave --lsr-weight above 0",
    )


def nothing_accepted() -> TrainingError:
    """Answers are not scored, and so only accepted memories could teach."""
    return TrainingError(
        "no memory of a question that is trained on was accepted", "simulee review, or leave --lsr-weight as is"
    )


def outlook(workspace: Workspace, params: dict[str, Any]) -> Outlook:
    """Look at what a run of these ``retriever_params`` learns from.

    Raises TrainingError where there is nothing to learn from, and UsageError where no passage is embedded.
    """
    settings = RetrieverSettings(**params["settings"])
    embedder = workspace.settings.models.embedder.model
    if not has_vectors(workspace.database):
        raise UsageError("no passage is embedded yet", "simulee embed")
    accept = training_words(workspace)
    found = list(_with_a_choice(workspace, decided(workspace, accept)))
    if not any(each.split == TRAIN for each in found):
        raise nothing_to_choose()
    teaching = found if settings.lsr_weight else [each for each in found if each.accepted]
    questions = Counter(each.split for each in teaching)
    if not questions[TRAIN]:
        raise nothing_accepted() if any(each.verdicts for each in found) else nothing_to_learn()
    decided_by = Counter(each.by for question in found for each in question.verdicts)
    measured = _like_it(workspace, params)
    warnings = []
    if not questions[VALIDATION]:
        warnings.append("nothing validates: whether it finds better will not be known, so it is not adopted by itself")
    elif (measured_on := _measured_on(found)) < FEWEST_CLUSTERS:
        warnings.append(
            f"the gain is measured on {measured_on} questions: fewer than {FEWEST_CLUSTERS} show none, so it is not"
            " adopted by itself"
        )
    scored = len(found) * settings.candidates if settings.lsr_weight else 0
    return Outlook(
        embedder,
        params["base"] if settings.lsr_weight else "",
        {split: questions[split] for split in (TRAIN, VALIDATION)},
        sum(len(each.accepted) for each in found),
        sum(len(each.rejected) for each in found),
        dict(decided_by),
        settings.lsr_weight,
        settings.contrastive_weight,
        scored,
        _scoring(scored, params["base"]),
        pace_of(settings, params["full"], questions[TRAIN], params["epochs"]),
        measured.id if measured else "",
        _seconds(measured) if measured else 0.0,
        tuple(warnings),
    )


def _measured_on(found: list[Decided]) -> int:
    """How many questions the gain is measured on: those that validate and have an accepted memory, if any has one."""
    validating = [each for each in found if each.split == VALIDATION]
    return sum(bool(each.accepted) for each in validating) or len(validating)


def _scoring(answers: int, base: str) -> float:
    if seen_hardware().device != "cpu":
        return 0.0
    return answers * SECONDS_PER_ANSWER * max(1.0, (parameters_of(base) or SMOLLM2_PARAMETERS) / SMOLLM2_PARAMETERS)


def _with_a_choice(workspace: Workspace, every: Iterator[Decided]) -> Iterator[Decided]:
    """The questions that two passages lie before; whether those may be trained on the run finds out."""
    rows = np.array(index_metadata(workspace.database), dtype=np.int64).reshape(-1, 3)
    counts: dict[Sight, int] = {}
    for each in every:
        sight = sight_of(workspace, each.exchange)
        if sight not in counts:
            counts[sight] = int(sight.shows_each(rows[:, 1], rows[:, 2]).sum())
        if counts[sight] > 1:
            yield each


def _like_it(workspace: Workspace, params: dict[str, Any]) -> Run | None:
    """The newest finished run here that trained the same part, and scored with the same model or not at all as this
    one."""

    def makes(told: dict[str, Any]) -> tuple[object, ...]:
        return told.get("full"), told.get("base"), bool(told.get("settings", {}).get("lsr_weight"))

    runs = (run for run in list_runs(workspace.runs) if run.kind == RETRIEVER_KIND and run.state == "done")
    alike = [run for run in runs if makes(run.params) == makes(params)]
    hardware = seen_hardware()
    return next((run for run in reversed(alike) if done_on(run, hardware)), None)


def _seconds(run: Run) -> float:
    events, _ = read_events(run.folder)
    at = {event.kind: event.at for event in events if event.kind in ("started", "ended")}
    return max(0.0, seconds_between(at.get("started", ""), at.get("ended", "")))
