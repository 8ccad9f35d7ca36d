"""From the turns of a conversation to exchanges: what the target was asked, and what they answered.

A pure function of the raw turns, which stay in the store, so that these settings can change without importing again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.corpus.records import Conversation, Turn
from core.dates import DateSpan

JOIN_WITHIN = timedelta(minutes=3)
"""One speaker's chat messages this close together are one utterance."""
SILENCE = timedelta(minutes=60)
"""A longer gap in a chat begins a new segment, unless a reply bridges it."""
GROUP_SILENCE = timedelta(minutes=20)
CLOCK_BACK = timedelta(hours=1)
"""A clock without a zone goes back by this in autumn: what seems up to so much earlier was said later."""
GROUP = 3
"""From this many speakers on, a conversation is a group: silences are shorter, and questions keep names."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The turns since the target's last answer, and the target's answer."""

    position: int
    """Counted from 0 within the conversation."""
    question: str
    """Empty when the target opens; in a group each line begins with who says it."""
    answer: str
    asker: str
    """The names of who asks, joined by " and "."""
    answer_turns: tuple[int, ...]
    """Positions in the conversation's turns."""
    question_turns: tuple[int, ...]
    segment: int
    """Which stretch between silences, counted from 0; always 0 outside chats."""
    date: DateSpan | None
    """The day of the answer, in chats; elsewhere the conversation's own date holds."""
    initiates: bool
    """The target speaks first, with nothing to answer."""


@dataclass(frozen=True, slots=True)
class _Utterance:
    """Consecutive messages of one speaker."""

    turns: tuple[int, ...]
    speaker: str
    text: str
    start: datetime | None
    end: datetime | None
    parent: int | None
    """The turn that it answers explicitly."""


def derive_exchanges(conversation: Conversation, names: Iterable[str]) -> list[Exchange]:
    """The exchanges of a conversation in which the target goes by any of ``names``.

    An explicit reply brings the turn that it answers into the question, however far back, unless the target said it.
    """
    target = {_folded(name) for name in names}
    said = _in_order(conversation.turns)
    speakers = {_folded(conversation.turns[place].speaker) for place in said}
    # The target's aliases are one speaker.
    group = len(speakers - target) + bool(speakers & target) >= GROUP
    silence = (GROUP_SILENCE if group else SILENCE) if conversation.chat else None
    exchanges: list[Exchange] = []
    pending: list[_Utterance] = []
    segment = 0
    previous: _Utterance | None = None
    for utterance in _utterances(conversation, said):
        if previous and silence and _apart(previous.end, utterance.start, silence) and utterance.parent is None:
            segment += 1
            pending = []
        previous = utterance
        if _folded(utterance.speaker) not in target:
            pending.append(utterance)
            continue
        question = _with_parent(conversation.turns, utterance, pending, target)
        exchanges.append(_exchange(len(exchanges), question, utterance, segment, group, conversation.chat))
        pending = []
    return exchanges


def _in_order(turns: Sequence[Turn]) -> list[int]:
    """Positions of what was said, by time and then by original order; a turn without a time stays after the turn
    before it."""
    moments: list[float] = []
    last = float("-inf")
    for turn in turns:
        if turn.time is not None:
            moment = _instant(turn.time).timestamp()
            set_back = turn.time.tzinfo is None and 0 < last - moment <= CLOCK_BACK.total_seconds()
            last = last if set_back else moment
        moments.append(last)
    spoken = [place for place, turn in enumerate(turns) if turn.kind == "said" and turn.text.strip()]
    return sorted(spoken, key=lambda place: (moments[place], place))


def _instant(time: datetime) -> datetime:
    # Only for order and distance: a source that names no zone at all is in one zone throughout.
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _utterances(conversation: Conversation, said: Sequence[int]) -> Iterator[_Utterance]:
    turns = conversation.turns
    run: list[int] = []
    for place in said:
        if run and not _continues(conversation, run[-1], place):
            yield _joined(turns, run)
            run = []
        run.append(place)
    if run:
        yield _joined(turns, run)


def _continues(conversation: Conversation, before: int, place: int) -> bool:
    one, other = conversation.turns[before], conversation.turns[place]
    if _folded(one.speaker) != _folded(other.speaker):
        return False
    parent = _parent(conversation.turns, place)
    if parent is not None and parent not in (before, _parent(conversation.turns, before)):
        return False
    return not (conversation.chat and _apart(one.time, other.time, JOIN_WITHIN))


def _joined(turns: Sequence[Turn], run: Sequence[int]) -> _Utterance:
    first, last = turns[run[0]], turns[run[-1]]
    text = "\n".join(turns[place].text for place in run)
    return _Utterance(tuple(run), first.speaker, text, first.time, last.time, _parent(turns, run[0]))


def _parent(turns: Sequence[Turn], place: int) -> int | None:
    parent = turns[place].reply_to
    return parent if parent is not None and 0 <= parent < len(turns) and parent != place else None


def _apart(before: datetime | None, after: datetime | None, limit: timedelta) -> bool:
    return before is not None and after is not None and _instant(after) - _instant(before) > limit


def _with_parent(
    turns: Sequence[Turn], answer: _Utterance, pending: list[_Utterance], target: set[str]
) -> list[_Utterance]:
    parent = answer.parent
    if parent is None or any(parent in utterance.turns for utterance in pending):
        return pending
    quoted = turns[parent]
    if quoted.kind != "said" or not quoted.text.strip() or _folded(quoted.speaker) in target:
        return pending
    return [_joined(turns, [parent]), *pending]


def _exchange(
    position: int, question: list[_Utterance], answer: _Utterance, segment: int, group: bool, chat: bool
) -> Exchange:
    askers: dict[str, str] = {}
    for utterance in question:
        askers.setdefault(_folded(utterance.speaker), utterance.speaker)
    lines = [f"{utterance.speaker}: {utterance.text}" if group else utterance.text for utterance in question]
    return Exchange(
        position=position,
        question="\n".join(lines),
        answer=answer.text,
        asker=" and ".join(askers.values()),
        answer_turns=answer.turns,
        question_turns=tuple(place for utterance in question for place in utterance.turns),
        segment=segment,
        date=DateSpan.of_day(answer.start) if chat and answer.start else None,
        initiates=not question,
    )


def is_named(speaker: str, names: Iterable[str]) -> bool:
    """Whether a speaker goes by one of these names."""
    return _folded(speaker) in {_folded(name) for name in names}


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
