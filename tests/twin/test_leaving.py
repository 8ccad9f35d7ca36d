"""What may not leave this machine is refused as such."""

from __future__ import annotations

import pytest

from core.errors import ConsentError
from core.twin.leaving import check_sendable
from core.twin.serving.refusals import of_error
from core.twin.transcript import PastTurns
from core.workspace import SETTINGS_FILE, Workspace
from tests.twin.scripted import ScriptedVoice


def test_words_that_are_not_cleared_are_forbidden_and_not_to_be_asked_for_again(workspace: Workspace) -> None:
    voice = ScriptedVoice(lambda _: "")
    voice.host = "models.example:443"
    with pytest.raises(ConsentError, match="nothing is known of d1") as refused:
        check_sendable(workspace, voice, PastTurns(), ["d1"])
    assert of_error(refused.value).status == 403
    assert "run the same command again" not in refused.value.hint


def test_whether_recalled_words_may_leave_is_read_again_for_every_question(workspace: Workspace) -> None:
    voice = ScriptedVoice(lambda _: "")
    voice.host = "models.example:443"
    guarded = PastTurns(guarded=True)
    path = workspace.root / SETTINGS_FILE
    before = path.read_text()
    path.write_text(before + "[privacy]\nsend_recall_only = true\n")
    check_sendable(workspace, voice, guarded, [])
    path.write_text(before)
    with pytest.raises(ConsentError, match="may not leave this machine"):
        check_sendable(workspace, voice, guarded, [])
