"""The blind sample, and the only way by which a rule may decide for a person: with a precision measured on it.

Memories are drawn at random from all that wait, and the person decides on them without seeing what judge or model say.
Nothing is learned from them, so what they measure is measured out of sample, of whatever model comes later.

A rule at threshold T needs ``FEWEST_REACHING`` blind verdicts on memories that reach T. With fewer, even a sample
without a fault leaves the precision's 95% interval below 0.89, and one with three faults in thirty below 0.75: nothing
that one could rely on would be stated. Who tries many thresholds and takes the one that looks best reads more into a
sample than is in it: a fresh draw tells.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from core.errors import UsageError
from core.review.decisions import decide_by_rule
from core.review.queue import by_score
from core.review.shares import Share
from core.store import blind_draws as store
from core.store.blind_draws import DrawnRow
from core.store.database import Database
from core.store.identity import content_uid
from core.store.learned import find_learned, question_bits
from core.store.memories import pending_memories
from core.workspace import Workspace

FEWEST_REACHING = 30


@dataclass(frozen=True, slots=True)
class BlindSample:
    """What was drawn for a person, and how far they came."""

    drawn: int
    decided: int
    accepted: int
    waiting: int
    """Not decided on by anybody yet."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule at a threshold would have done to the blind sample."""

    precision: Share
    """Of those that reach the threshold, the ones that the person accepted."""
    kept: Share
    """Of those that the person accepted, the ones that reach the threshold."""
    undecided: int
    """Drawn and left without a verdict: if these were left for a reason, the figures are off."""
    later: int
    """Memories that wait and came after the last draw: the sample says nothing of them."""


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What a rule did, and what it is known to be worth."""

    rule: str
    by: str
    """``model`` or ``judge``."""
    threshold: float
    accepted: int
    rejected: int
    measured: Measured


def draw(db: Database, actor: str, count: int) -> int:
    """Draw memories that wait for a person's blind sample. Returns how many: fewer where fewer wait.

    The draw is seeded by the person's name and how many were drawn before. Raises UsageError when nothing waits.
    """
    with db.write():
        waiting = store.undrawn_pending(db, actor)
        if not waiting:
            raise UsageError("no memory waits that was not drawn already", "simulee recall writes more")
        chance = random.Random(content_uid("blind sample", actor, store.count_draws(db, actor)))  # noqa: S311
        uids = [uid for _, uid in chance.sample(waiting, min(count, len(waiting)))]
        store.add_draws(db, actor, uids, datetime.now(UTC).isoformat(timespec="milliseconds"))
    return len(uids)


def withdraw(db: Database, actor: str) -> int:
    """Give up the draws that wait. Returns how many."""
    with db.write():
        return store.remove_waiting_draws(db, actor)


def blind_sample(db: Database, actor: str) -> BlindSample:
    """How a person's blind sample stands."""
    rows = store.drawn(db, actor)
    return BlindSample(
        len(rows),
        sum(row.counts for row in rows),
        sum(row.counts and row.state == "accepted" for row in rows),
        sum(row.state == "pending" for row in rows),
    )


def decide_by_measured_rule(workspace: Workspace, actor: str, threshold: float) -> RuleReport:
    """Accept each memory that waits and reaches the threshold, reject the others, as a rule by name.

    The threshold is a chance by the model learned from the person where there is one, else the judge's bits. Raises
    UsageError where the person's blind sample does not state its precision.
    """
    database = workspace.database
    found = find_learned(database, actor)
    if found is None:
        by, rule = "judge", f"question-likelihood>={threshold:g}"
    elif not 0 < threshold <= 1:
        raise UsageError(
            f"{threshold:g} is no chance: a model has been learned from {actor}'s decisions, and T is its",
            "name a T above 0 and up to 1, such as 0.8",
        )
    else:
        by, rule = "model", f"learned-from-{actor}>={threshold:g}"
    scores: Mapping[int, float]
    waiting = [row.memory.id for row in pending_memories(database) if row.state == "pending"]
    drawn = store.drawn(database, actor)
    scores = found.chance_of if found else question_bits(database, [*waiting, *(row.memory_id for row in drawn)])
    measured = measure(drawn, scores, threshold, waiting)
    if measured.precision.count < FEWEST_REACHING:
        raise _unmeasured(measured, drawn, scores, threshold, waiting, by)

    decisions = decide_by_rule(
        database, rule, lambda: by_score(database, lambda row: scores.get(row.memory.id), threshold)
    )
    accepted = sum(decision.verb == "accept" for decision in decisions)
    return RuleReport(rule, by, threshold, accepted, len(decisions) - accepted, measured)


def measure(drawn: list[DrawnRow], scores: Mapping[int, float], threshold: float, waiting: list[int]) -> Measured:
    """Hold a rule against the blind verdicts."""
    verdicts = [(scores.get(row.memory_id, -1e9) >= threshold, row.state == "accepted") for row in drawn if row.counts]
    newest = max((row.newest_memory for row in drawn), default=0)
    return Measured(
        Share(sum(accepted for reaches, accepted in verdicts if reaches), sum(reaches for reaches, _ in verdicts)),
        Share(sum(reaches for reaches, accepted in verdicts if accepted), sum(accepted for _, accepted in verdicts)),
        len(drawn) - len(verdicts),
        sum(memory > newest for memory in waiting),
    )


def _unmeasured(
    measured: Measured,
    drawn: list[DrawnRow],
    scores: Mapping[int, float],
    threshold: float,
    waiting: list[int],
    by: str,
) -> UsageError:
    """Say how many verdicts are missing, and how to come by them."""
    if not waiting:
        return UsageError("no memory waits for a decision", "simulee recall writes more")
    have = measured.precision.count
    message = (
        f"the precision at {threshold:g} (by the {by}) is not known: {have} blind"
        f" verdict{'' if have == 1 else 's'} on memories that reach it, {FEWEST_REACHING} are needed"
    )
    open_draws = sum(row.state == "pending" for row in drawn)
    reaching = sum(scores.get(memory, -1e9) >= threshold for memory in waiting)
    if open_draws:
        return UsageError(message, f"decide on the {open_draws} that are drawn: simulee review --next {open_draws}")
    if reaching < FEWEST_REACHING - have:
        return UsageError(message, f"only {reaching} that wait reach it: decide on them yourself, simulee review")
    more = ceil((FEWEST_REACHING - have) * len(waiting) / reaching)
    return UsageError(message, f"simulee review --blind {min(more + 5, len(waiting))} draws what is likely enough")
