"""The twin behind its server with transformers and PEFT in place of llama.cpp: the same face, another engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.models.chat_tokenizer import model_folder
from core.models.packaged import SMOLLM2, revision
from core.store.adapters import AdapterRow, put_adapter
from core.store.sessions import session_messages
from core.workspace import Workspace
from tests.random_lora import random_lora
from tests.twin.serving.conftest import end, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ASKED: Any = [{"role": "user", "content": "Tell me what the sea is like in winter."}]
PLAIN: Any = {"max_tokens": 12, "temperature": 0, "extra_body": {"memories": False}}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose persona is transformers with a LoRA of random weights, in use."""
    from transformers import AutoModelForCausalLM

    settings = {"models": {"persona": {"engine": "transformers"}}}
    workspace = Workspace.create(tmp_path_factory.mktemp("tuned") / "ws", "Ada Marlow", sections=settings)
    folder = workspace.adapters / "sft-1"
    random_lora(AutoModelForCausalLM.from_pretrained(model_folder(SMOLLM2)), folder, 4, 0.05)
    row = AdapterRow(
        0, "sft-1", None, "sft-1", SMOLLM2, revision(model_folder(SMOLLM2)), 0, "adapters/sft-1",
        folder_hash(folder, ADAPTER_FILES), {}, "2026-11-01T10:00:00+00:00",
    )  # fmt: skip
    with workspace.database.write():
        put_adapter(workspace.database, row)
    return workspace


@pytest.fixture(scope="module")
def client(tuned: Workspace) -> Iterator[openai.OpenAI]:
    run, serving = start(tuned)
    with openai.OpenAI(base_url=serving.url, api_key=serving.token, max_retries=0, timeout=600) as client:
        yield client
    end(tuned, run)


def _directly(tuned: Workspace, prompt: str, adapter: str) -> str:
    from core.models.causal_lm import CausalLM

    model = CausalLM(SMOLLM2)
    if adapter:
        model.load_adapter(adapter, tuned.adapters / adapter, "x")
    return model.generate([prompt], 12)[0]


def test_it_streams_what_the_library_says_with_the_adapter_and_without(client: openai.OpenAI, tuned: Workspace) -> None:
    assert [model.id for model in client.models.list()][:3] == ["twin", "base", "sft-1"]
    said = {}
    for name in ("sft-1", "base"):
        chunks = list(client.chat.completions.create(model=name, messages=ASKED, stream=True, **PLAIN))
        pieces = [
            chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
        ]
        session = (chunks[-1].model_extra or {})["simulee"]["session_id"]
        stored = session_messages(tuned.database, session)[-1]
        said[name] = "".join(pieces).strip()
        assert len(pieces) > 3
        assert said[name] == stored.text == _directly(tuned, stored.prompt, "" if name == "base" else name)
        assert (stored.settings["engine"], stored.settings["repeatable"]) == ("transformers", True)
    assert said["sft-1"] != said["base"]


def test_a_listener_who_leaves_stops_it_and_the_next_is_answered(client: openai.OpenAI) -> None:
    long: Any = PLAIN | {"max_tokens": 200}
    with client.chat.completions.create(model="base", messages=ASKED, stream=True, **long) as leaving:
        next(iter(leaving))
    told = client.chat.completions.create(model="base", messages=ASKED, **PLAIN)
    assert told.choices[0].message.content


def test_a_bias_is_heeded(client: openai.OpenAI) -> None:
    from core.models.chat_tokenizer import load_tokenizer

    prompt = "one two three four one two three four one two three"
    (token,) = load_tokenizer(SMOLLM2).encode(" four")
    said = [
        client.completions.create(model="base", prompt=prompt, max_tokens=4, temperature=0, logit_bias=bias)
        for bias in ({}, {str(token): -100})
    ]
    assert ["four" in each.choices[0].text for each in said] == [True, False]
