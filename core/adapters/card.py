"""The model card of an exported adapter: a README.md with front matter as the model hub reads it.

Names, titles and settings are other people's text. In the front matter only values of a known shape stand, and YAML
quotes the rest; in the body they stand in code spans, where Markdown has no markup, no links and no HTML.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import frontmatter

from core.adapters.facts import Facts, Preferred, Scores, TrainedOn
from core.adapters.taint import counted

CARD = "README.md"
MARK = "simulee"
"""The tag by which an export is known as one of ours; the same adapter's is replaced."""
LONGEST = 120
"""Characters of outside text that a card shows at a time."""
WIDTH = 1000
"""Wider than any value, so that YAML folds none."""
LIBRARIES = {"safetensors": "peft", "merged": "transformers", "gguf": "gguf", "vllm": "peft"}
_TRAINED = "SHA-256 of the adapter as it was trained begins"
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_ORIGINS = {"rating": "called good or bad", "file": "of a file"}
"""As a card says it, where the origin's name does not say it by itself."""
_RUNS = re.compile(r"`+")


def card_text(facts: Facts, to: str, loading: Sequence[str]) -> str:
    """The card of one export; ``loading`` are the lines that say how to load it, written by simulee itself."""
    post = frontmatter.Post("\n".join(_body(facts, loading)), **_front(facts, to))
    text: str = frontmatter.dumps(post, width=WIDTH)
    return text + "\n"


def is_export(text: str, content_hash: str) -> bool:
    """Whether a README.md is a card of ours, of the adapter with this hash."""
    head = text.split("\n---", 1)[0]
    return head.startswith("---\n") and f"\n- {MARK}" in head and f"{_TRAINED} {quoted(content_hash)}." in text


def quoted(text: str) -> str:
    """Outside text as a code span on one line: what could act, or could end the span, is gone or shown as a mark."""
    line = one_line(text)
    longest = max((len(run) for run in _RUNS.findall(line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line or '(nothing)'}{pad}{fence}"


def one_line(text: str) -> str:
    """Outside text on one line, cut where it is long, without controls, formatting that is not seen, or surrogates."""
    cleaned = "".join(" " if each.isspace() else "\ufffd" if _acts(each) else each for each in text[: 10 * LONGEST])
    line = " ".join(cleaned.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _acts(character: str) -> bool:
    """Controls, formatting that is not seen, surrogates, and what means nothing; joiners are part of words."""
    return character not in "\u200c\u200d" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def _front(facts: Facts, to: str) -> dict[str, Any]:
    front: dict[str, Any] = {"library_name": LIBRARIES[to], "license": facts.license.name or "unknown"}
    if facts.hub:
        front["base_model"] = facts.hub
        front["base_model_relation"] = "finetune" if to == "merged" else "adapter"
    known = [each for each in facts.languages if _LANGUAGE.fullmatch(each)]
    if known and len(known) == len(facts.languages):
        front["language"] = known
    front["model_name"] = one_line(f"{facts.name} of {facts.target}")
    front["pipeline_tag"] = "text-generation"
    front["tags"] = [MARK, *(["lora"] if facts.is_lora else []), "persona"]
    return front


def _body(facts: Facts, loading: Sequence[str]) -> list[str]:
    reasons = facts.taint.reasons(quoted)
    return [
        f"# {quoted(facts.name)}, in the words of {quoted(facts.target)}",
        "",
        *(["**Do not hand this on.** Train it again first:", "", *(f"- {each}" for each in reasons), ""]
          if reasons else []),
        f"{'A LoRA' if facts.is_lora else 'Every weight'} of {quoted(facts.hub or facts.base.rsplit('/', 1)[-1])},"
        f" trained to answer as {quoted(facts.target)} does,"
        f" {'with' if facts.with_memories else 'without'} recalled memories in its prompts."
        " It imitates a person: it is not that person, it invents, and what it says is not their word.",
        "",
        "## Loading it",
        "",
        *loading,
        "",
        "## What it was trained on",
        "",
        *_trained_lines(facts.trained_on, facts.preferred),
        "",
        "## Sources",
        "",
        *_source_lines(facts),
        "",
        "## Training settings",
        "",
        *(f"- {quoted(name)}: {quoted(str(value))}" for name, value in facts.settings.items()),
        "",
        "## Scores",
        "",
        *_score_lines(facts.scores),
        "",
        "## Base and license",
        "",
        *_base_lines(facts),
        "",
        "## How it was made",
        "",
        f"By simulee {quoted(facts.version)}, trained {quoted(facts.created_at)}; {_TRAINED} {quoted(facts.hash)}.",
    ]  # fmt: skip


def _trained_lines(data: TrainedOn | None, preferred: Preferred | None) -> list[str]:
    lines = []
    if data is not None:
        lines += [
            f"- dataset {quoted(data.hash)}: {data.samples} samples, {data.trained_tokens} trained tokens;"
            f" {data.validation} samples kept for validation",
            f"- memories shown in its prompts: {data.memories}{_decided(data.decided)}",
        ]
    if preferred is not None:
        origins = ", ".join(f"{count} {_ORIGINS.get(origin, origin)}" for origin, count in preferred.origins.items())
        lines.append(
            f"- preferences: {preferred.count}" + (f" ({origins})" if origins else "") + _decided(preferred.decided)
        )
    return lines or ["- unknown: its dataset is not in the workspace"]


def _decided(counts: Mapping[str, int]) -> str:
    """By whom, after what was counted."""
    told = {"person": "a person", "rule": "a rule", "import": "an import"}
    decided = ", ".join(f"{counts[kind]} by {who}" for kind, who in told.items() if counts.get(kind))
    return f", decided {decided}" if decided else ""


def _source_lines(facts: Facts) -> list[str]:
    taint = facts.taint
    lines = [
        f"- {quoted(each.name)}: went in as `train`, is now `{each.use}`; "
        f"{counted(each.exchanges, 'answer')}, {counted(each.memories, 'memory')}"
        + (f", {counted(each.preferences, 'preference')}" if each.preferences else "")
        + (f", {each.private} of them private" if each.private else "")
        for each in taint.origins
    ]
    well = "all of them are still there and still cleared" if lines else "none: its preferences rest on no source"
    lines += [f"- {each}" for each in taint.reasons(quoted)] or [f"- {well}"]
    if taint.private:
        what = "answers, memories and preferences" if facts.preferred else "answers and memories"
        lines.append(f"- private material is in it, cleared for training: {taint.private} {what}")
    if (
        taint.known
        and taint.private_runs == 0
        and not taint.gone_preferences
        and all(each.use == "train" for each in taint.origins)
    ):
        lines.append(
            f"- recall-only material: none went in, and no run of {taint.run_words} words of the trained answers stands"
            " in any recall-only text of the workspace"
        )
    return lines


def _score_lines(scores: Scores | None) -> list[str]:
    if scores is None:
        return ["not measured"]
    metrics = sorted({metric for each in scores.systems.values() for metric in each})
    return [
        f"Scorecard {scores.id}, {quoted(scores.at)}, {scores.questions} held-out questions; 95% intervals.",
        "",
        f"| system | {' | '.join(map(_cell, metrics))} |",
        f"| --- |{' --- |' * len(metrics)}",
        *(
            f"| {_cell(name)} | {' | '.join(_figure(each.get(metric)) for metric in metrics)} |"
            for name, each in scores.systems.items()
        ),
    ]


def _base_lines(facts: Facts) -> list[str]:
    place = quoted(facts.hub) if facts.hub else f"{quoted(facts.base.rsplit('/', 1)[-1])}, a folder of its owner's"
    license_line = (
        f"- the base's license: {quoted(facts.license.name)}, read from {quoted(facts.license.source)}; it says nothing"
        f" of the words of {quoted(facts.target)}, which are theirs"
        if facts.license.name
        else "- the base's license: unknown: look at the base"
    )
    return [f"- base: {place}; SHA-256 of the weights it was trained on begins {quoted(facts.revision)}", license_line]


def _cell(text: str) -> str:
    """A name in a table: letters, digits, points, hyphens and low lines, the latter without effect."""
    return re.sub(r"[^\w.-]+", " ", one_line(text)).strip().replace("_", "\\_") or "?"


def _figure(figure: dict[str, float] | None) -> str:
    try:
        assert figure is not None
        return f"{float(figure['value']):.3f} ({float(figure['low']):.3f} to {float(figure['high']):.3f})"
    except (AssertionError, KeyError, TypeError, ValueError):
        return "not measured"
