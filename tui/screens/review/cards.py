"""How each kind of card is laid out, as lines of a width."""

from __future__ import annotations

import re
from textwrap import shorten

from textual.content import Content

from core.store.review_queue import Card, MemoryCard, PairCard, ProposalCard
from tui.review_figures import BLIND_CARD
from tui.widgets.card_view import indented
from tui.widgets.text import badge, line, words

GLYPHS = {
    "pending": ("", ""), "accepted": ("✓", "$success"), "rejected": ("✗", "$error"), "deferred": ("»", "$warning"),
    "flagged": ("⚑", "$warning"),
}  # fmt: skip
_BREAKS = re.compile(r"\n\s*\n")
AROUND = 240
"""Characters of the passage at each side of the quote."""
STEP = 40
"""By how many of them there are fewer where the card would be too long."""


def layout(card: Card, width: int, height: int, answer_shown: bool, answer_key: str, agrees: str = "") -> list[Content]:
    """The lines of a card; the passage takes what room the rest leaves. ``agrees`` follows the judges' figures."""
    if isinstance(card, MemoryCard):
        return _memory(card, width, height, answer_shown, answer_key, agrees)
    if isinstance(card, PairCard):
        return _pair(card, width)
    return _proposal(card, width)


def label(card: Card, width: int = 40) -> str:
    """A card in a few words."""
    if isinstance(card, MemoryCard):
        text = card.passage_title or card.original
    elif isinstance(card, PairCard):
        text = card.question
    else:
        text = card.title
    return shorten(text[:400], width, placeholder="…") or text[:width]


def row_words(card: Card) -> str:
    """A card on one line of a list."""
    if isinstance(card, MemoryCard):
        return f"{card.passage_date:<10}  {card.passage_title[:30]:<30}  {card.text}"
    if isinstance(card, PairCard):
        return f"{card.question}  {card.left} | {card.right}"
    return f"{card.kind:<9}  {card.title}  {card.text}"


def _state(card: Card) -> tuple[str, str]:
    glyph, style = GLYPHS[card.state]
    return (f"{glyph} {card.state}   ", style) if glyph else ("", "")


def _memory(
    card: MemoryCard, width: int, height: int, answer_shown: bool, answer_key: str, agrees: str
) -> list[Content]:
    asked = f"{card.asker or 'someone'}, {card.conversation_date or 'undated'}"
    lines = [
        line((" Q  ", "bold $accent"), (asked, "$quiet"),
             (f" · {card.exchange_place} of {card.exchange_count}", "$quiet"), badge(card.question, card.answer)),
        *indented(width, "", card.question),
        line(""),
        *indented(width, (" M  ", "bold $accent"), (card.text, "bold"), badge(card.text)),
        line(""),
    ]  # fmt: skip
    judged = [
        line(""),
        line((" judges  ", "$quiet"), *_judges(card), (agrees if not card.veiled else "", "$quiet")),
    ]
    if answer_shown:
        judged += indented(width, (" answer  ", "$quiet"), (card.answer, "dim"), indent=9)
    else:
        judged.append(
            line(
                (" answer  ", "$quiet"),
                (answer_key, "bold $accent"),
                (" shows what was really answered", "$quiet"),
            )
        )
    where = f"{card.passage_title or 'untitled'} · {card.passage_date or 'undated'}"
    state = _state(card)
    lines.append(line("    ", state, (where, "italic $quiet"), badge(card.passage)))
    room = height - len(lines) - len(judged)
    return lines + _passage(card, width, room) + judged


def _judges(card: MemoryCard) -> list[tuple[str, str]]:
    if card.veiled:
        return [(BLIND_CARD, "$quiet")]
    parts = []
    for name, value in (("question", card.question_bits), ("answer", card.answer_bits)):
        if value is None:
            parts.append((f"{name} not judged   ", "$quiet"))
        else:
            glyph, style = ("✓", "$success") if value > 0 else ("✗", "$error")
            parts += [(f"{name} {value:+.2f} bits ", ""), (glyph, style), ("   ", "")]
    return parts


def _passage(card: MemoryCard, width: int, room: int) -> list[Content]:
    """The passage around its quote, which is marked by half blocks as well as by a style."""
    start, stop = card.quote_start, card.quote_stop
    before, quote, after = (
        _BREAKS.sub("\n", part) for part in (card.passage[:start], card.passage[start:stop], card.passage[stop:])
    )

    def laid(around: int) -> list[Content]:
        lead, tail = _last_words(before, around), _first_words(after, around)
        return indented(width, "", lead.lstrip(), ("▐" + quote + "▌", "bold $secondary"), tail.rstrip())

    lines = laid(AROUND)
    if len(lines) <= room:
        return lines
    # The most words around the quote that leave it in the room; fewer words never take more lines.
    fitting, steps = laid(0), range(0, AROUND, STEP)
    fits, fails = 0, len(steps)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        lines = laid(steps[middle])
        fits, fails = (middle, fails) if len(lines) <= room else (fits, middle)
        fitting = lines if len(lines) <= room else fitting
    return fitting


def _first_words(text: str, most: int) -> str:
    """At most so many characters, cut at a space where there is one, so that no word and no emoji is cut in two."""
    if len(text) <= most:
        return text
    kept = text[: most + 1]
    space = max((place for place, character in enumerate(kept) if character.isspace()), default=most)
    return kept[:space].rstrip() + "…"


def _last_words(text: str, most: int) -> str:
    """The same from the end."""
    if len(text) <= most:
        return text
    kept = text[len(text) - most - 1 :]
    space = next((place for place, character in enumerate(kept) if character.isspace()), 0)
    return "…" + kept[space + 1 :]


def _pair(card: PairCard, width: int) -> list[Content]:
    half = max(10, (width - 3) // 2)
    marks = {name: ("✓ " if card.preferred == name and card.state == "accepted" else "") for name in ("left", "right")}
    left = [line((f"{marks['left']}1 left", "bold $accent")), *words(card.left).wrap(half)]
    right = [line((f"{marks['right']}2 right", "bold $accent")), *words(card.right).wrap(half)]
    rows = max(len(left), len(right))
    blank = words("")
    left += [blank] * (rows - len(left))
    right += [blank] * (rows - len(right))
    lines = [
        line((" Q  ", "bold $accent"), (f"{card.origin}, {card.created_at[:10]}   ", "$quiet"), _state(card),
             badge(card.question, card.left, card.right)),
        *indented(width, "", card.question),
        line(""),
    ]  # fmt: skip
    return lines + [
        line(one.pad_right(max(0, half - one.cell_length)), (" │ ", "$quiet"), other)
        for one, other in zip(left, right, strict=True)
    ]


def _proposal(card: ProposalCard, width: int) -> list[Content]:
    lines = [
        line((" P  ", "bold $accent"), (f"{card.kind}   ", "$quiet"), _state(card), card.title, badge(card.title)),
        line(("    " + card.reason, "$quiet")) if card.reason else line(""),
        line(""),
    ]
    if card.before:
        lines += indented(width, (" −  ", "bold $error"), (card.before, "$quiet"), badge(card.before))
    return lines + indented(width, (" +  ", "bold $success"), (card.text, "bold"), badge(card.text))
