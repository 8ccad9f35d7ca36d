"""The held-out interviews as the systems meet them: real questions, real answers, and what the twin recalls."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.corpus.holdout import assign_splits
from core.dataset.packing import Stretch, pack
from core.dataset.scenes import conversation_scene, turn_of
from core.dates import UNDATED_DAY
from core.errors import UsageError
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Scene
from core.recall.asked import Asked
from core.recall.load import as_of, recallable_words
from core.recall.recollect import Recollector
from core.runs.job import Job
from core.store.conversations import ConversationRow, ExchangeRow, exchanges_of, trainable_conversations
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Item:
    """One held-out exchange with the memories that the twin recalls for its question."""

    exchange: ExchangeRow
    memories: tuple[RecalledMemory, ...]
    shuffled: tuple[RecalledMemory, ...]
    """Those of another held-out question; none where no other question's could be remembered by then."""


@dataclass(frozen=True, slots=True)
class Interview:
    """One held-out conversation. ``stretches`` pack it with memories; every system is scored on the same ones."""

    conversation: ConversationRow
    scene: Scene
    items: tuple[Item, ...]
    stretches: tuple[Stretch, ...]


def load_interviews(job: Job, renderer: Renderer, recollector: Recollector, limit: int | None) -> list[Interview]:
    """Every held-out conversation, with recall by question alone. Raises UsageError when nothing is held out.

    ``limit`` keeps the first exchanges of each interview. Raises CallFailed where a model gives no memory: what it has
    given is cached, so that measuring again goes on there.
    """
    workspace = job.workspace
    splits = assign_splits(workspace)
    held = [row for row in trainable_conversations(workspace.database) if splits[row.uid] == "heldout"]
    if not held:
        raise UsageError(
            "no conversation is held out, so there is nothing to measure against",
            "import at least four dated interviews, or name one: simulee dataset build --heldout ID",
        )
    accept = recallable_words(workspace)
    chosen = [
        (row, [e for e in exchanges_of(workspace.database, row.id) if e.question][: limit or None]) for row in held
    ]
    total = sum(len(exchanges) for _, exchanges in chosen)
    recalled: dict[str, tuple[RecalledMemory, ...]] = {}
    latest: dict[str, int] = {}
    for row, exchanges in chosen:
        for exchange in exchanges:
            job.stop_point()
            asked = Asked(exchange.question, exchange.asker, as_of(exchange), row.id)
            found = recollector.recollect(asked, accept)
            if found.parked:
                raise found.parked[0]  # A twin without some of its memories is not the one to be measured.
            useful = recollector.useful(found.memories)
            recalled[exchange.uid] = tuple(each.remembered() for each in useful)
            latest[exchange.uid] = max((each.found.passage.chunk.last_day for each in useful), default=UNDATED_DAY)
            job.progress(len(recalled), total, "recalling for held-out questions")
    wrong = shuffle_memories(recalled, latest, {e.uid: as_of(e) for _, exchanges in chosen for e in exchanges})
    interviews = [interview_of(workspace, renderer, row, exchanges, recalled, wrong) for row, exchanges in chosen]
    measurable = [each for each in interviews if each.stretches]
    if not measurable:
        raise UsageError(
            "no held-out conversation has an answer that fits a sample", "raise [dataset] max_tokens in persona.toml"
        )
    return measurable


def shuffle_memories(
    recalled: Mapping[str, tuple[RecalledMemory, ...]],
    latest: Mapping[str, int],
    before: Mapping[str, int | None],
    seed: int = 0,
) -> dict[str, tuple[RecalledMemory, ...]]:
    """Give each question the memories of another one, by a rotation of a seeded order.

    Questions without memories stay without, so that both conditions show equally often something. ``latest`` is the
    last day that a question's memories are of, ``before`` the day that what is shown for it must precede: where the
    next one's memories do not, those of the first after it that do are taken.
    """
    uids = sorted(uid for uid, memories in recalled.items() if memories)
    random.Random(seed).shuffle(uids)  # noqa: S311 - reproducible, not secret
    moved: dict[str, tuple[RecalledMemory, ...]] = {}
    for place, uid in enumerate(uids):
        day = before[uid]
        others = (*uids[place + 1 :], *uids[:place])
        fit = (recalled[other] for other in others if day is None or latest[other] < day)
        moved[uid] = next(fit, ())
    return {uid: moved.get(uid, ()) for uid in recalled}


def interview_of(
    workspace: Workspace,
    renderer: Renderer,
    row: ConversationRow,
    exchanges: Sequence[ExchangeRow],
    recalled: dict[str, tuple[RecalledMemory, ...]],
    wrong: dict[str, tuple[RecalledMemory, ...]],
) -> Interview:
    """A held-out conversation with what is recalled for its questions, and what is shown in its place.

    What would be trained without its memories, for want of room, is measured without them too.
    """
    scene = conversation_scene(workspace.settings, workspace.target, row, list(exchanges))
    items = tuple(Item(exchange, recalled[exchange.uid], wrong[exchange.uid]) for exchange in exchanges)
    turns = [turn_of(item.exchange, item.memories) for item in items]
    stretches, _ = pack(renderer, scene, turns, workspace.settings.dataset.max_tokens)
    bare = {each.first + place for each in stretches for place, turn in enumerate(each.turns) if not turn.memories}
    items = tuple(Item(item.exchange, (), ()) if place in bare else item for place, item in enumerate(items))
    return Interview(row, scene, items, tuple(stretches))


def turns_with(item: Item, shown: str) -> PromptTurn:
    """The turn of an item under a memory condition: ``none``, ``recalled`` or ``shuffled``."""
    memories = {"none": (), "recalled": item.memories, "shuffled": item.shuffled}[shown]
    return turn_of(item.exchange, memories)
