"""Pairs out of what is trained on: what the target really said, and what the twin says to the same prompt now.

Self-play fine-tuning (SPIN, Chen et al. 2024) trains on such pairs, the real answer always preferred. Here they go to
review like any pair, since a twin may well have said it better; ``accept`` decides them as the paper does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.adapters.bases import base_of
from core.dataset.build import renderer_of
from core.dataset.export import find_dataset
from core.errors import TrainingError
from core.models.causal_lm import CausalLM
from core.prompts.commands import is_command
from core.prompts.messages import Message
from core.prompts.render import Renderer
from core.review.decisions import Actor, Decision, append
from core.runs.job import Job
from core.store.adapters import active_adapter
from core.store.conversations import exchanges_named
from core.store.datasets import ExampleRow, examples_of
from core.store.identity import content_uid
from core.store.memories import owners_of
from core.store.pairs import list_pairs, put_pair, tell_owners
from core.training.preferences.clearance import Clearance
from core.workspace import Workspace

AT_ONCE = 8
LONGEST = 160
"""Tokens of an answer."""
TEMPERATURE = 0.7
"""As in Chat."""
RULE = Actor("rule", "what was really said")


@dataclass(frozen=True, slots=True)
class _Asked:
    question: str
    prompt: str
    real: str
    owners: tuple[str, ...] | None
    """uids of the conversation, and of what was recalled in it; None where a memory is gone."""


def run(job: Job) -> dict[str, Any]:
    """The work of a ``pairs`` run: params ``limit`` and ``accept``. What was made before is not made again.

    Raises UsageError without a dataset, TrainingError for one of logs, or Interrupted.
    """
    workspace, params = job.workspace, job.params
    adapter = active_adapter(workspace.database)
    base = base_of(workspace, adapter) if adapter else workspace.settings.models.base
    dataset = find_dataset(workspace, None)
    if dataset.settings.get("form") == "completion":
        raise TrainingError(
            f"nobody is asked anything in ds{dataset.id}: it holds logs of many speakers",
            "simulee dataset build --form chat",
        )
    renderer = renderer_of(workspace, base)
    pairs = [pair for pair in list_pairs(workspace.database) if pair.origin == "generated"]
    known, untold = {pair.prompt for pair in pairs}, {pair.prompt for pair in pairs if pair.owners is None}
    every = [
        each
        for row in examples_of(workspace.database, dataset.id, "train")
        for each in _asked_in(workspace, renderer, row)
    ]
    with workspace.database.write():
        for each in every:
            if each.prompt in untold and each.owners is not None:
                tell_owners(workspace.database, "generated", each.prompt, each.owners)
    fresh = [each for each in every if each.prompt not in known]
    # What was cleared when the dataset was frozen need not be now.
    clearance = Clearance(workspace.database)
    asked = [each for each in fresh if clearance.covers(each.owners)]
    not_cleared = len(fresh) - len(asked)
    # Over the whole dataset, and the same ones for every limit that takes them.
    asked = sorted(asked, key=lambda each: content_uid(each.prompt))[: params["limit"]]
    job.event(
        "plan", base=base, twin=adapter.name if adapter else base, dataset=dataset.id, questions=len(asked),
        not_cleared=not_cleared,
    )  # fmt: skip
    lm = CausalLM(base) if asked else None
    if lm is not None and adapter is not None:
        lm.load_adapter(adapter.name, workspace.root / adapter.path, adapter.hash)
        lm.use(adapter.name, merge=True)
    made = same = 0
    for first in range(0, len(asked), AT_ONCE):
        job.stop_point()
        job.progress(first, len(asked), "answering")
        some = asked[first : first + AT_ONCE]
        assert lm is not None
        said = lm.generate([each.prompt for each in some], LONGEST, TEMPERATURE, seed=first)
        differing = [(each, twin) for each, twin in zip(some, said, strict=True) if twin and twin != each.real]
        _put(workspace, differing, params["accept"])
        made, same = made + len(differing), same + len(some) - len(differing)
    done = {"pairs": made, "same": same, "twin": adapter.name if adapter else base}
    return done | ({"not_cleared": not_cleared} if not_cleared else {})


def _asked_in(workspace: Workspace, renderer: Renderer, row: ExampleRow) -> Iterator[_Asked]:
    """Every question of a sample, with the prompt that its answer was trained after."""
    messages = [Message.of(message) for message in row.messages]
    database = workspace.database
    known = exchanges_named(database, [part.exchange_uid for part in row.parts])
    memories = owners_of(database, [uid for part in row.parts for uid in part.memory_uids])
    owners = None if memories is None else (row.conversation_uid, *memories)
    answered = [place for place, message in enumerate(messages) if message.role == "assistant"]
    if len(answered) > len(row.parts):  # Before some answers stands how the target asked for its memories.
        answered = [place for place in answered if not is_command(messages[place].content)]
    for place, part in zip(answered, row.parts, strict=True):
        said, exchange = messages[place], known.get(part.exchange_uid)
        if said.trained and exchange is not None:
            prompt = renderer.prompt(messages[:place]) + said.content[: said.head]
            yield _Asked(exchange.question, prompt, said.content[said.head :], owners)


def _put(workspace: Workspace, fresh: list[tuple[_Asked, str]], accept: bool) -> None:
    """Store pairs; which side the real answer stands on is drawn by its words, so that review is blind."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    database = workspace.database
    with database.write():
        decisions = []
        for each, twin in fresh:
            first = int(content_uid(each.real, twin), 16) % 2 == 0
            left, right = (each.real, twin) if first else (twin, each.real)
            uid = put_pair(database, each.question, each.prompt, left, right, "generated", None, at, each.owners)
            decisions.append(Decision(uid, "accept", text="left" if first else "right", card_kind="pair"))
        if accept and decisions:
            append(database, RULE, decisions)
