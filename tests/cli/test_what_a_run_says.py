"""What a run says beside its figures reaches the terminal of whoever follows it."""

from __future__ import annotations

import pytest

from core.runs.journal import Event
from tui.face import ProgressLine


@pytest.mark.parametrize(("quiet", "said"), [(False, "  what is forgotten is not measured\n"), (True, "")])
def test_a_problem_that_ends_nothing_is_said(capsys: pytest.CaptureFixture[str], quiet: bool, said: str) -> None:
    line = ProgressLine(quiet=quiet, verbose=False)
    line.show("sft-1", Event(1, "", "problem", {"text": "what is forgotten is not measured"}))
    assert capsys.readouterr().err == said
