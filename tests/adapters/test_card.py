"""The card of an export: what it tells, that any hub and any reader parse it, and that nobody's text acts in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.adapters.base_license import License, license_of
from core.adapters.card import card_text, is_export, quoted
from core.adapters.choice import adapter_named
from core.adapters.facts import Facts, facts_of
from core.adapters.taint import Origin
from core.dataset.build import build
from core.store.adapters import put_adapter
from core.store.scorecards import put_scorecard
from core.workspace import Workspace
from tests.adapters.conftest import ANSWERS, DIARY, NAME, RANK
from tests.hostile_strings import EVERY

FENCE = ["```sh", "true", "```"]
LIVE = {"link_open", "image", "html_inline", "html_block", "em_open", "s_open"}


def facts(workspace: Workspace) -> Facts:
    return facts_of(workspace, adapter_named(workspace, NAME))


def front(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return loaded


def live(text: str) -> list[str]:
    """What in the card's body is markup that a writer of outside text must not bring in."""
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(ModelCard(text).text)
    every = [inner for token in tokens for inner in (token, *(token.children or []))]
    return [token.type for token in every if token.type in LIVE]


@pytest.mark.slow
def test_it_tells_what_it_rests_on(copy: Workspace) -> None:
    told = facts(copy)
    text = card_text(told, "safetensors", FENCE)
    assert front(text) == {
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "base_model_relation": "adapter",
        "language": ["en"],
        "library_name": "peft",
        "license": "apache-2.0",
        "model_name": "sft-1 of Ada Marlow",
        "pipeline_tag": "text-generation",
        "tags": ["simulee", "lora", "persona"],
    }
    assert told.trained_on is not None
    dataset = copy.database.one("SELECT hash FROM dataset")
    assert dataset is not None
    assert told.trained_on.hash == dataset[0]
    assert dataset[0] in text
    samples = copy.database.value("SELECT count(*) FROM example WHERE split = 'train'")
    assert f"{samples} samples" in text
    assert "memories shown in its prompts: 2, decided 1 by a person, 1 by a rule" in text
    assert f"- `rank`: `{RANK}`" in text
    assert "the base's license: `apache-2.0`, read from `the metadata of SmolLM2-135M-Instruct.Q4_1.gguf`" in text
    assert "not measured" in text
    assert "Do not hand this on" not in text
    assert "`letter.md`: went in as `train`, is now `train`; 0 answers, 2 memories" in text
    assert "diary.md" not in text
    assert "recall-only material: none went in" in text
    assert str(copy.root.parent) not in text
    assert ModelCard(text).data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert is_export(text, told.hash)
    assert not is_export(text, "another")


@pytest.mark.slow
def test_a_training_of_every_weight_is_called_no_lora_and_files_only_by_their_names(copy: Workspace) -> None:
    own = adapter_named(copy, NAME)
    settings = own.settings | {"method": "full", "file": "/home/ada/private/pairs.jsonl", "general_text": "/srv/x.txt"}
    with copy.database.write():
        put_adapter(copy.database, replace(own, settings=settings, base="/home/ada/private/a-base"))
    text = card_text(facts(copy), "merged", FENCE)
    assert front(text)["tags"] == ["simulee", "persona"]
    assert "Every weight of `a-base`, trained to answer as" in text
    assert "LoRA" not in text
    assert "- `file`: `pairs.jsonl`" in text
    assert "- `general_text`: `x.txt`" in text
    assert "/home/ada" not in text
    assert "/srv" not in text


@pytest.mark.slow
def test_a_decision_after_the_dataset_was_frozen_is_not_counted(copy: Workspace) -> None:
    from core.review.decisions import Actor, Decision, decide

    decide(copy.database, Actor("person", "Ines"), [Decision("memory-1", "reject"), Decision("memory-2", "accept")])
    told = facts(copy).trained_on
    assert told is not None
    assert told.decided == {"person": 1, "rule": 1}


@pytest.mark.slow
def test_the_scores_are_those_of_the_newest_scorecard_that_used_it(copy: Workspace) -> None:
    own = adapter_named(copy, NAME)

    def measured(bits: float, adapter_id: int | None, plain: str = "") -> None:
        figure = {"value": bits, "low": bits - 0.1, "high": bits + 0.1}
        systems = {"b4": {"metrics": {"bits_per_token": figure}}, "b4-none": {"metrics": {"mrr": figure}}}
        # Another machine's adapter went by the same name.
        named = {"adapter": NAME, "adapter_without_memories": NAME, "hashes": {"adapter_without_memories": plain}}
        result = {**named, "questions": [1, 2, 3], "systems": systems}
        with copy.database.write():
            put_scorecard(copy.database, adapter_id, None, result, "2026-11-02")

    for bits, adapter_id in ((4.0, own.id), (3.5, own.id), (1.0, None), (2.0, None)):
        measured(bits, adapter_id)
    text = card_text(facts(copy), "safetensors", FENCE)
    assert "Scorecard 2, `2026-11-02`, 3 held-out questions" in text
    assert "| b4 | 3.500 (3.400 to 3.600) | not measured |" in text
    assert "| b4-none | not measured | 3.500 (3.400 to 3.600) |" in text
    measured(3.0, None, own.hash)
    assert "| b4 | 3.000" in card_text(facts(copy), "safetensors", FENCE)


@pytest.mark.slow
@pytest.mark.parametrize("use", ["recall", "none"])
def test_a_source_cleared_for_less_since_taints_it(copy: Workspace, use: str) -> None:
    with copy.database.write():
        copy.database.execute("UPDATE source SET use = ? WHERE location LIKE '%letter.md'", (use,))
    told = facts(copy)
    reason = f"`letter.md` went in and is not cleared for training any more: {use}"
    assert told.taint.reasons(quoted) == [reason]
    text = card_text(told, "merged", FENCE)
    assert text.index("Do not hand this on") < text.index(reason)
    assert "all of them are still there" not in text
    assert "recall-only material: none went in" not in text


@pytest.mark.slow
def test_a_removed_source_taints_it_and_so_does_one_that_says_something_else(copy: Workspace) -> None:
    with copy.database.write():
        copy.database.execute("DELETE FROM source WHERE location LIKE '%letter.md'")
    assert facts(copy).taint.reasons() == ["2 memories that it was shown are not in the workspace any more"]
    with copy.database.write():
        copy.database.execute("DELETE FROM exchange WHERE answer = ?", (ANSWERS[0],))
    assert facts(copy).taint.reasons() == [
        "1 answer that it was trained on is not in the workspace any more",
        "2 memories that it was shown are not in the workspace any more",
    ]


@pytest.mark.slow
def test_recall_only_words_in_the_trained_answers_are_found(copy: Workspace) -> None:
    assert facts(copy).taint.private_runs == 0
    with copy.database.write():
        copy.database.execute("UPDATE document SET text = ? WHERE text LIKE ?", (f"{DIARY} {ANSWERS[0]}", f"{DIARY}%"))
    found = facts(copy).taint
    assert found.private_runs == len(ANSWERS[0].split()) - found.run_words + 1
    assert any("stand in recall-only texts" in reason for reason in found.reasons())


@pytest.mark.slow
def test_private_material_that_was_cleared_for_training_is_told(copy: Workspace) -> None:
    with copy.database.write():
        copy.database.execute("UPDATE document SET visibility = 'private' WHERE title = 'A letter'")
    assert "private material is in it, cleared for training: 2 answers and memories" in card_text(
        facts(copy), "gguf", FENCE
    )
    assert facts(copy).taint.reasons() == []


@pytest.mark.slow
def test_without_its_dataset_nothing_can_be_shown(copy: Workspace) -> None:
    with copy.database.write():
        copy.database.execute("UPDATE adapter SET dataset_id = NULL")
    text = card_text(facts(copy), "gguf", FENCE)
    assert "nothing can be shown" in text
    assert "its dataset is not in the workspace" in text


@pytest.mark.slow
def test_a_dataset_built_again_from_the_same_is_the_same(copy: Workspace) -> None:
    before = facts(copy).trained_on
    build(copy)
    assert facts(copy).trained_on == before


@pytest.mark.slow
def test_no_outside_text_acts_in_a_card_or_breaks_its_front_matter(copy: Workspace) -> None:
    told = facts(copy)
    breaking = (
        "---\nlicense: mit\n---\n# Free", "x\n\n<script>alert(1)</script>", "![a](https://evil.example/x.png)",
        "[here](https://evil.example)", "``` ` `` _a_ **b** ~~c~~", "| a | b |\n| --- | --- |", "&lt;b&gt;", "'\"\\",
        "https://evil.example/ and a@evil.example", "- item\n1. one\n> quote", "!!python/object:os.system x",
    )  # fmt: skip
    shapes = set()
    for text in (*breaking, *(each.text for each in EVERY)):
        hostile = replace(
            told, name=text, target=text, base=text, hub="", revision=text, hash=text, created_at=text, version=text,
            license=License("", ""), languages=(text,), settings={text: text, "steps": text},
            taint=replace(told.taint, origins=(Origin(text, "none", 1, 1, 1),)),
            scores=None,
        )  # fmt: skip
        card = card_text(hostile, "safetensors", FENCE)
        shapes.add(tuple(token.type for token in MarkdownIt("commonmark").parse(ModelCard(card).text)))
        assert set(front(card)) == {"library_name", "license", "model_name", "pipeline_tag", "tags"}
        assert ModelCard(card).data.license == "unknown"
        assert live(card) == []
        card.encode("utf-8")
    assert len(shapes) == 1


@pytest.mark.slow
def test_a_hostile_scorecard_is_a_table_and_nothing_else(copy: Workspace) -> None:
    figure = {"value": "x", "low": None, "high": "<b>"}
    result = {"adapter": NAME, "systems": {"<b>|x|`_y_": {"metrics": {"[a](https://e.x)|": figure, "odd": 3}}}}
    with copy.database.write():
        put_scorecard(copy.database, adapter_named(copy, NAME).id, None, result, "now")
    card = card_text(facts(copy), "gguf", FENCE)
    assert live(card) == []
    assert "| b x \\_y\\_ | not measured |" in card


@given(st.text())
def test_quoted_text_is_one_code_span_and_nothing_else(text: str) -> None:
    inline = MarkdownIt("commonmark").parse(f"- {quoted(text)}")[3]
    assert inline.type == "inline"
    assert [token.type for token in inline.children or []] == ["code_inline"]


@pytest.mark.parametrize(
    ("text", "license"),
    [
        ("---\nlicense: llama3.2\n---\n", "llama3.2"),
        ("---\ntags: [x]\nlicense: 'MIT'\n---\nlicense: gpl", "mit"),
        ("---\ntags: [x]\n---\nlicense: gpl\n", ""),
        ("license: gpl\n", ""),
        ("---\nlicense: a long story, with words\n---\n", ""),
        ("---\nlicense:\n- mit\n---\n", ""),
    ],
)
def test_the_license_is_read_from_the_card_of_the_base(tmp_path: Any, text: str, license: str) -> None:  # noqa: A002
    (tmp_path / "README.md").write_text(text, "utf-8")
    assert license_of(str(tmp_path)).name == license


@pytest.mark.parametrize("base", ["nobody/knows-this", "/nowhere/at/all", "~nobody/x", "a\x00b", "x" * 5000, ""])
def test_the_license_of_a_base_that_is_not_here_is_unknown(base: str) -> None:
    assert license_of(base) == License("", "")


def test_the_license_of_a_file_that_is_no_gguf_is_unknown(tmp_path: Any) -> None:
    for data in (b"", b"GGUF", b"GGUF" + b"\xff" * 200, json.dumps({"license": "mit"}).encode()):
        (tmp_path / "base.gguf").write_bytes(data)
        assert license_of(str(tmp_path / "base.gguf")) == License("", "")
