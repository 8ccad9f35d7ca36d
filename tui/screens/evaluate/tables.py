"""A scorecard as rows of words: the ladder, two scorecards side by side, interviews, questions, one question."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tui.moments import local
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.fidelity.reading import Answered, Compared, Question, Scored
    from core.scoring.bootstrap import Interval

NAME = 12
"""Columns for a system's name."""
FIGURE = 22
MAIN = "b4"
"""The twin itself: trained, with memories."""
BASE = "b0"
LONGEST = 4_000
"""Characters of one answer."""


def interval(figure: dict[str, float] | None, sign: str = "", digits: int = 3) -> str:
    """A figure with its 95% interval, or nothing where it was not measured."""
    if figure is None:
        return ""
    value, low, high = (f"{figure[key]:{sign}.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def title_words(scored: Scored, beside: Scored | None) -> str:
    """Which scorecard this is."""
    card = scored.card
    asked = sum(each["exchanges"] for each in card["interviews"])
    other = f" beside #{beside.id} · {adapter_of(beside)}" if beside else ""
    at = local(scored.created_at)
    return (
        f"#{scored.id} · {adapter_of(scored)} · {at} · {asked} questions of {len(card['interviews'])} interviews{other}"
    )


def adapter_of(scored: Scored) -> str:
    return str(scored.card.get("adapter") or "no adapter")


def scorecard_line(scored: Scored) -> str:
    """One scorecard among others."""
    figures = [
        f"{name} {system['metrics']['bits_per_token']['value']:.2f}"
        for name, system in scored.card["systems"].items()
        if name in (BASE, "b2", "b3", MAIN)
    ]
    return f"#{scored.id} · {scored.created_at[:10]} · {adapter_of(scored)} · {' '.join(figures)}"


# The ladder

LADDER_HEADS = f" {'':<{NAME}}{'bits per token':<{FIGURE}}{'b4 minus it':<25}true answer's MRR"


def ladder_row(scored: Scored, name: str) -> list[Part]:
    """One system or control: what the real answers cost it, what b4 gains on it, how it ranks the true answer."""
    system = scored.everything[name]
    gain = scored.card["differences"].get(name)
    bits = interval(system["metrics"].get("bits_per_token"))
    clear = gain is not None and gain["high"] < 0
    return [
        (f" {name:<{NAME}}", "bold" if name == MAIN else ""),
        f"{bits or '-':<{FIGURE}}",
        (f"{interval(gain, '+'):<25}", "$success" if clear else ""),
        interval(system["metrics"].get("mrr"), digits=2),
    ]


def system_parts(scored: Scored, name: str) -> list[Part]:
    """What a row has no room for."""
    system = scored.everything[name]
    metrics = system["metrics"]
    copied = metrics.get("verbatim_overlap")
    words = metrics.get("words")
    parts: list[Part] = [(f" {name}  ", "bold"), str(system["title"])]
    figures = []
    if copied is not None:
        figures.append(f"{copied['value']:.1%} of its runs of five words stand in the corpus")
    if words is not None:
        figures.append(f"{words['value']:.0f} words an answer")
    if scored.card["differences"].get(name):
        gain = scored.card["differences"][name]
        says = "b4 is better" if gain["high"] < 0 else "b4 is worse" if gain["low"] > 0 else "no clear difference"
        figures.insert(0, says)
    return [*parts, ("\n " + " · ".join(figures), "$quiet")]


def notes_words(scored: Scored) -> str:
    """What one must know to read the figures."""
    notes = list(map(str, scored.card.get("notes", [])))
    if scored.card.get("not_run"):
        notes.append(f"Not run, for want of an adapter: {', '.join(scored.card['not_run'])}.")
    return "\n".join(" " + note for note in notes)


# Two side by side


def compared_heads(first: Scored, second: Scored) -> str:
    one, two = f"#{first.id} bits per token", f"#{second.id}"
    return f" {'':<{NAME}}{one:<{FIGURE}}{two:<{FIGURE}}#{first.id} minus #{second.id}"


def compared_row(row: Compared) -> list[Part]:
    """One system on both."""
    clear = row.difference is not None and row.difference.low < row.difference.high < 0
    return [
        (f" {row.system:<{NAME}}", "bold" if row.system == MAIN else ""),
        f"{_told(row.first):<{FIGURE}}{_told(row.second):<{FIGURE}}",
        (_told(row.difference, "+"), "$success" if clear else ""),
    ]


def _told(figure: Interval | None, sign: str = "") -> str:
    if figure is None:
        return "-"
    if figure.low == figure.high:
        return f"{figure.value:{sign}.3f}"
    return f"{figure.value:{sign}.3f} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"


# By interview


def interview_heads(scored: Scored) -> str:
    return f" {'interview':<11}" + "".join(f"{name:>{_width(name)}}" for name in scored.card["systems"])


def interview_row(scored: Scored, place: int) -> list[Part]:
    """Bits per token of one interview, system by system; the best is bold."""
    interview = scored.card["interviews"][place]
    values = {name: system["per_interview"]["bits_per_token"][place] for name, system in scored.card["systems"].items()}
    best = min(values.values(), default=0.0)
    parts: list[Part] = [f" {str(interview['date'] or interview['title'])[:10]:<11}"]
    for name, value in values.items():
        parts.append((f"{value:>{_width(name)}.3f}", "bold $success" if value == best else ""))
    return parts


def interview_parts(scored: Scored, place: int) -> list[Part]:
    interview = scored.card["interviews"][place]
    return [(f" {interview['title']}", "bold"), f" · {interview['date']} · {interview['exchanges']} questions",
            ("\n bits per token of the real answers; the best system is bold", "$quiet")]  # fmt: skip


def _width(name: str) -> int:
    return max(8, len(name) + 2)


# Questions


def question_heads(scored: Scored) -> str:
    """The last figure is bits per token of the twin minus the base: below zero, training helped."""
    gained = f"{main_system(scored)}-{BASE}" if main_system(scored) != BASE else ""
    return f" {'#':>3} {'interview':<11}{'rank':>5}{'likeness':>10}{gained:>8}   question"


def question_row(scored: Scored, question: Question) -> list[Part]:
    """One question, and how the twin did on it."""
    interview = scored.card["interviews"][question.interview]
    main, base = (_of(question, name) for name in (main_system(scored), BASE))
    gain = ""
    if main and base and main.bits_per_token is not None and base.bits_per_token is not None and main is not base:
        gain = f"{main.bits_per_token - base.bits_per_token:+.2f}"
    rank = "" if main is None or main.rank is None else str(main.rank)
    likeness = "" if main is None or main.likeness is None else f"{main.likeness:.2f}"
    return [
        (f" {question.place + 1:>3} {str(interview['date'])[:10]:<11}", "$quiet"),
        f"{rank:>5}{likeness:>10}{gain:>8}   ",
        question.question[:200] or "(its exchange is not in the store any more)",
    ]


def main_system(scored: Scored) -> str:
    """The system that the list of questions is about."""
    systems = list(scored.card["systems"])
    return MAIN if MAIN in systems else systems[-1]


def question_parts(scored: Scored, question: Question, total: int, target: str, width: int) -> list[Part]:
    """One question whole: what the target said, and what each system said."""
    interview = scored.card["interviews"][question.interview]
    parts: list[Part] = [
        (f"Question {question.place + 1} of {total}", "bold"),
        (f"   {question.asker} · {interview['date']} · {interview['title']}   esc: all questions\n", "$quiet"),
        _indented(question.question or "(its exchange is not in the store any more)", width, 0), "\n\n",
        (f"{target} said\n", "bold $success"),
        _indented(question.real or "(not in the store any more)", width), "\n",
    ]  # fmt: skip
    for answer in question.answers:
        parts += [(f"\n{answer.system}", "bold $accent"), (f"  {answer.title}{_figures(answer)}\n", "$quiet")]
        if answer.text:
            parts += [_indented(answer.text, width), "\n"]
        elif answer.system in scored.card["systems"]:
            parts += [("  (nothing)\n", "$quiet")]
    return parts


def _figures(answer: Answered) -> str:
    figures = [
        f"rank {answer.rank}" if answer.rank is not None else "",
        f"likeness {answer.likeness:.2f}" if answer.likeness is not None else "",
        f"{answer.bits_per_token:.2f} bits" if answer.bits_per_token is not None else "",
    ]
    return "".join(f" · {figure}" for figure in figures if figure)


def _indented(text: str, width: int, by: int = 2) -> str:
    lines: list[str] = []
    for paragraph in text[:LONGEST].splitlines() or [""]:
        lines += textwrap.wrap(paragraph, max(10, width - by)) or [""]
    return "\n".join(" " * by + one for one in lines)


def _of(question: Question, name: str) -> Answered | None:
    return next((answer for answer in question.answers if answer.system == name), None)
