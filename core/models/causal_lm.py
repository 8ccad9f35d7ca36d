"""A causal language model in this process, with LoRA adapters: likelihoods and batched generation.

Heavy: import it only inside a run or a command that needs torch.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from core.errors import ModelError
from core.models.chat_tokenizer import ChatTokenizer, model_folder
from core.models.lora_fit import check_fit
from core.models.packaged import revision

BASE = ""
"""The name of no adapter."""
AUTO = "auto"
"""Of the implementations of attention, the one that transformers takes for a base by itself."""
WHOLE = "model.safetensors"
"""Beside no adapter's configuration: a training of every weight."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a model wrote after a prompt; ``ended`` is False where it was cut."""

    text: str
    tokens: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Loading:
    """How a base is loaded, where it is not for reading alone."""

    dtype: torch.dtype | None = None
    """None: bfloat16 where a GPU has it, else float32."""
    attention: str = AUTO
    """transformers' name of the implementation; AUTO: SDPA where the base has it."""
    four_bit: bool = False
    """Weights as 4-bit NormalFloat, doubly quantized (QLoRA, Dettmers et al. 2023); needs bitsandbytes."""
    place: bool = True
    """Whether the weights go to the device at once."""
    empty: bool = False
    """Whether it has shapes alone, and no weights."""


def _own_gpu() -> int:
    """The GPU of this process: a launcher says which before anything makes it the current one."""
    return int(os.environ.get("LOCAL_RANK") or torch.cuda.current_device())


class CausalLM:
    """A base model, its tokenizer, and the adapters loaded on it; one of them, or none, is active."""

    def __init__(self, name: str, how: Loading | None = None) -> None:
        import transformers

        how = how or Loading()

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        logging.getLogger("transformers").setLevel(logging.ERROR)
        self.name = name
        self.folder = model_folder(name)
        self.tokenizer = ChatTokenizer(self.folder)
        self.revision = revision(self.folder)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        # bf16 is many times slower than fp32 on a CPU without native support.
        half = self.device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = how.dtype or (torch.bfloat16 if half else torch.float32)
        options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": False}
        if how.attention != AUTO:
            options["attn_implementation"] = how.attention
        if how.four_bit:
            options["quantization_config"] = transformers.BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=dtype,
            )
            options["device_map"] = {"": _own_gpu() if self.device == "cuda" else "cpu"}
        if how.empty:
            options["device_map"] = {"": "meta"}
        try:
            self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(self.folder, **options)
            if how.place and not how.four_bit and not how.empty:
                self.model.to(self.device)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{name} cannot be loaded: {str(error).splitlines()[0]}", "see `simulee models list`"
            ) from None
        self.model.eval()
        self._peft: Any = None
        self._hashes: dict[str, str] = {BASE: ""}
        self.active = BASE
        self._whole: dict[str, Path] = {}
        """Files of weights that were all trained, by name."""
        self._weights: Path | None = None
        """Those in place; None: the base's own."""
        self._unmerged: list[tuple[Any, Any]] = []
        """While an adapter is merged: each layer's weight, and a copy of it as it was."""

    @property
    def identity(self) -> str:
        """Base revision and, when one is active, the adapter's hash: what a cached score depends on."""
        merged = "+merged" if self._unmerged else ""
        revision = self.revision if self._is_head_plain else f"{self.revision}+own logits"
        return f"{revision}+{self._hashes[self.active]}{merged}" if self.active else revision

    @cached_property
    def _is_head_plain(self) -> bool:
        """Whether logits are the last layer's product and nothing more: some families scale or cap them (Granite,
        Cohere, Gemma 2). Where they are, only the positions that are read meet the vocabulary."""
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            ids = torch.arange(8, device=device)[None] % self._vocabulary
            product = self._head(self._layers(input_ids=ids, use_cache=False).last_hidden_state)
            own = self.model(input_ids=ids, use_cache=False).logits
        return bool(torch.allclose(product, own, rtol=1e-3, atol=1e-3))

    def load_adapter(self, name: str, path: Path, content_hash: str) -> None:
        """Load a LoRA or a whole training under a name. Raises ModelError for what does not fit or is damaged."""
        if (path / WHOLE).is_file():
            self._load_whole(name, path / WHOLE, content_hash)
            return
        from peft import PeftModel

        self._unmerge()
        check_fit(self.model, self.name, path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(self.model, path, adapter_name=name)
                else:
                    self._peft.load_adapter(path, adapter_name=name)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ModelError(
                f"the adapter at {path} cannot be loaded on {self.name}: {str(error).splitlines()[0]}",
                "train it again on this base",
            ) from None
        self._hashes[name] = content_hash
        self._peft.eval()
        self.use(name)

    def _load_whole(self, name: str, weights: Path, content_hash: str) -> None:
        """Every weight was trained: they are read when they are used, and the base's own when it is left again."""
        self._whole[name] = weights
        self._hashes[name] = content_hash
        self.use(name)

    def _take_weights(self, name: str) -> None:
        """Put the weights in place that belong to a name, where they are not there yet. Raises ModelError."""
        wanted = self._whole.get(name)
        if wanted == self._weights:
            return
        from safetensors.torch import load_file

        files = [wanted] if wanted is not None else sorted(self.folder.glob("*.safetensors"))
        # Beside a LoRA, a layer's own weights have a name of their own.
        own = {name.replace(".base_layer.", "."): name for name in self.model.state_dict() if ".base_layer." in name}
        try:
            for file in files:
                weights = {own.get(name, name): weight for name, weight in load_file(file).items()}
                _, odd = self.model.load_state_dict(weights, strict=False)
                if odd:
                    raise ValueError(f"{odd[0]} is not one of its weights")
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"the weights at {files[0].parent} do not fit {self.name}: {str(error).splitlines()[0]}",
                "train them again on this base",
            ) from None
        self._weights = wanted

    def use(self, name: str, merge: bool = False) -> None:
        """Make an adapter active, or with ``BASE`` none.

        ``merge`` adds it to the base's weights until the next call, where those are float32: the products of an
        adapter beside its base cost a third of a forward pass on a CPU. Worth its second or so before much work.
        """
        self._unmerge()
        self._take_weights(name)
        if name == BASE or name in self._whole:
            if self._peft is not None:
                self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(name)
            if merge and self.model.dtype == torch.float32:
                self._merge(name)
        self.active = name

    def _merge(self, name: str) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        layers = [module.get_base_layer() for module in self._peft.modules() if isinstance(module, BaseTunerLayer)]
        self._unmerged = [(layer.weight, layer.weight.detach().clone()) for layer in layers]
        self._peft.merge_adapter([name])

    def _unmerge(self) -> None:
        if self._unmerged:
            self._peft.unmerge_adapter()
            # Taking away what was added leaves rounding behind; the copy leaves nothing.
            with torch.no_grad():
                for weight, before in self._unmerged:
                    weight.copy_(before)
            self._unmerged = []

    @torch.inference_mode()
    def token_log_probabilities(
        self, sequences: Sequence[Sequence[int]], scored: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Natural-log probabilities of chosen tokens, each given all before it, in one padded batch.

        ``scored`` holds, for each sequence, ascending positions ≥ 1; the result has the same shape. Only the hidden
        states of those positions meet the vocabulary matrix.
        """
        return self._log_probabilities(sequences, scored)

    @torch.inference_mode()
    def token_log_probabilities_after(
        self, prefix: Sequence[int], sequences: Sequence[Sequence[int]], scored: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """The same of sequences that all follow one prefix: it is read once, and its keys and values serve them all.

        Positions count within a sequence, from 1 on: the first token after the prefix is never scored.
        """
        cache = self._layers(input_ids=torch.tensor([[*prefix]], device=self.device), use_cache=True)
        past = cache.past_key_values
        past.batch_repeat_interleave(len(sequences))
        return self._log_probabilities(sequences, scored, len(prefix), past)

    def _log_probabilities(
        self, sequences: Sequence[Sequence[int]], scored: Sequence[Sequence[int]], before: int = 0, past: Any = None
    ) -> list[list[float]]:
        """``before`` tokens of every sequence are in the cache ``past`` already."""
        longest = max(len(sequence) for sequence in sequences)
        ids = torch.zeros((len(sequences), longest), dtype=torch.long)
        mask = torch.zeros((len(sequences), before + longest), dtype=torch.long)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : before + len(sequence)] = 1
        padded = any(len(sequence) != longest for sequence in sequences)
        read: dict[str, Any] = {
            "input_ids": ids.to(self.device),
            "attention_mask": mask.to(self.device) if padded else None,
            "past_key_values": past,
            "use_cache": past is not None,
        }
        logits_at = self._plain_logits(read) if self._is_head_plain else self._own_logits(read, scored)
        results: list[list[float]] = []
        for row, positions in enumerate(scored):
            if not positions:
                results.append([])
                continue
            index = torch.tensor(positions)
            logits = logits_at(row, index - 1).float()
            chosen = torch.log_softmax(logits, dim=-1).cpu().gather(1, ids[row, index].unsqueeze(1)).squeeze(1)
            results.append([float(value) for value in chosen])
        return results

    def _plain_logits(self, read: dict[str, Any]) -> Callable[[int, torch.Tensor], torch.Tensor]:
        """(row, positions) → logits there, of one forward pass."""
        hidden, head = self._layers(**read).last_hidden_state, self._head
        return lambda row, places: torch.as_tensor(head(hidden[row, places.to(self.device)]))

    def _own_logits(
        self, read: dict[str, Any], scored: Sequence[Sequence[int]]
    ) -> Callable[[int, torch.Tensor], torch.Tensor]:
        """The same through the model's own head, which gives every row the positions that any of them needs."""
        kept = torch.tensor(sorted({position - 1 for positions in scored for position in positions}))
        logits = self.model(**read, logits_to_keep=kept.to(self.device)).logits
        return lambda row, places: torch.as_tensor(logits[row, torch.searchsorted(kept, places).to(self.device)])

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        ban_end: bool = False,
    ) -> list[str]:
        """Continue each rendered prompt, in one left-padded batch, until the end of the turn."""
        return [each.text for each in self.continuations(prompts, max_new_tokens, temperature, seed, ban_end)]

    @torch.inference_mode()
    def continuations(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        ban_end: bool = False,
    ) -> list[Continuation]:
        """The same, with how each continuation ended; with ``ban_end`` none ends before ``max_new_tokens``."""
        encoded = [self.tokenizer.encode(prompt) for prompt in prompts]
        longest = max(len(ids) for ids in encoded)
        ids = torch.full((len(encoded), longest), self._padding, dtype=torch.long)
        mask = torch.zeros((len(encoded), longest), dtype=torch.long)
        for row, tokens in enumerate(encoded):
            ids[row, longest - len(tokens) :] = torch.tensor(tokens)
            mask[row, longest - len(tokens) :] = 1
        output = self.write(ids, mask, max_new_tokens, temperature, seed, ban_end)
        ends = set(self.ends)
        told = []
        for row in output[:, longest:].tolist():
            stop = next((position for position, token in enumerate(row) if token in ends), len(row))
            text = self.tokenizer.decode(row[:stop])
            # Where nothing ends by itself, a last line's end tells whether that line is whole.
            told.append(Continuation(text if ban_end else text.strip(), stop, stop < len(row)))
        return told

    def write(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        ban_end: bool,
        logit_bias: Sequence[tuple[int, float]] = (),
        **watched: Any,
    ) -> torch.Tensor:
        """Prompts (batch × length, padded on the left where ``mask`` is 0) with what follows them.

        ``watched`` goes to the library: a streamer, and what ends the writing early.
        """
        torch.manual_seed(seed)
        sampling: dict[str, Any] = {"do_sample": True, "temperature": temperature} if temperature > 0 else {
            "do_sample": False, "temperature": None, "top_p": None, "top_k": None}  # fmt: skip
        if ban_end:
            sampling["suppress_tokens"] = sorted({*self.ends, *self.tokenizer.control_ids})
        if logit_bias:
            # As llama.cpp does, it passes over what is no token of the model; the library would refuse all of it.
            known = range(self._vocabulary)
            sampling["sequence_bias"] = {(token,): bias for token, bias in logit_bias if token in known} or None
        mask = torch.ones_like(ids) if mask is None else mask
        written: torch.Tensor = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=self._padding,
            **sampling,
            **watched,
        )
        return written

    @property
    def _layers(self) -> Any:
        """All of the base but its head; families call it differently."""
        return self.model.base_model

    @property
    def _head(self) -> Any:
        """What makes logits of a last hidden state."""
        return self.model.get_output_embeddings()

    @property
    def attention(self) -> str:
        """transformers' name of the implementation that the base was loaded with."""
        return str(self.model.config._attn_implementation)

    @property
    def context(self) -> int:
        """How many tokens it reads at once; 0 where it does not say."""
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 0) or 0)

    @property
    def _vocabulary(self) -> int:
        """How many tokens it has."""
        return int(self.model.config.get_text_config().vocab_size)

    @property
    def ends(self) -> list[int]:
        """The tokens that end what the model writes."""
        end = self.model.generation_config.eos_token_id
        return end if isinstance(end, list) else [] if end is None else [end]

    @property
    def _padding(self) -> int:
        return next(iter(self.ends), 0)
