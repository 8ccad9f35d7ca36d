"""Datasets in other forms: named logs to be completed, and RA-DIT's copies with one passage each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.dataset.build import build, renderer_of
from core.dataset.composition import dataset_sight
from core.dataset.export import find_dataset
from core.dataset.logs import windows
from core.dataset.remembered import APART
from core.dataset.verify import parity_problems
from core.errors import SettingsError
from core.prompts.log import Line, log_messages, name_of
from core.review.decisions import Actor, Decision, decide
from core.settings import DatasetSettings, dataset_settings
from core.store.datasets import ExampleRow, examples_of
from core.workspace import Workspace
from tests.review_rows import fill
from tests.training.tiny import tiny_dataset

COMPLETION = DatasetSettings(form="completion", max_tokens=128)


@pytest.fixture(scope="module")
def interviews(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tiny_dataset(tmp_path_factory.mktemp("logs"))[0])


def test_a_log_holds_whole_conversations_and_trains_the_targets_words_alone(interviews: Workspace) -> None:
    built = build(interviews, how=COMPLETION)
    dataset = find_dataset(interviews, str(built.id))
    rows = examples_of(interviews.database, dataset.id)
    assert dataset.settings["form"] == "completion"
    assert [row.split for row in rows] == ["train"] * 3 + ["validation"]
    assert [message["content"] for message in rows[0].messages] == [
        "Ines Calder: What came in 2010?",
        "Ada Marlow: Rain, and Pell with the bill.",
    ]
    renderer = renderer_of(interviews)
    ids, labels = renderer.tokens(log_messages([Line("Ines", "Rain?"), Line("Ada", "Rain,\nall day.", mine=True)]))
    assert renderer.tokenizer.decode(ids) == "Ines: Rain?\nAda: Rain, all day.\n"
    assert renderer.tokenizer.decode([label for label in labels if label != -100]) == " Rain, all day.\n"
    assert parity_problems(interviews, dataset) == []


def test_the_same_samples_built_again_are_of_the_conversations_of_now(tmp_path: Path) -> None:
    workspace = Workspace.open(tiny_dataset(tmp_path)[0])
    database = workspace.database
    built = build(workspace, how=COMPLETION)
    first = examples_of(database, built.id)[0].conversation_uid
    with database.write():
        database.execute("UPDATE conversation SET uid = 'another' WHERE uid = ?", (first,))
        database.execute(
            "UPDATE conversation_split SET conversation_uid = 'another' WHERE conversation_uid = ?", (first,)
        )
    assert build(workspace, how=COMPLETION).id == built.id
    assert examples_of(database, built.id)[0].conversation_uid == "another"
    assert parity_problems(workspace, find_dataset(workspace, str(built.id))) == []


def test_a_dataset_of_logs_counts_the_targets_lines_as_what_it_teaches(interviews: Workspace) -> None:
    built = build(interviews, how=COMPLETION)
    seen = dataset_sight(interviews, str(built.id))
    assert seen is not None
    assert built.splits == {"train": 3, "validation": 1, "heldout": 2}
    assert {each.split: each.exchanges for each in seen.composition.splits} == built.splits


def test_what_the_persona_is_given_to_go_on_from_is_how_its_samples_begin(interviews: Workspace) -> None:
    renderer = renderer_of(interviews)
    said = log_messages([Line("Ines", "Rain?"), Line("Ada", "All day.", mine=True)])
    sample, _ = renderer.tokens(said)
    begun = renderer.tokenizer.encode(renderer.prompt(said[:1])) + renderer.tokenizer.encode(name_of("Ada"))
    assert sample[: len(begun)] == begun


def test_no_window_is_too_long_and_each_has_a_line_of_the_target(interviews: Workspace) -> None:
    renderer = renderer_of(interviews)
    lines = [Line(f"Friend {n % 3}", "word " * (n % 7 + 1), mine=False) for n in range(40)]
    lines[5] = Line("Ada", "salt", mine=True)
    lines[6] = Line("Friend 9", "rope " * 500)
    lines[30] = Line("Ada: again", "key", mine=True)
    found = list(windows(renderer, lines, 60))
    assert len(found) == 2
    for stretch in found:
        assert stretch.tokens <= 60
        assert stretch.trained_tokens > 0
        assert len(stretch.messages) == stretch.stop - stretch.first
    assert [message.content for message in found[1].messages if message.trained] == ["Ada again: key"]


def test_each_memory_stands_before_a_copy_of_its_own(workspace: Workspace) -> None:
    fill(workspace.database, 300)
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, Actor("person", "Ada"), [Decision(uid, "accept") for uid in uids])
    apart = DatasetSettings(passages="apart", failed_recall=0.0)
    rows = examples_of(workspace.database, build(workspace, how=apart).id, "train")
    assert all(len(row.parts) == 1 and len(row.parts[0].memory_uids) <= 1 for row in rows)
    copies = Counter(row.parts[0].exchange_uid for row in rows)
    assert set(copies.values()) == {APART}
    together = examples_of(workspace.database, build(workspace, how=DatasetSettings(failed_recall=0.0)).id, "train")
    assert len(together) < len(rows)


def test_an_exchange_too_long_with_its_memories_is_there_once_without_them(workspace: Workspace) -> None:
    fill(workspace.database, 300)
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, Actor("person", "Ada"), [Decision(uid, "accept") for uid in uids])

    def built(max_tokens: int) -> list[ExampleRow]:
        how = DatasetSettings(passages="apart", failed_recall=0.0, max_tokens=max_tokens)
        return examples_of(workspace.database, build(workspace, how=how).id, "train")

    exchanges = {row.parts[0].exchange_uid for row in built(640)}
    rows = built(min(row.tokens for row in built(640)) - 1)
    assert {row.parts[0].exchange_uid for row in rows} == exchanges
    assert len(rows) == len(exchanges)
    assert all(row.parts[0].memory_uids == () for row in rows)


def test_a_share_of_failed_recall_is_what_was_asked_for(workspace: Workspace) -> None:
    fill(workspace.database, 500)
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, Actor("person", "Ada"), [Decision(uid, "accept") for uid in uids])
    found = {share: build(workspace, how=DatasetSettings(failed_recall=share)).recall for share in (0.0, 0.5)}
    assert found[0.0]["none"] + found[0.0]["wrong"] == 0
    failed = found[0.5]["none"] + found[0.5]["wrong"]
    assert 0.3 < failed / sum(found[0.5].values()) < 0.7


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="form"):
        dataset_settings(DatasetSettings(), {"form": "poem"})
    assert dataset_settings(DatasetSettings(), {"form": None}) == DatasetSettings()


def test_samples_that_ask_for_their_memories_are_what_the_twin_would_be_shown(workspace: Workspace) -> None:
    fill(workspace.database, 300)
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, Actor("person", "Ada"), [Decision(uid, "accept") for uid in uids])
    built = build(workspace, how=DatasetSettings(tools=0.5, failed_recall=0.0))
    dataset = find_dataset(workspace, str(built.id))
    assert dataset.settings["tools"] == 0.5
    rows = examples_of(workspace.database, dataset.id)
    said = [message for row in rows for message in row.messages if message["role"] == "assistant"]
    commands = [message for message in said if message["content"].startswith("[recall: ")]
    assert all(message["trained"] for message in commands)
    assert 0.3 < len(commands) / (len(said) - len(commands)) < 0.7
    assert parity_problems(workspace, dataset) == []
