"""THE renderer: scene and turns into messages, messages into text through the model's chat template, with its mask.

Dataset building, evaluation and chat all call it, so that a training sample and the prompt that the twin receives for
the same inputs are the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import SettingsError
from core.models.chat_tokenizer import ChatTokenizer
from core.prompts.commands import Command
from core.prompts.functions import call_of
from core.prompts.log import is_log, log_segments
from core.prompts.messages import Message, RenderedSegment

TEMPLATES = ("system.j2", "question.j2", "found.j2")
THINKING = "thinking.j2"
MemoryForm = Literal["question", "thinking"]
"""Where memories stand: after the question, or, for models with a thinking phase, at the head of the answer."""


@dataclass(frozen=True, slots=True)
class RecalledMemory:
    """A memory as a prompt shows it. ``date`` is ISO to its precision, or empty."""

    text: str
    date: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Someone who talks with the target; ``relation`` says what they are to them."""

    name: str
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """Functions that the target called at once before it answered, and what came back for each."""

    calls: tuple[tuple[Command, tuple[RecalledMemory, ...]], ...]
    said: str = ""
    """What it said before it called."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What holds for a whole prompt: who the target is, when it is, who is there."""

    name: str
    about: str = ""
    date: str = ""
    speakers: tuple[Speaker, ...] = ()
    earlier: tuple[str, ...] = ()
    """Lines that stand for turns which are not shown whole any more."""


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """One question with its memories, and the target's answer where there is one already."""

    question: str
    asker: str = ""
    """Set only where several people talk and the question does not name them itself."""
    memories: tuple[RecalledMemory, ...] = ()
    answer: str | None = None
    trained: bool = True
    """Whether the loss reads the answer."""
    command: str = ""
    """How the target asked for its memories, where it did: they then come back as a message of their own."""
    rounds: tuple[Round, ...] = ()
    """How it called functions for more, where it did; ``memories`` then stand where they stand without."""


class Renderer:
    """Prompt files, the package's or a workspace's own, and a base model's chat template."""

    def __init__(self, tokenizer: ChatTokenizer, overrides: Path | None = None, form: MemoryForm = "question") -> None:
        self.tokenizer = tokenizer
        self.form = form
        sources = _sources(overrides, form)
        self.version = _version(sources)
        """Hash of the prompt files: part of every dataset."""
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.DictLoader(sources), undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=False
        )
        try:
            self._system = environment.get_template("system.j2")
            self._question = environment.get_template("question.j2")
            self._found = environment.get_template("found.j2")
            self._thinking = environment.get_template(THINKING) if form == "thinking" else None
        except jinja2.TemplateSyntaxError as error:
            raise SettingsError(
                f"prompts/{error.name}, line {error.lineno}: {error.message}", "mend that line"
            ) from None

    def messages(self, scene: Scene, turns: Sequence[PromptTurn]) -> list[Message]:
        """The messages of a scene: one system message, then a question and, where known, an answer per turn.

        Raises SettingsError for a name that a workspace's own prompt file invents.
        """
        plain = self.tokenizer.plain
        system = _filled(
            self._system,
            name=plain(scene.name),
            about=plain(scene.about),
            date=scene.date,
            speakers=[Speaker(plain(speaker.name), plain(speaker.relation)) for speaker in scene.speakers],
            earlier=[plain(line) for line in scene.earlier],
        )
        messages = [Message("system", system)]
        for turn in turns:
            memories = [RecalledMemory(plain(m.text), m.date, plain(m.title)) for m in turn.memories]
            content = _filled(
                self._question,
                asker=plain(turn.asker),
                question=plain(turn.question.strip()),
                memories=[] if self._thinking or turn.command else memories,
            )
            messages.append(Message("user", content))
            if turn.command:
                messages.append(Message("assistant", plain(turn.command), turn.trained))
                messages.append(Message("user", _filled(self._found, memories=memories)))
            messages += self._called(turn.rounds)
            thinks = self._thinking is not None and not turn.command
            thought = _filled(self._thinking, memories=memories) + "\n\n" if self._thinking and thinks else ""
            if turn.answer is not None:
                messages.append(Message("assistant", thought + plain(turn.answer.strip()), turn.trained, len(thought)))
            elif thought:
                messages.append(Message("assistant", thought, False, len(thought)))
        return messages

    def _called(self, rounds: Sequence[Round]) -> list[Message]:
        plain = self.tokenizer.plain
        messages: list[Message] = []
        number = 0
        for each in rounds:
            calls = []
            results = []
            for command, found in each.calls:
                number += 1
                call = call_of(command, number)
                memories = [RecalledMemory(plain(m.text), m.date, plain(m.title)) for m in found]
                told = _filled(self._found, memories=memories)
                told += f" ({plain(command.problem)})" if command.problem else ""
                calls.append(replace(call, arguments=plain(call.arguments), text=plain(call.text)))
                results.append(Message("tool", told, answers=call.uid))
            messages += [Message("assistant", plain(each.said.strip()), calls=tuple(calls)), *results]
        return messages

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that a model receives to answer the last message; an answer that is only begun is gone on with."""
        if is_log(messages):
            return "".join(segment.text for segment in log_segments(messages))
        last = messages[-1] if messages else None
        if last is not None and last.role == "assistant" and last.head == len(last.content):
            return self.prompt(messages[:-1]) + last.content
        return self.tokenizer.render(_plain(messages), add_generation_prompt=True)

    def segments(self, messages: Sequence[Message]) -> list[RenderedSegment]:
        """The same text, cut where the target begins and ends to speak; the end-of-turn mark belongs to the answer.

        Joined, the segments are exactly the chat template's text, and every prefix that ends before an answer is
        exactly the prompt for it.
        """
        if is_log(messages):
            return log_segments(messages)
        segments: list[RenderedSegment] = []
        done = ""
        answers = 0
        for position, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = self.prompt(messages[:position]) + message.content[: message.head]
            whole = self.tokenizer.render(_plain(messages[: position + 1]), add_generation_prompt=False)
            said = message.content[message.head :]
            spoken = prompt + said
            if not prompt.startswith(done) or not whole.startswith(spoken):
                raise SettingsError(
                    "the chat template rewrites earlier turns or the answer, so prompts and samples would differ",
                    "use a base model whose template renders every turn the same way",
                )
            end = self._end_of_turn(whole[len(spoken) :])
            segments.append(RenderedSegment(prompt[len(done) :]))
            segments.append(RenderedSegment(said + end, message.trained, answers))
            done = spoken + end
            answers += 1
        rest = self.tokenizer.render(_plain(messages), add_generation_prompt=False)[len(done) :]
        if rest:
            segments.append(RenderedSegment(rest))
        return segments

    @cached_property
    def keeps_history(self) -> bool:
        """Whether the template says earlier turns as it said them first; some strip the thinking from them."""
        turn = PromptTurn("a", memories=(RecalledMemory("b"),), answer="c")
        try:
            self.segments(self.messages(Scene("d"), [turn, turn]))
        except SettingsError:
            return False
        return True

    def _end_of_turn(self, rest: str) -> str:
        """The part of what follows an answer that the model must learn to write: up to the white space after it."""
        return rest.rstrip()

    def tokens(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Token ids of a whole sample, and labels: the id where the loss reads it, −100 elsewhere."""
        ids: list[int] = []
        labels: list[int] = []
        for segment in self.segments(messages):
            encoded = self.tokenizer.encode(segment.text)
            ids += encoded
            labels += encoded if segment.trained else [-100] * len(encoded)
        return ids, labels


def _filled(template: jinja2.Template, **values: object) -> str:
    try:
        return template.render(**values).strip()
    except jinja2.TemplateError as error:
        raise SettingsError(f"prompts/{template.name}: {error}", "take the packaged file as a pattern") from None


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    """As every chat template takes them: calls as plain-text commands, what came back for them as one message."""
    shown: list[dict[str, str]] = []
    for place, message in enumerate(messages):
        content = "\n".join([*([message.content] if message.content else []), *(call.text for call in message.calls)])
        if message.role == "tool" and messages[place - 1].role == "tool":
            shown[-1]["content"] += f"\n\n{content}"
        else:
            shown.append({"role": "user" if message.role == "tool" else message.role, "content": content})
    return shown


def prompts_version(overrides: Path | None, form: MemoryForm) -> str:
    """A renderer's ``version``, without one. Raises SettingsError where a file cannot be read."""
    return _version(_sources(overrides, form))


def _sources(overrides: Path | None, form: MemoryForm) -> dict[str, str]:
    names = TEMPLATES if form == "question" else (*TEMPLATES, THINKING)
    return {name: template_source(name, overrides) for name in names}


def _version(sources: dict[str, str]) -> str:
    return hashlib.sha256("\0".join(sources.values()).encode()).hexdigest()[:12]


def template_source(name: str, overrides: Path | None) -> str:
    """A prompt file's text: the workspace's own where it has one. Raises SettingsError when that cannot be read."""
    if overrides is not None and (overrides / name).is_file():
        try:
            return (overrides / name).read_text("utf-8")
        except UnicodeDecodeError:
            raise SettingsError(f"prompts/{name} is not UTF-8 text", "save it as UTF-8") from None
        except OSError as error:
            raise SettingsError(f"prompts/{name} cannot be read: {error.strerror}", "check its permissions") from None
    return resources.files("core.prompts").joinpath("templates", name).read_text("utf-8")
