"""The sample target: as large as promised, true to its own ground truth, in one voice, and without leaks.

Everything is read by the importers that a user's import goes through, so these tests also say that the sample is
imported whole.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.corpus.exchanges import Exchange, derive_exchanges
from core.corpus.opening import open_source
from core.corpus.records import Conversation, Document, Issue, Options, Record
from core.corpus.sentences import sentences_of
from core.corpus.sniffing import choose
from core.dataset.leaks import find_leaks

ADA, REX = "Ada Marlow", "Rex Halloran"
WRITINGS = ("vault", "soundings.xml", "columns.jsonl", "winter-ledger.zip")
NEVER_WRITTEN = re.compile(r"[!;()—–…‘’“”]|\.\.\.")
NEVER_SAID = re.compile(
    r"\b(?:amazing|incredibl[ey]|journey|passionate|honestly|literally|to be honest|at the end of the day|nature"
    r"|content|basically|I feel like|lov(?:e|es|ed|ing|ely))\b",
    re.IGNORECASE,
)
PASSAGE_SENTENCES = (2, 4, 8)
"""Windows in which texts are compared with held-out answers, about as long as these are."""


@dataclass(frozen=True)
class Sample:
    """All that the importers read from the sample, and its ground truth."""

    writings: list[Document]
    journal: list[Document]
    profile: Document
    chat: Conversation
    interviews: dict[str, Conversation]
    """By file name."""
    control: dict[str, Conversation]
    issues: list[Issue]
    truth: dict[str, Any]

    def exchanges(self, interview: str) -> list[Exchange]:
        return derive_exchanges(self.interviews[interview], [ADA])

    @property
    def heldout(self) -> list[str]:
        return list(self.truth["heldout"])

    @property
    def own_words(self) -> list[tuple[str, str]]:
        """(where, text) of everything in Ada's own words."""
        written = [(each.title, f"{each.title}\n{each.text}") for each in (*self.writings, *self.journal)]
        talks = [*self.interviews.items(), ("chat", self.chat)]
        said = [(where, turn.text) for where, talk in talks for turn in talk.turns if turn.speaker == ADA]
        return written + said


@pytest.fixture(scope="module")
def ada(sample: Path) -> Sample:
    issues: list[Issue] = []

    def read(path: Path, form: str | None = None, private: bool = False) -> list[Record]:
        choice = choose(path, form)
        records = list(choice.importer.parse(open_source(path), Options(include_private=private)))
        issues.extend(record for record in records if isinstance(record, Issue))
        return [record for record in records if not isinstance(record, Issue)]

    def documents(*names: str) -> list[Document]:
        return [each for name in names for each in read(sample / "ada" / name) if isinstance(each, Document)]

    def talks(folder: Path) -> dict[str, Conversation]:
        found = {path.name: read(path) for path in sorted(folder.iterdir())}
        return {name: each for name, records in found.items() for each in records if isinstance(each, Conversation)}

    (profile,) = read(sample / "ada/profile.txt", "profile")
    (chat,) = read(sample / "ada/chat-harbor-supper.txt", private=True)
    assert isinstance(profile, Document)
    assert isinstance(chat, Conversation)
    return Sample(
        documents(*WRITINGS), documents("journal.json"), profile, chat, talks(sample / "ada/interviews"),
        talks(sample / "rex/interviews"), issues, json.loads((sample / "truth.json").read_text("utf-8")),
    )  # fmt: skip


def words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


def test_everything_is_imported_but_the_one_draft(ada: Sample) -> None:
    assert [issue.reason for issue in ada.issues] == ["draft, skipped"]


def test_writings_are_many_and_span_fifteen_years(ada: Sample) -> None:
    dates = sorted(each.date.iso() for each in ada.writings)
    assert len(ada.writings) >= 30
    assert len(set(dates)) == len({each.title for each in ada.writings}) == len(ada.writings)
    assert words(each.text for each in ada.writings) >= 15_000
    assert (dates[0][:4], dates[-1][:4]) == ("2009", "2024")
    assert all(each.date.precision == "day" and each.kind == "writing" for each in ada.writings)


def test_private_and_outside_texts_are_of_their_own_kind(ada: Sample) -> None:
    assert len(ada.journal) == 15
    assert {each.kind for each in ada.journal} == {"journal"}
    assert all(each.date.known for each in ada.journal)
    assert ada.profile.kind == "profile"


def test_the_chat_has_three_people_and_more_than_words(ada: Sample) -> None:
    said = Counter(turn.speaker for turn in ada.chat.turns if turn.kind == "said")
    assert set(said) == {ADA, "Mags Orrin", "Pell Dacre"}
    assert min(said.values()) >= 50
    assert said.total() >= 200
    assert {turn.kind for turn in ada.chat.turns} == {"said", "system", "media", "deleted"}
    assert {turn.time.year for turn in ada.chat.turns if turn.time} == {2019, 2020, 2021, 2022, 2023}
    assert ada.chat.visibility == "private"


def test_interviews_are_whole_exchanges_with_answers_of_a_paragraph(ada: Sample) -> None:
    exchanges = [each for name in ada.interviews for each in ada.exchanges(name)]
    assert len(ada.interviews) == 10
    assert len(exchanges) >= 110
    assert words(f"{each.question} {each.answer}" for each in exchanges) >= 11_000
    assert all(12 <= len(each.question.split()) <= 35 for each in exchanges)
    assert all(45 <= len(each.answer.split()) <= 130 for each in exchanges)


def test_heldout_interviews_are_later_than_all_others(ada: Sample) -> None:
    held = {name: talk.date for name, talk in ada.interviews.items() if name in ada.heldout}
    trained = [talk.date for name, talk in ada.interviews.items() if name not in held]
    assert len(held) == 3
    assert min(date.first for date in held.values()) > max(date.last for date in trained)


def test_the_control_is_another_person_of_the_same_shape(ada: Sample) -> None:
    exchanges = [each for talk in ada.control.values() for each in derive_exchanges(talk, [REX])]
    assert len(ada.control) == 4
    assert len(exchanges) == 40
    assert all(NEVER_WRITTEN.search(each.answer) or NEVER_SAID.search(each.answer) for each in exchanges)
    assert {turn.speaker for talk in ada.control.values() for turn in talk.turns}.isdisjoint({ADA})


def test_ada_keeps_to_her_voice(ada: Sample) -> None:
    slips = [
        (where, found[0])
        for where, text in ada.own_words
        for pattern in (NEVER_WRITTEN, NEVER_SAID)
        for found in pattern.finditer(text)
    ]
    assert slips == []
    assert all(text.isascii() for _, text in ada.own_words)


def test_facts_are_sixty_single_statements_with_sensible_years(ada: Sample) -> None:
    facts = ada.truth["facts"]
    assert len({fact["id"] for fact in facts}) == len({fact["text"] for fact in facts}) == 60
    assert all(fact["text"].startswith(ADA) and fact["text"].count(". ") == 0 for fact in facts)
    assert all(fact.get("from", 0) <= fact.get("until", 9999) for fact in facts)


def test_facts_rest_on_the_profile(ada: Sample) -> None:
    told = set(re.findall(r"\w+", ada.profile.text))
    named = {fact["id"]: set(re.findall(r"\b[A-Z]\w+|\d+", fact["text"])) - told for fact in ada.truth["facts"]}
    assert {fact: missing for fact, missing in named.items() if missing} == {}


def test_changes_of_mind_show_both_sides_in_dated_documents(ada: Sample) -> None:
    by_title = {each.title: each for each in ada.writings}
    assert len(ada.truth["changes"]) == 10
    for change in ada.truth["changes"]:
        for side in ("before", "after"):
            document = by_title[change[side]["document"]]
            assert change[side]["quote"] in document.text
            assert change[side]["date"] == document.date.iso()
        assert change["before"]["date"] < change["date"] <= change["after"]["date"]


def test_answers_name_exchanges_and_sentences_that_exist(ada: Sample) -> None:
    answers = ada.truth["answers"]
    assert len({(each["interview"], each["exchange"]) for each in answers}) == len(answers) >= 60
    for answer in answers:
        count = len(sentences_of(ada.exchanges(answer["interview"])[answer["exchange"]].answer))
        for support in answer["support"]:
            assert support["sentences"] == sorted(set(support["sentences"]))
            assert set(support["sentences"]) <= set(range(count))
            assert support["sentences"]


def test_every_supporting_quote_is_verbatim_and_earlier_than_the_answer(ada: Sample) -> None:
    by_title = {each.title: each for each in ada.writings}
    for answer in ada.truth["answers"]:
        for support in answer["support"]:
            document = by_title[support["document"]]
            assert support["quote"] in document.text
            assert support["date"] == document.date.iso()
            assert document.date.last < ada.interviews[answer["interview"]].date.first


def test_some_answers_of_every_interview_rest_on_nothing_written(ada: Sample) -> None:
    supported = Counter(answer["interview"] for answer in ada.truth["answers"])
    assert set(supported) == set(ada.interviews)
    assert all(count < len(ada.exchanges(name)) for name, count in supported.items())


def test_canaries_occur_once_and_nowhere_else(ada: Sample, sample: Path) -> None:
    canaries = ada.truth["canaries"]
    files = {
        f"data/{path.relative_to(sample).as_posix()}": path.read_text("utf-8")
        for path in sample.rglob("*.*")
        if path.suffix != ".zip" and path.name != "truth.json"
    }
    assert len({canary["text"] for canary in canaries}) == 10
    assert {canary["where"] for canary in canaries} == {"data/ada/journal.json", "data/ada/chat-harbor-supper.txt"}
    for canary in canaries:
        assert {name: text.count(canary["text"]) for name, text in files.items() if canary["text"] in text} == {
            canary["where"]: 1
        }
        assert not any(canary["text"] in each.text for each in ada.writings)


def test_nothing_nearly_repeats_a_heldout_answer(ada: Sample) -> None:
    held, texts = [], []
    for name, talk in (ada.interviews | ada.control).items():
        for exchange in derive_exchanges(talk, [ADA, REX]):
            where = f"{name} {exchange.position}"
            (held if name in ada.heldout else texts).append((where, exchange.answer))
    for document in (*ada.writings, *ada.journal, ada.profile):
        cut = sentences_of(document.text)
        for length in PASSAGE_SENTENCES:
            for start in range(max(1, len(cut) - length + 1)):
                stop = cut[min(start + length, len(cut)) - 1].stop
                texts.append((document.title, document.text[cut[start].start : stop]))
    texts += [("chat", turn.text) for turn in ada.chat.turns]
    assert len(held) == 36
    assert find_leaks(held, texts) == []
    assert {leak.where for answer in held for leak in find_leaks([answer], held)} == {where for where, _ in held}
    assert all(leak.heldout == leak.where for leak in find_leaks(held, held))
