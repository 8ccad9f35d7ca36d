"""What went into an adapter, and whether its owner may still hand it on: the sources behind what it was trained on.

Only sources cleared for training go into a dataset, or are behind a judgement that is trained on. What changes later (a
source is removed, or cleared for less) cannot be taken out of trained weights: the adapter is tainted, and stays so
until it is trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from core.adapters.preferences import Learned, learned_by
from core.dataset.leaks import ngrams
from core.store.adapters import AdapterRow, datasets_behind
from core.store.datasets import examples_of
from core.store.origins import OwnerRow, gone, origins, sources_of
from core.store.texts import recall_only_texts
from core.workspace import Workspace

UNKNOWN = "the dataset it was trained on is not in the workspace"


@dataclass(frozen=True, slots=True)
class Origin:
    """One source, and what of it was trained on."""

    name: str
    """Of its file: the path is this machine's own business."""
    use: str
    """What it may be used for now; it went in as ``train``."""
    exchanges: int
    memories: int
    private: int
    """Of these, those from what was written or said in private."""
    preferences: int = 0
    """Judgements on answers that rest on it."""


@dataclass(frozen=True, slots=True)
class Taint:
    """What went in, and what speaks against handing it on."""

    known: bool
    """Whether every dataset and every judgement behind it is still here to be looked at."""
    origins: tuple[Origin, ...]
    gone_exchanges: int
    """Trained on, and not in the workspace any more: their source was removed, or says something else now."""
    gone_memories: int
    """Shown, and not in the workspace any more: removed with their passages, whatever took those."""
    private_runs: int
    """Runs of words in the trained answers that recall-only texts hold too; -1 when there was nothing to look at."""
    run_words: int
    """How many words such a run has."""
    lost_dataset: bool = False
    """Whether a dataset behind it is not in the workspace."""
    gone_preferences: int = 0
    """Judgements that rest on what is not in the workspace any more."""
    unknown_preferences: int = 0
    """Judgements that are not in the workspace, or of which nobody can tell what they rest on."""

    @property
    def private(self) -> int:
        """How many answers, memories and judgements come from what was written or said in private."""
        return sum(each.private for each in self.origins)

    def reasons(self, quoted: Callable[[str], str] = str) -> list[str]:
        """Why it must not be handed on, a line each; ``quoted`` makes a source's name safe to show."""
        lines = [UNKNOWN if self.origins else f"{UNKNOWN}, so nothing can be shown"] if self.lost_dataset else []
        for each in self.origins:
            if each.use != "train":
                lines.append(f"{quoted(each.name)} went in and is not cleared for training any more: {each.use}")
        if self.gone_exchanges:
            lines.append(
                f"{counted(self.gone_exchanges, 'answer')} that it was trained on {_gone(self.gone_exchanges)}"
            )
        if self.gone_memories:
            lines.append(f"{counted(self.gone_memories, 'memory')} that it was shown {_gone(self.gone_memories)}")
        if self.gone_preferences:
            lines.append(
                f"{counted(self.gone_preferences, 'preference')} that it was trained on"
                f" {'rests' if self.gone_preferences == 1 else 'rest'} on what is not in the workspace any more"
            )
        if self.unknown_preferences:
            lines.append(
                f"of {counted(self.unknown_preferences, 'preference')} that it was trained on nobody can tell what"
                f" {'it rests' if self.unknown_preferences == 1 else 'they rest'} on"
            )
        if self.private_runs > 0:
            lines.append(
                f"{self.private_runs} runs of {self.run_words} words in its answers stand in recall-only texts too"
            )
        return lines


def taint_of(workspace: Workspace, adapter: AdapterRow) -> Taint:
    """Look at what an adapter was trained on as it stands now."""
    words = workspace.settings.privacy.verbatim_words
    database = workspace.database
    datasets, known = datasets_behind(database, adapter)
    learned, missing = learned_by(workspace, adapter)
    told = [each for each in learned if each.owners is not None]
    found, lost = _origins(workspace, datasets, told)
    unknown = missing + len(learned) - len(told)
    return Taint(
        known and not unknown,
        found,
        *gone(database, datasets),
        _private_runs(workspace, datasets, learned, words) if datasets or learned else -1,
        words,
        not known,
        lost,
        unknown,
    )


def _origins(workspace: Workspace, datasets: Sequence[int], told: Sequence[Learned]) -> tuple[tuple[Origin, ...], int]:
    """Every source behind datasets and judgements, and how many of these rest on what is gone."""
    found = {
        row.source_id: Origin(Path(row.location).name, row.use, row.exchanges, row.memories, row.private)
        for row in origins(workspace.database, datasets)
    }
    sources: dict[str, list[OwnerRow]] = {}
    for row in sources_of(workspace.database, {uid for each in told for uid in each.owners or ()}):
        sources.setdefault(row.uid, []).append(row)
    lost = 0
    for each in told:
        owners = each.owners or ()
        lost += any(uid not in sources for uid in owners)
        behind = [row for uid in owners for row in sources.get(uid, ())]
        for source_id in {row.source_id for row in behind}:
            of_it = [row for row in behind if row.source_id == source_id]
            known = found.get(source_id, Origin(Path(of_it[0].location).name, of_it[0].use, 0, 0, 0))
            private = known.private + any(row.private for row in of_it)
            found[source_id] = replace(known, private=private, preferences=known.preferences + 1)
    return tuple(found[source_id] for source_id in sorted(found)), lost


def _private_runs(workspace: Workspace, datasets: Sequence[int], learned: Iterable[Learned], words: int) -> int:
    """How many runs of so many words the trained answers share with texts that may only be recalled."""
    trained = set()
    for example in chain.from_iterable(examples_of(workspace.database, each, "train") for each in datasets):
        for message in example.messages:
            if message.get("trained"):
                trained |= ngrams(message["content"][message.get("head", 0) :], words)
    for text in chain.from_iterable(each.texts for each in learned):
        trained |= ngrams(text, words)
    shared = set()
    for text in recall_only_texts(workspace.database):
        shared |= trained & ngrams(text, words)
    return len(shared)


def counted(count: int, noun: str) -> str:
    """So many of a thing: ``1 answer``, ``2 memories``."""
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def _gone(count: int) -> str:
    return f"{'is' if count == 1 else 'are'} not in the workspace any more"
