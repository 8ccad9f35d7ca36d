"""What is set aside for measuring stays out of everything that the twin learns or recalls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.corpus.holdout import assign_splits, assigned_splits, hold_out
from core.dataset.build import build, check_leaks
from core.errors import DatasetError, Interrupted, UsageError
from core.journey import EMBED
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.store.chunks import count_chunks
from core.store.conversations import trainable_conversations
from core.store.datasets import examples_of
from core.store.identity import content_uid
from core.store.memories import MemoryRow, put_memories, review_rows
from core.workspace import Workspace

Importing = Callable[..., dict[str, Any]]
Writing = Callable[..., Path]


def _answer(year: int) -> str:
    words = (
        "counted",
        "the",
        "jars",
        "twice",
        "and",
        "ferry",
        "once",
        "which",
        "was",
        "the",
        "one",
        "that",
        "came",
        "out",
    )
    return "In that year I " + " ".join(f"{word}{year}" if len(word) > 3 else word for word in words) + " wrong."


@pytest.fixture
def years(workspace: Workspace, import_paths: Importing, write_interview: Writing) -> Callable[[int, int], None]:
    """Import one interview for each year of a range."""

    def do(first: int, stop: int) -> None:
        paths = [
            write_interview(f"{year}-05-01", [(f"What did you count in {year}?", _answer(year))])
            for year in range(first, stop)
        ]
        import_paths(workspace, paths)

    return do


def _by_split(workspace: Workspace) -> dict[str, list[str]]:
    splits = assigned_splits(workspace)
    found: dict[str, list[str]] = {}
    for row in trainable_conversations(workspace.database):
        found.setdefault(splits.get(row.uid, "unassigned"), []).append(row.date[:4])
    return found


def test_the_latest_quarter_is_held_out_and_the_latest_of_the_rest_validates(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2018)
    assign_splits(workspace)
    assert _by_split(workspace) == {
        "train": ["2010", "2011", "2012", "2013", "2014"],
        "validation": ["2015"],
        "heldout": ["2016", "2017"],
    }


def test_too_few_conversations_hold_nothing_out_until_more_come(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2012)
    assign_splits(workspace)
    assert _by_split(workspace) == {"train": ["2010", "2011"]}
    years(2012, 2016)
    assign_splits(workspace)
    assert _by_split(workspace)["heldout"] == ["2014", "2015"]


def test_what_is_held_out_stays_so_when_later_interviews_come(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2014)
    assign_splits(workspace)
    years(2014, 2018)
    assign_splits(workspace)
    assert _by_split(workspace)["heldout"] == ["2013"]


def test_looking_assigns_nothing(
    workspace: Workspace, years: Callable[[int, int], None], simulee: Callable[..., Any]
) -> None:
    years(2010, 2014)
    for look in (("corpus", "list"), ("doctor",)):
        assert simulee(*look, "-w", workspace.root).returncode == 0
    assert _by_split(workspace) == {"unassigned": ["2010", "2011", "2012", "2013"]}


def test_a_person_names_what_is_held_out_by_its_short_id(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2016)
    assign_splits(workspace)
    first = trainable_conversations(workspace.database)[0]
    hold_out(workspace, [f"c{first.id}"])
    assert _by_split(workspace)["heldout"] == ["2010"]
    assert "2015" in _by_split(workspace)["train"]


def test_when_the_one_that_validates_is_held_out_the_latest_of_the_rest_validates(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2018)
    assign_splits(workspace)
    (validating,) = [row for row in trainable_conversations(workspace.database) if row.date.startswith("2015")]
    hold_out(workspace, [f"c{validating.id}"])
    found = _by_split(workspace)
    assert (found["heldout"], found["validation"]) == (["2015"], ["2017"])
    assert len(found["train"]) == 6


def test_an_unknown_conversation_is_refused_and_changes_nothing(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2016)
    assign_splits(workspace)
    before = _by_split(workspace)
    with pytest.raises(UsageError, match="c99"):
        build(workspace, ["c99"])
    assert _by_split(workspace) == before


def test_passages_and_accepted_memories_of_a_conversation_go_when_it_is_held_out(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    with (workspace.root / "persona.toml").open("a") as settings:
        settings.write("\n[dataset]\nfailed_recall = 0.0\n")
    years(2010, 2016)
    run_to_end(workspace, *EMBED, {})
    database = workspace.database
    rows = trainable_conversations(database)
    chunk, text = database.one(
        "SELECT chunk.id, chunk.text FROM chunk JOIN exchange ON exchange.id = exchange_id WHERE conversation_id = ?",
        (rows[0].id,),
    ) or (0, "")
    asked = database.value("SELECT id FROM exchange WHERE conversation_id = ?", (rows[1].id,))
    memory = MemoryRow(0, content_uid("m"), asked, chunk, 1, 1.0, "extractive", text, text, 0, len(text))
    with database.write():
        put_memories(database, asked, [(memory, {})])
    decide(database, Actor("person", "Nell"), [Decision(memory.uid, "accept")])
    shown = str([example.messages for example in examples_of(database, build(workspace).id)])
    assert text in shown.split("You remember", 1)[1]

    built = build(workspace, [rows[0].uid])
    assert review_rows(database) == []
    assert text not in str([example.messages for example in examples_of(database, built.id)])
    assert not database.value(
        "SELECT count(*) FROM chunk JOIN exchange ON exchange.id = exchange_id WHERE conversation_id = ?", (rows[0].id,)
    )


def _everything(workspace: Workspace) -> list[str]:
    return [row.uid for row in trainable_conversations(workspace.database)]


def test_holding_every_conversation_out_is_refused_and_holds_none_out(
    workspace: Workspace, years: Callable[[int, int], None]
) -> None:
    years(2010, 2016)
    assign_splits(workspace)
    before = _by_split(workspace)
    with pytest.raises(DatasetError, match=r"every conversation .* is set aside, 6 held out and 0 to validate"):
        build(workspace, _everything(workspace))
    assert _by_split(workspace) == before
    assert build(workspace).splits["heldout"] == 2


def test_a_hold_out_whose_answers_stand_elsewhere_is_refused_and_takes_no_passage_away(
    workspace: Workspace, years: Callable[[int, int], None], import_paths: Importing, tmp_path: Path
) -> None:
    years(2010, 2014)
    essay = tmp_path / "essay.txt"
    essay.write_text(_answer(2010), "utf-8")
    import_paths(workspace, [essay], "text")
    run_to_end(workspace, *EMBED, {})
    before, passages = _by_split(workspace), count_chunks(workspace.database)
    with pytest.raises(DatasetError, match="nearly repeated"):
        build(workspace, _everything(workspace)[:1])
    assert _by_split(workspace) == before
    assert count_chunks(workspace.database) == passages


def test_a_build_that_is_stopped_holds_nothing_out(workspace: Workspace, years: Callable[[int, int], None]) -> None:
    years(2010, 2016)

    def stop(_done: int, _total: int) -> None:
        raise Interrupted("stopped as asked")

    with pytest.raises(Interrupted):
        build(workspace, _everything(workspace)[:1], watch=stop)
    assert assigned_splits(workspace) == {}


def test_a_person_releases_by_name_what_was_held_out(
    workspace: Workspace, years: Callable[[int, int], None], simulee: Callable[..., Any]
) -> None:
    years(2010, 2016)
    hold_out(workspace, _everything(workspace))
    with pytest.raises(DatasetError, match="set aside") as refused:
        build(workspace)
    assert "dataset build --release ID" in refused.value.hint
    ids = [f"c{row.id}" for row in trainable_conversations(workspace.database)]
    named = [word for reference in ids[:4] for word in ("--release", reference)]
    told = simulee("dataset", "build", *named, "-w", workspace.root)
    assert told.returncode == 0, told.stderr
    assert "released: c1, c2, c3, c4; trained on from now on" in told.stdout
    assert _by_split(workspace) == {"train": ["2010", "2011", "2012", "2013"], "heldout": ["2014", "2015"]}
    assign_splits(workspace)
    assert _by_split(workspace)["train"] == ["2010", "2011", "2012", "2013"]


def test_no_rule_sets_aside_what_a_person_released(workspace: Workspace, years: Callable[[int, int], None]) -> None:
    years(2010, 2016)
    latest = _everything(workspace)[-1]
    hold_out(workspace, [latest])
    build(workspace, released=[latest])
    assert _by_split(workspace)["heldout"] == ["2013", "2014"]
    build(workspace, released=[latest])
    assert assign_splits(workspace)[latest] == "train"


def test_what_is_not_held_out_cannot_be_released(workspace: Workspace, years: Callable[[int, int], None]) -> None:
    years(2010, 2016)
    first, latest = _everything(workspace)[0], _everything(workspace)[-1]
    assign_splits(workspace)
    before = _by_split(workspace)
    with pytest.raises(UsageError, match="is not held out"):
        build(workspace, released=[first])
    with pytest.raises(UsageError, match="both held out and released"):
        build(workspace, [latest], released=[latest])
    with pytest.raises(UsageError, match="no conversation 'c99'"):
        build(workspace, released=["c99"])
    assert _by_split(workspace) == before


@pytest.mark.parametrize("before", ["", "The year began with rain. " * 200])
def test_a_held_out_answer_reprinted_in_a_document_of_any_length_blocks_the_dataset(
    workspace: Workspace, years: Callable[[int, int], None], import_paths: Importing, tmp_path: Path, before: str
) -> None:
    years(2010, 2014)
    essay = tmp_path / "essay.txt"
    essay.write_text(f"{before}{_answer(2013)}", "utf-8")
    assert build(workspace).splits["heldout"] == 1
    import_paths(workspace, [essay], "text")
    assert [leak.where for leak in check_leaks(workspace)] == ["essay"]
    with pytest.raises(DatasetError, match="nearly repeated"):
        build(workspace)


def test_a_phrase_in_common_is_no_leak(
    workspace: Workspace, years: Callable[[int, int], None], import_paths: Importing, tmp_path: Path
) -> None:
    years(2010, 2014)
    essay = tmp_path / "essay.txt"
    essay.write_text("That autumn I counted2013 the jars2013 twice2013 and ferry2013 once2013, never more.", "utf-8")
    import_paths(workspace, [essay], "text")
    assign_splits(workspace)
    assert [leak.where for leak in check_leaks(workspace) if leak.where == "essay"] == []


@pytest.mark.parametrize("heard", ["before an answer", "after the last answer"])
def test_a_held_out_answer_that_an_interviewer_quotes_blocks_the_dataset(
    workspace: Workspace,
    years: Callable[[int, int], None],
    import_paths: Importing,
    tmp_path: Path,
    heard: str,
) -> None:
    years(2010, 2014)
    quoted = f"You once said: {_answer(2013)}"
    lines = {"before an answer": ["What came?", "Rain.", f"{quoted} Still?", "Still."],
             "after the last answer": ["What came?", "Rain.", "And then?", "Wind.", quoted]}[heard]  # fmt: skip
    talk = tmp_path / "2009-05-01 Talk.txt"
    talk.write_text(
        "\n".join(f"{'Ada Marlow' if place % 2 else 'Ines Calder'}: {line}" for place, line in enumerate(lines))
    )
    assert build(workspace).splits["heldout"] == 1
    import_paths(workspace, [talk])
    assert [leak.where for leak in check_leaks(workspace)] == [f"Talk, turn {3 if heard.startswith('before') else 5}"]
    with pytest.raises(DatasetError, match="nearly repeated"):
        build(workspace)
