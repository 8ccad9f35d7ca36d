"""What recall is about: one question, who asks it, and when."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, who asks it, and when: ``before`` is the as-of day, None for no limit."""

    question: str
    asker: str = ""
    before: int | None = None
    conversation_id: int = 0
    """The conversation it belongs to, which is never searched; 0 for none."""
    _: KW_ONLY
    answer: str | None = None
    """The real answer where there is one, for the second opinion only."""
    context: str = ""
    """What was said just before, in a live talk: a question such as "and your brother?" means nothing alone."""
    leaning: float = 0.0
    """How much it counts, beside 1 for the question."""
    uid: str = ""
    """Of the stored exchange; empty for a question that is asked live."""
