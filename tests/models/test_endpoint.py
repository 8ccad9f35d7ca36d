"""The endpoint engine sends what it should and nothing else, and reads an answer or the reason why it is none."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from core.errors import ModelError
from core.models.api_keys import key_from
from core.models.endpoint import EndpointEngine
from core.models.endpoint_answers import chances_of, failure_of_status, read_answer, retry_after
from core.models.endpoint_completion import CompletionEndpoint
from core.models.endpoint_transport import proxy_for
from core.models.generation import Ask, CallFailed, Said, Told
from core.models.roles import load_text_engine
from core.settings import RoleSettings
from tests.fault_server import FaultServer, Mode

SCHEMA = {"type": "object", "properties": {"memory": {"type": "string"}}}
PLAIN = Ask((Said("system", "You retell."), Said("user", "the tide")), 50)


def asked(server: FaultServer, *asks: Ask, within: float = 10.0, key: str = "") -> list[Told | CallFailed]:
    """What becomes of asks, one after another, to one engine."""

    async def work() -> list[Told | CallFailed]:
        engine = EndpointEngine(server.url, "m", key)
        told: list[Told | CallFailed] = []
        for ask in asks:
            try:
                told.append(await engine.ask(ask, within))
            except CallFailed as failure:
                told.append(failure)
        await engine.close()
        return told

    return asyncio.run(work())


def failure(mode: Mode, within: float = 10.0) -> CallFailed:
    with FaultServer(mode=mode) as server:
        (told,) = asked(server, PLAIN, within=within)
    assert isinstance(told, CallFailed)
    return told


def test_an_answer_comes_with_its_tokens() -> None:
    with FaultServer(content=lambda prompt: f"I saw {prompt}.") as server:
        assert asked(server, PLAIN) == [Told("I saw the tide.", "stop", 4, 5)]
        (sent,) = server.received
    assert sent.body == {
        "model": "m",
        "messages": [{"role": "system", "content": "You retell."}, {"role": "user", "content": "the tide"}],
        "max_tokens": 50,
        "temperature": 0.0,
        "seed": 0,
    }


def test_nothing_of_the_environment_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL"):
        monkeypatch.setenv(f"OPENAI_{name}", f"secret-{name}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Account: secret-account")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with FaultServer() as server:
        assert isinstance(asked(server, PLAIN)[0], Told)
        (sent,) = server.received
    assert "secret" not in str(sent.headers) + str(sent.body)
    assert {name.lower() for name in sent.headers} <= {
        "host", "accept", "accept-encoding", "connection", "content-type", "content-length", "authorization",
    }  # fmt: skip


def in_environment(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("proxy", "taken"),
    [("proxy.example:3128", "http://proxy.example:3128"), ("http://u:p@proxy.example", "http://u:p@proxy.example"),
     ("https://proxy.example:1", "https://proxy.example:1")],
)  # fmt: skip
def test_a_proxy_of_the_environment_is_taken_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, proxy: str, taken: str
) -> None:
    in_environment(monkeypatch, proxy)
    assert proxy_for("https://api.example.org/v1") == taken
    assert proxy_for("https://127.0.0.1/v1") is None
    CompletionEndpoint("https://api.example.org/v1", "", 1).close()


@pytest.mark.parametrize(
    "proxy", ["socks5://u:secret@proxy.example:1", "http://u:secret@proxy.example:99999", "http://"]
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    in_environment(monkeypatch, proxy)
    makers: tuple[Callable[[str], object], ...] = (
        lambda url: CompletionEndpoint(url, "", 1), lambda url: EndpointEngine(url, "m"),
    )  # fmt: skip
    for make in makers:
        with pytest.raises(ModelError, match="is no HTTP proxy") as told:
            make("https://api.example.org/v1")
        assert "secret" not in f"{told.value.message} {told.value.hint}"


def test_the_key_that_the_settings_name_is_sent() -> None:
    with FaultServer() as server:
        asked(server, PLAIN, key="our-key")
        assert server.received[0].headers["Authorization"] == "Bearer our-key"


def test_a_variable_without_a_key_is_told_before_anything_is_sent() -> None:
    assert key_from("", {}) == ""
    assert key_from("KEY", {"KEY": " k "}) == "k"
    for environment in ({}, {"KEY": "  "}):
        with pytest.raises(ModelError, match="KEY holds no key"):
            key_from("KEY", environment)


@pytest.mark.parametrize(
    "held", ["sk-Tide7\nsk-Tide8", "sk-Tid\u00e97", "sk-Tide7 or so", "sk-Tide7\x1b[0m", "sk-\udce97"]
)
def test_what_can_be_no_key_is_told_without_being_repeated(held: str) -> None:
    with pytest.raises(ModelError, match="what the variable KEY holds is no key") as told:
        key_from("KEY", {"KEY": held})
    assert "sk-" not in f"{told.value.message} {told.value.hint}"


@pytest.mark.parametrize(
    "written",
    ["sk-proj-abcdef0123456789", "f3a9c0de11d24b5e9a77c0ffee00beef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi",
     "AIzaSyD0123456789abc", "AbCdEf0123456789AbCdEf"],
)  # fmt: skip
def test_a_key_in_the_place_of_its_variable_is_told_without_being_repeated(written: str) -> None:
    with pytest.raises(ModelError, match="api_key_env is not the name of a variable") as told:
        key_from(written, {})
    assert written not in f"{told.value.message} {told.value.hint}"


@pytest.mark.parametrize(
    ("mode", "reason", "retryable"),
    [
        ("429", "rate limit", True), ("429 with wait", "rate limit", True), ("quota", "quota", False),
        ("500", "server error", True), ("503", "overloaded", True), ("not authorized", "not authorized", False),
        ("redirect", "redirect", False), ("html", "not an answer", True), ("empty object", "not an answer", True),
        ("nothing", "not an answer", True), ("wrong types", "not an answer", True),
        ("compressed", "not an answer", True),
        ("truncated", "cut off", True), ("closed", "cut off", True), ("no finish", "no finish", True),
        ("length", "length", True), ("content filter", "content filter", False), ("empty content", "empty", True),
        ("huge", "too large", False),
    ],
)  # fmt: skip
def test_each_failure_has_its_reason(mode: Mode, reason: str, retryable: bool) -> None:
    failed = failure(mode)
    assert (failed.reason, failed.retryable) == (reason, retryable)
    assert "\n" not in failed.message


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_one_deadline_holds_for_a_whole_answer_drips_included(mode: Mode) -> None:
    assert failure(mode, within=0.3).reason == "timeout"


def test_a_server_that_is_not_there(unused_port: int) -> None:
    async def work() -> None:
        engine = EndpointEngine(f"http://127.0.0.1:{unused_port}/v1", "m")
        with pytest.raises(CallFailed) as failed:
            await engine.ask(PLAIN, 5.0)
        assert (failed.value.reason, failed.value.retryable) == ("connection", True)
        await engine.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, 7), ({"retry-after": "0.5"}, 0.5), ({"retry-after": "7200"}, 7200),
     ({"retry-after-ms": "250", "retry-after": "7"}, 0.25), ({"retry-after": "-3"}, 0), ({}, None),
     ({"retry-after": "soon"}, None), ({"retry-after": "nan"}, None), ({"retry-after": "inf"}, None)],
)  # fmt: skip
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_the_wait_may_be_a_date() -> None:
    later = retry_after({"retry-after": formatdate(time.time() + 600, usegmt=True)})
    assert later == pytest.approx(600, abs=30)
    assert retry_after({"retry-after": formatdate(time.time() - 600, usegmt=True)}) == 0


def test_a_schema_is_sent_strictly_and_left_out_once_it_was_refused() -> None:
    ask = Ask(PLAIN.messages, 50, SCHEMA)
    with FaultServer() as server:
        asked(server, ask)
        form = server.received[0].body["response_format"]
        assert form == {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
        }
    with FaultServer(schema_supported=False) as server:
        first, second, third = asked(server, ask, ask, ask)
        assert isinstance(first, CallFailed)
        assert (first.reason, first.retryable, first.retry_after) == ("parameter refused", True, 0.0)
        assert isinstance(second, Told)
        assert isinstance(third, Told)
        assert ["response_format" in each.body for each in server.received] == [True, False, False]


def test_a_choice_is_told_with_its_chances_where_the_server_reports_them() -> None:
    ask = Ask(PLAIN.messages, 1, choices=("yes", "no"))
    with FaultServer(content=lambda _prompt: "Yes") as server:
        (told,) = asked(server, ask)
        assert isinstance(told, Told)
        assert told.chances is not None
        assert told.chances["yes"] == pytest.approx(0.7788, abs=1e-3)
        assert told.chances["no"] == pytest.approx(0.2019, abs=1e-3)
        assert server.received[0].body["top_logprobs"] == 20
    with FaultServer(content=lambda _prompt: "Yes", logprobs_supported=False) as server:
        first, second = asked(server, ask, ask)
        assert isinstance(first, CallFailed)
        assert second == Told("Yes", "stop", 4, 5, None)
        assert "top_logprobs" not in server.received[1].body


def test_one_word_that_is_cut_is_a_choice_all_the_same() -> None:
    with FaultServer(mode="length", content=lambda _prompt: "yes") as server:
        (told,) = asked(server, Ask(PLAIN.messages, 1, choices=("yes", "no")))
    assert isinstance(told, Told)
    assert told.finish == "length"


@pytest.mark.parametrize(
    ("likeliest", "chances"),
    [
        ([("yes", -0.1), ("no", -3.0)], {"yes": 0.905, "no": 0.05}),
        ([(" Yes", -0.7), ("yes", -1.2), ("NO", -2.0)], {"yes": 0.798, "no": 0.135}),
        ([("n", -0.5), ("y", -1.0)], {"yes": 0.368, "no": 0.607}),
        ([("", -0.1), (" ", -0.2), ("maybe", -0.3)], None),
        ([("yes", float("nan")), ("no", float("-inf"))], None),
        ([], None),
    ],
)
def test_chances_are_of_the_tokens_that_begin_a_choice(
    likeliest: list[tuple[str, float]], chances: dict[str, float] | None
) -> None:
    found = chances_of(likeliest, ("yes", "no"))
    assert found == (None if chances is None else pytest.approx(chances, abs=2e-3))


def test_a_token_that_begins_two_choices_counts_for_neither() -> None:
    assert chances_of([("use", -0.1), ("useful", -2.0)], ("useful", "useless")) == pytest.approx(
        {"useful": 0.135, "useless": 0.0}, abs=1e-3
    )


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000, b'{"choices": ' + b"[" * 50_000, b'{"choices": []}', b'{"choices": [null]}',
        b"\xff\xfe", b"null", b"",
        b'{"choices": [{"message": null, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": true}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "a"}, "finish_reason": 7}]}',
        b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": -1}}',
        b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": '
        + b"9" * 5000 + b"}}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(CallFailed) as failed:
        read_answer(body, PLAIN, "server")
    assert failed.value.reason == "not an answer"
    assert len(failed.value.message) < 400


@pytest.mark.parametrize("said", ["tool_calls", "function_call", "\x1b[31m", "STOP"])
def test_another_finish_is_not_an_end(said: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": said}]})
    with pytest.raises(CallFailed) as failed:
        read_answer(body.encode(), PLAIN, "server")
    assert failed.value.reason == "no finish"


@pytest.mark.parametrize(
    ("role", "settings", "words"),
    [
        ("writer", {"engine": "extractive"}, "cannot be asked"),
        ("judge", {"engine": "extractive"}, "cannot run on the engine"),
        ("writer", {"engine": "llama.cpp", "model": "someone/model"}, "needs a GGUF file"),
        ("writer", {"engine": "endpoint", "model": "m", "base_url": "http://127.0.0.1:1/v1", "api_key_env": "NO_SUCH"},
         "NO_SUCH holds no key"),
    ],
)  # fmt: skip
def test_a_role_that_names_no_engine_is_told(role: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_text_engine(role, RoleSettings(**settings))


@pytest.mark.parametrize(
    ("status", "error", "reason", "refused"),
    [
        (400, {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
               " 'max_completion_tokens' instead.", "param": "max_tokens"}, "parameter refused", "max_tokens"),
        (400, {"message": "'temperature' does not support 0 with this model", "param": "temperature"},
         "parameter refused", "temperature"),
        (422, {"message": "body.seed: extra inputs are not permitted"}, "parameter refused", "seed"),
        (400, {"message": "This model's maximum context length is 4096; max_tokens is 50"}, "prompt too long", ""),
        (400, {"message": "the messages are off"}, "refused", ""),
        (400, {"message": "response_format is invalid", "param": "response_format"}, "refused", ""),
        (404, {"message": "no such model"}, "not found", ""),
        (413, {"message": "too large"}, "prompt too long", ""),
    ],
)  # fmt: skip
def test_a_refusal_tells_whether_to_leave_something_out(
    status: int, error: dict[str, str], reason: str, refused: str
) -> None:
    sent = {"messages": [], "max_tokens": 50, "temperature": 0, "seed": 0}
    failed, parameter = failure_of_status(status, {}, json.dumps({"error": error}).encode(), sent, "server")
    assert (failed.reason, parameter) == (reason, refused)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[" * 100_000, b"null", b'"no"', b'{"error": "plain words"}'])
def test_a_refusal_in_any_form_is_told_in_one_line(body: bytes) -> None:
    failed, _ = failure_of_status(500, {}, body, {}, "server")
    assert failed.reason == "server error"
    assert "\n" not in failed.message
    assert len(failed.message) < 300
