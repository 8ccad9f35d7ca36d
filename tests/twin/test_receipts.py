"""Receipts against the sample's labels and hand-made hard cases, and a model of inference where one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import ModelError
from core.models.roles import embedder_of
from core.recall.judge import Verdict as Useful
from core.recall.recollect import Recollection
from core.recall.retell import Retold
from core.retrieval.search import Found
from core.scoring.inference import Inference, label_order
from core.store.chunks import ChunkRow, Passage
from core.twin.particulars import dates_in, names_in, numbers_in, words_of
from core.twin.receipts import is_style, receipts_of, shown_title
from core.twin.support import LEAST_CHANCE, Matcher
from core.workspace import Workspace
from tests.receipt_labels import CHANGED, figures, labelled, matches


def _recalled(text: str, use: str = "train", title: str = "A note") -> Recollection:
    chunk = ChunkRow(1, "k", 1, None, 0, 0, len(text), text, 10, -1)
    passage = Passage(chunk, title, "2019", "writing", use, "d", "", 0)
    return Recollection(Found(1, 1.0, passage), Retold(text, text, 0, len(text)), Useful(1.0, None))


@pytest.fixture(scope="module")
def matcher(embedded_ada: Workspace) -> Matcher:
    return Matcher(embedder_of(embedded_ada.settings))


@pytest.mark.slow
def test_receipts_are_right_nine_times_in_ten_and_find_six_supports_in_ten(
    embedded_ada: Workspace, matcher: Matcher
) -> None:
    _, held = labelled(embedded_ada, embedder_of(embedded_ada.settings))
    chances = [[match.chance for match in row] for row in matches(held, matcher)]
    everything = figures(held, chances, LEAST_CHANCE)
    assert everything.positives >= 160
    assert everything.precision >= 0.9, everything
    assert everything.recall >= 0.6, everything
    altered = figures(held, chances, LEAST_CHANCE, *CHANGED)
    told_again = figures(held, chances, LEAST_CHANCE, "paraphrase")
    assert altered.wrong <= 2
    assert told_again.right >= 17


def test_each_sentence_has_its_kind(matcher: Matcher) -> None:
    memory = _recalled(
        "The kettle is the worst of it. I paid four pounds for the Bishop in 1974, at the old curate's sale."
    )
    answer = (
        "Good morning. I paid 4 pounds for the Bishop in 1974. I paid 9 pounds for the Bishop in 1974. Why do you ask?"
    )
    receipts = receipts_of(answer, [memory], matcher)
    assert [each.kind for each in receipts] == ["style", "supported", "unsupported", "style"]
    assert [each.source is memory for each in receipts] == [False, True, False, False]


def test_a_denial_and_a_strange_name_are_not_supported(matcher: Matcher) -> None:
    memory = _recalled("Nothing is opened before Candlemas. Mags Orrin keeps the post office and reads every card.")
    for told, kind in (
        ("Nothing is opened before Candlemas.", "supported"),
        ("Everything is opened before Candlemas.", "unsupported"),
        ("Mags Orrin keeps the post office.", "supported"),
        ("Nell Orrin keeps the post office.", "unsupported"),
    ):
        assert receipts_of(told, [memory], matcher)[0].kind == kind, told


def test_without_memories_only_style_is_told_apart() -> None:
    receipts = receipts_of("Well, I am afraid so. I sold it in 1974.", [], None)
    assert [(each.kind, each.source, each.score) for each in receipts] == [
        ("style", None, 0.0),
        ("unsupported", None, 0.0),
    ]


def test_a_private_title_is_not_shown() -> None:
    assert shown_title(_recalled("x").found.passage) == "A note"
    assert "Corrie" not in shown_title(_recalled("x", "recall", "Corrie's birthday").found.passage)


@pytest.mark.parametrize("sentence", ["Thank you.", "Yes, I think so.", "Do you know what it cost?", "Oh, well."])
def test_style_claims_nothing(sentence: str) -> None:
    assert is_style(sentence)


@pytest.mark.parametrize("sentence", ["Eleven.", "I think so, Mags.", "Under the bed.", "I never swam."])
def test_short_claims_are_claims(sentence: str) -> None:
    assert not is_style(sentence)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("four hundred and six soundings", [406]),
        ("7,304 or 7304", [7304, 7304]),
        ("seventy-six thousand six hundred and fifty cups", [76650]),
        ("the twenty-ninth, and 19 more", [29, 19]),
        ("two and two", [2, 2]),
        ("a hundred and eighteen million", [118_000_000]),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, values: list[int]) -> None:
    assert [each.value for each in numbers_in(words_of(text))] == values


@pytest.mark.parametrize(
    "text",
    ["14 June 1971", "June 14, 1971", "the fourteenth of June, nineteen seventy-one", "1971-06-14", "14/6/71",
     "June the 14th, 1971", "14th of June 1971", "06/14/1971"],
)  # fmt: skip
def test_a_day_is_one_day_in_any_form(text: str) -> None:
    assert [(each.day, each.month, each.year) for each in dates_in(words_of(text))] == [(14, 6, 1971)]


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    words = words_of(text)
    assert all(0 <= each.first < each.stop <= len(words) for each in [*numbers_in(words), *dates_in(words)])
    names_in(text)
    is_style(text)


def test_labels_are_found_by_name_in_any_order() -> None:
    assert label_order({0: "CONTRADICTED", 1: "neutral", 2: "Entailment"}, "m") == {
        "contradict": 0, "neutral": 1, "entail": 2,
    }  # fmt: skip
    for labels in ({0: "no", 1: "yes"}, {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}):
        with pytest.raises(ModelError, match="labels"):
            label_order(labels, "m")


def _cross_encoder(folder: Path, labels: list[str]) -> Path:
    """A tiny cross-encoder with random weights."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "kettle", "is"])}
    inner = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = Whitespace()
    inner.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        id2label=dict(enumerate(labels)), label2id={label: place for place, label in enumerate(labels)},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        # Whatever is asked, the label at place 2 is the likeliest by far.
        model.classifier.bias.copy_(torch.tensor([0.0, 0.0, 9.0]))
    model.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_named_model_of_inference_has_the_last_word(tmp_path: Path, matcher: Matcher) -> None:
    memory = _recalled("The kettle is the worst of it.")
    for labels, kind in (
        (["contradiction", "neutral", "entailment"], "supported"),
        (["entailment", "neutral", "contradiction"], "unsupported"),
    ):
        inference = Inference(str(_cross_encoder(tmp_path / kind, labels)))
        (one, other) = inference.infer([("the kettle is", "the kettle"), ("a longer text is the premise here", "is")])
        assert one.entail + one.neutral + one.contradict == pytest.approx(1)
        assert (one.entail > 0.9) == (other.entail > 0.9) == (kind == "supported")
        assert receipts_of("The kettle is the worst of it.", [memory], matcher, inference)[0].kind == kind
    with pytest.raises(ModelError, match="cannot be loaded"):
        Inference(str(tmp_path / "nowhere"))


def test_vectors_that_were_seen_are_kept(matcher: Matcher) -> None:
    class Counting:
        asked: list[str]

        def __init__(self) -> None:
            self.asked = []

        def embed(self, texts: list[str]) -> NDArray[np.float32]:
            self.asked += texts
            return matcher._embedder.embed(texts)

    counting = Counting()
    own = Matcher(counting)  # type: ignore[arg-type]
    for sentence in ("The kettle is mine.", "The stove is mine."):
        own.match([sentence], ["The kettle is the worst of it. The stove is lit."])
    assert len(counting.asked) == len(set(counting.asked)) == 4
