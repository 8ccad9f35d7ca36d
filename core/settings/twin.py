"""How the twin talks, with whom, and what stays private."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.settings.section import Section, Use


class PrivacySettings(Section):
    """What may be used for what, by default."""

    journal: Use = "recall"
    direct_messages: Use = "none"
    verbatim_words: Annotated[int, Field(ge=2)] = 8
    """A run of so many words from a recall-only document is never shown."""
    consent: tuple[str, ...] = ()
    """Hosts beside this machine that may receive text, with or without a port."""
    send_recall_only: bool = False
    """Whether journals and other words that are for recall only may go to such a host."""


class TwinSettings(Section):
    """How the twin talks."""

    judgement: Literal["nearness", "recall"] = "nearness"
    """Which memories it is shown: those near enough to the question, or those that the judge of ``[recall]`` lets
    through, which takes a second or two more on a CPU."""
    nearness: Annotated[float, Field(ge=-1, le=1)] = 0.2
    """Least cosine of a question and a memory."""
    tools: Literal["auto", "on", "off"] = "auto"
    """Whether the twin asks for its memories itself: in the plain-text form that its adapter was trained to, or, behind
    ``[models.persona] api = "chat"``, by calling functions, which needs no training. ``auto``: an adapter that was
    trained to does; a chat model is shown what is recalled, as without, and may call for more where its server knows
    functions. ``on``: nothing is recalled before it asks, and a server without functions is an error."""
    abstain: bool = True
    """Whether a question about the target that nothing supports is answered with "I don't know", in their words
    (``prompts/unknown.j2``)."""
    support: Annotated[float, Field(ge=-1, le=1)] = 0.3
    """Least cosine of such a question and its best memory for an answer to be tried."""
    simulation: str = ""
    """The adapter that continues the log in hybrid mode; empty takes the newest one trained on logs, else the one in
    use, else the base."""
    target_turns: Annotated[int, Field(ge=1, le=20)] = 2
    """Turns of the target after which a simulation ends (METHODS 5)."""
    simulation_tokens: Annotated[int, Field(ge=16, le=1024)] = 160
    """Tokens after which it ends all the same."""
    style_drift: Annotated[float, Field(ge=0, le=1)] = 0.04
    """How much farther from the target's own style a merge may be than the simulated turn (cosine distance of
    character 3- to 5-grams); farther, the turn is said instead. Of two of the sample target's own held-out answers,
    one is farther off than the other by more than 0.035 in 5 of 100."""
    inference: str = ""
    """A cross-encoder for natural-language inference, a folder or a hub's name, that says which passages support a
    sentence; empty: features alone (``bench/receipts.py``)."""
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    """Answers that are spoken at once. With more than one, the same question with the same seed need not give the same
    words: answers that share a step of the engine change its last bits. Each slot of llama.cpp takes memory for a whole
    context."""
    queue: Annotated[int, Field(ge=0, le=4096)] = 32
    """Questions that may wait for a slot; the next one is refused with 429."""
    requests_per_minute: Annotated[int, Field(ge=0)] = 1200
    """Of the server, from all clients together; 0 is no cap."""
    max_tokens: Annotated[int, Field(ge=1, le=1024)] = 1024
    """Of one answer at the most, whatever a request asks for."""


class RoomSettings(Section):
    """How the twin behaves as a co-host (``simulee join``). No method's figures: chosen so that it seldom intrudes."""

    answer_when: Literal["addressed", "worth", "always"] = "addressed"
    """``worth`` adds open questions, its own topics and silences; ``always`` answers whatever is said."""
    names: tuple[str, ...] = ()
    """What it is called beside its nick; empty: the target's name and aliases."""
    per_minute: Annotated[int, Field(ge=0, le=600)] = 6
    """Answers in any sixty seconds; 0 is no limit."""
    min_gap: Annotated[float, Field(ge=0, le=3600)] = 4.0
    """Seconds between two answers."""
    max_chars: Annotated[int, Field(ge=20, le=2000)] = 400
    """Of one message; Twitch takes 500."""
    max_lines: Annotated[int, Field(ge=1, le=10)] = 1
    """Messages of one answer."""
    lines: Annotated[int, Field(ge=1, le=200)] = 20
    """Lines since the last answer that the next question holds."""
    person_lines: Annotated[int, Field(ge=1, le=1000)] = 8
    """Lines of one person in ten seconds that are heard."""
    in_a_row: Annotated[int, Field(ge=0)] = 12
    """Answers to one person while nobody else speaks, so that two programs cannot talk for ever; 0 is no limit."""
    open_question: Annotated[float, Field(ge=0)] = 20.0
    """Seconds for which a question to the room stays unanswered before the twin takes it; 0 never."""
    open_question_chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    topic_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.6
    """Least cosine of a line and the best passage; MiniLM puts near paraphrases above it."""
    topic_chance: Annotated[float, Field(ge=0, le=1)] = 0.5
    silence: Annotated[float, Field(ge=0)] = 180.0
    """Seconds of silence after which the twin may go on about what was said last; 0 never."""
    silence_chance: Annotated[float, Field(ge=0, le=1)] = 0.3
    ignore: tuple[str, ...] = ()
    """Who is never heard."""
    owners: tuple[str, ...] = ()
    """Who may say ``!mute`` and ``!unmute``; on Twitch the broadcaster may too."""


class JournalSettings(Section):
    """Where the journal is kept beside the workspace."""

    sync: str = ""
    """A folder of TiddlyWiki's ``.tid`` files that is kept in step with the journal; empty for none."""


class SpeakerSettings(Section):
    """Who else speaks, and what they are to the target."""

    relation: str = ""
