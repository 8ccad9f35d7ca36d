"""Dataset: what it is made of, what is newer, the guard's verdict, samples with their loss mask, build and export."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from core.corpus.holdout import hold_out
from core.dataset.masks import segments_apart
from core.review.decisions import Actor, Decision, append
from core.runs.journal import list_runs
from core.store.conversations import list_conversations
from core.store.datasets import ExampleRow, PartRow, list_datasets, put_dataset
from core.store.decisions import last_decision_id
from core.workspace import Workspace
from tui.screens.dataset.parts import HoldBox, SampleView
from tui.widgets.boxes import ChoiceBox, ShowBox
from tui.widgets.line_list import LineList

BASE = "SmolLM2-135M-Instruct"
RECALL = (("kept", "none"), ("wrong",), ("kept",))


def example(place, question="Why do maps lie?", answer="The coast wins by Thursday.", conversation="none"):
    messages = [
        {"role": "system", "content": "You are Ada Marlow.", "trained": False},
        {"role": "user", "content": question, "trained": False},
        {"role": "assistant", "content": answer, "trained": True},
    ]
    recall = RECALL[place % 3]
    parts = tuple(PartRow(f"e{place}-{number}", (), kind) for number, kind in enumerate(recall))
    split = "validation" if place % 5 == 4 else "train"
    return ExampleRow(0, place, split, conversation, messages, 100 + 40 * place, 30 + place, parts)


@pytest.fixture
def freeze(workspace):
    """Store a dataset of some samples, as a build does."""

    def do(count=10, name="a", memories=True, **rest):
        settings = {"base": BASE, "tokenizer": "t", "prompts": "p", "max_tokens": 640, "memories": memories,
                    "failed_recall": 0.2, "heldout": {"held": ["e90", "e91"]}}  # fmt: skip
        database = workspace.database
        with database.write():
            return put_dataset(
                database, f"hash-{name}", settings, last_decision_id(database), f"2026-01-0{len(name)}T10:00:00",
                [example(place, **rest) for place in range(count)],
            )  # fmt: skip

    return do


def decide(workspace):
    with workspace.database.write():
        append(workspace.database, Actor("person", "me"), [Decision("m1", "accept")])


def screen_of(seat):
    return seat.bench.stage_now()


async def read_sample(seat, words):
    await seat.until(lambda: words in "\n".join(each.shown for each in screen_of(seat).query("SampleView > Words")))


def test_without_a_dataset_it_says_what_one_is_and_offers_to_build_it(workspace, sit):
    async def work(seat):
        assert "There is no dataset yet" in seat.shown
        assert "b  build it" in seat.shown
        for key in ("v", "c", "d", "x"):
            await seat.press(key)
            assert "there is no dataset yet" in seat.said
        await seat.press("m")
        assert "there is no sample to read" in seat.said

    sit(workspace.root, "dataset", work)


def test_figures_tell_splits_recall_tokens_and_age(workspace, freeze, sit):
    freeze()

    async def work(seat):
        assert "ds1 hash-a · the newest of 1" in seat.shown
        assert "train 8 samples (11 exchanges) · validation 2 (3) · held out 2" in seat.shown
        assert "+ 7 kept   · 4 none   ✗ 3 wrong   20% were to fail on purpose" in seat.shown
        assert "2,800, 345 trained" in seat.shown
        assert "✓ no decision is newer than it" in seat.shown
        assert "no leak when it was built   v verifies it" in seat.shown
        assert seat.bench.stage_now().query_one(LineList).count == 10

    sit(workspace.root, "dataset", work)


def test_decisions_that_came_later_make_it_stale(workspace, freeze, sit):
    freeze()
    decide(workspace)

    async def work(seat):
        assert "↻ stale: 1 decision is newer than it   b builds it again" in seat.shown

    sit(workspace.root, "dataset", work)


def test_all_figures_are_in_a_box_with_the_histogram_in_blocks(workspace, freeze, sit):
    freeze()

    async def work(seat):
        await seat.press("c")
        assert isinstance(seat.bench.screen, ShowBox)
        assert "Tokens of a sample" in seat.shown
        assert "100–149" in seat.shown
        assert "█" in seat.shown
        assert "gone" in seat.shown

    sit(workspace.root, "dataset", work)


def test_sources_and_years_are_those_of_the_conversations(workspace, write_interview, import_paths, freeze, sit):
    import_paths(workspace, [write_interview("2012-05-01", [("Why?", "Because.")])])
    freeze(conversation=list_conversations(workspace.database)[0].uid)

    async def work(seat):
        assert "2012-05-01-ines.json 10" in seat.shown
        assert "2012 █ 2012" in seat.shown

    sit(workspace.root, "dataset", work)


def test_a_sample_shows_what_is_trained_by_marks_and_by_a_bar(workspace, freeze, sit):
    freeze()

    async def work(seat):
        await seat.press("enter")
        await read_sample(seat, "»The coast wins by Thursday.«")
        assert "sample 1 · 1 of 10 · train · 100 tokens, 30 trained" in seat.shown
        assert "Ada Marlow: trained" in seat.shown
        painted = next(line for line in seat.painted if "»The coast" in line)
        assert "┃" in painted
        assert not any("┃" in line for line in seat.painted if "Why do maps lie" in line)
        await seat.press("right_square_bracket")
        await seat.until(lambda: "sample 2 · 2 of 10" in seat.shown)
        await seat.press("left_square_bracket")
        await seat.until(lambda: "sample 1 · 1 of 10" in seat.shown)
        await seat.press("q")
        await seat.until(lambda: "Splits" in seat.shown)
        await seat.press("enter")
        await seat.until(lambda: "sample 1 · 1 of 10" in seat.shown)
        await seat.press("escape")
        await seat.until(lambda: "Splits" in seat.shown)
        assert seat.bench.screen.focused is screen_of(seat).query_one(LineList)

    sit(workspace.root, "dataset", work)


@pytest.mark.slow
def test_the_exact_text_is_what_the_command_prints(workspace, freeze, simulee, sit):
    freeze()

    async def work(seat):
        await seat.press("m")
        await read_sample(seat, "<|im_start|>")
        shown = "".join(each.shown for each in screen_of(seat).query("SampleView > Words"))
        printed = simulee("dataset", "show", "--mask", cwd=workspace.root).stdout
        assert shown.strip() in printed
        assert "»The coast wins by Thursday.<|im_end|>«" in shown
        await seat.press("m")
        await read_sample(seat, "Ada Marlow: trained")

    sit(workspace.root, "dataset", work)
    assert len(segments_apart(workspace.root, 1, 8, 5)) == 2


def test_the_list_shows_one_split_or_where_recall_fails(workspace, freeze, sit):
    freeze()

    async def work(seat):
        samples = screen_of(seat).query_one(LineList)
        await seat.press("s", "3")
        assert samples.count == 2
        assert "Shown    validation: 2 samples" in seat.shown
        await seat.press("enter")
        await seat.until(lambda: "sample 5 · 1 of 2 · validation" in seat.shown)
        await seat.press("escape", "s", "4")
        assert samples.count == 7
        await seat.press("s", "1")
        assert samples.count == 10

    sit(workspace.root, "dataset", work)


def test_another_version_is_chosen_and_kept_for_the_next_time(workspace, freeze, sit):
    freeze(4)
    freeze(6, "bb", memories=False)

    async def work(seat):
        assert "ds2 hash-bb · the newest of 2" in seat.shown
        assert "without memories" in seat.shown
        await seat.press("d")
        assert isinstance(seat.bench.screen, ChoiceBox)
        await seat.press("2")
        await seat.until(lambda: "ds1 hash-a · ds2 is newer" in seat.shown)
        seat.bench.remember_place()

    async def again(seat):
        await seat.until(lambda: "ds1 hash-a" in seat.shown)

    sit(workspace.root, "dataset", work)
    sit(workspace.root, "dataset", again)


def test_one_comes_back_to_the_sample_one_read(workspace, freeze, sit):
    freeze()

    async def work(seat):
        await seat.press("down", "down", "enter")
        await seat.until(lambda: "sample 3" in seat.shown)
        seat.bench.remember_place()

    async def again(seat):
        await seat.until(lambda: "sample 3 · 3 of 10" in seat.shown)
        await read_sample(seat, "»The coast")

    sit(workspace.root, "dataset", work)
    sit(workspace.root, "dataset", again)


def test_what_an_export_wrote_is_not_shown_over_another_screen(workspace, freeze, sit):
    freeze()

    async def work(seat):
        await seat.until(lambda: seat.bench.stage_now()._sight is not None)
        async with seat.reads_wait():
            await seat.press("x", "1", "f9")
        assert seat.bench.screen is seat.bench.stage("journal")
        await seat.press("f5")
        assert "2 files under exports/" in seat.said

    sit(workspace.root, "dataset", work)


def test_an_export_writes_the_files_and_says_where(workspace, freeze, sit):
    freeze()

    async def work(seat):
        await seat.press("x", "1")
        await seat.until(lambda: "2 files under exports/" in seat.said or "dataset-1-train" in seat.shown)
        assert "dataset-1-train.openai.jsonl" in seat.shown

    sit(workspace.root, "dataset", work)
    rows = (workspace.exports / "dataset-1-train.openai.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == 8
    assert json.loads(rows[0])["messages"][-1] == {"role": "assistant", "content": "The coast wins by Thursday."}


def test_the_verdict_of_the_last_check_of_this_dataset_is_shown(workspace, freeze, history, sit):
    freeze()
    verdict = {"dataset": "ds1", "leaks": [{"heldout": "e1"}], "parity": ["sample 3: differs"], "hash": "hash-a",
               "lines": ["leak: e1 in notes", "sample 3: differs", "ds1: 1 leaks, 1 parity problems"]}  # fmt: skip
    history(workspace, "verify", state="done", result=verdict | {"hash": "another", "leaks": []})
    history(workspace, "verify", state="done", result=verdict)

    async def work(seat):
        await seat.until(lambda: "✗ 1 leaks, 1 differences" in seat.shown)
        await seat.press("c")
        assert "leak: e1 in notes" in seat.shown
        assert "sample 3: differs" in seat.shown

    sit(workspace.root, "dataset", work)


def test_a_build_that_failed_says_why_and_what_to_do(workspace, history, sit):
    history(workspace, "dataset", state="failed", result={"error": "there is nothing to train on", "hint": "import"})

    async def work(seat):
        await seat.until(lambda: "there is nothing to train on" in seat.shown)
        assert "import" in seat.shown

    sit(workspace.root, "dataset", work)


@pytest.mark.slow
def test_building_freezes_what_is_held_out_and_verifying_tells_the_verdict(
    workspace, write_interview, import_paths, sit
):
    asked = [(f"Question {number} about salt?", f"Answer {number}: it keeps.") for number in range(3)]
    paths = [write_interview(f"20{year}-05-01", asked[: 1 + year % 3]) for year in range(10, 16)]
    import_paths(workspace, paths)

    async def work(seat):
        await seat.press("b", "1")
        await seat.until(lambda: len(list_datasets(workspace.database)) == 1, 90)
        await seat.until(lambda: "ds1" in seat.shown and "samples" in seat.said, 30)
        await seat.press("b", "3")
        await seat.until(lambda: isinstance(seat.bench.screen, HoldBox))
        assert "held out" in seat.shown
        await seat.press("space", "enter")
        await seat.until(lambda: len(list_datasets(workspace.database)) == 2, 90)
        await seat.until(lambda: "ds2" in seat.said, 30)
        await seat.press("v")
        await seat.until(lambda: "0 leaks, 0 differences" in seat.shown, 90)

    sit(workspace.root, "dataset", work)
    assert {run.kind for run in list_runs(workspace.runs)} == {"import", "dataset", "verify"}
    first = list_conversations(workspace.database)[0].uid
    before, after = list_datasets(workspace.database)
    assert first not in before.settings["heldout"]
    assert first in after.settings["heldout"]


def test_nothing_held_out_is_refused(workspace, write_interview, import_paths, sit):
    import_paths(workspace, [write_interview("2012-05-01", [("Why?", "Because.")])])

    async def work(seat):
        await seat.press("b", "3")
        await seat.until(lambda: isinstance(seat.bench.screen, HoldBox))
        await seat.press("enter")
        assert "hold at least one out" in seat.shown
        await seat.press("space")
        assert "◉ c1" in seat.shown
        await seat.press("escape")

    sit(workspace.root, "dataset", work)
    assert not any(run.kind == "dataset" for run in list_runs(workspace.runs))


def test_what_a_person_held_out_is_released_by_a_second_press(workspace, write_interview, import_paths, sit):
    paths = [write_interview(f"20{year}-05-01", [("Why?", f"Because of {year}.")]) for year in (10, 11, 12)]
    import_paths(workspace, paths)
    hold_out(workspace, ["c1", "c2"])
    asked = []

    async def start(kind, entry, params):
        asked.append(params)

    async def work(seat):
        seat.bench.start_run = start
        await seat.press("b", "3")
        await seat.until(lambda: isinstance(seat.bench.screen, HoldBox))
        await seat.press("space")
        assert "◉ c1" in seat.shown
        assert "c1 was held out by a person. Space again releases it" in seat.shown
        await seat.press("down", "space", "space")
        assert "○ c2" in seat.shown
        assert "◉ c1" in seat.shown
        await seat.press("enter")
        await seat.until(lambda: bool(asked))

    sit(workspace.root, "dataset", work)
    assert asked == [{"memories": True, "heldout": [], "released": ["c2"]}]


def test_hostile_samples_are_shown_with_marks(workspace, freeze, sit):
    freeze(2, question="\x1b]52;c;x\x07[/nope]", answer="[@click=app.quit]" + "y" * 30_000)

    async def work(seat):
        await seat.press("enter")
        await read_sample(seat, "[/nope]")
        assert not any("\x1b" in line or "\x07" in line for line in seat.painted)
        await seat.press("pagedown", "escape")

    sit(workspace.root, "dataset", work)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (120, 40)])
def test_any_size_will_do(workspace, freeze, sit, size):
    freeze()

    async def work(seat):
        await seat.press("enter")
        await seat.until(lambda: len(screen_of(seat).query_one(SampleView).children) > 0)
        await seat.press("escape")

    sit(workspace.root, "dataset", work, size)


def test_the_command_tells_the_same_figures(workspace, freeze, simulee):
    freeze()
    told = simulee("dataset", "stats", cwd=workspace.root).stdout
    assert "train 8 samples of 11 exchanges, validation 2 samples of 3 exchanges; 2 exchanges held out" in told
    assert "recall: 7 kept, 4 none, 3 wrong; to fail on purpose: 20%" in told


def test_without_a_workspace_it_says_so(tmp_path, sit):
    async def work(seat):
        assert "There is no workspace here" in seat.shown
        await seat.press("b", "v", "enter")

    sit(tmp_path / "none", "dataset", work)


def test_the_screen_imports_nothing_heavy(workspace, freeze):
    freeze()
    code = (
        "import sys\n"
        "import tui.screens.dataset.screen\n"
        "from core.dataset.composition import dataset_sight\n"
        "from core.dataset.masks import sample_of\n"
        "from core.workspace import Workspace\n"
        "from pathlib import Path\n"
        f"workspace = Workspace.open(Path({str(workspace.root)!r}))\n"
        "dataset_sight(workspace), sample_of(workspace, 1, 1)\n"
        "print([name for name in ('torch', 'transformers', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
    assert Workspace.open(workspace.root)
