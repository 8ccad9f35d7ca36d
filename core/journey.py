"""The whole journey, stage after stage, on the sample (``demo``) or on one's own words (``go``).

Each stage does only what is missing, so a journey that was interrupted is taken up by running it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.corpus import importing
from core.corpus.importing import Request
from core.dataset.build import BuiltDataset, build
from core.errors import DatasetError, ImportFailed, UsageError
from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND
from core.retrieval.launch import EMBED_ENTRY, EMBED_KIND, QUESTIONS_ENTRY, QUESTIONS_KIND
from core.review.queue import decide_by_threshold
from core.review.queue import stats as review_stats
from core.runs.control import run_to_end
from core.runs.journal import Event, list_runs
from core.sample import CONTROL, QUESTION, SETTINGS, TARGET, sample_folder
from core.store.adapters import list_adapters
from core.store.conversations import trainable_conversations
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace

STAGES = ("import", "embed", "recall", "review", "dataset", "train", "evaluate", "chat")
EMBED = (EMBED_KIND, EMBED_ENTRY)
QUESTIONS = (QUESTIONS_KIND, QUESTIONS_ENTRY)
RECALL = ("recall", "core.recall.run:run")

QUICK_STEPS = 20
QUICK_RECALLED = 30
"""Questions that the quick demo recalls memories for, the earliest."""
QUICK_QUESTIONS = 4
"""Held-out questions of each interview that the quick demo scores."""

Watch = Callable[[str, Event], None]
"""Told of every event of every stage, with the stage's name."""


@dataclass(slots=True)
class Journey:
    """What the stages did so far: each with its seconds and one line of what came of it."""

    workspace: Workspace
    watch: Watch
    stages: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what is put under ``detail`` is shown beside it."""
        self.watch(name, Event(0, "", "stage", {}))
        began = time.monotonic()
        row: dict[str, Any] = {"name": name, "seconds": 0.0, "detail": ""}
        yield row
        row["seconds"] = round(time.monotonic() - began, 1)
        self.stages.append(row)
        self.watch(name, Event(0, "", "stage_done", row))

    def work(self, name: str, workspace: Workspace, kind: str, entry: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run one stage's detached work to its end; one that is running or stopped half-way goes on."""
        same = [
            run.id
            for run in list_runs(workspace.runs)
            if run.kind == kind and run.params == params and run.state != "done"
        ]
        return run_to_end(
            workspace, kind, entry, params, lambda event: self.watch(name, event), same[-1] if same else None
        )

    def import_files(self, workspace: Workspace, name: str, requests: list[Request], **options: Any) -> None:
        with self.stage(name) as row:
            params = {"sources": [asdict(request) for request in requests], **options}
            sources = self.work(name, workspace, importing.KIND, importing.ENTRY, params)["sources"]
            totals = {
                key: sum(source[key] for source in sources) for key in ("documents", "conversations", "exchanges")
            }
            row["detail"] = ", ".join(f"{count} {key}" for key, count in totals.items())
            row["issues"] = [issue for source in sources for issue in source["issues"]]

    def embed(self, workspace: Workspace, name: str = "embed") -> None:
        with self.stage(name) as row:
            done = self.work(name, workspace, *EMBED, {})
            row["detail"] = f"{done['chunks']} passages, {done['embedded']} embedded"

    def recall(self, workspace: Workspace, name: str = "recall", limit: int | None = None) -> None:
        with self.stage(name) as row:
            done = self.work(name, workspace, *RECALL, {"limit": limit} if limit else {})
            row["detail"] = f"{done['candidates']} candidate memories for {done['recalled']} questions"

    def review_by_rule(self, workspace: Workspace, name: str = "review") -> None:
        with self.stage(name) as row:
            decide_by_threshold(workspace.database, workspace.settings.recall.threshold)
            counts = review_stats(workspace.database)
            row["detail"] = (
                f"{counts.accepted} accepted, {counts.rejected} rejected, by rule; precision unknown: no blind sample"
            )

    def dataset(self, workspace: Workspace, name: str = "dataset", memories: bool = True) -> BuiltDataset:
        with self.stage(name) as row:
            built = build(workspace, memories=memories)
            row["detail"] = f"{built.examples} samples, {built.trained_tokens} trained tokens"
        return built

    def train(
        self, workspace: Workspace, name: str, dataset: BuiltDataset, use: bool, max_steps: int | None
    ) -> dict[str, Any]:
        """Train on a dataset, unless an adapter of the same request is there."""
        with self.stage(name) as row:
            params = sft_params(workspace, dataset.hash, max_steps=max_steps, use=use)
            finished = {run.id for run in list_runs(workspace.runs) if run.params == params and run.state == "done"}
            known = [each for each in list_adapters(workspace.database) if each.run_id in finished]
            if known:
                row["detail"] = f"{known[-1].name} is there already"
                return {"adapter": known[-1].name}
            done = self.work(name, workspace, SFT_KIND, SFT_ENTRY, params)
            row["detail"] = f"{done['adapter']}: {done['steps']} steps, {done['tokens_per_second']} tokens/s"
        return done

    def evaluate(self, workspace: Workspace, params: dict[str, Any]) -> dict[str, Any]:
        with self.stage("evaluate") as row:
            done = self.work("evaluate", workspace, EVALUATE_KIND, EVALUATE_ENTRY, params)
            scorecard: dict[str, Any] = done["scorecard"]
            row["detail"] = f"{len(scorecard['systems'])} systems on {len(scorecard['interviews'])} interviews"
        return scorecard

    def ask(self, workspace: Workspace, question: str, variants: dict[str, tuple[str | None, bool]]) -> dict[str, str]:
        """The same question to several twins: name → (adapter, memories)."""
        # Imported here: it needs torch, and a journey that stops before it does not.
        from core.twin.chat import Answer, ChatOptions, Twin
        from core.twin.speech import Manner

        answers = {}
        with self.stage("chat") as row:
            for name, (adapter, memories) in variants.items():
                twin = Twin(
                    workspace, ChatOptions(adapter, memories, manner=Manner(max_tokens=120, temperature=0.7, seed=1))
                )
                try:
                    answers[name] = next(each.text for each in twin.answer(question) if isinstance(each, Answer))
                finally:
                    twin.close()
            row["detail"] = f"{len(answers)} answers to one question"
        return answers


def sample_requests(folder: Path) -> dict[str, list[Request]]:
    """The sample's files by what they may be used for."""
    ada, rex = folder / "ada", folder / "rex"
    train = [ada / "vault", ada / "soundings.xml", ada / "columns.jsonl", ada / "winter-ledger.zip"]
    train += sorted((ada / "interviews").iterdir())
    recall = [ada / "journal.json", ada / "profile.txt", ada / "chat-harbor-supper.txt"]
    return {
        "train": _settle(train),
        "recall": _settle(recall, {"profile.txt": "profile"}),
        "control": _settle(sorted((rex / "interviews").iterdir())),
    }


def _settle(paths: Iterable[Path], named: dict[str, str] | None = None) -> list[Request]:
    requests = []
    for path in paths:
        choices, _ = importing.plan([path], (named or {}).get(path.name))
        requests += [
            Request(str(choice.source.path), choice.importer.name, choice.match.confidence) for choice in choices
        ]
    return requests


def demo(root: Path, quick: bool, watch: Watch) -> dict[str, Any]:
    """The journey on the sample target, offline, in the workspace ``root``; its control person beside it.

    ``quick`` recalls for fewer questions, trains for fewer steps, leaves out the systems that need further training,
    and scores fewer questions.
    """
    requests = sample_requests(sample_folder())
    workspace = _open_or_create(root, TARGET, SETTINGS)
    journey = Journey(workspace, watch)
    journey.import_files(workspace, "import", requests["train"], use="train")
    journey.import_files(workspace, "import private", requests["recall"], use="recall", include_private=True)
    journey.embed(workspace)
    journey.recall(workspace, limit=QUICK_RECALLED if quick else None)
    journey.review_by_rule(workspace)
    # The one with memories is built last: it is the newest, which later commands take.
    plain = None if quick else journey.dataset(workspace, "dataset without memories", memories=False)
    dataset = journey.dataset(workspace)
    twin = journey.train(workspace, "train", dataset, True, QUICK_STEPS if quick else None)
    params: dict[str, Any] = {"adapter": twin["adapter"], "systems": None, "limit": None, "control": None}
    if plain is None:
        params |= {"systems": ["b0", "b2", "b4"], "limit": QUICK_QUESTIONS}
    else:
        journey.train(workspace, "train without memories", plain, False, None)
        params["control"] = str(_train_control(journey, root / "control", requests["control"]).root)
    scorecard = journey.evaluate(workspace, params)
    answers = journey.ask(
        workspace, QUESTION, {"b0": ("base", False), "b2": ("base", True), "b4": (twin["adapter"], True)}
    )
    return {
        "workspace": str(root),
        "quick": quick,
        "stages": journey.stages,
        "scorecard": scorecard,
        "question": QUESTION,
        "answers": answers,
    }


def _train_control(journey: Journey, root: Path, requests: list[Request]) -> Workspace:
    """The control person's own workspace and adapter: the same steps, nothing held out."""
    control = _open_or_create(root, CONTROL, {"dataset": {"heldout": 0.0}, **SETTINGS})
    journey.import_files(control, "control: import", requests, use="train")
    journey.embed(control, "control: embed")
    journey.recall(control, "control: recall")
    journey.review_by_rule(control, "control: review")
    dataset = journey.dataset(control, "control: dataset")
    journey.train(control, "control: train", dataset, True, None)
    return control


def go(workspace: Workspace, sources: list[Path], until: str | None, auto: bool, watch: Watch) -> dict[str, Any]:
    """The journey on one's own words: as far as ``until``, as the material allows, or to the review.

    Without ``auto`` it stops while memories wait for a person. What is missing for training is told, not made up.
    """
    if until is not None and until not in STAGES:
        raise UsageError(f"no stage {until!r}", f"choose one of: {', '.join(STAGES)}")
    journey = Journey(workspace, watch)
    result: dict[str, Any] = {"workspace": str(workspace.root), "stages": journey.stages, "missing": journey.missing}
    last = STAGES.index(until) if until else len(STAGES) - 1

    def reached(stage: str) -> bool:
        return STAGES.index(stage) > last

    # One's own words: a text of no other kind is taken as written by the target.
    choices, issues = importing.plan(sources, None, "writing") if sources else ([], [])
    result["issues"] = [asdict(issue) for issue in issues]
    if choices:
        requests = [
            Request(str(choice.source.path), choice.importer.name, choice.match.confidence) for choice in choices
        ]
        journey.import_files(workspace, "import", requests)
    elif sources:
        raise ImportFailed(f"nothing in {sources[0]} can be imported", "see `simulee formats`")
    if reached("embed"):
        return result
    journey.embed(workspace)
    if not trainable_conversations(workspace.database):
        journey.missing.append(
            f"{workspace.target} answers nobody in what was imported: training needs interviews or chats."
            " Search and chat work."
        )
        return result
    if reached("recall"):
        return result
    journey.recall(workspace)
    if reached("review"):
        return result
    if auto:
        journey.review_by_rule(workspace)
    elif review_stats(workspace.database).pending:
        journey.missing.append(
            f"{review_stats(workspace.database).pending} memories wait for review: simulee review, or go on with --auto"
        )
        return result
    if reached("dataset"):
        return result
    try:
        dataset = journey.dataset(workspace)
    except DatasetError as error:
        journey.missing.append(f"{error.message}: {error.hint}")
        return result
    if reached("train"):
        return result
    twin = journey.train(workspace, "train", dataset, True, None)
    if reached("evaluate"):
        return result
    try:
        result["scorecard"] = journey.evaluate(
            workspace, {"adapter": twin["adapter"], "systems": ["b0", "b2", "b4", "b4-shuffled"]}
        )
    except UsageError as error:
        journey.missing.append(f"{error.message}: {error.hint}")
    return result


def _open_or_create(root: Path, name: str, sections: Mapping[str, Mapping[str, object]]) -> Workspace:
    if (root / "persona.toml").is_file():
        workspace = Workspace.open(root)
        if workspace.target != name:
            raise UsageError(f"{root} is {workspace.target}'s workspace, not {name}'s", "choose another --dir")
        return workspace
    return Workspace.create(root, name, sections=sections)
