"""Likelihoods: right against a plain forward pass, batched without a trace, cached by what was asked."""

from __future__ import annotations

import math

import pytest
import torch

from core.models.causal_lm import CausalLM
from core.scoring.likelihood import Likelihood, Segment
from core.workspace import Workspace

pytestmark = pytest.mark.slow

TEXTS = [
    [
        Segment("The capital of France is"),
        Segment(" Paris", "place"),
        Segment(". It lies on"),
        Segment(" the Seine", "river"),
    ],
    [Segment("Once upon a time"), Segment(" there was a lamp that nobody owed anything to", "tale")],
    [Segment("Rain", "opening")],
]


@pytest.fixture(scope="module")
def model() -> CausalLM:
    return CausalLM("SmolLM2-135M-Instruct")


def _plain_bits(model: CausalLM, text: list[Segment]) -> dict[str, tuple[float, int]]:
    ids: list[int] = []
    spans = {}
    for segment in text:
        tokens = model.tokenizer.encode(segment.text)
        if segment.name:
            spans[segment.name] = (max(1, len(ids)), len(ids) + len(tokens))
        ids += tokens
    with torch.inference_mode():
        logits = model.model(torch.tensor([ids])).logits[0]
    logp = torch.log_softmax(logits.float(), -1)
    return {
        name: (-sum(float(logp[at - 1, ids[at]]) for at in range(start, stop)) / math.log(2), stop - start)
        for name, (start, stop) in spans.items()
    }


def test_bits_are_those_of_a_plain_forward_pass(model: CausalLM) -> None:
    for text, scores in zip(TEXTS, Likelihood(model).score(TEXTS), strict=True):
        for name, (bits, tokens) in _plain_bits(model, text).items():
            assert scores[name].bits == pytest.approx(bits, abs=2e-3)
            assert scores[name].tokens == tokens


def test_what_stands_beside_a_text_in_its_batch_changes_nothing(model: CausalLM) -> None:
    likelihood = Likelihood(model)
    together = likelihood.score(TEXTS)
    alone = [likelihood.score([text])[0] for text in TEXTS]
    for one, other in zip(together, alone, strict=True):
        assert {name: score.bits for name, score in one.items()} == pytest.approx(
            {name: score.bits for name, score in other.items()}, abs=2e-3
        )


def test_a_prefix_read_once_gives_the_bits_that_it_gives_before_each(model: CausalLM, workspace: Workspace) -> None:
    prefix = "Lights out along the coast, the keeper wrote in March, and nobody was told why."
    texts = [text for text in TEXTS if not text[0].name] + [[Segment("\n\nMira: Why?\nAda:"), Segment(" Rain", "word")]]
    likelihood = Likelihood(model, workspace.database)
    for shared, text in zip(likelihood.score_after(prefix, texts), texts, strict=True):
        for name, (bits, tokens) in _plain_bits(model, [Segment(prefix), *text]).items():
            assert shared[name].bits == pytest.approx(bits, abs=2e-3)
            assert shared[name].tokens == tokens
    first = likelihood.score_after(prefix, texts)
    assert first == likelihood.score_after(prefix, texts)
    assert first != likelihood.score_after(prefix + " Not even me.", texts)
    assert first != likelihood.score(texts)


def test_a_cached_score_is_returned_without_the_model(model: CausalLM, workspace: Workspace) -> None:
    first = Likelihood(model, workspace.database).score(TEXTS)

    class Gone:
        identity = model.identity

    assert Likelihood(Gone(), workspace.database).score(TEXTS) == first  # type: ignore[arg-type]


def test_another_model_does_not_meet_the_cache(model: CausalLM, workspace: Workspace) -> None:
    Likelihood(model, workspace.database).score(TEXTS)

    class Other:
        identity = model.identity + "+adapter"

    with pytest.raises(AttributeError):
        Likelihood(Other(), workspace.database).score(TEXTS)  # type: ignore[arg-type]


def test_generation_in_a_batch_says_what_generation_alone_says(model: CausalLM) -> None:
    prompts = [
        model.tokenizer.render([{"role": "user", "content": question}], add_generation_prompt=True)
        for question in ("What is the capital of France?", "Name a color of the sea, please, in one single word.")
    ]
    together = model.generate(prompts, 12)
    assert together == [model.generate([prompt], 12)[0] for prompt in prompts]
    assert "Paris" in together[0]
