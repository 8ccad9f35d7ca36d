"""A persona behind a chat interface calls its functions: a real server on loopback that streams what a script says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.corpus import importing
from core.dates import DateSpan
from core.errors import ConsentError, ModelError, UsageError
from core.journey import EMBED
from core.runs import control
from core.store.consents import grant_consent, revoke_consent
from core.store.model_calls import recent_calls
from core.store.sessions import find_message, memories_of_message, session_messages
from core.twin.chat import Answer, ChatOptions, Conversation, Twin
from core.twin.guard import WITHHELD
from core.twin.leaving import KEPT_HERE
from core.twin.parts import Parts
from core.twin.speech import Manner
from core.twin.statements import never_say
from core.workspace import SETTINGS_FILE, Workspace
from tests.twin.chat_server import ChatServer, Event, called, said

NOTES = {
    "2011-05-04 The rope.md": "I learned to splice rope from my uncle at the harbor, in one long wet summer.\n",
    "2014-03-02 The ferry.md": "I sold the ferry to my brother in the spring, and he painted it green.\n",
    "2019-08-09 The ferry again.md": "The ferry sank off the point, and my brother never spoke of it again.\n",
}
PRIVATE = "What he paid for the ferry was nine hundred crowns, and I have told nobody about it.\n"
QUESTION = "What became of the ferry?"
CONSENT = '[privacy]\nconsent = ["0.0.0.0"]\n'
LONG_WORDS = "Let me think of the ferry first, and of the spring in which I let it go to another man."
FERRY = '{"words": "ferry brother"}'


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three notes of the target and a journal for recall only, embedded."""
    workspace = Workspace.create(tmp_path_factory.mktemp("calling") / "ws", "Ada Marlow")
    for use, texts in (("train", NOTES), ("recall", {"2015-06-01 Money.md": PRIVATE})):
        folder = tmp_path_factory.mktemp(use)
        for name, text in texts.items():
            (folder / name).write_text(text * 3)
        choices, _ = importing.plan([folder], None)
        sources = [asdict(importing.Request(str(choice.source.path), choice.importer.name)) for choice in choices]
        control.run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources, "use": use})
    control.run_to_end(workspace, *EMBED, {})
    return workspace


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "0.0.0.0,127.0.0.1")
    with ChatServer() as server:
        yield server


def behind(workspace: Workspace, url: str, tools: str = "on", more: str = "") -> Workspace:
    (workspace.root / SETTINGS_FILE).write_text(
        'name = "Ada Marlow"\n[models.persona]\nengine = "endpoint"\napi = "chat"\nmodel = "some-chat-model"\n'
        f'base = "SmolLM2-135M-Instruct"\nbase_url = "{url}"\n[twin]\ntools = "{tools}"\nabstain = false\n{more}'
    )
    workspace.forget_settings()
    return workspace


def asked(workspace: Workspace, question: str = QUESTION, **options: Any) -> tuple[list[str], Answer]:
    twin = Twin(workspace, ChatOptions(**options))
    try:
        *pieces, answer = twin.answer(question)
        assert isinstance(answer, Answer)
        return [str(piece) for piece in pieces], answer
    finally:
        twin.close()


def once(first: list[Event], *then: str) -> Callable[[dict[str, Any]], list[Event]]:
    """A model that calls functions until something has come back for them, then says so much."""

    def script(body: dict[str, Any]) -> list[Event]:
        return said(*then) if body["messages"][-1]["role"] == "tool" else first

    return script


def stored(workspace: Workspace, answer: Answer) -> dict[str, Any]:
    message = find_message(workspace.database, answer.message_id)
    assert message is not None
    return message.settings


def test_what_a_function_recalls_reaches_the_second_request_and_the_receipts(
    kept: Workspace, server: ChatServer
) -> None:
    server.script = once(called(("recall", FERRY)), "I sold the ferry to my brother", " in the spring.")
    pieces, answer = asked(behind(kept, server.url))
    assert answer.text == "I sold the ferry to my brother in the spring."
    assert len(pieces) > 1, "it comes as it is said"
    first, second = server.bodies
    assert [tool["function"]["name"] for tool in first["tools"]] == ["recall", "journal", "today"]
    assert first["messages"][-1] == {"role": "user", "content": QUESTION}
    assert second["messages"][: len(first["messages"])] == first["messages"]
    call, result = second["messages"][len(first["messages"]) :]
    (made,) = call["tool_calls"]
    assert (made["function"]["name"], json.loads(made["function"]["arguments"])) == ("recall", json.loads(FERRY))
    assert (result["role"], result["tool_call_id"]) == ("tool", made["id"])
    assert result["content"].startswith("You remember:\n- (20")
    assert "sold the ferry to my brother" in result["content"]
    (receipt,) = answer.receipts
    assert receipt.source is not None
    assert receipt.source.found.passage.title == "The ferry"
    shown = {each.chunk_id for each in memories_of_message(kept.database, answer.message_id)}
    assert receipt.source.found.passage.chunk.id in shown
    assert stored(kept, answer)["commands"] == [
        {"command": "[recall: ferry brother]", "memories": len(answer.recollections)}
    ]
    assert "[recall: ferry brother]" in answer.prompt
    rows = recent_calls(kept.database, 2)
    assert [row.outcome for row in rows] == ["answered", "answered"]
    assert max(row.bytes for row in rows) >= len(json.dumps(second["messages"], ensure_ascii=False).encode())


def test_functions_called_at_once_are_each_answered(kept: Workspace, server: ChatServer) -> None:
    rope_and_day = called(
        ("recall", '{"words": "splicing rope", "before": "2012"}'), ("journal", '{"words": "rope"}'), ("today", "")
    )
    server.script = once(rope_and_day, "In 2015.")
    _, answer = asked(behind(kept, server.url), as_of="2015")
    *_, call, rope, journal, day = server.bodies[-1]["messages"]
    assert [each["id"] for each in call["tool_calls"]] == [each["tool_call_id"] for each in (rope, journal, day)]
    assert journal["content"] == "Nothing comes back.", "no note is a journal's"
    assert "splice rope" in rope["content"]
    assert day["content"] == "You remember:\n- It is 2015."
    assert answer.text == "In 2015."
    assert [each["command"] for each in stored(kept, answer)["commands"]] == [
        "[recall: splicing rope | before 2012]", "[journal: rope]", "[today]",
    ]  # fmt: skip


def test_no_function_recalls_what_came_later_or_is_outside_its_dates(kept: Workspace, server: ChatServer) -> None:
    server.script = once(called(("recall", '{"words": "the ferry", "before": "2030"}')), "It was sold.")
    _, answer = asked(behind(kept, server.url), as_of="2016")
    assert answer.recollections
    assert all(each.found.passage.chunk.last_day <= DateSpan.parse("2016").last for each in answer.recollections)
    server.script = once(called(("recall", '{"words": "the ferry", "after": "2018"}')), "It sank.")
    _, answer = asked(kept)
    assert [each.found.passage.title for each in answer.recollections] == ["The ferry again"]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (("recall", '{"words": "ferry'), "no JSON object"),
        (("recall", '["ferry"]'), "no JSON object"),
        (("recall", "[" * 1900), "no JSON object"),
        (("recall", '{"words": "' + "x" * 9000 + '"}'), "no JSON object"),
        (("recall", "{}"), "words to look for are missing"),
        (("recall", '{"words": 7}'), "words to look for are missing"),
        (("journal", '{"words": " | ] "}'), "words to look for are missing"),
        (("recall", '{"words": "ferry", "before": "the war"}'), "write a date as"),
        (("recall", '{"words": "ferry", "before": "2014-13"}'), "write a date as"),
        (("recall", '{"words": "ferry", "after": "2014-02-31"}'), "write a date as"),
        (("forget_all \x1b[31m", "{}"), "there is no such function"),
        (("", "{}"), "there is no such function"),
    ],
)
def test_a_call_that_cannot_be_understood_brings_nothing_back_and_the_answer_comes(
    kept: Workspace, server: ChatServer, call: tuple[str, str], why: str
) -> None:
    server.script = once(called(call), "I cannot say.")
    _, answer = asked(behind(kept, server.url))
    assert answer.text == "I cannot say."
    assert answer.recollections == ()
    *_, sent, result = server.bodies[-1]["messages"]
    assert result["content"].startswith("Nothing comes back. (")
    assert why in result["content"]
    (made,) = sent["tool_calls"]
    assert isinstance(json.loads(made["function"]["arguments"]), dict), "a server refuses a talk with broken ones"
    assert made["function"]["name"].replace("_", "").isalnum()
    (row,) = stored(kept, answer)["commands"]
    assert (row["memories"], why in row["problem"]) == (0, True)


def test_endless_calling_is_cut(kept: Workspace, server: ChatServer) -> None:
    server.script = lambda body: called(("recall", FERRY)) if "tools" in body else said("It was sold.")
    _, answer = asked(behind(kept, server.url))
    assert ["tools" in body for body in server.bodies] == [True, True, False]
    assert [message["role"] for message in server.bodies[-1]["messages"]][-4:] == [
        "assistant", "tool", "assistant", "tool",
    ]  # fmt: skip
    assert answer.text == "It was sold."
    assert len({each.found.passage.chunk.id for each in answer.recollections}) == len(answer.recollections)


def test_a_server_that_calls_what_was_not_offered_is_told(kept: Workspace, server: ChatServer) -> None:
    server.script = lambda _: called(("recall", FERRY))
    with pytest.raises(ModelError, match="without a word"):
        asked(behind(kept, server.url))
    assert len(server.bodies) == 3


@pytest.mark.parametrize(("tools", "memories"), [("off", True), ("on", False)])
def test_no_function_is_offered_where_none_is_to_be_called(
    kept: Workspace, server: ChatServer, tools: str, memories: bool
) -> None:
    _, answer = asked(behind(kept, server.url, tools), memories=memories)
    (body,) = server.bodies
    assert "tools" not in body
    assert ("You remember:" in body["messages"][-1]["content"]) == memories
    assert "commands" not in stored(kept, answer)


def test_by_default_a_chat_model_is_shown_what_is_recalled_and_may_call_for_more(
    kept: Workspace, server: ChatServer
) -> None:
    server.script = once(called(("recall", '{"words": "splice rope uncle"}')), "My uncle taught me.")
    _, answer = asked(behind(kept, server.url, "auto"))
    first, second = server.bodies
    assert "tools" in first
    assert "the ferry" in first["messages"][-1]["content"].split("You remember:")[1]
    assert "splice rope" in second["messages"][-1]["content"]
    assert {"The ferry", "The rope"} <= {each.found.passage.title for each in answer.recollections}


def refusing_tools(body: dict[str, Any]) -> list[Event] | tuple[int, dict[str, Any]]:
    if "tools" in body:
        return 400, {"message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'}
    return said("It was sold.")


def test_a_server_without_functions_is_asked_without_from_then_on(kept: Workspace, server: ChatServer) -> None:
    server.script = refusing_tools
    twin = Twin(behind(kept, server.url, "auto"), ChatOptions())
    try:
        answers = [list(twin.answer(QUESTION))[-1] for _ in range(2)]
    finally:
        twin.close()
    assert ["tools" in body for body in server.bodies] == [True, False, False]
    assert all(isinstance(each, Answer) and each.text == "It was sold." for each in answers)
    assert sorted(row.outcome for row in recent_calls(kept.database, 3)) == ["answered", "answered", "failed"]


def test_a_server_without_functions_is_an_error_where_nothing_else_recalls(kept: Workspace, server: ChatServer) -> None:
    server.script = refusing_tools
    with pytest.raises(ModelError) as failed:
        asked(behind(kept, server.url, "on"))
    assert "--tool-call-parser" in failed.value.hint
    assert '[twin] tools = "off"' in failed.value.hint


def test_a_passage_that_is_not_cleared_never_goes_out_as_a_result(kept: Workspace, server: ChatServer) -> None:
    money = called(
        ("recall", '{"words": "what he paid for the ferry"}'), ("recall", '{"words": "nine hundred crowns"}')
    )
    server.script = once(money, "Ask him.")
    _, answer = asked(behind(kept, server.elsewhere, more=CONSENT))
    assert len(server.bodies) == 2
    assert "crowns, and I" not in json.dumps(server.bodies)
    assert KEPT_HERE in answer.missed
    assert all(each.found.passage.use == "train" for each in answer.recollections)
    _, answer = asked(behind(kept, server.elsewhere, more=f"{CONSENT}send_recall_only = true\n"))
    assert "crowns, and I" in json.dumps(server.bodies[2:])
    assert any(each.found.passage.use == "recall" for each in answer.recollections)


def test_nothing_is_sent_to_a_host_that_nobody_has_allowed(kept: Workspace, server: ChatServer) -> None:
    with pytest.raises(ConsentError, match="nobody has allowed"):
        asked(behind(kept, server.elsewhere))
    assert server.bodies == []


def test_consent_is_asked_for_again_before_results_are_sent(kept: Workspace, server: ChatServer) -> None:
    grant_consent(kept.database, "0.0.0.0", "2026-01-01")

    def script(body: dict[str, Any]) -> list[Event]:
        assert revoke_consent(Workspace.open(kept.root).database, "0.0.0.0")
        return called(("recall", FERRY))

    server.script = script
    with pytest.raises(ConsentError, match="nobody has allowed"):
        asked(behind(kept, server.elsewhere))
    assert len(server.bodies) == 1


def test_what_is_withheld_is_not_shown_though_a_call_parts_it(kept: Workspace, server: ChatServer) -> None:
    never_say(kept, "Ada", "the green lamp burns")
    server.script = once(called(("today", "{}"), before=["Well, I say that ", "the green"]), "lamp burns", " by night.")
    pieces, answer = asked(behind(kept, server.url))
    assert answer.text == f"Well, I say that {WITHHELD} by night."
    assert "".join(pieces).strip() == answer.text
    assert len(pieces) > 1, "it streams"
    assert server.bodies[-1]["messages"][-2]["content"] == "Well, I say that the green"
    message = find_message(kept.database, answer.message_id)
    assert message is not None
    assert "green lamp" not in message.text


def test_words_that_were_shown_are_kept_where_nothing_can_come_back(
    kept: Workspace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ModelError("the embedder is gone", "install it again")

    monkeypatch.setattr("core.twin.recalling.Recalling.for_command", broken)
    server.script = once(called(("recall", FERRY), before=[LONG_WORDS]), "Never said.")
    conversation = Conversation(parts := Parts(behind(kept, server.url)), ChatOptions())
    try:
        with pytest.raises(ModelError, match="the embedder is gone"):
            list(conversation.ask(QUESTION))
        assert conversation.session_id is not None
        *_, told = session_messages(kept.database, conversation.session_id)
        assert told.role == "assistant"
        assert LONG_WORDS.startswith(told.text)
        assert len(told.text.split()) >= 6
        assert told.settings["finish"] == "stopped"
        assert not parts._listeners, "its voice is let go of"
    finally:
        parts.close()


def test_what_was_said_before_a_call_counts_toward_the_longest_answer(kept: Workspace, server: ChatServer) -> None:
    server.script = once(called(("today", "{}"), before=["one two three four five"]), "And six.")
    asked(behind(kept, server.url), manner=Manner(40, 0.0))
    first, second = (body["max_tokens"] for body in server.bodies)
    assert first == 40
    assert 30 <= second <= 36


def test_a_command_in_plain_text_is_followed_though_functions_are_offered(kept: Workspace, server: ChatServer) -> None:
    server.script = once(said("[recall: ferry brother]"), "I sold the ferry to my brother.")
    _, answer = asked(behind(kept, server.url))
    assert answer.text == "I sold the ferry to my brother."
    assert answer.recollections


def test_a_stop_string_ends_the_answer_before_a_call(kept: Workspace, server: ChatServer) -> None:
    server.script = lambda _: called(("recall", FERRY), before=["It was sold.", " END and so"])
    _, answer = asked(behind(kept, server.url), manner=Manner(64, 0.3, 7, stop=(" END",)))
    assert (answer.text, answer.finish) == ("It was sold.", "stop")
    (body,) = server.bodies
    assert (body["stop"], body["seed"], body["temperature"], body["max_tokens"]) == ([" END"], 7, 0.3, 64)


def test_hybrid_mode_and_raw_texts_are_refused_before_anything_is_stored(kept: Workspace, server: ChatServer) -> None:
    from core.twin.protocol import CompletionRequest
    from core.twin.serving.answering import ServedTwin

    behind(kept, server.url)
    before = kept.database.value("SELECT count(*) FROM message")
    with pytest.raises(UsageError, match=r'hybrid mode needs .* api = "chat" only answers messages'):
        Twin(kept, ChatOptions(hybrid=True))
    twin = ServedTwin(kept.root, lambda _number, _what: None, 1)
    try:
        with pytest.raises(UsageError, match="/v1/completions needs a persona that goes on with a text"):
            twin.prepare_completion(CompletionRequest(prompt="Once upon"))
    finally:
        twin.close()
    assert kept.database.value("SELECT count(*) FROM message") == before
    assert server.bodies == []


def test_a_seed_that_promises_nothing_is_told_at_the_command_line(
    kept: Workspace, server: ChatServer, simulee: Any
) -> None:
    behind(kept, server.url, "off")
    done = simulee("chat", "--once", "Good evening!", "--no-memories", "--seed", "3", "-w", kept.root)
    assert done.returncode == 0, done.stderr
    assert "Good evening." in done.stdout
    assert "--seed is sent, and endpoint does not promise the same answer for it" in done.stderr
    assert server.bodies[0]["seed"] == 3


def test_a_talk_goes_on_as_messages(kept: Workspace, server: ChatServer) -> None:
    twin = Twin(behind(kept, server.url, "off"), ChatOptions(memories=False))
    try:
        for question in ("Who is there?", "And who else?"):
            list(twin.answer(question))
    finally:
        twin.close()
    roles = [message["role"] for message in server.bodies[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert server.bodies[-1]["messages"][0]["content"].startswith("You are Ada Marlow.")


def test_a_chat_model_behind_its_server_is_not_measured_and_it_says_why(workspace: Workspace, tmp_path: Path) -> None:
    from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND

    behind(workspace, "http://127.0.0.1:9/v1")
    with pytest.raises(Exception, match="cannot be measured"):
        control.run_to_end(workspace, EVALUATE_KIND, EVALUATE_ENTRY, {})
