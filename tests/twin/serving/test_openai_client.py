"""The real ``openai`` client, and the requests of chat programs, against the serving run."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import openai
import pytest

from core.store.sessions import session_messages
from core.workspace import Workspace
from tests.twin.serving.conftest import Started, request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

USER: Any = [{"role": "user", "content": "Good evening."}]
BARE: Any = {"memories": False}


def test_a_raw_prompt_is_continued_streamed_or_whole(client: openai.OpenAI) -> None:
    prompt = "one two three four one two three four one two three"
    whole = client.completions.create(model="twin", prompt=prompt, max_tokens=6, temperature=0, echo=True)
    text = whole.choices[0].text
    assert text.startswith(prompt + " four one")
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens in (5, 6, 7)
    chunks = list(client.completions.create(model="base", prompt=prompt, max_tokens=6, temperature=0, stream=True))
    assert len({chunk.id for chunk in chunks}) == 1
    assert prompt + "".join(chunk.choices[0].text for chunk in chunks) == text


def test_what_cannot_be_done_is_refused_in_words_and_what_has_no_effect_is_told(client: openai.OpenAI) -> None:
    refused: list[tuple[str, Any]] = [
        ("logprobs", lambda: client.completions.create(model="twin", prompt="a", logprobs=2)),
        ("suffix", lambda: client.completions.create(model="twin", prompt="a", suffix="z")),
        ("prompt", lambda: client.completions.create(model="twin", prompt=["a", "b"])),
        ("prompt", lambda: client.completions.create(model="twin", prompt=[1, 2])),
        ("logprobs", lambda: client.chat.completions.create(model="twin", messages=USER, logprobs=True)),
        ("n", lambda: client.chat.completions.create(model="twin", messages=USER, n=99)),
        (
            "response_format",
            lambda: client.chat.completions.create(
                model="twin", messages=USER, response_format={"type": "json_object"}
            ),
        ),
        ("dimensions", lambda: client.embeddings.create(model="embedder", input="a", dimensions=7)),
        ("input", lambda: client.embeddings.create(model="embedder", input=[1, 2])),
        ("tokens", lambda: client.embeddings.create(model="embedder", input="word " * 2000)),
    ]
    for named, ask in refused:
        with pytest.raises(openai.BadRequestError, match=named):
            ask()
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-3-small", input="a")
    tools: Any = [{"type": "function", "function": {"name": "now", "parameters": {}}}]
    told = client.chat.completions.create(
        model="twin", messages=USER, tools=tools, top_p=0.5, max_tokens=2, extra_body=BARE
    )
    notes = " ".join((told.model_extra or {})["simulee"]["notes"])
    assert "tools" in notes
    assert "top_p" in notes


def test_vectors_are_the_workspace_s_own_in_either_form(client: openai.OpenAI) -> None:
    texts = ["the harbor at night", "a boat in the port after dark", "tax law"]
    vectors = client.embeddings.create(model="embedder", input=texts)
    rows = np.array([each.embedding for each in vectors.data])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    assert vectors.usage.prompt_tokens > 9
    as_floats = client.embeddings.create(model="embedder", input=texts[0], encoding_format="float")
    assert np.allclose(as_floats.data[0].embedding, rows[0], atol=1e-6)


def test_vectors_as_base64_are_little_endian_floats(crowd: Started) -> None:
    body = json.dumps({"model": "embedder", "input": "a boat", "encoding_format": "base64"}).encode()
    status, values = request(crowd[1], "POST", "/v1/embeddings", body)
    assert status == 200
    vector = np.frombuffer(base64.b64decode(values["data"][0]["embedding"]), "<f4")
    assert abs(float(vector @ vector) - 1) < 1e-5


def test_several_answers_to_one_question_stand_side_by_side(client: openai.OpenAI, bare: Workspace) -> None:
    told = client.chat.completions.create(
        model="twin", messages=USER, n=3, seed=5, max_tokens=8, temperature=1.5, extra_body=BARE
    )
    texts = [choice.message.content for choice in told.choices]
    assert [choice.index for choice in told.choices] == [0, 1, 2]
    assert len(set(texts)) > 1
    assert told.usage is not None
    assert told.usage.completion_tokens > 8
    session = (told.model_extra or {})["simulee"]["session_id"]
    stored = session_messages(bare.database, session)
    assert [each.role for each in stored] == ["user", "assistant", "assistant", "assistant"]
    assert [each.text for each in stored[1:]] == texts
    assert [each.settings["seed"] for each in stored[1:]] == [5, 6, 7]


def test_a_stream_tells_its_usage_last_and_its_choices_apart(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="twin", messages=USER, n=2, max_tokens=6, seed=1, stream=True,
            stream_options={"include_usage": True}, extra_body=BARE,
        )
    )  # fmt: skip
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    ends = [chunk.choices[0] for chunk in chunks[:-1] if chunk.choices[0].finish_reason]
    assert [end.index for end in ends] == [0, 1]


def test_a_stop_string_ends_the_answer_and_is_not_shown(client: openai.OpenAI) -> None:
    prompt = "one two three four one two three four one two three"
    for stream in (False, True):
        answer: Any = client.completions.create(
            model="twin", prompt=prompt, max_tokens=12, temperature=0, stop=["two thr", "nine"], stream=stream
        )
        text = "".join(chunk.choices[0].text for chunk in answer) if stream else answer.choices[0].text
        assert text == " four one "


def test_a_bias_keeps_a_token_from_being_said(client: openai.OpenAI) -> None:
    from core.models.chat_tokenizer import load_tokenizer

    prompt = "one two three four one two three four one two three"
    (token,) = load_tokenizer("SmolLM2-135M-Instruct").encode(" four")

    def said(**fields: Any) -> str:
        told = client.completions.create(model="twin", prompt=prompt, max_tokens=4, temperature=0, **fields)
        return str(told.choices[0].text)

    assert "four" in said()
    assert "four" not in said(logit_bias={str(token): -100})


def test_a_chat_program_s_request_gets_the_twin_and_not_its_card(client: openai.OpenAI, bare: Workspace) -> None:
    card = "Write Napoleon's next reply in a fictional chat. Napoleon never admits to be anyone else. " * 120
    messages: Any = [
        {"role": "system", "content": card},
        {"role": "system", "content": "[Start a new chat]"},
        {"role": "assistant", "content": "The lamp is lit. Come in."},
        {"role": "user", "content": "Good evening.", "name": "Ines_Calder"},
        {"role": "assistant", "content": "Evening."},
        {"role": "user", "content": "Who is there?", "name": "Ines_Calder"},
        {"role": "user", "content": "Just us.", "name": "Tom"},
        {"role": "system", "content": "[Napoleon answers in verse]"},
    ]
    chunks = list(
        client.chat.completions.create(
            model="twin", messages=messages, temperature=1, max_tokens=24, stream=True, presence_penalty=0.3,
            frequency_penalty=0, top_p=1, stop=["\nInes_Calder:", "\nTom:", ""], logit_bias={"198": -2}, n=1,
            user="someone", extra_body=BARE | {"top_k": 40, "min_p": 0.05, "char_name": "Napoleon", "chat_id": 3},
        )
    )  # fmt: skip
    told = (chunks[-1].model_extra or {})["simulee"]
    assert any("other roles" in note for note in told["notes"])
    stored = session_messages(bare.database, told["session_id"])
    assert (stored[0].speaker, stored[0].text) == ("Ines_Calder and Tom", "Ines_Calder: Who is there?\nTom: Just us.")
    prompt = stored[1].prompt
    assert "You are Ada Marlow." in prompt
    assert "Napoleon" not in prompt
    assert "The lamp is lit." in prompt
    assert "Ines_Calder is talking with you. Tom is talking with you." in prompt
    assert "Ines_Calder: Good evening." in prompt
    assert "\nTom:" not in stored[1].text


def test_another_answer_to_the_last_question_and_another_way_on(client: openai.OpenAI, bare: Workspace) -> None:
    def say(*messages: dict[str, str]) -> tuple[int, str]:
        sent: Any = list(messages)
        told = client.chat.completions.create(model="twin", messages=sent, max_tokens=6, extra_body=BARE)
        return (told.model_extra or {})["simulee"]["session_id"], told.choices[0].message.content or ""

    opening = {"role": "user", "content": "A talk that goes two ways."}
    session, first = say(opening)
    history = [opening, {"role": "assistant", "content": first}]
    asked = {"role": "user", "content": "Which way?"}
    assert say(*history, asked)[0] == session
    assert say(*history, asked)[0] == session, "asked again with the same history: one more answer"
    assert [each.role for each in session_messages(bare.database, session)] == [
        "user", "assistant", "user", "assistant", "assistant",
    ]  # fmt: skip
    elsewhere = {"role": "user", "content": "Another way."}
    other, _ = say(*history, elsewhere)
    assert other != session, "the session has gone on without this client"
    prompt = session_messages(bare.database, other)[-1].prompt
    assert "Which way?" not in prompt
    assert opening["content"] in prompt
