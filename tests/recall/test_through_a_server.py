"""Recall of the whole sample with writer and judge on a server: what is stored, what is parked, what a rerun does."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.calls.caller import open_caller
from core.calls.hosts import let_host
from core.journey import EMBED, RECALL
from core.models.load_embedder import load_embedder
from core.recall.asked import Asked
from core.recall.load import with_engines
from core.recall.model_judge import ModelJudge
from core.recall.model_writer import ModelWriter
from core.recall.recollect import Recalled, Recollector
from core.recall.retell import ExtractiveWriter
from core.recall.run import PARKED_KIND, RecallWork, exchanges_to_recall
from core.retrieval.search import Query, Searcher
from core.runs.control import run_to_end
from core.runs.job import Job
from core.runs.journal import EventLog
from core.store.chunks import passages
from core.store.memories import review_rows
from core.store.parked import list_parked
from core.workspace import Workspace
from tests.asking import TINY, use_server
from tests.conftest import Importing
from tests.fault_server import FaultServer, Mode
from tests.recall.answering import answer

LIMIT = 34
"""Exchanges for a fault: with two passages and three asks for each, 204 asks."""


def recall_here(workspace: Workspace, limit: int | None = None) -> dict[str, Any]:
    """The work of a recall run in this process, with waits of milliseconds between attempts."""
    folder = workspace.runs / "here"
    folder.mkdir(exist_ok=True)
    embedder = load_embedder()

    async def work() -> dict[str, Any]:
        writer, judge = (open_caller(workspace, role, waits=TINY) for role in ("writer", "judge"))
        recollector = Recollector(
            workspace.settings,
            Searcher(workspace, lambda: embedder),
            ModelWriter(writer, workspace.target, None),
            ModelJudge(judge, workspace.target, None, second_opinion=True),
            [writer, judge],
        )
        log = EventLog(folder)
        try:
            done = RecallWork(
                Job(workspace, folder, {}, log), recollector, "here", exchanges_to_recall(workspace, limit)
            )
            await done.all()
        finally:
            log.close()
        return done.result()

    return asyncio.run(work())


def answered_asks(server: FaultServer) -> Counter[str]:
    """How often each prompt was asked, but for the asks that were refused for wanting probabilities."""
    return Counter(each.prompt for each in server.received if "logprobs" not in each.body)


def check_every_memory(workspace: Workspace) -> int:
    """No memory without its quote in the passage, none of the future, none of its own conversation."""
    rows = review_rows(workspace.database)
    found = passages(workspace.database, [row.memory.chunk_id for row in rows])
    days = dict(workspace.database.rows("SELECT id, first_day FROM exchange"))
    for row in rows:
        memory, passage = row.memory, found[row.memory.chunk_id]
        assert passage.chunk.text[memory.quote_start : memory.quote_stop] == memory.quote
        assert len(memory.quote.split()) >= 4
        assert memory.text.strip()
        assert passage.chunk.last_day < days[memory.exchange_id]
        assert passage.conversation_id != row.conversation_id
        assert passage.use == "train"
    return len(rows)


def test_the_whole_sample_is_recalled_and_every_memory_is_anchored_earlier_and_from_elsewhere(
    asking: Callable[..., Workspace],
) -> None:
    with FaultServer(answer, logprobs_supported=False) as server:
        workspace = asking(server.url)
        done = run_to_end(workspace, *RECALL, {})
        stored = check_every_memory(workspace)
        assert done["exchanges"] == done["recalled"] > 70
        assert stored + done["dropped"].get("nothing there", 0) == done["candidates"] == 2 * done["exchanges"]
        assert done["kept"] + done["dropped"]["not useful by the question"] == stored
        assert done["parked"] == {}
        # An attempt may end on its way: it has left all the same, and is counted.
        assert len(server.received) <= done["calls"] <= len(server.received) + 5
        writers = {row.memory.writer for row in review_rows(workspace.database)}
        assert writers <= {"model", "quote"}
        asked = len(server.received)
        again = run_to_end(workspace, *RECALL, {})
        assert (again["recalled"], len(server.received)) == (0, asked)


def test_every_call_is_about_its_exchange_and_the_question_is_looked_for_as_it_was_asked(
    asking: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[Query] = []
    search = Searcher.search

    def watched(self: Searcher, query: Query, *rest: Any) -> Any:
        looked_for.append(query)
        return search(self, query, *rest)

    monkeypatch.setattr(Searcher, "search", watched)
    with FaultServer(answer, logprobs_supported=False) as server:
        workspace = asking(server.url)
        exchanges = [exchange for _, exchange in exchanges_to_recall(workspace, 3)]
        recall_here(workspace, 3)
        calls = workspace.database.rows("SELECT about FROM model_call WHERE role IN ('writer', 'judge')")
        assert len(calls) > 6
        uids = {exchange.uid for exchange in exchanges}
        owners = {row[0] for row in workspace.database.rows("SELECT uid FROM document UNION SELECT uid FROM exchange")}
        for (about,) in calls:
            owner, uid = json.loads(about)
            assert owner in owners
            assert uid in uids
    assert {query.text for query in looked_for} == {exchange.question for exchange in exchanges}
    assert {query.context for query in looked_for} == {""}


def test_the_question_is_judged_before_and_apart_from_the_answer(asking: Callable[..., Workspace]) -> None:
    with FaultServer(answer, logprobs_supported=False) as server:
        workspace = asking(server.url)
        real = {exchange.answer for _, exchange in exchanges_to_recall(workspace, 3)}
        recall_here(workspace, 3)
        asked = list(answered_asks(server))
        by_question = [prompt for prompt in asked if "Does the memory help" in prompt]
        by_answer = [prompt for prompt in asked if "Does the answer draw" in prompt]
        assert len(by_question) == len(by_answer) == 6
        assert not any(answered[:200] in prompt for prompt in by_question for answered in real)
        assert all(any(answered.strip() in prompt for answered in real) for prompt in by_answer)


def test_a_memory_of_private_words_is_judged_on_this_machine_only(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    words = {"train": "I painted the ferry green in April.", "recall": "I sold the ferry, and I told nobody the price."}
    for use, text in words.items():
        note = tmp_path / f"2014-03-02 {use}.md"
        note.write_text(f"{text}\n", "utf-8")
        import_paths(workspace, [note], use=use)
    run_to_end(workspace, *EMBED, {})
    owners = dict(
        workspace.database.rows("SELECT use, document.uid FROM document JOIN source ON source.id = source_id")
    )

    async def judged(url: str) -> Recalled:
        use_server(workspace, url, "judge")
        let_host(workspace, "0.0.0.0")
        embedder, caller = load_embedder(), open_caller(workspace, "judge", waits=TINY)
        recollector = Recollector(
            workspace.settings,
            Searcher(workspace, lambda: embedder),
            ExtractiveWriter(embedder, 2),
            ModelJudge(caller, workspace.target, None, second_opinion=True),
            [caller],
        )
        try:
            return await recollector.recall(Asked("What became of the ferry?"), lambda _: True)
        finally:
            await recollector.aclose()

    with FaultServer(lambda _: "yes", logprobs_supported=False) as server:
        found = asyncio.run(judged(f"http://0.0.0.0:{server.port}/v1"))
        assert [each.retold.text for each in found.memories] == [words["train"]]
        assert [failed.reason for failed in found.parked] == ["not cleared for sending"]
        assert server.received
        assert not any("told nobody" in json.dumps(each.body) for each in server.received)
        sent = {about for (about,) in workspace.database.rows("SELECT about FROM model_call")}
        assert sent == {json.dumps([owners["train"]])}
        assert len(asyncio.run(judged(server.url)).memories) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode",
    ["429 with wait", "429", "500", "hang", "drip", "truncated", "html", "empty object", "wrong types", "length",
     "bad json", "wrong language", "echo", "injection", "redirect", "closed", "no finish", "empty content"],
)  # fmt: skip
def test_nothing_of_a_bad_answer_is_stored_and_a_rerun_finishes_what_is_parked(
    mode: Mode, asking: Callable[..., Workspace]
) -> None:
    with FaultServer(answer, mode=mode, logprobs_supported=False) as server:
        workspace = asking(server.url, timeout=0.3, attempts=2)
        done = recall_here(workspace, LIMIT)
        parked = list_parked(workspace.database, PARKED_KIND)
        assert review_rows(workspace.database) == []
        assert len(parked) == LIMIT
        assert all(each.reason for each in parked)
        assert sum(done["parked"].values()) == 2 * LIMIT
        server.mode = "ok"
        done = recall_here(workspace, LIMIT)
        assert done["parked"] == {}
        assert list_parked(workspace.database, PARKED_KIND) == []
        assert check_every_memory(workspace) + done["dropped"].get("nothing there", 0) == 2 * LIMIT


def test_what_failed_in_part_keeps_what_it_has_and_asks_only_for_the_rest(asking: Callable[..., Workspace]) -> None:
    """The judge fails on every third memory at first."""

    def mode_of(prompt: str, time: int) -> Mode:
        return "bad json" if "Does the memory help" in prompt and len(prompt) % 3 == 0 and not well else "ok"

    well: list[bool] = []
    with FaultServer(answer, mode_of=mode_of, logprobs_supported=False) as server:
        workspace = asking(server.url, attempts=1)
        first = recall_here(workspace, 20)
        stored = check_every_memory(workspace)
        assert 0 < stored < 40
        assert first["parked"]
        asked = answered_asks(server)
        well.append(True)
        second = recall_here(workspace, 20)
        assert second["parked"] == {}
        assert check_every_memory(workspace) == 40
        both = answered_asks(server)
        repeated = [prompt for prompt, times in both.items() if times > 1]
        assert repeated
        assert all("Does the memory help" in prompt and len(prompt) % 3 == 0 for prompt in repeated)
        assert sum((both - asked).values()) < sum(asked.values()) / 2


def test_engines_of_one_run_leave_the_settings_alone(asking: Callable[..., Workspace]) -> None:
    with FaultServer(answer) as server:
        workspace = asking(server.url, "judge")
        chosen = with_engines(workspace.settings, {"writer": "llama.cpp"})
        assert (chosen.models.writer.engine, chosen.models.writer.model) == ("llama.cpp", "SmolLM2-135M-Instruct")
        assert workspace.settings.models.writer.engine == "extractive"


def test_the_command_tells_first_what_it_will_ask_and_then_what_came(
    asking: Callable[..., Workspace], simulee: Callable[..., Any]
) -> None:
    with FaultServer(answer, logprobs_supported=False) as server:
        workspace = asking(server.url)
        expected = json.loads(simulee("recall", "-w", workspace.root, "--limit", 5, "--estimate", "--json").stdout)[
            "estimate"
        ]
        assert [each["calls"] for each in expected] == [10, 20]
        assert server.received == []
        told = simulee("recall", "-w", workspace.root, "--limit", 5)
        assert told.returncode == 0, told.stderr
        assert "writer: up to 10 calls to m" in told.stderr
        assert sum(answered_asks(server).values()) <= 30
        used = sum(len(each.prompt) for each in server.received) / 4
        assert 0.5 * used < sum(each["prompt_tokens"] for each in expected) < 2.5 * used
        server.mode = "not authorized"
        told = simulee("recall", "-w", workspace.root, "--limit", 8, "--json")
        assert told.returncode == 3
        assert json.loads(told.stdout)["parked"] == {"not authorized": 6}


@pytest.mark.slow
def test_the_extractive_writer_too_recalls_nothing_unfounded(asking: Callable[..., Workspace], tmp_path: Path) -> None:
    with FaultServer(answer, logprobs_supported=False) as server:
        workspace = asking(server.url, "judge")
        done = run_to_end(workspace, *RECALL, {})
        assert check_every_memory(workspace) == done["candidates"]
        assert {row.memory.writer for row in review_rows(workspace.database)} == {"extractive"}


def test_an_engine_that_lacks_its_settings_is_one_clear_line(workspace: Workspace, simulee: Callable[..., Any]) -> None:
    told = simulee("recall", "-w", workspace.root, "--writer", "endpoint")
    assert told.returncode == 2
    assert told.stderr.splitlines() == [
        "simulee: writer: the engine endpoint needs base_url and model",
        "  see [models.writer] in persona.toml",
    ]


def test_an_engine_that_no_writer_runs_on_is_refused_before_a_run_begins(
    workspace: Workspace, simulee: Callable[..., Any]
) -> None:
    told = simulee("recall", "-w", workspace.root, "--writer", "sentence-transformers")
    assert told.returncode == 2
    assert told.stderr.splitlines() == [
        "simulee: the writer cannot run on the engine 'sentence-transformers' in this version",
        "  simulee recall --writer extractive",
    ]
    assert list(workspace.runs.glob("*")) == []
