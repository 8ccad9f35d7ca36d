"""From a workspace's settings to what recalls: retrieval, writer and judge, and which passages they may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core.models.kept_vectors import KeptVectors
from core.models.roles import check_role, embedder_of
from core.recall.judge import Judge
from core.recall.nearness import NearnessJudge
from core.recall.recollect import Recollector
from core.recall.retell import ExtractiveWriter, Writer
from core.retrieval.search import Searcher
from core.settings import RoleSettings, Settings, role_settings
from core.store.chunks import Passage
from core.store.conversations import ExchangeRow
from core.store.documents import own_words_exist
from core.store.identity import content_uid
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.calls.caller import Caller
    from core.models.causal_lm import CausalLM


def with_engines(settings: Settings, engines: Mapping[str, str]) -> Settings:
    """Settings in which writer or judge run on other engines: ``{"writer": "llama.cpp"}``. Raises SettingsError.

    A role whose settings name no model takes the persona's.
    """
    roles: dict[str, RoleSettings] = {}
    for role, engine in engines.items():
        chosen: RoleSettings = getattr(settings.models, role)
        model = chosen.model or ("" if engine == "extractive" else settings.models.base)
        roles[role] = role_settings(role, {**chosen.model_dump(), "engine": engine, "model": model})
    return settings.model_copy(update={"models": settings.models.model_copy(update=roles)})


def load_recollector(
    workspace: Workspace,
    model: CausalLM | None = None,
    run: str = "",
    settings: Settings | None = None,
    live: bool = False,
) -> tuple[Recollector, str]:
    """Retrieval, writer and judge as the workspace's settings name them, and the identity of the three together.

    ``model`` is the judge's base where it is loaded already, ``run`` whose calls these are, ``settings`` what holds
    instead of the workspace's. ``live`` is how the twin recalls when it talks, and when it is measured.

    Raises ModelError.
    """
    how = settings.retrieval if settings else None
    settings = settings or workspace.settings
    for role in ("writer", "judge"):
        check_role(role, getattr(settings.models, role))
    searcher = Searcher(workspace, lambda: KeptVectors(embedder_of(settings)), how)
    callers: list[Caller] = []
    writer = _writer(workspace, settings, searcher, run, callers)
    judge: Judge
    if live and settings.twin.judgement == "nearness":
        judge = NearnessJudge(searcher.embedder, settings.twin.nearness)
    else:
        judge = _judge(workspace, settings, model, run, callers)
    identity = content_uid(writer.identity, judge.identity, settings.recall.candidates)
    return Recollector(settings, searcher, writer, judge, callers), identity


def _writer(workspace: Workspace, settings: Settings, searcher: Searcher, run: str, callers: list[Caller]) -> Writer:
    if settings.models.writer.engine == "extractive":
        return ExtractiveWriter(searcher.embedder, settings.recall.sentences)
    # Imported here: neither is needed where nothing is asked of a model.
    from core.calls.caller import open_caller
    from core.recall.model_writer import ModelWriter

    callers.append(open_caller(workspace, "writer", run=run, settings=settings.models.writer))
    return ModelWriter(callers[-1], workspace.target, workspace.root / "prompts")


def _judge(workspace: Workspace, settings: Settings, model: CausalLM | None, run: str, callers: list[Caller]) -> Judge:
    if settings.judges_by_likelihood:
        from core.models.causal_lm import CausalLM
        from core.recall.judge import LikelihoodJudge

        return LikelihoodJudge(
            model or CausalLM(settings.models.judge.model),
            workspace.target,
            settings.recall.answer_tokens,
            workspace.database,
        )
    from core.calls.caller import open_caller
    from core.recall.model_judge import ModelJudge

    callers.append(open_caller(workspace, "judge", run=run, settings=settings.models.judge))
    return ModelJudge(callers[-1], workspace.target, workspace.root / "prompts", settings.recall.second_opinion)


def training_words(workspace: Workspace) -> Callable[[Passage], bool]:
    """Passages that may stand in a training sample: cleared for training, and the target's own words.

    What others wrote about the target is used only where there is nothing of their own.
    """
    own = own_words_exist(workspace.database)
    return lambda passage: passage.use == "train" and (passage.kind != "profile" or not own)


def recallable_words(workspace: Workspace) -> Callable[[Passage], bool]:
    """Passages that the twin may recall when it talks: the same, and what is cleared for recall only."""
    own = own_words_exist(workspace.database)
    return lambda passage: passage.kind != "profile" or not own


def as_of(exchange: ExchangeRow) -> int | None:
    """The day before which passages are visible to an exchange."""
    return exchange.first_day if exchange.first_day >= 0 else None
