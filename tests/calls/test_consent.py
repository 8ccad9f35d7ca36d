"""Words leave this machine only for a host that a person allowed, and only words that a person let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.calls.caller import open_caller
from core.calls.hosts import forget_host, known_hosts, let_host
from core.errors import ConsentError, UsageError
from core.models.generation import CallFailed
from core.models.hosts import as_written, host_of, is_loopback
from core.store.conversations import exchanges_of, list_conversations
from core.store.documents import list_documents
from core.workspace import SETTINGS_FILE, Workspace
from tests.asking import TINY, ask_all, ask_each, use_server
from tests.fault_server import FaultServer


def elsewhere(server: FaultServer) -> str:
    """The server by an address that is not certain to be this machine: 0.0.0.0 leads here, yet is no loopback."""
    return f"http://0.0.0.0:{server.port}/v1"


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8000/v1", "http://127.8.8.8/v1", "http://localhost:1/v1", "http://[::1]:80/v1",
     "http://[::ffff:127.0.0.1]/v1", "http://LOCALHOST/v1"],
)  # fmt: skip
def test_loopback_is_this_machine(address: str) -> None:
    assert is_loopback(host_of(address))


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1.nip.io/v1", "http://localhost.example.org/v1", "http://0.0.0.0/v1", "http://127.1/v1",
     "http://2130706433/v1", "http://0177.0.0.1/v1", "http://0x7f.0.0.1/v1", "http://localhost4/v1",
     "http://[::]/v1", "http://10.0.0.1/v1", "http://127.0.0.1@example.org/v1", "http://my-localhost/v1",
     "http://[::ffff:10.0.0.1]/v1"],
)  # fmt: skip
def test_what_only_looks_like_this_machine_is_not(address: str) -> None:
    assert not is_loopback(host_of(address))


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1@example.org/v1", "http://example.org\\@127.0.0.1/v1", "ftp://127.0.0.1/v1", "127.0.0.1:80/v1",
     "http://127.0.0.1/v1?to=example.org", "http://127.0.0.1#@example.org", "http://ｌocalhost/v1", "http:///v1",
     "http://127.0.0.1:80000/v1", "http://127.0.0.1:0/v1", "http://[12]/v1", "http://[::1/v1", "http://[127.0.0.1]/v1"],
)  # fmt: skip
def test_an_address_that_could_be_read_in_two_ways_or_in_none_is_no_setting(workspace: Workspace, address: str) -> None:
    from core.errors import SettingsError

    use_server(workspace, address.replace("\\", "\\\\"))
    with pytest.raises(SettingsError, match="base_url must read like"):
        assert workspace.settings


def test_nothing_is_sent_to_a_host_that_nobody_allowed(workspace: Workspace) -> None:
    with FaultServer() as server:
        use_server(workspace, elsewhere(server))
        with pytest.raises(ConsentError, match=r"0\.0\.0\.0") as refused:
            open_caller(workspace, "writer")
        assert refused.value.hint == "simulee consent grant 0.0.0.0"
        assert server.received == []


@pytest.mark.parametrize("port", [True, False])
def test_consent_is_given_by_command_or_in_the_settings(workspace: Workspace, port: bool) -> None:
    with FaultServer() as server:
        use_server(workspace, elsewhere(server))
        name = f"0.0.0.0:{server.port}" if port else "0.0.0.0"
        let_host(workspace, name)
        assert ask_all(workspace, ["tide"]) == ["I remember: tide"]
        forget_host(workspace, name)
        with pytest.raises(ConsentError):
            open_caller(workspace, "writer")
        path = workspace.root / SETTINGS_FILE
        path.write_text(path.read_text() + f'[privacy]\nconsent = ["{name}"]\n')
        workspace.forget_settings()
        assert ask_all(workspace, ["tide", "ebb"]) == ["I remember: tide", "I remember: ebb"]
        assert [(each.host, each.by) for each in known_hosts(workspace)] == [(f"0.0.0.0:{server.port}", SETTINGS_FILE)]
        with pytest.raises(UsageError, match=r"persona\.toml"):
            forget_host(workspace, name)


def test_consent_for_another_port_or_host_does_not_count(workspace: Workspace) -> None:
    with FaultServer() as server:
        use_server(workspace, elsewhere(server))
        for name in (f"0.0.0.0:{server.port + 1}", "0.0.0.0.example.org", "example.org"):
            let_host(workspace, name)
        with pytest.raises(ConsentError):
            open_caller(workspace, "writer")


def test_consent_that_is_taken_back_holds_for_the_next_call(workspace: Workspace) -> None:
    async def work() -> None:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            assert await ask_each(caller, ["tide"]) == ["I remember: tide"]
            forget_host(workspace, "0.0.0.0")
            with pytest.raises(ConsentError):
                await ask_each(caller, ["ebb"])

    with FaultServer() as server:
        use_server(workspace, elsewhere(server))
        let_host(workspace, "0.0.0.0")
        asyncio.run(work())
        assert server.prompts == {"tide": 1}


def test_consent_that_is_taken_out_of_the_settings_holds_for_the_next_call(workspace: Workspace) -> None:
    path = workspace.root / SETTINGS_FILE

    async def work() -> None:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            assert await ask_each(caller, ["tide"]) == ["I remember: tide"]
            path.write_text(path.read_text().partition("[privacy]")[0])
            with pytest.raises(ConsentError):
                await ask_each(caller, ["ebb"])

    with FaultServer() as server:
        use_server(workspace, elsewhere(server))
        path.write_text(path.read_text() + '[privacy]\nconsent = ["0.0.0.0"]\n')
        workspace.forget_settings()
        asyncio.run(work())
        assert server.prompts == {"tide": 1}


Importing = Callable[..., Any]


@pytest.fixture
def told(
    workspace: Workspace, tmp_path: Path, import_paths: Importing, write_interview: Callable[..., Path]
) -> dict[str, str]:
    """Use of a source → uid of a note of it; and ``exchange`` → uid of an exchange for training."""
    uids = {}
    for use in ("train", "recall", "none"):
        note = tmp_path / f"{use}.md"
        note.write_text(f"---\ntitle: {use}\ndate: 2010-01-01\n---\nThe tide came in for {use}.")
        import_paths(workspace, [note], use=use)
    uids.update({document.title: document.uid for document in list_documents(workspace.database)})
    import_paths(workspace, [write_interview("2012-01-01", [("Why?", "Because.")])])
    (conversation,) = list_conversations(workspace.database)
    uids["exchange"] = exchanges_of(workspace.database, conversation.id)[0].uid
    return uids


def reasons(workspace: Workspace, uids: list[str]) -> list[str]:
    """What becomes of an ask about each of these."""

    async def work() -> list[str]:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            answers = [(await ask_each(caller, [f"tide {uid}"], about=[uid]))[0] for uid in uids]
            return [each.reason if isinstance(each, CallFailed) else "sent" for each in answers]

    return asyncio.run(work())


NO = "not cleared for sending"


def test_recall_only_words_stay_unless_the_person_says_so(workspace: Workspace, told: dict[str, str]) -> None:
    uids = [told["train"], told["exchange"], told["recall"], told["none"], "f" * 16]
    with FaultServer() as server:
        use_server(workspace, elsewhere(server))
        let_host(workspace, "0.0.0.0")
        assert reasons(workspace, uids) == ["sent", "sent", NO, NO, NO]
        assert len(server.received) == 2
        path = workspace.root / SETTINGS_FILE
        path.write_text(path.read_text() + "[privacy]\nsend_recall_only = true\n")
        workspace.forget_settings()
        assert reasons(workspace, uids) == ["sent", "sent", "sent", NO, NO]
        assert len(server.received) == 3


def test_on_this_machine_only_words_of_no_use_are_refused(workspace: Workspace, told: dict[str, str]) -> None:
    uids = [told["train"], told["exchange"], told["recall"], told["none"], "f" * 16]
    with FaultServer() as server:
        use_server(workspace, server)
        assert reasons(workspace, uids) == ["sent", "sent", "sent", NO, "sent"]


def test_words_that_are_not_cleared_are_not_worth_asking_again(workspace: Workspace, told: dict[str, str]) -> None:
    async def work() -> None:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            (failed,) = await ask_each(caller, ["tide"], about=[told["none"]])
            assert isinstance(failed, CallFailed)
            assert not failed.retryable

    with FaultServer() as server:
        use_server(workspace, server)
        asyncio.run(work())


@pytest.mark.parametrize("name", ["", "not a host", "http://", "exa\x1b[31mmple.org", "[oops]", "a" * 10 + "/path",
                                  "http://example.org:80000/v1", "http://[12]/v1"])  # fmt: skip
def test_what_names_no_host_gets_no_consent(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="names no host"):
        let_host(workspace, name)


@pytest.mark.parametrize(
    ("written", "compared"),
    [("API.Example.ORG", "api.example.org"), ("example.org.", "example.org"), ("example.org:443", "example.org:443"),
     ("https://example.org/v1", "example.org:443"), ("::1", "::1"), ("[::1]:8000", "[::1]:8000")],
)  # fmt: skip
def test_a_host_is_compared_in_one_form(written: str, compared: str) -> None:
    assert as_written(written) == compared
