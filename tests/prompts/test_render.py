"""The renderer: training text and prompts are the same bytes, and the loss reads the target's words only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dataset.packing import pack
from core.errors import ModelError, SettingsError
from core.models.chat_tokenizer import ChatTokenizer, load_tokenizer
from core.prompts.asks import AskPrompt
from core.prompts.messages import Message
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Scene, Speaker

SCENE = Scene("Ada Marlow", date="2011-05-18", speakers=(Speaker("Ines Calder", "a reporter"),))
MEMORY = RecalledMemory("Every map is an argument with the coast.", "2011-03-14", "The argument with the coast")
TURNS = (
    PromptTurn("Do maps lie?", memories=(MEMORY,), answer="They argue."),
    PromptTurn("Who wins?", answer="The coast, by Thursday."),
)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_tokenizer("SmolLM2-135M-Instruct"))


def test_the_scene_and_the_memories_stand_in_the_prompt(renderer: Renderer) -> None:
    system, question = renderer.messages(SCENE, TURNS[:1])[:2]
    assert system.content == "You are Ada Marlow. It is 2011-05-18. Ines Calder, a reporter, is talking with you."
    assert question.content == (
        "Do maps lie?\n\nYou remember:\n"
        "- (2011-03-14, The argument with the coast) Every map is an argument with the coast."
    )


def test_an_undated_untitled_memory_has_no_empty_brackets(renderer: Renderer) -> None:
    turn = PromptTurn("Why?", memories=(RecalledMemory("Because."),))
    assert renderer.messages(SCENE, [turn])[1].content == "Why?\n\nYou remember:\n- Because."


def test_every_answer_follows_exactly_the_prompt_that_the_twin_would_receive(renderer: Renderer) -> None:
    messages = renderer.messages(SCENE, TURNS)
    text = "".join(segment.text for segment in renderer.segments(messages))
    for index, turn in enumerate(TURNS):
        asked = PromptTurn(turn.question, turn.asker, turn.memories)
        prompt = renderer.prompt(renderer.messages(SCENE, [*TURNS[:index], asked]))
        assert text.startswith(prompt + str(turn.answer))


def test_tokens_of_a_prompt_and_its_answer_are_the_tokens_of_the_sample(renderer: Renderer) -> None:
    messages = renderer.messages(SCENE, TURNS)
    ids, _ = renderer.tokens(messages)
    prompt = renderer.tokenizer.encode(renderer.prompt(messages[:-1]))
    assert ids[: len(prompt)] == prompt


def test_the_loss_reads_the_answers_and_their_ends_and_nothing_else(renderer: Renderer) -> None:
    ids, labels = renderer.tokens(renderer.messages(SCENE, TURNS))
    assert len(ids) == len(labels)
    assert all(label in (-100, token) for label, token in zip(labels, ids, strict=True))
    spoken = renderer.tokenizer.decode([label for label in labels if label != -100])
    assert spoken == "They argue.<|im_end|>The coast, by Thursday.<|im_end|>"


def test_an_answer_that_is_not_trained_is_context(renderer: Renderer) -> None:
    turns = [PromptTurn("Q", answer="not this", trained=False), PromptTurn("R", answer="this")]
    _, labels = renderer.tokens(renderer.messages(SCENE, turns))
    assert renderer.tokenizer.decode([label for label in labels if label != -100]) == "this<|im_end|>"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60), st.text(max_size=40)),
        min_size=1,
        max_size=3,
    )
)
def test_any_words_survive_and_parity_holds(renderer: Renderer, turns: list[tuple[str, str, str]]) -> None:
    prompt_turns = [
        PromptTurn(question, answer=answer, memories=(RecalledMemory(memory),) if memory else ())
        for question, answer, memory in turns
    ]
    messages = renderer.messages(SCENE, prompt_turns)
    segments = renderer.segments(messages)
    whole = renderer.tokenizer.render([{"role": m.role, "content": m.content} for m in messages], False)
    assert "".join(segment.text for segment in segments) == whole
    answers = [segment for segment in segments if segment.answer is not None]
    assert [segment.text.startswith(answer.strip()) for segment, (_, answer, _) in zip(answers, turns, strict=True)]


def test_prompt_files_of_a_workspace_take_the_place_of_the_packaged_ones(tmp_path: Path, renderer: Renderer) -> None:
    (tmp_path / "system.j2").write_text("Be {{ name }}.")
    own = Renderer(renderer.tokenizer, tmp_path)
    assert own.messages(SCENE, [])[0].content == "Be Ada Marlow."
    assert own.version != renderer.version


def test_a_broken_prompt_file_is_told_with_its_line(tmp_path: Path, renderer: Renderer) -> None:
    (tmp_path / "question.j2").write_text("{{ question }}\n{% if %}")
    with pytest.raises(SettingsError, match=r"question\.j2, line 2"):
        Renderer(renderer.tokenizer, tmp_path)


class _Rewriting(ChatTokenizer):
    """A template that says less about earlier answers, as those of thinking models do."""

    def __init__(self) -> None:
        self.template = ""

    def render(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        shown = [m["content"] if index == len(messages) - 1 else "…" for index, m in enumerate(messages)]
        return "|".join(shown) + ("|" if add_generation_prompt else "")


def test_a_template_that_rewrites_earlier_turns_is_refused() -> None:
    rewriting = Renderer(_Rewriting())
    with pytest.raises(SettingsError, match="rewrites"):
        rewriting.segments([Message("user", "a"), Message("assistant", "b", True), Message("user", "c"),
                            Message("assistant", "d", True)])  # fmt: skip


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path, renderer: Renderer) -> None:
    from core.models.packaged import smollm2_folder

    (tmp_path / "tokenizer.json").write_bytes((smollm2_folder() / "tokenizer.json").read_bytes())
    with pytest.raises(ModelError, match="no chat template"):
        ChatTokenizer(tmp_path)


@pytest.fixture(scope="module")
def thinking(renderer: Renderer) -> Renderer:
    return Renderer(renderer.tokenizer, form="thinking")


def test_in_the_thinking_form_recall_opens_the_answer_and_the_loss_skips_it(thinking: Renderer) -> None:
    messages = thinking.messages(SCENE, TURNS)
    assert messages[1].content == "Do maps lie?"
    assert messages[2].content == (
        "<think>\nI remember:\n- (2011-03-14, The argument with the coast) Every map is an argument with the coast.\n"
        "</think>\n\nThey argue."
    )
    _, labels = thinking.tokens(messages)
    spoken = thinking.tokenizer.decode([label for label in labels if label != -100])
    assert spoken == "They argue.<|im_end|>The coast, by Thursday.<|im_end|>"


def test_in_the_thinking_form_too_every_answer_follows_its_prompt(thinking: Renderer) -> None:
    stored = [message.stored() for message in thinking.messages(SCENE, TURNS)]
    text = "".join(segment.text for segment in thinking.segments([Message.of(row) for row in stored]))
    for index, turn in enumerate(TURNS):
        asked = PromptTurn(turn.question, turn.asker, turn.memories)
        prompt = thinking.prompt(thinking.messages(SCENE, [*TURNS[:index], asked]))
        assert prompt.endswith("</think>\n\n")
        assert text.startswith(prompt + str(turn.answer))


class _Stripping(ChatTokenizer):
    """A template that leaves the thinking out of every answer but the last, as those of thinking models do."""

    def __init__(self, real: ChatTokenizer) -> None:
        self.template = ""
        self._real = real
        self.plain = real.plain  # type: ignore[method-assign]
        self.encode = real.encode  # type: ignore[method-assign]

    def render(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        shown = [
            m["content"] if index == len(messages) - 1 else m["content"].rpartition("</think>\n\n")[2]
            for index, m in enumerate(messages)
        ]
        return "|".join(shown) + ("|" if add_generation_prompt else "")


def test_where_the_template_strips_earlier_thinking_every_turn_is_a_sample_of_its_own(renderer: Renderer) -> None:
    stripping = Renderer(_Stripping(renderer.tokenizer), form="thinking")
    assert not stripping.keeps_history
    stretches, left_out = pack(stripping, SCENE, TURNS, 500)
    assert left_out == 0
    assert [(each.first, each.stop) for each in stretches] == [(0, 1), (1, 2)]


def test_the_forms_are_told_apart_in_the_version(renderer: Renderer, thinking: Renderer) -> None:
    assert renderer.version != thinking.version


def test_a_prompt_file_that_invents_a_name_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "question.j2").write_text("{{ qestion }}")
    renderer = Renderer(load_tokenizer("SmolLM2-135M-Instruct"), tmp_path)
    with pytest.raises(SettingsError, match=r"prompts/question\.j2: 'qestion' is undefined"):
        renderer.messages(SCENE, TURNS)


@pytest.mark.parametrize("read", [lambda folder: Renderer(load_tokenizer("SmolLM2-135M-Instruct"), folder),
                                  lambda folder: AskPrompt("question", folder)])  # fmt: skip
def test_a_prompt_file_that_is_not_utf8_is_told_in_one_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "question.j2").write_bytes("café {{ question }}".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"prompts/question\.j2 is not UTF-8"):
        read(tmp_path)
