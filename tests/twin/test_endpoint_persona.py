"""A persona behind an endpoint, as vLLM serves one: a real server on loopback that speaks ``/v1/completions``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.doctor import check_workspace
from core.errors import ConsentError, ModelError, SettingsError
from core.models.roles import check_role
from core.store.model_calls import recent_calls
from core.store.sessions import session_messages
from core.twin.chat import Answer, ChatOptions, Conversation, Twin
from core.twin.leaving import KEPT_HERE
from core.twin.parts import Parts
from core.twin.speaking import Prepared
from core.twin.speech import Manner
from core.workspace import SETTINGS_FILE, Workspace
from tests.conftest import Importing
from tests.fault_server import FaultServer

SAID = ["Good", " evening", ". The lamp", " is lit.\nTom", ": hello"]


class CompletionServer(FaultServer):
    """vLLM's ``/v1/completions`` with streaming; the model ``gone`` is not served, ``broken`` breaks off."""

    def routes(self, app: web.Application) -> None:
        self.bodies: list[dict[str, Any]] = []
        app.router.add_post("/v1/completions", self._complete)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if body["model"] == "gone":
            return web.json_response({"object": "error", "message": "The model `gone` does not exist."}, status=404)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for text in SAID:
            choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": None, "stop_reason": None}
            await response.write(b"data: " + json.dumps({"id": "cmpl-1", "choices": [choice]}).encode() + b"\n\n")
            await asyncio.sleep(0)
        if body["model"] != "broken":
            last = {"index": 0, "text": "", "finish_reason": "length"}
            await response.write(b"data: " + json.dumps({"id": "cmpl-1", "choices": [last]}).encode() + b"\n\n")
            await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
def upstream() -> Iterator[CompletionServer]:
    with CompletionServer() as server:
        yield server


def behind(workspace: Workspace, url: str, model: str = "served-name", extra: str = "") -> Workspace:
    (workspace.root / SETTINGS_FILE).write_text(
        'name = "Ada Marlow"\n[models.persona]\nengine = "endpoint"\nbase = "SmolLM2-135M-Instruct"\n'
        f'model = "{model}"\nbase_url = "{url}"\n{extra}'
    )
    workspace.forget_settings()
    return workspace


def answered(workspace: Workspace, manner: Manner, question: str = "Who is there?") -> tuple[list[str], Answer]:
    twin = Twin(workspace, ChatOptions(memories=False, manner=manner))
    try:
        *pieces, answer = twin.answer(question)
        assert isinstance(answer, Answer)
        return [str(piece) for piece in pieces], answer
    finally:
        twin.close()


def test_a_rendered_prompt_goes_and_words_come_and_the_ledger_knows(
    workspace: Workspace, upstream: CompletionServer
) -> None:
    manner = Manner(64, 0.3, 7, stop=("\nTom:",), logit_bias=((5, -2.0),))
    pieces, answer = answered(behind(workspace, upstream.url), manner)
    assert len(pieces) > 1, "they come as they are said"
    assert answer.text == "Good evening. The lamp is lit."
    assert answer.finish == "stop"
    assert not answer.repeatable
    (body,) = upstream.bodies
    assert body["prompt"] == answer.prompt
    assert "You are Ada Marlow." in body["prompt"]
    assert body["prompt"].endswith("<|im_start|>assistant\n")
    assert body | {"prompt": ""} == {
        "model": "served-name", "prompt": "", "max_tokens": 64, "temperature": 0.3, "seed": 7, "stream": True,
        "add_special_tokens": False, "stop": ["\nTom:"], "logit_bias": {"5": -2.0},
    }  # fmt: skip
    (row,) = recent_calls(workspace.database, 5)
    assert (row.role, row.engine, row.host, row.purpose) == (
        "persona",
        "endpoint",
        f"127.0.0.1:{upstream.port}",
        "talk",
    )
    assert row.bytes == len(answer.prompt.encode())
    assert row.prompt_tokens == answer.tokens[0]
    stored = session_messages(workspace.database, answer.session_id)
    assert stored[1].settings["engine"] == "endpoint"


def test_an_answer_that_is_cut_says_so(workspace: Workspace, upstream: CompletionServer) -> None:
    _, answer = answered(behind(workspace, upstream.url), Manner(64))
    assert answer.finish == "length"
    (row,) = recent_calls(workspace.database, 5)
    assert row.outcome == "answered"


def test_nothing_is_sent_to_a_host_that_nobody_has_allowed(workspace: Workspace) -> None:
    with pytest.raises(ConsentError, match="nobody has allowed"):
        answered(behind(workspace, "https://models.example/v1"), Manner(8))
    assert recent_calls(workspace.database, 5) == []


def test_consent_that_is_taken_out_of_the_settings_holds_no_longer_for_a_twin_that_talks(
    workspace: Workspace, upstream: CompletionServer
) -> None:
    elsewhere = f"http://0.0.0.0:{upstream.port}/v1"
    behind(workspace, elsewhere, extra='[privacy]\nconsent = ["0.0.0.0"]\n')
    twin = Twin(workspace, ChatOptions(memories=False, manner=Manner(8)))
    path = workspace.root / SETTINGS_FILE
    try:
        assert list(twin.answer("Who is there?"))
        path.write_text(path.read_text().partition("[privacy]")[0])
        with pytest.raises(ConsentError, match="nobody has allowed"):
            list(twin.answer("Who is there?"))
        assert len(upstream.bodies) == 1
        path.write_text("consent = [\n")
        with pytest.raises(SettingsError, match="not valid TOML"):
            list(twin.answer("Who is there?"))
        assert len(upstream.bodies) == 1
    finally:
        twin.close()


@pytest.mark.parametrize(("model", "told"), [("gone", "lora-modules gone="), ("broken", "without a reason")])
def test_a_model_that_is_not_served_and_one_that_breaks_off_are_told(
    workspace: Workspace, upstream: CompletionServer, model: str, told: str
) -> None:
    with pytest.raises(ModelError) as failed:
        answered(behind(workspace, upstream.url, model), Manner(8))
    assert told in f"{failed.value.message} {failed.value.hint}"
    (row,) = recent_calls(workspace.database, 5)
    assert row.outcome == "failed"


def test_a_server_that_is_not_there_is_told(workspace: Workspace) -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        answered(behind(workspace, "http://127.0.0.1:9/v1"), Manner(8))


def test_the_doctor_looks_at_the_endpoint(workspace: Workspace, upstream: CompletionServer) -> None:
    behind(workspace, upstream.url)
    check_role("persona", workspace.settings.models.persona)
    persona = [each for each in check_workspace(workspace, False, False) if "persona" in each.name]
    assert persona
    assert all(each.ok for each in persona), persona


def test_a_twin_behind_an_endpoint_is_not_measured_and_it_says_why(
    workspace: Workspace, upstream: CompletionServer
) -> None:
    from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND
    from core.runs import control

    behind(workspace, upstream.url)
    with pytest.raises(Exception, match="cannot be measured"):
        control.run_to_end(workspace, EVALUATE_KIND, EVALUATE_ENTRY, {})


@pytest.mark.slow
def test_what_is_for_recall_only_stays_on_this_machine(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    from core.journey import EMBED
    from core.runs import control

    note = tmp_path / "2014-03-02 The ferry.md"
    note.write_text("I sold the ferry to my brother in the spring, and I told nobody what he paid for it.\n" * 3)
    import_paths(workspace, [note], use="recall")
    control.run_to_end(workspace, *EMBED, {})
    private = '[privacy]\nconsent = ["models.example"]\n'

    def prepared(extra: str) -> Prepared:
        behind(workspace, "https://models.example/v1", extra=extra)
        parts = Parts(workspace)
        try:
            # Nothing is sent before it is spoken.
            return Conversation(parts, ChatOptions()).prepare("Did you sell the ferry to your brother?")
        finally:
            parts.close()

    kept = prepared(private)
    assert kept.recollections == ()
    assert kept.missed == (KEPT_HERE,)
    assert "told nobody" not in kept.prompt
    sent = prepared(f"{private}send_recall_only = true\n")
    assert sent.recollections
    assert sent.about == (sent.recollections[0].found.passage.owner_uid,)


def test_a_persona_whose_base_is_a_folder_beside_the_settings_is_kept_from_question_to_question(
    workspace: Workspace, upstream: CompletionServer
) -> None:
    (workspace.root / "models" / "mine").mkdir(parents=True)
    path = behind(workspace, upstream.url).root / SETTINGS_FILE
    path.write_text(path.read_text().replace('"SmolLM2-135M-Instruct"', '"models/mine"'))
    workspace.forget_settings()
    parts = Parts(workspace)
    try:
        voice = parts.voice(None)
        parts.refresh()
        assert parts.voice(None) is voice
        path.write_text(path.read_text().replace("served-name", "another"))
        parts.refresh()
        assert parts.voice(None) is not voice
    finally:
        parts.close()
