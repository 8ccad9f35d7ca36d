"""Read scorecards: one question with every system's answer, and two scorecards side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.scoring.bootstrap import ClusterRatio, Interval
from core.store.conversations import exchanges_named
from core.store.scorecards import RETRIEVER, list_scorecards
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Scored:
    """One stored scorecard."""

    id: int
    created_at: str
    card: dict[str, Any]

    @property
    def everything(self) -> dict[str, dict[str, Any]]:
        """Systems, then controls, by name."""
        return {**self.card["systems"], **self.card.get("controls", {})}


@dataclass(frozen=True, slots=True)
class Answered:
    """What one system said to one question, and how near it came. None where it was not measured."""

    system: str
    title: str
    text: str
    """Empty for a control, whose answers are not kept."""
    rank: int | None
    """Of the true answer among the others by likeness to this one; 1 is best."""
    likeness: float | None
    """Cosine with the true answer."""
    bits_per_token: float | None
    """What the true answer costs this system."""


@dataclass(frozen=True, slots=True)
class Question:
    """One held-out question. ``question`` and ``real`` are empty when its exchange is not in the store any more."""

    place: int
    interview: int
    asker: str
    question: str
    real: str
    answers: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One system on two scorecards, in bits per token; None where one of them did not run it, and no difference where
    their bases differ: a token of one is not a token of the other."""

    system: str
    title: str
    first: Interval | None
    second: Interval | None
    difference: Interval | None
    """First minus second. A point (low and high are its value) where nothing pairs their questions."""


def scorecards(workspace: Workspace) -> list[Scored]:
    """Every scorecard, newest first."""
    return [Scored(*row) for row in reversed(list_scorecards(workspace.database))]


def questions_of(workspace: Workspace, scored: Scored) -> list[Question]:
    """The held-out questions of a scorecard with what each system answered."""
    asked = scored.card.get("questions")
    if asked is None:
        # A scorecard that does not name them still has the answers, in the order of the interviews.
        lengths = [each["exchanges"] for each in scored.card["interviews"]]
        asked = [{"exchange": "", "interview": place} for place, length in enumerate(lengths) for _ in range(length)]
    known = exchanges_named(workspace.database, [each["exchange"] for each in asked])
    found = []
    for place, each in enumerate(asked):
        exchange = known.get(each["exchange"])
        answers = tuple(_answered(name, system, place) for name, system in scored.everything.items())
        found.append(
            Question(
                place,
                each["interview"],
                exchange.asker if exchange else "",
                exchange.question if exchange else "",
                exchange.answer if exchange else "",
                answers,
            )
        )
    return found


def _answered(name: str, system: dict[str, Any], place: int) -> Answered:
    figures = system.get("per_question", {})
    bits, tokens = _at(figures.get("bits"), place), _at(figures.get("tokens"), place)
    return Answered(
        name,
        system["title"],
        _at(system.get("answers"), place) or "",
        _at(figures.get("rank"), place),
        _at(figures.get("likeness"), place),
        bits / tokens if bits is not None and tokens else None,
    )


def _at(values: list[Any] | None, place: int) -> Any:
    return values[place] if values is not None and place < len(values) else None


def compare(first: Scored, second: Scored) -> list[Compared]:
    """Each system on both; the difference is paired by interview where both asked the very same questions."""
    rows = []
    comparable = same_base(first, second)
    for name in dict.fromkeys((*first.card["systems"], *second.card["systems"])):
        ours, theirs = first.card["systems"].get(name), second.card["systems"].get(name)
        one, two = _interval(ours), _interval(theirs)
        difference = None
        if comparable and one is not None and two is not None:
            gap = one.value - two.value
            difference = _paired(first, second, name) or Interval(gap, gap, gap)
        rows.append(Compared(name, (ours or theirs or {})["title"], one, two, difference))
    return rows


def _paired(first: Scored, second: Scored, name: str) -> Interval | None:
    """The difference on the same draws of interviews, or None where the questions differ."""
    if not same_questions(first, second):
        return None
    ours, theirs = _clusters(first, name), _clusters(second, name)
    return ours.difference(theirs) if ours is not None and theirs is not None else None


def same_base(first: Scored, second: Scored) -> bool:
    """Whether two scorecards measured one base model: only then are their bits per token comparable."""
    return first.card.get("base") is not None and first.card["base"] == second.card.get("base")


def apart(first: Scored, second: Scored) -> str:
    """What sets two scorecards apart beside the adapters that they measured; empty where nothing does."""
    if not same_base(first, second):
        return "Not the same base: bits per token compare within one base model only."
    reasons = []
    if not same_questions(first, second):
        reasons.append("Not the same questions: the differences have no interval.")
    if not same_retriever(first, second):
        reasons.append("Not the same retriever: other memories are recalled.")
    return " ".join(reasons)


def same_retriever(first: Scored, second: Scored) -> bool:
    """Whether memories were found alike for two scorecards, as far as both tell."""
    cards = (first.card, second.card)
    if any(RETRIEVER not in card for card in cards):
        return True
    one, other = (card[RETRIEVER] and card[RETRIEVER]["hash"] for card in cards)
    return bool(one == other)


def same_questions(first: Scored, second: Scored) -> bool:
    """Whether two scorecards measured the very same questions."""
    return first.card.get("questions") is not None and first.card["questions"] == second.card.get("questions")


def _interval(system: dict[str, Any] | None) -> Interval | None:
    figure = system and system["metrics"].get("bits_per_token")
    return Interval(figure["value"], figure["low"], figure["high"]) if figure else None


def _clusters(scored: Scored, name: str) -> ClusterRatio | None:
    """Bits and tokens of a system per interview, from what is kept per question."""
    figures = scored.card["systems"][name].get("per_question", {})
    if "bits" not in figures or "questions" not in scored.card:
        return None
    sums = [[0.0, 0.0] for _ in scored.card["interviews"]]
    for asked, bits, tokens in zip(scored.card["questions"], figures["bits"], figures["tokens"], strict=True):
        if bits is not None:
            sums[asked["interview"]][0] += bits
            sums[asked["interview"]][1] += tokens
    return ClusterRatio.of([(bits, tokens) for bits, tokens in sums])
