"""The run that is being prepared: by which method, on what, with which values, and what that will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tui.estimates import brief_estimate, counted, estimate_rows
from tui.retriever_words import loss_words, outlook_rows

if TYPE_CHECKING:
    from core.training.estimate import Estimate
    from core.workspace import Workspace

Words = tuple[tuple[str, str], ...]
"""(value, words) of everything that can be chosen; the value is empty for the default."""

METHODS = {
    "sft": "supervised fine-tuning: a LoRA on the target's own words",
    "dpo": "on pairs: the preferred answer likelier than the other",
    "kto": "on single answers that were called good or bad",
    "retriever": "a head that turns searches toward what was accepted",
}
"""Each is also the kind of its runs."""
BY_SIZE: tuple[str, str] = ("", "by the base's size")
LOSSES = ("lsr", "contrastive")


@dataclass(slots=True)
class Choices:
    """What a person chose, method by method; what is not there is the default."""

    method: str = "sft"
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)

    def copy(self) -> Choices:
        """The same, for another thread."""
        return Choices(self.method, {method: dict(values) for method, values in self.chosen.items()})

    def get(self, name: str) -> str:
        """The choice of this name for the present method; empty for the default."""
        return self.chosen.get(self.method, {}).get(name, "")

    def set(self, name: str, value: str) -> None:
        """Choose for the present method; ``method`` itself is a choice too."""
        if name == "method":
            self.method = value
        else:
            self.chosen.setdefault(self.method, {})[name] = value

    def place(self) -> dict[str, Any]:
        """JSON values, for ``of``."""
        return {"method": self.method, "chosen": self.chosen}

    @classmethod
    def of(cls, place: Mapping[str, Any]) -> Choices:
        """From what ``place`` said; what is not of that form is left out."""
        kept = place.get("chosen")
        chosen = {
            method: {str(name): str(value) for name, value in values.items()}
            for method, values in (kept.items() if isinstance(kept, dict) else ())
            if method in METHODS and isinstance(values, dict)
        }
        return cls(place["method"] if place.get("method") in METHODS else "sft", chosen)


@dataclass(frozen=True, slots=True)
class Help:
    """Where a person goes when there is nothing to learn from."""

    screen: str
    words: str
    action: str = ""
    """Of that screen, by its name; its key is told too."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run ready to start, or why it cannot."""

    method: str
    entry: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    rows: Words = ()
    """(what, how much)."""
    warnings: tuple[str, ...] = ()
    brief: str = ""
    """All of it on one line, for when it has started."""
    datasets: Words = ()
    """By hash, newest first."""
    presets: Words = ()
    losses: Words = ()
    starts: Words = ()
    """Adapters that a run on preferences can go on from."""
    problem: str = ""
    hint: str = ""
    helps: tuple[Help, ...] = ()

    @property
    def is_ready(self) -> bool:
        return not self.problem


def prepare(workspace: Workspace, choices: Choices) -> Prepared:
    """Look at everything that a run with these choices depends on. On the reader's thread; loads no model."""
    if choices.method == "retriever":
        return _retriever(workspace, choices)
    if choices.method in ("dpo", "kto"):
        return _preferences(workspace, "dpo" if choices.method == "dpo" else "kto", choices)
    return _sft(workspace, choices)


def _sft(workspace: Workspace, choices: Choices) -> Prepared:
    from core.dataset.export import find_dataset
    from core.errors import SimuleeError
    from core.training.estimate import estimate
    from core.training.launch import SFT_ENTRY, sft_params
    from core.training.presets import PRESETS

    plan = Prepared("sft", SFT_ENTRY, datasets=_datasets(workspace), presets=_preset_words(PRESETS))
    params: dict[str, Any] = {}
    try:
        dataset = find_dataset(workspace, choices.get("dataset") or None)
        preset = choices.get("preset") or None
        params = sft_params(workspace, dataset.hash, choices.get("base") or None, preset=preset)
        found = estimate(workspace, params)
    except SimuleeError as error:
        helps = () if plan.datasets else (Help("dataset", "freezes one"),)
        return replace(plan, params=params, problem=error.message, hint=error.hint, helps=helps)
    rows = dict(estimate_rows(found))
    stale = dict(plan.datasets).get(params["dataset"], "").rpartition("·")[2]
    if stale.endswith(" newer"):
        rows["dataset"] += " ·" + stale
    return _estimated(plan, params, found, [*rows.items()])


def _preferences(workspace: Workspace, method: Literal["dpo", "kto"], choices: Choices) -> Prepared:
    from core.errors import SimuleeError, TrainingError
    from core.settings import DPO_LOSSES
    from core.store.adapters import active_adapter, list_adapters
    from core.training.estimate import preference_estimate
    from core.training.preferences.launch import BARE, ENTRIES, preference_params
    from core.training.preferences.presets import PRESETS

    active = active_adapter(workspace.database)
    twins = f"the twin's: {active.name if active else 'the bare base, it has none'}"
    adapters = [(each.name, f"{each.name} · {each.base}") for each in reversed(list_adapters(workspace.database))]
    own = f"as persona.toml has it: {workspace.settings.training.dpo.loss}"
    plan = Prepared(
        method,
        ENTRIES[method],
        presets=_preset_words(PRESETS),
        losses=(("", own), *((name, name) for name in DPO_LOSSES)) if method == "dpo" else (),
        starts=(("", twins), *adapters, (BARE, "no adapter: the bare base")),
    )
    params: dict[str, Any] = {}
    try:
        params = preference_params(
            workspace, method, start_from=choices.get("from") or None, preset=choices.get("preset") or None,
            settings={"loss": choices.get("loss") or None},
        )  # fmt: skip
        found = preference_estimate(workspace, method, params)
    except SimuleeError as error:
        helps: tuple[Help, ...] = ()
        if isinstance(error, TrainingError) and not params:
            helps = (
                Help("chat", "correct or compare answers, or call them good or bad"),
                Help("review", "decide the pairs that wait"),
            )
        return replace(plan, problem=error.message, hint=error.hint, helps=helps)
    return _estimated(plan, params, found, estimate_rows(found))


def _retriever(workspace: Workspace, choices: Choices) -> Prepared:
    from core.errors import SimuleeError, TrainingError
    from core.training.retriever.launch import RETRIEVER_ENTRY, retriever_params
    from core.training.retriever.outlook import outlook

    own = workspace.settings.retriever
    usual = " + ".join(name for name in LOSSES if getattr(own, f"{name}_weight"))
    alone = [(name, f"{loss_words(float(name == 'lsr'), float(name == 'contrastive'))}, alone") for name in LOSSES]
    plan = Prepared("retriever", RETRIEVER_ENTRY, losses=(("", f"as persona.toml has it: {usual}"), *alone))
    weights: dict[str, Any] = {}
    if (only := choices.get("loss")) in LOSSES:
        weights = {f"{name}_weight": 0.0 for name in LOSSES}
        weights[f"{only}_weight"] = getattr(own, f"{only}_weight") or 1.0
    try:
        params = retriever_params(workspace, base=choices.get("base") or None, **weights)
        found = outlook(workspace, params)
    except SimuleeError as error:
        if not isinstance(error, TrainingError):
            helps = Help("import", "embeds the passages", "embed")
        elif weights.get("lsr_weight", own.lsr_weight):
            helps = Help("import", "more of what the target wrote, and an interview that is later")
        else:
            helps = Help("review", "accept the memories that answer well")
        loss = loss_words(*(weights.get(f"{name}_weight", getattr(own, f"{name}_weight")) for name in LOSSES))
        rows = (("loss", loss),)
        return replace(plan, rows=rows, problem=error.message, hint=error.hint, helps=(helps,))
    return replace(
        plan,
        params=params,
        rows=tuple(outlook_rows(found)),
        warnings=found.warnings,
        brief=f"{counted(sum(found.questions.values()), 'question')}, {counted(found.pace.steps, 'step')} at the most",
    )


def _estimated(plan: Prepared, params: dict[str, Any], found: Estimate, rows: Sequence[tuple[str, str]]) -> Prepared:
    return replace(plan, params=params, rows=tuple(rows), warnings=found.warnings, brief=brief_estimate(found))


def _datasets(workspace: Workspace) -> Words:
    from core.store.datasets import list_datasets, newer_decisions, split_sizes

    database = workspace.database
    datasets = []
    for row in reversed(list_datasets(database)):
        sizes = split_sizes(database, row.id)
        train = sizes["train"].examples if "train" in sizes else 0
        memories = "with memories" if row.settings.get("memories") else "without memories"
        newer = newer_decisions(database, row)
        stale = f" · {newer} decision{' is' if newer == 1 else 's are'} newer" if newer else ""
        datasets.append((row.hash, f"ds{row.id} · {train} samples {memories}{stale}"))
    return tuple(datasets)


def _preset_words(presets: Mapping[str, Any]) -> Words:
    words = [
        f"{preset.name} · learning rate {preset.learning_rate:g} · epochs {preset.epochs:g} · {preset.batch} a step"
        for preset in presets.values()
    ]
    return (BY_SIZE, *zip(presets, words, strict=True))
