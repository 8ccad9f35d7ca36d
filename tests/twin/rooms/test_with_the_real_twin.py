"""The whole way with the embedded models: an IRC server, a join run, the serving run it starts, and its own topics."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from core.corpus import importing
from core.journey import EMBED
from core.runs import control
from core.runs.journal import load_run, read_events
from core.settings import RoomSettings
from core.store.sessions import list_sessions, session_messages
from core.twin.client import running_server
from core.twin.rooms.launch import JOIN_ENTRY, JOIN_KIND, JoinParams
from core.twin.rooms.topics import Topics
from core.workspace import Workspace
from tests.twin.rooms.irc_server import CHANNEL, IrcServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_embedded_twin_is_a_co_host(sample: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for note in sorted((sample / "ada" / "vault").iterdir())[:4]:
        shutil.copy(note, notes)
    workspace = Workspace.create(tmp_path / "ws", "Ada Marlow", ("ada",))
    choices, _ = importing.plan([notes], None)
    sources = [asdict(importing.Request(str(choice.source.path), choice.importer.name)) for choice in choices]
    control.run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    control.run_to_end(workspace, *EMBED, {})

    own = workspace.database.value("SELECT text FROM chunk ORDER BY id LIMIT 1")

    async def looked_up() -> tuple[float | None, float | None]:
        topics = Topics(workspace.root, "", away=True)
        try:
            return await topics.likeness(own), await topics.likeness("qwerty uiop zxcv bnm")
        finally:
            await topics.close()

    near, far = asyncio.run(looked_up())
    assert near is not None
    assert far is not None
    assert near > RoomSettings().topic_likeness > far

    with IrcServer() as server:
        params = JoinParams(
            link="irc", nick="adatwin", server=f"127.0.0.1:{server.port}", channel=CHANNEL,
            how=RoomSettings(max_chars=120),
        )  # fmt: skip
        run = control.start(workspace, JOIN_KIND, JOIN_ENTRY, params.model_dump(mode="json"))
        assert server.wait(lambda: server.joins == 1, 60)
        assert server.wait(lambda: any(each.kind == "joined" for each in read_events(run.folder)[0]))
        server.line("joe", "I was looking at the old maps.")
        server.line("ines", "ada, who pays for the paper charts?")
        answered = server.wait(lambda: bool(server.said), 240)
        control.cancel(workspace, run.id)
        for _ in control.follow(workspace, run.id, from_start=False):
            pass
        serving = running_server(workspace)
        assert serving is not None
        control.cancel(workspace, serving.id)
        for _ in control.follow(workspace, serving.id, from_start=False):
            pass
    assert answered, [(each.kind, each.payload) for each in read_events(run.folder)[0]]
    assert load_run(workspace.runs, run.id).state == "cancelled"
    (said,) = server.said
    assert said.startswith("ines: ")
    assert len(said) <= 120
    (session,) = list_sessions(workspace.database)
    question, answer = session_messages(workspace.database, session.id)
    assert question.text == "joe: I was looking at the old maps.\nines: ada, who pays for the paper charts?"
    assert said.removeprefix("ines: ").rstrip("…").split()[-1] in answer.text
