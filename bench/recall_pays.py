"""Whether memories pay: bits per token of the held-out answers by what the prompt remembers.

In a workspace that has run ``simulee demo`` in full (``python -m bench.recall_pays [WORKSPACE]``; without one, the demo
is run first, which takes its 20 minutes). Every row scores the same real answers in the same places; what differs is
which memories stand in the prompts, and, where said, the adapter. ``judged`` sees only the question; ``supported``
shows what a reader who knows the sample accepts (the passages that ``data/truth.json`` says an answer draws on); the
oracle adds memories one by one as long as the real answer gets likelier, which nobody can do who does not know it.
Gains are over the twin trained without memories; the last column is a gain's share of the oracle's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.retrieval import Question, holds, quoted
from core.corpus.holdout import assign_splits
from core.dataset.build import renderer_of
from core.dataset.packing import pack
from core.dataset.scenes import conversation_scene, turn_of
from core.fidelity.metrics import scored_segments
from core.fidelity.plan import weights_of
from core.journey import demo
from core.models.causal_lm import CausalLM
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Scene
from core.recall.asked import Asked
from core.recall.load import as_of, load_recollector, recallable_words
from core.recall.recollect import Recollection
from core.scoring.bootstrap import ClusterRatio
from core.scoring.likelihood import Likelihood
from core.store.conversations import ExchangeRow, exchanges_of, trainable_conversations
from core.workspace import Workspace

CANDIDATES = 5
"""Passages retrieved for a question (RAFT)."""
JUDGED = 2
"""Of which the demo, which must end soon on a CPU, has the first retold and judged."""
Shown = dict[str, tuple[Recollection, ...]]
"""Exchange uid → what its prompt remembers."""


@dataclass(frozen=True, slots=True)
class Held:
    """A held-out conversation: its exchanges in the stretches in which they are scored."""

    scene: Scene
    stretches: tuple[tuple[ExchangeRow, ...], ...]


class Ladder:
    """The held-out interviews of a workspace, scored under one adapter after another."""

    def __init__(self, workspace: Workspace) -> None:
        weights = weights_of(workspace, {})
        if weights.memories is None or weights.plain is None:
            sys.exit("this workspace has no adapters with and without memories: run simulee demo in full")
        self.workspace = workspace
        self.model = CausalLM(weights.memories.base)
        self.renderer: Renderer = renderer_of(workspace, weights.memories.base)
        self.likelihood = Likelihood(self.model, workspace.database)
        recollector, _ = load_recollector(workspace, self.model)
        splits = assign_splits(workspace)
        accept = recallable_words(workspace)
        self.candidates: Shown = {}
        self.held: list[Held] = []
        for row in trainable_conversations(workspace.database):
            if splits[row.uid] != "heldout":
                continue
            exchanges = [each for each in exchanges_of(workspace.database, row.id) if each.question]
            for each in exchanges:
                asked = Asked(each.question, each.asker, as_of(each), row.id)
                self.candidates[each.uid] = recollector.recollect(asked, accept).memories
            scene = conversation_scene(workspace.settings, workspace.target, row, exchanges)
            judged = [_turn(each, first(self.candidates[each.uid])) for each in exchanges]
            stretches, _ = pack(self.renderer, scene, judged, workspace.settings.dataset.max_tokens)
            self.held.append(Held(scene, tuple(tuple(exchanges[s.first : s.stop]) for s in stretches)))
        recollector.close()
        for name, adapter in (("memories", weights.memories), ("plain", weights.plain)):
            self.model.load_adapter(name, workspace.root / adapter.path, adapter.hash)

    def bits(self, adapter: str, shown: Shown) -> ClusterRatio:
        """Bits and tokens of the real answers, per interview."""
        self.model.use(adapter)
        rows = []
        for held in self.held:
            bits = tokens = 0.0
            for stretch in held.stretches:
                turns = [_turn(each, shown.get(each.uid, ())) for each in stretch]
                for score in self.likelihood.score([scored_segments(self.renderer, held.scene, turns)])[0].values():
                    bits, tokens = bits + score.bits, tokens + score.tokens
            rows.append((bits, tokens))
        return ClusterRatio.of(rows)

    def oracle(self) -> Shown:
        """For each question the memories that make its real answer likeliest, added one by one while it gains."""
        self.model.use("memories")
        best: Shown = {}
        for held in self.held:
            for each in (exchange for stretch in held.stretches for exchange in stretch):
                chosen: list[Recollection] = []
                rest = list(self.candidates[each.uid])
                least = self._answer_bits(held.scene, each, [chosen])[0]
                while rest:
                    tried = self._answer_bits(held.scene, each, [[*chosen, one] for one in rest])
                    place = min(range(len(rest)), key=tried.__getitem__)
                    if tried[place] >= least:
                        break
                    least = tried[place]
                    chosen.append(rest.pop(place))
                best[each.uid] = tuple(chosen)
        return best

    def _answer_bits(self, scene: Scene, exchange: ExchangeRow, tried: Sequence[Sequence[Recollection]]) -> list[float]:
        texts = [scored_segments(self.renderer, scene, [_turn(exchange, some)]) for some in tried]
        return [score["0"].bits for score in self.likelihood.score(texts)]

    def chosen(self, choose: Callable[[str, tuple[Recollection, ...]], Sequence[Recollection]]) -> Shown:
        return {uid: tuple(choose(uid, some)) for uid, some in self.candidates.items()}


def _turn(exchange: ExchangeRow, shown: Sequence[Recollection]) -> PromptTurn:
    memories: tuple[RecalledMemory, ...] = tuple(each.remembered() for each in shown)
    return turn_of(exchange, memories)


def first(some: Sequence[Recollection], count: int = JUDGED, least: float = 0.0) -> tuple[Recollection, ...]:
    return tuple(each for each in some[:count] if each.verdict.question >= least)


def _best(some: Sequence[Recollection], count: int, least: float = 0.0) -> tuple[Recollection, ...]:
    """The ones judged best of all candidates, in the retriever's order."""
    kept = sorted(some, key=lambda each: -each.verdict.question)[:count]
    return tuple(each for each in some if each in kept and each.verdict.question >= least)


def _supported(workspace: Workspace, ladder: Ladder) -> Shown:
    asked: dict[tuple[int, str], Question] = {(each.conversation, each.text): each for each in quoted(workspace)}
    found: Shown = {}
    for row in trainable_conversations(workspace.database):
        for each in exchanges_of(workspace.database, row.id):
            question = asked.get((row.id, each.question))
            found[each.uid] = tuple(
                one
                for one in ladder.candidates.get(each.uid, ())
                if question is not None and any(holds(one.found.passage, span) for span in question.wanted)
            )
    return found


def shuffled(shown: Shown) -> Shown:
    uids = sorted(uid for uid, some in shown.items() if some)
    turned = dict(zip(uids, [*uids[1:], *uids[:1]], strict=True))
    return {uid: shown[turned[uid]] if uid in turned else () for uid in shown}


def report(workspace: Workspace) -> None:
    settings = workspace.settings
    recall = settings.recall.model_copy(update={"candidates": CANDIDATES})
    workspace.__dict__["settings"] = settings.model_copy(update={"recall": recall})
    ladder = Ladder(workspace)
    judged = ladder.chosen(lambda _, some: first(some))
    none: Shown = {}
    rows: list[tuple[str, str, Shown]] = [
        ("none, trained without memories", "plain", none),
        ("none", "memories", none),
        ("all 5 retrieved", "memories", dict(ladder.candidates)),
        ("the 2 retrieved best", "memories", ladder.chosen(lambda _, some: some[:JUDGED])),
        ("judged by question, of 2", "memories", judged),
        ("judged by question, of 3", "memories", ladder.chosen(lambda _, some: first(some, 3))),
        ("judged by question, of 5", "memories", ladder.chosen(lambda _, some: first(some, 5))),
        ("judged > 0.1 bits, of 2", "memories", ladder.chosen(lambda _, some: first(some, least=0.1))),
        ("judged best 1 of 2", "memories", ladder.chosen(lambda _, some: _best(some[:JUDGED], 1))),
        ("judged best 1 of 5", "memories", ladder.chosen(lambda _, some: _best(some, 1))),
        ("judged best 2 of 5", "memories", ladder.chosen(lambda _, some: _best(some, 2))),
        ("judged best 3 of 5", "memories", ladder.chosen(lambda _, some: _best(some, 3))),
        ("judged > 0.1 bits, of 5", "memories", ladder.chosen(lambda _, some: _best(some, 5, 0.1))),
        ("supported, of 5", "memories", _supported(workspace, ladder)),
        ("judged, of another question", "memories", shuffled(judged)),
        ("oracle, of 5", "memories", ladder.oracle()),
    ]
    scored = [(name, shown, ladder.bits(adapter, shown)) for name, adapter, shown in rows]
    base = scored[0][2]
    most = base.interval().value - scored[-1][2].interval().value
    interviews = len(ladder.held)
    heads = ["memories shown", "each", "bits/token", "gain", "per interview", "share of oracle's"]
    print(f"{heads[0]:34}{heads[1]:>6}{heads[2]:>12}{heads[3]:>8}  {heads[4]:>{8 * interviews}}{heads[5]:>19}")
    for name, shown, bits in scored:
        value = bits.interval().value
        count = sum(len(some) for some in shown.values()) / max(1, len(ladder.candidates))
        gains = base.numerator / base.denominator - bits.numerator / bits.denominator
        told = "".join(f"{float(each):8.3f}" for each in gains)
        gain = base.interval().value - value
        print(f"{name:34}{count:6.2f}{value:12.3f}{gain:8.3f}  {told}{gain / most if most else 0:19.0%}", flush=True)


def main(folder: str = "") -> None:
    if folder:
        report(Workspace.open(Path(folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "sample"
        demo(root, False, lambda _stage, _event: None)
        report(Workspace.open(root))


if __name__ == "__main__":
    main(*sys.argv[1:])
