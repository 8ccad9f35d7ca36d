"""How judgements are read: a pair's prompt once for both of its answers, the reference once for all epochs, and the
vocabulary only where an answer stands.

TRL reads the prompt with the one answer and again with the other, asks the reference anew at each step, and on a CPU
projects every token of the prompts. A prompt with its history and memories is many times longer than an answer, so most
of that is repeated work. What comes out is TRL's: the log-probability of each token of the answers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer.utils import FusedCausalLMOutput

from core.training.attention import sees_through_masks
from core.training.preferences.guard import REFERENCE


def read_sparingly(model: Any, paired: bool) -> None:
    """Replace the fused head that TRL gave the base under a PEFT model; ``paired``: a batch is the chosen rows, then
    the rejected ones, as DPO has it. Experts whose load TRL balances keep TRL's reading."""
    inner = model.get_base_model()
    theirs, reader = inner.forward, _Reader(model, inner, paired and keeps_answers_apart(inner))

    @functools.wraps(theirs)
    def forward(*args: Any, fused_lm_head: bool = False, **inputs: Any) -> Any:
        if not fused_lm_head:
            return theirs(*args, **inputs)
        if inputs.get("output_router_logits") or args:
            return theirs(*args, fused_lm_head=True, **inputs)
        return reader.read(inputs["input_ids"], inputs["attention_mask"], inputs["labels"])

    inner.forward = forward


def keeps_answers_apart(inner: Any) -> bool:
    """Whether two answers can follow one prompt in one row, unseen by each other: every layer attends through a mask
    that is given to it, and a token's place is told by its position alone."""
    config = inner.config
    return (
        getattr(config, "_attn_implementation", "") == "sdpa"
        and hasattr(inner.base_model, "rotary_emb")
        and not getattr(config, "alibi", False)
        and sees_through_masks(inner)
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One prompt with one answer, without its padding."""

    number: int
    ids: torch.Tensor
    begins: int
    """Where the answer does."""
    places: torch.Tensor
    """Of the answer's tokens among the labels that are predicted: one before their own."""

    @property
    def prompt(self) -> torch.Tensor:
        return self.ids[: self.begins]

    @property
    def answer(self) -> torch.Tensor:
        return self.ids[self.begins :]


@dataclass(frozen=True, slots=True)
class _Told:
    """What the model says of one answer, token by token."""

    log_probs: torch.Tensor
    entropy: torch.Tensor
    mean_logits: torch.Tensor
    is_top1: torch.Tensor


class _Reader:
    def __init__(self, model: Any, inner: Any, sharing: bool) -> None:
        self._model, self._forward, self._sharing = model, inner.forward, sharing
        window = getattr(inner.config, "sliding_window", None)
        self._longest = window if window and getattr(inner.config, "use_sliding_window", True) else None
        """Tokens of a shared row, which would hide from a sliding window what its answer really sees."""
        self._known: dict[tuple[tuple[int, ...], int], _Told] = {}
        """What the reference says of an answer: it never changes."""

    def read(self, ids: torch.Tensor, attention: torch.Tensor, labels: torch.Tensor) -> FusedCausalLMOutput:
        """Of rows × tokens, padded; ``labels`` are −100 but for the answers. As TRL's fused head gives it."""
        rows = [_row(number, *each) for number, each in enumerate(zip(ids, attention, labels, strict=True))]
        half = len(rows) // 2
        groups = [[rows[at], rows[half + at]] for at in range(half)] if self._sharing else [[each] for each in rows]
        told = {}
        for group in groups:
            for row, each in zip(group, self._of(group), strict=True):
                told[row.number] = each
        index = (
            torch.cat([torch.full_like(each.places, each.number) for each in rows]),
            torch.cat([each.places for each in rows]),
        )

        def spread(name: str) -> torch.Tensor:
            values = torch.cat([getattr(told[each.number], name) for each in rows])
            return values.new_zeros(labels.shape[0], labels.shape[1] - 1).index_put(index, values)

        return FusedCausalLMOutput(
            log_probs=spread("log_probs"),
            entropy=spread("entropy"),
            mean_logits=spread("mean_logits"),
            is_top1=spread("is_top1"),
            label_mask=labels[:, 1:] != -100,
        )

    def _of(self, group: Sequence[_Row]) -> list[_Told]:
        if torch.is_grad_enabled() or self._model.active_adapter != REFERENCE:
            return self._told(group)
        keys = [(tuple(row.ids.tolist()), row.begins) for row in group]
        if not all(key in self._known for key in keys):
            self._known.update(zip(keys, self._told(group), strict=True))
        return [self._known[key] for key in keys]

    def _told(self, group: Sequence[_Row]) -> list[_Told]:
        whole = len(group[0].ids) + sum(len(row.answer) for row in group[1:])
        if len(group) > 1 and (
            (self._longest and whole > self._longest) or not torch.equal(group[0].prompt, group[1].prompt)
        ):
            return [told for row in group for told in self._told([row])]
        begins, answers = group[0].begins, [row.answer for row in group]
        starts = [begins + sum(map(len, answers[:at])) for at in range(len(answers))]
        ids = torch.cat([group[0].prompt, *answers])
        places = [torch.arange(begins), *(torch.arange(begins, begins + len(each)) for each in answers)]
        # The last token of the prompt tells the first of each answer, an answer's own tokens tell the rest.
        tellers = [
            torch.cat([torch.tensor([begins - 1]), torch.arange(start, start + len(answer) - 1)])
            for start, answer in zip(starts, answers, strict=True)
        ]
        logits = self._forward(
            input_ids=ids[None],
            attention_mask=_apart(starts, len(ids)).to(ids.device) if len(group) > 1 else None,
            position_ids=torch.cat(places)[None].to(ids.device),
            use_cache=False,
            logits_to_keep=torch.cat(tellers).to(ids.device),
        ).logits[0]
        parts = logits.split([len(each) for each in answers])
        return [_of_answer(part.float(), answer) for part, answer in zip(parts, answers, strict=True)]


def _row(number: int, ids: torch.Tensor, attention: torch.Tensor, labels: torch.Tensor) -> _Row:
    real = attention.nonzero().squeeze(1)
    begins = int((labels[real] != -100).nonzero()[0])
    return _Row(number, ids[real], begins, real[begins:] - 1)


def _apart(starts: Sequence[int], length: int) -> torch.Tensor:
    """(1, 1, tokens, tokens): what each token may see: all before it, but no answer that it does not belong to."""
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    for start in starts[1:]:
        seen[start:, starts[0] : start] = False
    return seen[None, None]


def _of_answer(logits: torch.Tensor, answer: torch.Tensor) -> _Told:
    """``logits`` are tokens × vocabulary, of the tokens before the answer's."""
    every = torch.log_softmax(logits, dim=-1)
    with torch.no_grad():
        entropy = -(every.exp() * every).sum(-1)
        mean, top = logits.mean(-1), logits.argmax(-1) == answer
    return _Told(every.gather(1, answer[:, None]).squeeze(1), entropy, mean, top)
