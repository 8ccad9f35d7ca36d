"""A language model's preference among passages, and the losses: no underflow, and a flat target is seen to be one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.settings import RetrieverSettings
from core.store.sight import Sight
from core.training.retriever.fitting import batch_of
from core.training.retriever.losses import Lessons, contrastive_loss, likelihood_loss
from core.training.retriever.preference import FLAT, flatness, preference

TAU = RetrieverSettings().tau
BITS = st.lists(st.floats(0, 40), min_size=2, max_size=12)


def test_a_long_answer_still_prefers_a_passage() -> None:
    """The sum over 96 tokens underflows to the same 0 for every passage; the geometric mean does not."""
    bits = np.array([4.2, 4.5, 4.8])
    of_the_whole_answer = np.exp2(-bits * 96).astype(np.float32)
    assert (of_the_whole_answer == 0).all()
    target = preference(bits, TAU)
    assert target[0] > 1.5 * target[2]
    assert flatness(target) < FLAT


def test_equal_likelihoods_give_a_flat_target() -> None:
    assert flatness(preference(np.full(10, 4.5), TAU)) == pytest.approx(1)
    assert flatness(preference(np.array([0.1, *[9.0] * 9]), TAU)) == pytest.approx(0, abs=1e-6)


@given(BITS)
def test_a_target_is_a_distribution_and_the_likeliest_answer_leads(bits: list[float]) -> None:
    target = preference(np.array(bits), TAU)
    assert np.isfinite(target).all()
    assert target.sum() == pytest.approx(1)
    assert target[int(np.argmin(bits))] == target.max()
    assert 0 <= flatness(target) <= 1 + 1e-9


def _lessons(target: list[float], accepted: list[list[int]], rejected: list[list[int]]) -> Lessons:
    passages = torch.nn.functional.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(3)), dim=1)
    count = len(accepted)
    return Lessons(
        passages,
        torch.tensor([[0, 1, 2, 0]] * count),
        torch.tensor([[True, True, True, False]] * count),
        torch.tensor([[*target, 0.0]] * count),
        accepted,
        rejected,
        [[]] * count,
        [Sight()] * count,
        np.zeros(4, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
    )


def _query() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(1, 8, generator=torch.Generator().manual_seed(4)), dim=1)


def test_the_likelihood_loss_is_a_divergence_that_vanishes_at_its_target() -> None:
    query = _query()
    plain = _lessons([0, 0, 0], [[]], [[]])
    found = torch.softmax(query @ plain.passages[:3].T / 0.05, dim=1)[0].tolist()
    at_target = likelihood_loss(_lessons(found, [[]], [[]]), [0], query, 0.05)
    assert float(at_target) == pytest.approx(0, abs=1e-5)
    target = [0.7, 0.2, 0.1]
    expected = sum(each * np.log(each / other) for each, other in zip(target, found, strict=True))
    assert float(likelihood_loss(_lessons(target, [[]], [[]]), [0], query, 0.05)) == pytest.approx(expected, rel=1e-4)
    assert float(likelihood_loss(plain, [0], query, 0.05)) == 0


def test_the_contrastive_loss_is_infonce_over_rejected_and_the_others_accepted() -> None:
    query = torch.cat([_query(), -_query()])
    lessons = _lessons([0, 0, 0], [[0], [3]], [[1], []])
    scores = query @ lessons.passages.T / 0.05
    first = torch.logsumexp(scores[0, [0, 1, 3]], dim=0) - scores[0, 0]
    second = torch.logsumexp(scores[1, [3, 0]], dim=0) - scores[1, 3]
    expected = float((first + second) / 2)
    assert float(contrastive_loss(lessons, [0, 1], query, 0.05)) == pytest.approx(expected, rel=1e-4)


def test_a_question_without_any_negative_teaches_nothing_and_breaks_nothing() -> None:
    query = _query().requires_grad_()
    loss = contrastive_loss(_lessons([0, 0, 0], [[0]], [[]]), [0], query, 0.05)
    loss.backward()
    assert float(loss.detach()) == 0
    assert query.grad is not None
    assert torch.isfinite(query.grad).all()


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 5))
def test_each_epoch_reads_every_question_once(questions: int, size: int, seed: int) -> None:
    per_epoch = -(-questions // size)
    for epoch in range(3):
        steps = range(epoch * per_epoch + 1, (epoch + 1) * per_epoch + 1)
        read = [row for step in steps for row in batch_of(range(questions), size, step, seed)]
        assert sorted(read) == list(range(questions))
