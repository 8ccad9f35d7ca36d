"""Train: a run prepared with its estimate, watched while it learns, stopped, resumed, and its adapter used."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.dataset.build import build
from core.runs.journal import EventLog, Run, load_run
from core.store.adapters import AdapterRow, active_adapter, put_adapter, use_adapter
from core.store.datasets import ExampleRow, put_dataset
from core.workspace import Workspace
from tui.widgets.block_chart import BlockChart
from tui.widgets.line_list import LineList
from tui.widgets.text import Words

BASE = "SmolLM2-135M-Instruct"
DONE = {"adapter": "sft-1", "hash": "h", "steps": 30, "loss": 2.9, "tokens_per_second": 84.0, "peak_memory_mb": 2150}
STOPPED = {"error": "stopped at step 9 of 30; a checkpoint is saved", "hint": "simulee runs resume ID", "exit_code": 1}


def _dataset(workspace: Workspace, samples: int = 15, memories: bool = True) -> str:
    rows = [
        ExampleRow(0, n, "train" if n < samples else "validation", "c",
                   [{"role": "user", "content": str(n), "trained": False}], 400, 50, ())
        for n in range(samples + 2)
    ]  # fmt: skip
    with workspace.database.write():
        put_dataset(workspace.database, f"h{samples}", {"base": BASE, "memories": memories}, 0, f"2026-{samples}", rows)
    return f"h{samples}"


def _told(steps: int, of: int = 30, seed: int = 1, samples: tuple[int, ...] = ()) -> list[tuple[str, dict[str, Any]]]:
    """What a run says in so many steps."""
    chance = random.Random(seed)
    told: list[tuple[str, dict[str, Any]]] = [
        ("plan", {"base": BASE, "dataset": 1, "steps": of, "damaged": [], "resumed_from": None, "device": "cpu"})
    ]
    for step in range(1, steps + 1):
        told.append(("progress", {"done": step, "total": of, "rate": 0.1, "what": "training"}))
        figures = {
            "tokens_per_second": 84.0,
            "memory_mb": 2150,
            "loss": 4 - 1.2 * step / of + chance.uniform(-0.2, 0.2),
        }
        told.append(("metrics", {"step": step, **figures}))
        if step % 10 == 0:
            told.append(("metrics", {"step": step, "tokens_per_second": 84.0, "memory_mb": 2150, "eval_loss": 3.25}))
            told.append(("checkpoint", {"step": step}))
        if step in samples:
            twin = f"At {step} the wall. \x1b[2J[/nope]"
            said = [
                {"question": f"What did the storm take, {n}?", "twin": twin, "real": "The east wall."} for n in (1, 2)
            ]
            told.append(("samples", {"step": step, "samples": said}))
    return told


def _params(workspace: Workspace) -> dict[str, Any]:
    return {"dataset": "h15", "base": BASE, "max_steps": None, "settings": {"rank": 16}, "use": True}


@pytest.fixture
def trained(workspace: Workspace, history: Callable[..., Run]) -> Workspace:
    """A dataset, a finished run with its adapter in use, and another adapter."""
    _dataset(workspace)
    history(workspace, "sft", _told(30, samples=(10, 20)), "done", DONE, _params(workspace))
    with workspace.database.write():
        for name in ("sft-1", "sft-0"):
            number = put_adapter(
                workspace.database,
                AdapterRow(0, name, 1, name, BASE, "r", 1, f"adapters/{name}", "h", {"steps": 30}, ""),
            )
        use_adapter(workspace.database, number - 1)
    return workspace


def _words(seat: Any, name: str) -> str:
    return str(seat.bench.stage_now().query_one(f"#{name}", Words).shown)


def _chart(seat: Any) -> str:
    return str(seat.bench.stage_now().query_one(BlockChart).shown)


def test_a_run_on_preferences_is_watched_with_its_margins(
    workspace: Workspace, history: Callable[..., Run], sit: Callable[..., None]
) -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("plan", {"base": BASE, "steps": 8, "rank": 16, "damaged": []}),
        ("progress", {"done": 8, "total": 8, "rate": 0.1, "what": "training"}),
        ("metrics", {"step": 7, "loss": 0.41, "margin": 0.62, "accuracy": 0.75}),
        ("metrics", {"step": 8, "eval_loss": 0.5, "eval_margin": 0.25, "eval_accuracy": 1.0}),
        ("metrics", {"step": 8, "kl": 0.125}),
    ]
    stopped = "stopped at step 8 of 9: the answers are empty; the weights of step 4 are kept"
    result = {"adapter": "dpo-1", "steps": 8, "stopped": stopped}
    params = {"base": BASE, "start_from": "sft-1", "settings": {"rank": 32}}
    history(workspace, "dpo", told, "done", result, params)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "LoRA r16 from sft-1" in _words(seat, "title"))
        for words in ("margin 0.62 / 0.25", "won 75% / 100%", "KL 0.12"):
            assert words in _words(seat, "figures")
        assert "the answers are empty; the weights of step 4 are kept" in _words(seat, "trouble")

    sit(workspace.root, "train", work)


# Before a run


def test_without_a_dataset_it_says_what_to_do(workspace: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "there is no dataset here" in _words(seat, "words"))
        for key, said in (
            ("s", "there is no dataset here"), ("d", "no dataset yet"), ("c", "only a run that is at work"),
            ("r", "nothing to resume"), ("n", "nothing was trained"), ("o", "no other run"), ("a", "no samples yet"),
            ("u", "no adapter yet"),
        ):  # fmt: skip
            await seat.press(key)
            assert said in seat.said
        assert not list(workspace.runs.iterdir())

    sit(workspace.root, "train", work)


@pytest.mark.parametrize("size", [(80, 12), (60, 16), (100, 10)])
def test_a_plan_that_is_longer_than_the_screen_is_read_to_its_end(
    workspace: Workspace, sit: Callable[..., None], size: tuple[int, int]
) -> None:
    _dataset(workspace)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "8,800" in _words(seat, "words"))
        room = seat.bench.stage_now().query_one("#words").content_size.width
        rows = _words(seat, "words").partition("starts it")[0].splitlines()
        assert max(map(len, rows)) <= room < size[0]
        assert "starts it" not in "\n".join(seat.painted)
        for keys in (["pagedown"] * 3, ["home", "end"], ["home", *["j"] * 20], ["home", *["down"] * 20]):
            await seat.press(*keys)
            assert "starts it" in "\n".join(seat.painted), keys
            await seat.press("home")
            assert "Prepare a run" in "\n".join(seat.painted)

    sit(workspace.root, "train", work, size=size)


def test_what_a_run_will_take_is_told_before_it_starts(workspace: Workspace, sit: Callable[..., None]) -> None:
    _dataset(workspace)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "8,800" in _words(seat, "words"))
        told = _words(seat, "words")
        for words in (
            "ds1 · 15 samples · 2 validate", "135M parameters", "small · learning rate 0.001",
            "22, a checkpoint every 20",
            "about 71 s at 150 tokens/s (a guess", "GB (a guess)", "s  starts it",
        ):  # fmt: skip
            assert words in told
        assert all(len(line) == 80 for line in seat.painted)

    sit(workspace.root, "train", work)


def test_dataset_base_and_preset_change_the_estimate(workspace: Workspace, sit: Callable[..., None]) -> None:
    _dataset(workspace, 40, memories=False)
    _dataset(workspace, 50)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "ds2 · 50 samples" in _words(seat, "words"))
        await seat.press("d")
        assert "ds1 · 40 samples without memories" in seat.shown
        await seat.press("2")
        await seat.until(lambda: "ds1 · 40 samples" in _words(seat, "words"))
        await seat.press("p", "3")
        await seat.until(lambda: "raft · learning rate 0.0002 · epochs 3 · 8 a step" in _words(seat, "words"))
        assert "15, a checkpoint" in _words(seat, "words")
        await seat.press("b", *"x/y-7B", "enter")
        await seat.until(lambda: "x/y-7B · 7.0B parameters" in _words(seat, "words"))
        assert f"was packed for {BASE}" in _words(seat, "words")
        seat.bench.remember_place()

    async def back(seat: Any) -> None:
        await seat.until(lambda: "x/y-7B" in _words(seat, "words"))
        assert "ds1 · 40 samples" in _words(seat, "words")
        await seat.press("b", "backspace", "enter")
        await seat.until(lambda: "135M parameters" in _words(seat, "words"))

    sit(workspace.root, "train", work)
    sit(workspace.root, "train", back)


def test_an_earlier_run_measures_the_next_one(trained: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "sft-1" in _words(seat, "title"))
        await seat.press("s")
        await seat.until(lambda: "at 84 tokens/s, as sft-1 did" in _words(seat, "words"))
        assert "about 2.1 GB, as sft-1 took" in _words(seat, "words")
        await seat.press("escape")
        assert not seat.bench.stage_now().has_class("-plan")
        assert len(list(trained.runs.glob("sft-*"))) == 1

    sit(trained.root, "train", work)


# A run


def test_a_run_is_watched_with_curves_figures_and_samples(trained: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "sft-1" in _words(seat, "title"))
        assert "SmolLM2-135M-Instruct · LoRA r16 · ds1 · the twin's" in _words(seat, "title")
        assert _words(seat, "title").endswith("✓ done")
        for words in ("eval 3.25", "step 30/30", "84 tok/s", "2.1 GB", "ckpt 30"):
            assert words in _words(seat, "figures")
        assert _chart(seat).count("•") == 4  # Three evaluations and the legend.
        assert "What did the storm take, 1?   step 20" in _words(seat, "spoken")
        assert "real  The east wall." in _words(seat, "spoken")
        assert "storm take, 2" not in _words(seat, "spoken")
        assert "\x1b" not in "".join(seat.painted)
        assert any("twin  At 20 the wall." in line for line in seat.painted)
        assert sum("█" in line or "•" in line for line in seat.painted) >= 5
        await seat.press("a")
        for words in ("What sft-1 says", "storm take, 2?   step 20", "At 10 the wall"):
            assert words in seat.shown

    sit(trained.root, "train", work)


def test_with_room_every_sample_of_the_evaluation_is_shown(trained: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "storm take, 2" in _words(seat, "spoken"))

    sit(trained.root, "train", work, size=(120, 40))


def test_a_run_at_work_is_told_as_it_goes_and_c_stops_it_and_r_goes_on(
    workspace: Workspace, history: Callable[..., Run], at_work: Callable[[Run], None], sit: Callable[..., None]
) -> None:
    _dataset(workspace)
    run = history(workspace, "sft", _told(8), params=_params(workspace))
    at_work(run)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "● running" in _words(seat, "title"))
        assert "eta 4 min" in _words(seat, "figures")
        assert _chart(seat).count("•") == 0
        log = EventLog(run.folder)
        for kind, payload in _told(10, samples=(10,))[-5:]:
            log.append(kind, payload)
        log.close()
        await seat.until(lambda: "step 10/30" in _words(seat, "figures"))
        assert _chart(seat).count("•") == 2
        assert "ckpt 10" in _words(seat, "figures")
        await seat.until(lambda: "step 10" in _words(seat, "spoken"))
        await seat.press("s")
        assert "one trains at a time" in _words(seat, "words")
        await seat.press("s")
        await seat.until(lambda: "sft-1 is already running" in seat.shown)
        await seat.press("escape", "escape", "c")
        await seat.until(lambda: "– cancelled" in _words(seat, "title"))
        assert load_run(workspace.runs, run.id).state == "cancelled"
        assert "r goes on from its last checkpoint at step 10" in _words(seat, "trouble")
        await seat.press("r")  # The entry of this history does not exist: it fails for good.
        await seat.until(lambda: "✗ failed" in _words(seat, "title"))
        assert "No module named" in _words(seat, "trouble")
        assert "this is a defect" in _words(seat, "trouble")

    sit(workspace.root, "train", work)


def test_a_lost_run_says_so_and_how_to_go_on(
    workspace: Workspace, history: Callable[..., Run], sit: Callable[..., None]
) -> None:
    _dataset(workspace)
    history(workspace, "sft", _told(12), params=_params(workspace))

    async def work(seat: Any) -> None:
        await seat.until(lambda: "! lost" in _words(seat, "title"))
        assert "its process is gone" in _words(seat, "trouble")
        assert "step 10" in _words(seat, "trouble")

    sit(workspace.root, "train", work)


def test_another_run_is_picked_and_laid_over(
    trained: Workspace, history: Callable[..., Run], sit: Callable[..., None]
) -> None:
    history(trained, "sft", _told(20, of=20, seed=2), "failed", STOPPED, _params(trained))

    async def work(seat: Any) -> None:
        await seat.until(lambda: "sft-2" in _words(seat, "title"))
        await seat.press("n")
        assert "✓ sft-1 done · 30/30 steps" in seat.shown
        await seat.press("2")
        await seat.until(lambda: "sft-1" in _words(seat, "title"))
        assert "×" not in _chart(seat)
        await seat.press("o", "2")
        await seat.until(lambda: "× sft-2" in _chart(seat))
        await seat.press("o", "1")
        await seat.until(lambda: "×" not in _chart(seat))
        await seat.press("o", "2")
        await seat.until(lambda: "× sft-2" in _chart(seat))
        seat.bench.remember_place()

    async def back(seat: Any) -> None:
        await seat.until(lambda: "sft-1" in _words(seat, "title"))
        assert "× sft-2" in _chart(seat)

    sit(trained.root, "train", work)
    sit(trained.root, "train", back)


def test_l_shows_the_log_in_place_of_the_samples(trained: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "sft-1" in _words(seat, "title"))
        await seat.press("l")
        log = seat.bench.stage_now().query_one("#log", LineList)
        assert log.display
        assert log.cursor == log.count - 1
        assert any("ended state=done" in line for line in seat.painted)
        assert not any("storm" in line for line in seat.painted)
        await seat.press("l")
        assert any("storm" in line for line in seat.painted)

    sit(trained.root, "train", work)


def test_u_chooses_the_adapter_that_the_twin_uses(trained: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "the twin's" in _words(seat, "title"))
        await seat.press("u")
        assert "sft-1 · ds1 with memories · 30 steps · in use" in seat.shown
        await seat.press("2")
        await seat.until(lambda: "the twin uses sft-0" in seat.said)
        assert getattr(active_adapter(trained.database), "name", "") == "sft-0"
        assert "the twin's" not in _words(seat, "title")
        await seat.press("u", "1")
        await seat.until(lambda: "the bare base model" in seat.said)
        assert active_adapter(trained.database) is None

    sit(trained.root, "train", work)


def test_an_adapter_is_chosen_while_a_run_writes_and_the_keys_go_on(
    trained: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "the twin's" in _words(seat, "title"))
        with trained.database.write():  # As a run has it for a moment, from a connection of its own.
            await seat.press("u", "1")
            await seat.press("l")
            assert seat.bench.stage_now().has_class("-log")
        await seat.until(lambda: "the bare base model" in seat.said)
        assert active_adapter(trained.database) is None

    sit(trained.root, "train", work)


@pytest.mark.parametrize("size", [(120, 40), (30, 8), (1, 1)])
def test_any_terminal_will_do(trained: Workspace, sit: Callable[..., None], size: tuple[int, int]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "step 30/30" in _words(seat, "figures"))
        await seat.press("l", "l", "s", "escape", "a", "escape")

    sit(trained.root, "train", work, size=size)


def test_the_screen_imports_no_model_library() -> None:
    screens = "tui.screens.train.screen, tui.screens.evaluate.screen, tui.screens.runs.screen"
    heavy = "[name for name in ('torch', 'transformers', 'sentence_transformers', 'numpy') if name in sys.modules]"
    code = f"import sys, {screens}; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_s_trains_and_its_adapter_becomes_the_twin_s(
    workspace: Workspace,
    write_interview: Callable[..., Path],
    import_paths: Callable[..., Any],
    sit: Callable[..., None],
) -> None:
    years = range(2010, 2016)
    import_paths(workspace, [write_interview(f"{y}-05-01", [(f"What of {y}?", f"Rain in {y}.")]) for y in years])
    build(workspace)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "starts it" in _words(seat, "words"))
        await seat.press("s")
        await seat.until(lambda: "sft-1: 4 steps" in seat.said, 90)
        await seat.until(lambda: "✓ done" in _words(seat, "title"), 600)
        await seat.until(lambda: "the twin's" in _words(seat, "title"))
        assert "What of 2013?   step 4" in _words(seat, "spoken")
        assert "real  Rain in 2013." in _words(seat, "spoken")
        assert _chart(seat).count("•") == 3  # two evaluations, and the legend

    sit(workspace.root, "train", work)
    assert getattr(active_adapter(workspace.database), "name", "") == "sft-1"
