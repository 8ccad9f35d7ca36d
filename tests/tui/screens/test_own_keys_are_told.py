"""Words that name a key name the one it has: a person's own where there is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.store.sessions import add_message, begin_session
from core.workspace import Workspace
from tui.keys import ACTIONS, EVERYWHERE
from tui.widgets.inputs import Field
from tui.widgets.transcript import TalkView

Sit = Callable[..., None]
AT = "2024-05-02T10:00:00+00:00"


def test_where_no_workspace_is_open_the_way_in_is_told_by_its_key(
    tmp_path: Path, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def work(seat: Any) -> None:
        for name in ("review", "dataset", "train", "evaluate", "chat", "runs", "import"):
            seat.bench.go_to(name)
            await seat.settle()
            assert "f20 o shows the ways in" in " ".join(" ".join(seat.painted).split()), name

    sit(None, "overview", work, keys={"app.go": "f20"})


def test_what_is_to_be_settled_before_an_import_is_told_by_its_key(
    workspace: Workspace, sit: Sit, write_interview: Callable[..., Path]
) -> None:
    path = write_interview("2012-03-04", [("Do maps lie?", "They argue.")])
    path.write_text(path.read_text("utf-8").replace("Ada Marlow", "Somebody Else"), "utf-8")

    async def work(seat: Any) -> None:
        assert "Type ! and a file" in seat.shown
        assert "folder: ! to type" in seat.bench.stage_now().query_one(Field).placeholder
        await seat.press("T")
        assert "look into a file first: !" in seat.said
        await seat.press("exclamation_mark", *str(path), "enter")
        await seat.until(lambda: "Who speaks" in seat.shown)
        assert "U changes it" in seat.shown
        assert "T says who" in seat.shown

    keys = {"import.target": "T", "import.use": "U", "import.address": "!"}
    sit(workspace.root, "import", work, keys=keys)


def test_a_question_without_an_answer_tells_the_key_that_asks_again(workspace: Workspace, sit: Sit) -> None:
    with workspace.database.write():
        session = begin_session(workspace.database, None, "", AT)
        add_message(workspace.database, session, "user", "", "Do maps lie?", "", {}, AT)

    async def work(seat: Any) -> None:
        seat.bench.stage_now().sitting.session = session
        seat.bench.refresh_stage()
        await seat.until(lambda: "no answer: R asks again" in seat.bench.stage_now().query_one(TalkView).shown)

    sit(workspace.root, "chat", work, keys={"chat.retry": "R"})


def test_a_lost_run_tells_the_key_that_goes_on_with_it(
    workspace: Workspace, sit: Sit, history: Callable[..., Any]
) -> None:
    history(workspace, "embed")

    async def work(seat: Any) -> None:
        await seat.press("enter")
        await seat.until(lambda: "R goes on where it stopped" in seat.shown)
        assert "f20: all runs" in seat.shown

    sit(workspace.root, "runs", work, keys={"runs.resume": "R", "app.leave": "f20"})


def test_the_plan_of_a_run_tells_the_keys_it_has(workspace: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.press("D")
        assert "f20 d freezes one" in seat.said

    sit(workspace.root, "train", work, keys={"train.dataset": "D", "app.go": "f20"})


def test_every_key_of_a_screen_can_be_another_and_its_box_of_keys_tells_them(workspace: Workspace, sit: Sit) -> None:
    own = {action.id: f"ctrl+f{place + 1}" for place, action in enumerate(ACTIONS) if action.where == "runs"}

    async def work(seat: Any) -> None:
        await seat.press("question_mark")
        for key in own.values():
            assert f"^{key[5:]} " in seat.shown

    assert EVERYWHERE not in own
    sit(workspace.root, "runs", work, keys=own)
