"""Labelled interviews: who said what, and nothing guessed."""

from __future__ import annotations

import pytest

from core.corpus.records import Conversation, Issue
from core.corpus.sniffing import choose
from core.errors import ImportFailed

HEADER = "Title: A talk\nDate: 4 March 2019\nInterviewer: Ines Calder\nInterviewee: Ada Marlow\n\n"


def turns(parse, path) -> list[tuple[str, str]]:
    (talk,) = [each for each in parse(path, "transcript") if isinstance(each, Conversation)]
    return [(turn.speaker, turn.text) for turn in talk.turns]


def test_questions_and_answers_take_the_names_of_the_header(parse, write_file):
    path = write_file("a.txt", f"{HEADER}Q: Why?\n\nA: Because.\n\nTruly: yes.\n\nQ: And?\nA: No.\n")
    assert turns(parse, path) == [
        ("Ines Calder", "Why?"),
        ("Ada Marlow", "Because.\n\nTruly: yes."),
        ("Ines Calder", "And?"),
        ("Ada Marlow", "No."),
    ]
    talk = parse(path, "transcript")[-1]
    assert (talk.title, talk.date.iso()) == ("A talk", "2019-03-04")


@pytest.mark.parametrize(
    "body",
    [
        "**Bo:** Why?\n\n**Ada:** Because.\n\nTruly.\n\n**Bo:** And?\n\n**Ada:** No.",
        "**Bo**: Why?\n\n**Ada**: Because.\n\nTruly.\n\n**Bo**: And?\n\n**Ada**: No.",
        "Bo: Why?\nAda: Because.\n\nTruly.\nBo: And?\nAda: No.",
        "[00:01] Bo: Why?\n[00:01:05] Ada: Because.\n\nTruly.\n[00:02] Bo: And?\n[00:03] Ada: No.",
        "Bo (00:01): Why?\nAda (00:02): Because.\n\nTruly.\nBo (00:03): And?\nAda (00:04): No.",
    ],
)
def test_labels_of_many_styles(parse, write_file, body):
    path = write_file("2019-03-04 Talk.md", f"# A talk\n\n{body}\n")
    assert choose(path).importer.name == "transcript"
    assert turns(parse, path) == [("Bo", "Why?"), ("Ada", "Because.\n\nTruly."), ("Bo", "And?"), ("Ada", "No.")]
    talk = parse(path, "transcript")[-1]
    assert (talk.title, talk.date.iso()) == ("A talk", "2019-03-04")


def test_speakers_named_by_role_are_not_taken_for_the_header(parse, write_file):
    path = write_file("a.txt", "Interviewer: Why?\nAda: So.\nInterviewer: And?\nAda: No.\n")
    assert turns(parse, path)[0] == ("Interviewer", "Why?")


def test_a_word_with_a_colon_is_speech_and_is_reported(parse, write_file):
    path = write_file("a.txt", "Bo: Why?\nAda: Because.\nRemember: tides.\nBo: And?\nAda: No.\n")
    assert turns(parse, path)[1] == ("Ada", "Because.\nRemember: tides.")
    assert any(isinstance(each, Issue) and "Remember" in each.reason for each in parse(path, "transcript"))


def test_someone_who_speaks_once_is_not_merged_into_the_target(parse, write_file):
    path = write_file("a.txt", "Bo: Why?\nAda: So.\nMags Orrin: Rubbish!\nBo: And?\nAda: No.\n")
    assert turns(parse, path)[2] == ("Mags Orrin", "Rubbish!")


@pytest.mark.parametrize("label", ["Plan B", "Rule One", "Step 2", "Vitamin C", "Door Number Two"])
def test_a_numbered_thing_with_a_colon_stays_within_the_answer_and_is_reported(parse, write_file, label):
    path = write_file("a.txt", f"Ines Calder: Why?\nAda: So.\n{label}: the ferry.\nInes Calder: And?\nAda: No.\n")
    assert turns(parse, path)[1] == ("Ada", f"So.\n{label}: the ferry.")
    assert any(isinstance(each, Issue) and label in each.reason for each in parse(path, "transcript"))


def test_a_declared_name_speaks_though_it_looks_numbered(parse, write_file):
    path = write_file("a.txt", f"{HEADER.replace('Ada Marlow', 'Plan B')}Bo: Why?\nPlan B: So.\nBo: And?\n")
    assert turns(parse, path)[1] == ("Plan B", "So.")


@pytest.mark.parametrize("label", ["Mags Orrin", "Speaker 3", "Audience member 2", "J. R. Pell"])
def test_whoever_speaks_once_by_a_full_name_or_a_numbered_role_is_a_speaker(parse, write_file, label):
    label = label.replace("member", "Member")
    path = write_file("a.txt", f"Bo: Why?\nAda: So.\n{label}: Rubbish!\nBo: And?\nAda: No.\n")
    assert turns(parse, path)[2] == (label, "Rubbish!")


def test_anonymous_speakers_are_kept_as_labelled(parse, write_file):
    path = write_file("a.txt", "[SPEAKER_00]: Why?\n[SPEAKER_01]: So.\n[SPEAKER_00]: And?\n[SPEAKER_01]: No.\n")
    assert turns(parse, path)[:2] == [("SPEAKER_00", "Why?"), ("SPEAKER_01", "So.")]


def test_text_before_the_first_speaker_is_reported(parse, write_file):
    records = parse(write_file("a.txt", f"{HEADER}A long introduction.\n\nQ: x\nA: y\n"), "transcript")
    assert any(isinstance(each, Issue) and "introduction" in each.reason for each in records)


def test_an_unreadable_date_is_reported_and_unknown(parse, write_file):
    records = parse(write_file("a.txt", "Date: last spring\n\nQ: x\nA: y\n"), "transcript")
    assert records[0] == Issue("a.txt", "date not understood: last spring", refused=False)
    assert not records[-1].date.known


def test_front_matter_may_carry_the_header(parse, write_file):
    talk = parse(write_file("a.md", "---\ntitle: T\ndate: 2019\ninterviewer: Bo\n---\nQ: x\n\nA: y\n"), "transcript")[
        -1
    ]
    assert (talk.title, talk.date.iso(), talk.turns[0].speaker) == ("T", "2019", "Bo")


def test_text_without_speakers_is_refused(parse, write_file):
    with pytest.raises(ImportFailed, match="never guessed"):
        parse(write_file("a.txt", "Just prose.\n\nMore: prose."), "transcript")


def test_correcting_an_answer_keeps_the_identity(parse, write_file):
    before = parse(write_file("a.txt", f"{HEADER}Q: x\nA: teh\n"), "transcript")[-1]
    after = parse(write_file("b.txt", f"{HEADER}Q: x\nA: the\n"), "transcript")[-1]
    assert before.uid == after.uid


def test_a_huge_line_is_read(parse, write_file):
    path = write_file("a.txt", "Q: x\nA: " + "word " * 400_000)
    assert len(turns(parse, path)[1][1]) > 1_900_000


def test_a_transcript_of_many_turns_takes_no_longer_than_its_length(parse, write_file):
    path = write_file("a.txt", "".join(f"Q: why {number}\n\nA: because\n\n" for number in range(20_000)))
    assert len(turns(parse, path)) == 40_000
