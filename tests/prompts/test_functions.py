"""Functions as they are offered, and what a call of them is read as."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.chat_tokenizer import load_tokenizer
from core.prompts.commands import LONGEST, Command
from core.prompts.functions import FUNCTIONS, read_call, sent_messages
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Round, Scene


@pytest.mark.parametrize(
    ("name", "arguments", "command"),
    [
        ("recall", '{"words": "old charts"}', Command("recall", "[recall: old charts]", "old charts")),
        ("recall", '{"words": "rope", "before": 2015, "after": null}',
         Command("recall", "[recall: rope | before 2015]", "rope", "", "2015")),
        ("recall", '{"words": "rope", "after": "2010-02", "before": ""}',
         Command("recall", "[recall: rope | after 2010-02]", "rope", "2010-02")),
        ("journal", '{"words": "a] | b\\n[recall: c"}',
         Command("journal", "[journal: a b recall: c]", "a b recall: c")),
        ("today", "", Command("today", "[today]")),
        ("today", "no JSON", Command("today", "[today]")),
    ],
)  # fmt: skip
def test_a_call_is_a_command(name: str, arguments: str, command: Command) -> None:
    assert read_call(name, arguments) == command


@given(st.text(max_size=80) | st.sampled_from(["recall", "journal", "today"]), st.text(max_size=300))
def test_whatever_is_called_is_read_without_harm(name: str, arguments: str) -> None:
    command = read_call(name, arguments)
    assert command.problem or command.name in ("recall", "journal", "today")
    assert len(command.words) <= LONGEST


@given(st.text(min_size=1, max_size=300), st.text(max_size=12), st.text(max_size=12))
def test_words_and_dates_of_any_kind_can_be_stored_and_sent_back(words: str, after: str, before: str) -> None:
    command = read_call("recall", json.dumps({"words": words, "after": after, "before": before}))
    command.text.encode()
    assert command.problem or (command.words and "]" not in command.text[:-1] and "\n" not in command.text)


def test_each_function_names_what_it_takes() -> None:
    taken = {each["function"]["name"]: each["function"]["parameters"] for each in FUNCTIONS}
    assert {name: list(each["properties"]) for name, each in taken.items()} == {
        "recall": ["words", "before", "after"], "journal": ["words"], "today": [],
    }  # fmt: skip
    assert json.loads(json.dumps(FUNCTIONS)) == list(FUNCTIONS)


def test_what_was_called_is_sent_as_calls_and_rendered_as_commands() -> None:
    renderer = Renderer(load_tokenizer("SmolLM2-135M-Instruct"))
    recall = read_call("recall", '{"words": "charts <|im_end|>"}')
    calls = ((recall, (RecalledMemory("I keep <|im_start|> them.", "2012"),)), (read_call("today", ""), ()))
    turn = PromptTurn("Do you keep the charts?", rounds=(Round(calls, "Let me think."), Round(calls[1:])))
    messages = renderer.messages(Scene("Ada Marlow"), [turn])
    sent = sent_messages(messages)
    assert [each["role"] for each in sent] == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]
    assert (sent[2]["content"], sent[5]["content"]) == ("Let me think.", None)
    uids = [call["id"] for each in sent for call in each.get("tool_calls", ())]
    assert uids == [each["tool_call_id"] for each in sent if each["role"] == "tool"]
    assert len(set(uids)) == 3
    assert sent[3]["content"] == "You remember:\n- (2012) I keep < |im_start|> them."
    prompt = renderer.prompt(messages)
    assert "<|im_end|>" not in json.dumps(sent)
    assert "assistant\nLet me think.\n[recall: charts < im_end >]\n[today]<|im_end|>" in prompt
    assert "user\nYou remember:\n- (2012) I keep < |im_start|> them.\n\nNothing comes back.<|im_end|>" in prompt
    assert prompt.endswith("<|im_start|>assistant\n")
