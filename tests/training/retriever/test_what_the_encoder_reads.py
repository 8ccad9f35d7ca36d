"""The encoder trains in float32 whatever its files hold, and reads a question as a search reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.embedder import EmbedderSpec
from core.models.load_embedder import load_embedder
from core.settings import RetrieverSettings
from core.store.sight import Sight
from core.training.retriever.encoder import EncoderModel
from core.training.retriever.fitting import Fitted, fit
from core.training.retriever.losses import Lessons
from core.training.retriever.pace import ENCODER_LEARNING_RATE, Pace
from tests.training.retriever.small_bert import WIDTH, small_bert

QUESTIONS = ["Where was the ferry?", "Who paid for the lamp?", "What did the storm take from the quay?"]


def _fitted(model: EncoderModel, steps: int) -> Fitted:
    """Trained on as many passages, of which each question accepted one."""
    count = len(QUESTIONS)
    passages = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1))
    lessons = Lessons(
        torch.nn.functional.normalize(passages, dim=1).to(model.device),
        torch.arange(count).repeat(count, 1).to(model.device),
        torch.ones(count, count, dtype=torch.bool).to(model.device),
        torch.zeros(count, count).to(model.device),
        [[place] for place in range(count)],
        [[]] * count,
        [[]] * count,
        [Sight()] * count,
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
    )
    pace = Pace(steps, count, ENCODER_LEARNING_RATE)
    return fit(model, lessons, range(count), [], RetrieverSettings(), pace, lambda _: False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_step_changes_the_weights_whatever_their_files_hold(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = small_bert(tmp_path / "small", dtype)
    model = EncoderModel(str(folder), QUESTIONS, 0)
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    before = [each.detach().clone() for each in model.parameters()]
    assert _fitted(model, 3).taken == 3
    moved = [float((now.detach() - was).abs().max()) for now, was in zip(model.parameters(), before, strict=True)]
    # What a gradient reaches moves by about the learning rate at each step; bfloat16 has no such number beside 0.02.
    assert sum(0 < each < 1e-4 for each in moved) >= len(moved) - 2
    saved = model.save(tmp_path, EmbedderSpec("small", "", WIDTH, 256))
    with torch.no_grad():
        model.train(False)
        trained = model.vectors([0]).cpu().numpy()[0]
    assert saved.vector(QUESTIONS[0], trained) == pytest.approx(trained, abs=1e-5)


@pytest.mark.parametrize("prompt", ["", "Represent the question of a search: "])
def test_a_question_is_read_as_a_search_reads_it(tmp_path: Path, prompt: str) -> None:
    folder = str(small_bert(tmp_path / "small", prompt=prompt))
    model = EncoderModel(folder, QUESTIONS, 0)
    model.train(False)
    with torch.no_grad():
        trained = model.vectors(range(len(QUESTIONS))).cpu().numpy()
    assert trained == pytest.approx(load_embedder(folder).embed(QUESTIONS), abs=1e-5)
    plain = load_embedder(str(small_bert(tmp_path / "plain"))).embed([prompt + each for each in QUESTIONS])
    assert trained == pytest.approx(plain, abs=1e-5)
