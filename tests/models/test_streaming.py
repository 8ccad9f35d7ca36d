"""A model in this process, heard as it writes: the words that come at once, and none once nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from core.models.causal_lm import CausalLM, Continuation
from core.models.packaged import SMOLLM2
from core.models.streaming import stream

COUNTING = "one two three four one two three four one two three"


@pytest.fixture(scope="module")
def model() -> CausalLM:
    return CausalLM(SMOLLM2)


def _heard(speaking: Generator[str, None, Continuation]) -> tuple[list[str], Continuation]:
    pieces: list[str] = []
    while True:
        try:
            pieces.append(next(speaking))
        except StopIteration as end:
            return pieces, end.value


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_the_pieces_are_the_words_that_come_at_once(model: CausalLM, temperature: float) -> None:
    prompt = model.tokenizer.render([{"role": "user", "content": "Say a word about rain."}], add_generation_prompt=True)
    whole = model.continuations([prompt], 24, temperature, seed=3)[0]
    pieces, told = _heard(stream(model, model.tokenizer.encode(prompt), 24, temperature, seed=3))
    assert len(pieces) > 4
    assert "".join(pieces) == told.text
    assert told.text.strip() == whole.text
    assert (told.tokens, told.ended) == (whole.tokens, whole.ended)


def test_what_ends_by_itself_does_not_show_its_end(model: CausalLM) -> None:
    asked = [{"role": "user", "content": "What is two and two? Answer with one word."}]
    tokens = model.tokenizer.encode(model.tokenizer.render(asked, add_generation_prompt=True))
    _, told = _heard(stream(model, tokens, 40))
    assert told.ended
    assert not set(model.tokenizer.encode(told.text)) & set(model.tokenizer.control_ids)
    _, banned = _heard(stream(model, tokens, 16, ban_end=True))
    assert (banned.ended, banned.tokens) == (False, 16)


def test_words_of_many_bytes_come_whole(model: CausalLM) -> None:
    tokens = model.tokenizer.encode("🐦 🦉 🐦 🦉 🐦 🦉 🐦 🦉 🐦")
    pieces, told = _heard(stream(model, tokens, 12))
    assert "🐦" in told.text
    assert not any("\ufffd" in piece for piece in pieces[:-1])


def test_a_bias_keeps_a_token_from_being_said(model: CausalLM) -> None:
    tokens = model.tokenizer.encode(COUNTING)
    (four,) = model.tokenizer.encode(" four")
    assert "four" in _heard(stream(model, tokens, 4))[1].text
    beyond = [(10**7, 5.0), (-1, 5.0)]
    assert "four" not in _heard(stream(model, tokens, 4, logit_bias=[(four, -100.0), *beyond]))[1].text
    assert "four" in _heard(stream(model, tokens, 4, logit_bias=beyond))[1].text


def test_a_writer_to_whom_nobody_listens_stops(model: CausalLM) -> None:
    speaking = stream(model, model.tokenizer.encode(COUNTING), 2000, ban_end=True)
    next(speaking)
    speaking.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "writing"]


def test_what_goes_wrong_while_it_writes_is_told_to_whoever_listens(model: CausalLM) -> None:
    with pytest.raises(IndexError):
        _heard(stream(model, [10**9], 4))
