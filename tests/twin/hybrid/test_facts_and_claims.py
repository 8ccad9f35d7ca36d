"""Which sentences state something, which of them CONTEXT bears out, and how a fact is told by the target."""

from __future__ import annotations

import pytest

from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder
from core.prompts.render import PromptTurn, RecalledMemory
from core.twin.guard import Withheld
from core.twin.hybrid.claims import checked, states_fact
from core.twin.hybrid.facts import Fact, facts_of
from core.twin.hybrid.first_person import in_first_person
from core.twin.hybrid.merge import Told, merged_by_rule, without_unsupported

NAMES = ["Ada Marlow", "Ada", "Ines Calder"]
FACTS = [
    Fact("The harbor trust pays for the paper charts.", "2014", stated=True),
    Fact("Ada Marlow lives with her sister above the chandlery.", stated=True),
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


def verdicts(text: str, embedder: Embedder, question: str = "") -> list[str]:
    return [each.verdict for each in checked(text, FACTS, embedder, question, NAMES)]


@pytest.mark.parametrize(
    "sentence",
    ["Well, I suppose so.", "That is a good question, Ines.", "Oh dear.", "Why would you ask?", "I don't know.", "Ha!"],
)
def test_how_one_talks_is_no_claim(sentence: str) -> None:
    assert not states_fact(sentence, NAMES)


@pytest.mark.parametrize(
    "sentence", ["I'm a sailor.", "It was 1952.", "I kept bees.", "Pell told me.", "We never rowed that far."]
)
def test_what_was_is_a_claim(sentence: str) -> None:
    assert states_fact(sentence, NAMES)


def test_a_fact_in_other_words_is_supported_and_its_year_is_not(embedder: Embedder) -> None:
    assert verdicts("The harbor trust pays for those paper charts.", embedder) == ["supported"]
    assert verdicts("The harbor trust pays for the paper charts since 1952.", embedder) == ["unsupported"]
    assert verdicts("The harbor trust of Valparaiso pays for the paper charts.", embedder) == ["unsupported"]
    assert verdicts("I bought a parrot.", embedder) == ["unsupported"]


def test_a_bare_yes_is_as_true_as_what_follows_it(embedder: Embedder) -> None:
    asked = "Does the harbor trust pay for the charts?"
    assert verdicts("Yes. The harbor trust pays for the paper charts.", embedder, asked) == ["supported", "supported"]
    assert verdicts("Yes.", embedder, asked) == ["unsupported"]
    assert verdicts("Yes.", embedder, "What a day!") == ["no claim"]


@pytest.mark.parametrize(
    ("told", "by_herself"),
    [
        ("Ada Marlow lives with her sister.", "I live with my sister."),
        ("Ada is a keeper of charts.", "I am a keeper of charts."),
        ("Ada's boat has a leak.", "My boat has a leak."),
        ("Ada often watches the tide.", "I often watch the tide."),
        ("Ada saw Pell and her dog.", "I saw Pell and her dog."),
        ("Ada was asked to her there.", "I was asked to her there."),
        ("I lived by the sea.", "I lived by the sea."),
        ("Adam lives here.", "Adam lives here."),
    ],
)
def test_a_fact_is_told_by_the_one_it_is_about(told: str, by_herself: str) -> None:
    assert in_first_person(told, ["Ada Marlow", "Ada"]) == by_herself


def merged(turn: str, embedder: Embedder, withheld: Withheld | None = None) -> Told:
    def check(text: str) -> list[object]:
        return checked(text, FACTS, embedder, "", NAMES)  # type: ignore[return-value]

    return merged_by_rule(turn, FACTS, embedder, check, NAMES[:2], withheld or Withheld([], 8))  # type: ignore[arg-type]


def test_by_rule_style_stays_an_invented_fact_gives_way_to_the_nearest_and_a_far_one_goes(embedder: Embedder) -> None:
    told = merged("Well, Ines. I live with my brother in a lighthouse. My parrot speaks Dutch.", embedder)
    assert told.text == "Well, Ines. I live with my sister above the chandlery."
    assert (told.replaced, told.dropped) == (1, 1)


def test_by_rule_no_fact_is_told_twice(embedder: Embedder) -> None:
    told = merged("I live with my brother in a lighthouse. I live with my aunt in a lighthouse.", embedder)
    assert told.text == "I live with my sister above the chandlery."


def test_by_rule_private_words_are_not_told(embedder: Embedder) -> None:
    withheld = Withheld([FACTS[1].text], 4)
    assert merged("Well, Ines. I live with my brother in a lighthouse.", embedder, withheld).text == "Well, Ines."


def test_by_rule_an_assistant_is_not_heard(embedder: Embedder) -> None:
    assert merged("Well. How can I assist you, as an AI?", embedder).text == "Well."


def test_without_its_unsupported_facts_a_turn_keeps_the_rest(embedder: Embedder) -> None:
    told = without_unsupported(
        "Aye. The harbor trust pays for those paper charts. It was 1952.",
        lambda text: checked(text, FACTS, embedder, "", NAMES),
    )
    assert told.text == "Aye. The harbor trust pays for those paper charts."


def test_context_holds_what_was_stated_and_what_was_recalled_in_the_last_turns_once_each() -> None:
    def remembered(*texts: str) -> PromptTurn:
        return PromptTurn("Q?", memories=tuple(RecalledMemory(text, "2014", "Log") for text in texts), answer="A.")

    earlier = [remembered("too long ago"), remembered("the tide"), remembered("the  Tide", "the lamp")]
    facts = facts_of([RecalledMemory("stated", "2020")], [], earlier)
    assert [fact.text for fact in facts] == ["stated", "the  Tide", "the lamp"]
    assert facts[0].line == "(2020) stated"
    assert facts[2].line == "(2014, Log) the lamp"
    assert "lamp" not in facts[2].shown, "what may not be repeated is not shown"
