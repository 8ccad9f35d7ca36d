"""Words go to a host only with consent, and only those that a person lets go; what stays is counted."""

from __future__ import annotations

import pytest

from core.calls.hosts import forget_host, known_hosts, let_host
from core.errors import ConsentError, DatasetError, SimuleeError
from core.store.model_calls import recent_calls
from core.workspace import SETTINGS_FILE, Workspace
from tests.hosted_server import HostedServer
from tests.training.hosted.conftest import FIRST_ANSWER, INTERVIEWS, JOURNAL, NOTE, Here, Hosted, elsewhere

RECALL = "for recall only"


def allowed(workspace: Workspace, privacy: str = "") -> Workspace:
    let_host(workspace, "0.0.0.0")
    path = workspace.root / SETTINGS_FILE
    path.write_text(path.read_text("utf-8") + (f"[privacy]\n{privacy}\n" if privacy else ""), "utf-8")
    workspace.forget_settings()
    return workspace


def give(workspace: Workspace, ending: str, use: str) -> None:
    """Change the use of the source whose file ends so, after the dataset was frozen."""
    workspace.database.execute("UPDATE source SET use = ? WHERE location LIKE ?", (use, f"%/{ending}"))


def test_without_consent_the_host_sees_no_byte(hosted: Hosted) -> None:
    with HostedServer() as server:
        workspace = hosted(elsewhere(server.url))
        with pytest.raises(ConsentError, match=r"0\.0\.0\.0") as refused:
            Here(workspace).go()
        assert refused.value.hint == "simulee consent grant 0.0.0.0"
        assert server.requests == []
    assert recent_calls(workspace.database, 9) == []


def test_consent_that_is_taken_back_on_the_way_holds_for_the_next_send(hosted: Hosted) -> None:
    with HostedServer(faults={"upload": ["500"]}) as server:
        workspace = allowed(hosted(elsewhere(server.url)))

        def take_back() -> bool:
            if "upload" in server.requests and known_hosts(workspace)[0].allowed:
                forget_host(workspace, "0.0.0.0")
            return False

        with pytest.raises(ConsentError):
            Here(workspace).go(take_back)
        assert (server.requests.count("upload"), server.files) == (1, {})


def test_a_journals_words_stay_and_their_sample_is_counted(hosted: Hosted) -> None:
    with HostedServer() as server:
        done = Here(allowed(hosted(elsewhere(server.url)))).go()
    assert (done["samples"], done["left_out"]) == (INTERVIEWS - 1, {RECALL: 1})
    assert NOTE in server.words
    assert "afraid" not in server.words
    assert JOURNAL not in server.words


def test_a_journal_that_may_be_trained_on_goes_where_the_person_says_so(hosted: Hosted) -> None:
    with HostedServer() as server:
        done = Here(allowed(hosted(elsewhere(server.url)), "send_recall_only = true")).go()
    assert done["left_out"] == {}
    assert JOURNAL in server.words


@pytest.mark.parametrize(
    ("ending", "use", "reason", "words"),
    [
        ("note.md", "recall", RECALL, NOTE),
        ("note.md", "none", "used for nothing", NOTE),
        ("0.json", "recall", RECALL, FIRST_ANSWER),
        ("0.json", "none", "used for nothing", FIRST_ANSWER),
    ],
)
@pytest.mark.parametrize("here", [True, False])
def test_what_was_taken_back_since_the_dataset_was_frozen_is_not_trained_on(
    hosted: Hosted, ending: str, use: str, reason: str, words: str, here: bool
) -> None:
    with HostedServer() as server:
        workspace = allowed(hosted(server.url if here else elsewhere(server.url)), "send_recall_only = true")
        give(workspace, ending, use)
        done = Here(workspace).go()
    assert done["left_out"] == {reason: 1}
    assert words not in server.words


def test_a_memory_whose_source_was_forgotten_takes_its_sample_along(hosted: Hosted) -> None:
    with HostedServer() as server:
        workspace = hosted(server.url)
        workspace.database.execute("DELETE FROM source WHERE location LIKE '%/note.md'")
        done = Here(workspace).go()
    assert done["left_out"] == {"nothing is known of it": 1}
    assert NOTE not in server.words


@pytest.mark.parametrize("fault", ["429 long wait", "hang"])
def test_what_is_taken_back_between_two_attempts_is_sent_anew_without_it(hosted: Hosted, fault: str) -> None:
    """The file is there, the job is not: it must not be trained on what it held."""
    with HostedServer(faults={"start": [fault]}) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        with pytest.raises(SimuleeError):
            here.go(lambda: fault == "hang" and "start" in server.requests)
        give(workspace, "note.md", "none")
        here.go()
        (job,) = server.jobs.values()
        _, content = server.files[job["training_file"]]
    assert NOTE.encode() not in content
    assert len(server.files) == 2


def test_where_nothing_may_go_nothing_does(hosted: Hosted) -> None:
    with HostedServer() as server:
        workspace = allowed(hosted(elsewhere(server.url)))
        give(workspace, "%", "recall")
        with pytest.raises(DatasetError, match=f"{INTERVIEWS} {RECALL}"):
            Here(workspace).go()
        assert server.requests == []


def test_the_host_is_among_those_that_consent_tells_of(hosted: Hosted) -> None:
    (host,) = known_hosts(hosted("https://api.example.org/v1"))
    assert (host.host, host.allowed, host.roles) == ("api.example.org:443", False, ("training",))
