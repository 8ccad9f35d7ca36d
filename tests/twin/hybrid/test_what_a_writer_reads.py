"""What of CONTEXT goes to which writer, and what counts as its merge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.models.generation import CallFailed, Told
from core.recall.judge import Verdict
from core.recall.recollect import Recollection
from core.recall.retell import Retold
from core.retrieval.search import Found
from core.store.chunks import ChunkRow, Passage
from core.store.documents import list_documents
from core.twin.chat import Answer, ChatOptions, Conversation
from core.twin.hybrid.facts import Fact
from core.twin.hybrid.model_merge import read_merge, sendable
from core.workspace import SETTINGS_FILE, Workspace
from tests.asking import use_server
from tests.twin.scripted import ScriptedParts

AWAY, HERE = "api.example.org:443", ""


@pytest.fixture
def facts(workspace: Workspace, tmp_path: Path, import_paths: Callable[..., Any]) -> list[Fact]:
    """One of a note that may be trained on, one of a journal, one that was stated, one of an earlier turn."""
    for use in ("train", "recall"):
        path = tmp_path / f"{use}.md"
        path.write_text(f"# A note\n\nThese are words for {use}.\n", "utf-8")
        import_paths(workspace, [path], use=use)
    found = []
    for document in list_documents(workspace.database):
        chunk = ChunkRow(1, document.uid, document.id, None, 0, 0, 5, document.text, 5, -1)
        use = "recall" if "for recall" in document.text else "train"
        passage = Passage(chunk, "A note", "", "writing", use, document.uid, "", 0)
        recollection = Recollection(Found(1, 1.0, passage), Retold(use, use, 0, 1), Verdict(1.0, None))
        found.append(Fact(use, source=recollection, private=use == "recall"))
    assert {fact.text for fact in found} == {"train", "recall"}
    return [*sorted(found, key=lambda fact: fact.text), Fact("stated", stated=True), Fact("earlier")]


def test_a_writer_on_this_machine_reads_all_of_it(workspace: Workspace, facts: list[Fact]) -> None:
    assert sendable(workspace, HERE, facts) == facts


def test_a_writer_elsewhere_reads_what_may_leave(workspace: Workspace, facts: list[Fact]) -> None:
    assert [fact.text for fact in sendable(workspace, AWAY, facts)] == ["train", "stated"]
    path = workspace.root / SETTINGS_FILE
    path.write_text(path.read_text("utf-8") + "\n[privacy]\nsend_recall_only = true\n", "utf-8")
    workspace.forget_settings()
    assert [fact.text for fact in sendable(workspace, AWAY, facts)] == ["recall", "train", "stated"]


@pytest.mark.parametrize(
    "text",
    ["The tide.", '{"answer": ""}', '{"answer": " \\n"}', '{"answer": 3}', '{"answer": "a", "more": 1}', '["a"]'],
)
def test_what_is_no_merge_is_refused(text: str) -> None:
    with pytest.raises(CallFailed):
        read_merge(Told(text, "stop"))


def test_a_merge_is_on_one_line() -> None:
    assert read_merge(Told('```json\n{"answer": "The\\ntide."}\n```', "stop")) == "The tide."


def test_a_mistake_in_the_settings_costs_the_merge_of_a_writer_elsewhere_and_not_the_answer(
    workspace: Workspace,
) -> None:
    path = workspace.root / SETTINGS_FILE
    path.write_text('[privacy]\nconsent = ["api.example.org"]\n')
    use_server(workspace, "https://api.example.org/v1")
    parts = ScriptedParts(workspace, lambda _: "Well, good evening.")
    conversation = Conversation(parts, ChatOptions(hybrid=True, memories=False))
    try:
        assert parts.recollector.writer_caller is not None
        path.write_text("consent = [\n")
        *_, answer = conversation.ask("Who is there?")
    finally:
        parts.close()
    assert isinstance(answer, Answer)
    assert answer.hybrid is not None
    assert "the writer gave no merge" in answer.hybrid.why
    assert "not valid TOML" in answer.hybrid.why
    assert answer.text
