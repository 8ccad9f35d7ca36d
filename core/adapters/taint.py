"""What went into an adapter, and whether its owner may still hand it on: the sources behind its training samples.

Only sources cleared for training go into a dataset. What changes later (a source is removed, or cleared for less)
cannot be taken out of trained weights: the adapter is tainted, and stays so until it is trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from core.dataset.leaks import ngrams
from core.store.adapters import AdapterRow, datasets_behind
from core.store.datasets import examples_of
from core.store.origins import gone, origins
from core.store.texts import recall_only_texts
from core.workspace import Workspace

UNKNOWN = "the dataset it was trained on is not in the workspace"


@dataclass(frozen=True, slots=True)
class Origin:
    """One source, and what of it is in the training samples."""

    name: str
    """Of its file: the path is this machine's own business."""
    use: str
    """What it may be used for now; it went in as ``train``."""
    exchanges: int
    memories: int
    private: int
    """Of these, those from what was written or said in private."""


@dataclass(frozen=True, slots=True)
class Taint:
    """What went in, and what speaks against handing it on."""

    known: bool
    """Whether every dataset behind it is still here to be looked at."""
    origins: tuple[Origin, ...]
    gone_exchanges: int
    """Trained on, and not in the workspace any more: their source was removed, or says something else now."""
    gone_memories: int
    """Shown, and not in the workspace any more: removed with their passages, whatever took those."""
    private_runs: int
    """Runs of words in the trained answers that recall-only texts hold too; -1 when there was nothing to look at."""
    run_words: int
    """How many words such a run has."""

    @property
    def private(self) -> int:
        """How many answers and memories come from what was written or said in private."""
        return sum(each.private for each in self.origins)

    def reasons(self, quoted: Callable[[str], str] = str) -> list[str]:
        """Why it must not be handed on, a line each; ``quoted`` makes a source's name safe to show."""
        lines = [] if self.known else [UNKNOWN if self.origins else f"{UNKNOWN}, so nothing can be shown"]
        for each in self.origins:
            if each.use != "train":
                lines.append(f"{quoted(each.name)} went in and is not cleared for training any more: {each.use}")
        if self.gone_exchanges:
            lines.append(
                f"{counted(self.gone_exchanges, 'answer')} that it was trained on {_gone(self.gone_exchanges)}"
            )
        if self.gone_memories:
            lines.append(f"{counted(self.gone_memories, 'memory')} that it was shown {_gone(self.gone_memories)}")
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
    if not datasets:
        return Taint(False, (), 0, 0, -1, words)
    rows = origins(database, datasets)
    found = tuple(Origin(Path(row.location).name, row.use, row.exchanges, row.memories, row.private) for row in rows)
    return Taint(known, found, *gone(database, datasets), _private_runs(workspace, datasets, words), words)


def _private_runs(workspace: Workspace, datasets: Sequence[int], words: int) -> int:
    """How many runs of so many words the trained answers share with texts that may only be recalled."""
    trained = set()
    for example in chain.from_iterable(examples_of(workspace.database, each, "train") for each in datasets):
        for message in example.messages:
            if message.get("trained"):
                trained |= ngrams(message["content"][message.get("head", 0) :], words)
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
