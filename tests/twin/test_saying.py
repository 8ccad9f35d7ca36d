"""The voice: sentences as they are finished, in order, to a real process each; it never holds up or breaks a talk."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.sentences import sentences_of
from core.errors import UsageError
from core.twin.saying import Saying, SentenceStream, spoken, voice_command

PATIENCE = 20.0


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def shell(script: str, *arguments: object) -> Saying:
    """A voice that is a little shell script, its arguments at ``$1`` and on."""
    return Saying(voice_command(shlex.join(["sh", "-c", script, "voice", *map(str, arguments)])))


def say(saying: Saying, text: str) -> None:
    """One answer, in pieces as a model gives them."""
    for start in range(0, len(text), 3):
        saying.hear(text[start : start + 3])
    saying.finish()


def test_each_sentence_is_a_process_of_its_own_and_they_come_in_order(tmp_path: Path) -> None:
    said = tmp_path / "said"
    saying = shell('cat >> "$1"; echo "-- $$" >> "$1"', said)
    say(saying, "I keep the charts. Dr. Calder asked for them twice!\nNobody asked the tide.")
    say(saying, "潮が来た。港が静かだ。")
    saying.wait()
    lines = said.read_text("utf-8").splitlines()
    assert lines[::2] == [
        "I keep the charts.", "Dr. Calder asked for them twice!", "Nobody asked the tide.", "潮が来た。",
        "港が静かだ。",
    ]  # fmt: skip
    assert len(set(lines[1::2])) == 5
    assert saying.troubles() == []


def test_a_sentence_is_said_while_the_answer_still_streams(tmp_path: Path) -> None:
    saying = shell('cat >> "$1"', tmp_path / "said")
    saying.hear("I keep the charts. The co")
    assert not (tmp_path / "said").exists(), "with half a word the cut may still be elsewhere"
    saying.hear("ast ")
    until(lambda: (tmp_path / "said").is_file() and (tmp_path / "said").read_text() == "I keep the charts.\n")
    saying.hear("wins.")
    saying.finish()
    saying.wait()
    assert (tmp_path / "said").read_text() == "I keep the charts.\nThe coast wins.\n"


@given(
    st.text(alphabet=st.characters(exclude_categories=("Cs",)) | st.sampled_from(" .!?\n。a"), max_size=200), st.data()
)
def test_nothing_is_lost_or_said_twice_however_the_words_come(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    stream = SentenceStream()
    said = [
        sentence
        for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)
        for sentence in stream.hear(text[start:stop])
    ]
    said += stream.rest()
    assert "".join("".join(said).split()) == "".join(text.split())
    assert stream.rest() == []


def test_whole_paragraphs_are_cut_as_the_receipts_cut_them() -> None:
    text = "I met Dr. Smith, e.g. at 3.5 knots. He said “Go.” She didn't... Why?! No. 5 was late.\nBy 9 a.m. it rained."
    stream = SentenceStream()
    said = [sentence for word in text.split(" ") for sentence in stream.hear(word + " ")] + stream.rest()
    assert said == [each.text for each in sentences_of(text)]


def test_no_word_of_an_answer_or_of_the_command_reaches_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saying = Saying(voice_command("tee -a said ; touch $(touch broken) `touch broken`"))
    answer = "$(touch broken); `touch broken` && touch broken | touch broken > broken; --version"
    say(saying, answer)
    saying.wait()
    assert (tmp_path / "said").read_text() == answer + "\n"
    assert not (tmp_path / "broken").exists()
    assert {";", "$(touch", "`touch"} <= {path.name for path in tmp_path.iterdir()}, (
        "they are only words of the command"
    )


def test_what_acts_or_hides_never_reaches_the_voice(tmp_path: Path) -> None:
    saying = shell('cat >> "$1"', tmp_path / "said")
    say(saying, "I \x1b[2Jkeep\x00 \x07the\u202e\u2066 charts\x9b31m\r\u200b\ufeff.\u2028 می\u200cخواهم 👩\u200d🚀.")
    saying.wait()
    text = (tmp_path / "said").read_text("utf-8")
    assert text.split() == ["I", "[2Jkeep", "the", "charts", "31m", ".", "می\u200cخواهم", "👩\u200d🚀."]


@given(st.text())
def test_what_is_spoken_is_one_line_that_can_be_written(text: str) -> None:
    line = spoken(text)
    assert line.splitlines() in ([], [line])
    line.encode("utf-8")
    assert line == spoken(line)


def test_an_answer_never_waits_for_a_slow_voice(tmp_path: Path) -> None:
    saying = shell('cat >> "$1/said"; while [ ! -e "$1/go" ]; do sleep 0.02; done', tmp_path)
    say(saying, "The tide came in. " * 20)
    say(saying, "And went out.")
    # All of it is heard, and the first voice has not even ended.
    assert not (tmp_path / "go").exists()
    until((tmp_path / "said").exists)
    (tmp_path / "go").touch()
    saying.wait()
    assert (tmp_path / "said").read_text() == "The tide came in.\n" * 20 + "And went out.\n"


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM;"])
def test_a_stopped_answer_is_silent_at_once_with_all_that_the_voice_began(tmp_path: Path, stubborn: str) -> None:
    saying = shell(f'{stubborn} cat >> "$1/said"; sleep 600 & echo $! > "$1/player.new"; mv "$1/player.new" "$1/player"'
                   '; wait $!; echo late >> "$1/said"', tmp_path)  # fmt: skip
    saying.hear("The tide came in. It went out. The coast ")
    until((tmp_path / "player").exists)
    begun = time.monotonic()
    saying.stop()
    saying.wait()
    assert time.monotonic() - begun < 5
    player = int((tmp_path / "player").read_text())
    until(lambda: _is_gone(player))
    assert (tmp_path / "said").read_text() == "The tide came in.\n"
    assert saying.troubles() == [], "that it was stopped is no failure"
    again = shell('cat >> "$1/said"', tmp_path)
    again.stop()
    say(again, "Still here.")
    again.wait()
    assert (tmp_path / "said").read_text() == "The tide came in.\nStill here.\n"


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return (
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z" if Path("/proc").is_dir() else False
    )


def test_a_failing_voice_is_one_line_for_each_answer_and_breaks_nothing(tmp_path: Path) -> None:
    saying = shell(
        'echo x >> "$1"; echo warming up >&2; printf "no \\033[31msound card\\n" >&2; exit 3', tmp_path / "tries"
    )
    say(saying, "One. Two. Three.")
    saying.wait()
    assert saying.troubles() == ["the voice sh failed: exit code 3: no [31msound card"]
    assert saying.troubles() == []
    assert (tmp_path / "tries").read_text() == "x\n", "the rest of that answer is not tried"
    say(saying, "Four. Five.")
    saying.wait()
    assert len(saying.troubles()) == 1


def test_a_voice_that_is_killed_vanishes_hangs_or_does_not_listen(tmp_path: Path) -> None:
    killed = shell("kill -9 $$")
    say(killed, "One.")
    killed.wait()
    assert killed.troubles() == ["the voice sh failed: signal 9"]

    program = tmp_path / "voice"
    program.write_text("#!/bin/sh\ncat\n")
    program.chmod(0o700)
    gone = Saying(voice_command(str(program)))
    program.unlink()
    say(gone, "One.")
    gone.wait()
    assert gone.troubles() == [f"the voice {program} cannot be started: No such file or directory"]

    hung = Saying(voice_command("sleep 600"), longest_seconds=0.2)
    say(hung, "One. Two.")
    hung.wait()
    (told,) = hung.troubles()
    assert "one sentence took it over 0.2 seconds" in told

    deaf = Saying(voice_command("true"))
    deaf.hear("word " * 40_000 + "end. Another.")
    deaf.finish()
    deaf.wait()
    assert deaf.troubles() == []


def test_words_of_a_command_are_read_as_a_shell_reads_them() -> None:
    assert voice_command("sh -c 'cat > \"a b\"' --flag=1\\ 2") == ("sh", "-c", 'cat > "a b"', "--flag=1 2")


@pytest.mark.parametrize("text", ["", "  ", "''", "sh 'unclosed", "no-such-program-here -v", "/", "sh\0 -c"])
def test_a_command_that_cannot_be_is_refused_before_anything_is_said(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        voice_command(text)
    assert refused.value.hint
