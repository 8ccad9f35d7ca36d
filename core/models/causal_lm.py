"""A causal language model in this process, with LoRA adapters: likelihoods and batched generation.

Heavy: import it only inside a run or a command that needs torch.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import ModelError
from core.models.chat_tokenizer import ChatTokenizer, model_folder
from core.models.lora_fit import check_fit
from core.models.packaged import revision

BASE = ""
"""The name of no adapter."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a model wrote after a prompt; ``ended`` is False where it was cut."""

    text: str
    tokens: int
    ended: bool


class CausalLM:
    """A base model, its tokenizer, and the adapters loaded on it; one of them, or none, is active."""

    def __init__(self, name: str) -> None:
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        logging.getLogger("transformers").setLevel(logging.ERROR)
        self.name = name
        self.folder = model_folder(name)
        self.tokenizer = ChatTokenizer(self.folder)
        self.revision = revision(self.folder)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        # bf16 is many times slower than fp32 on a CPU without native support.
        dtype = torch.bfloat16 if self.device == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
        try:
            self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                self.folder, dtype=dtype, attn_implementation="sdpa", trust_remote_code=False
            ).to(self.device)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{name} cannot be loaded: {str(error).splitlines()[0]}", "see `simulee models list`"
            ) from None
        self.model.eval()
        self._peft: Any = None
        self._hashes: dict[str, str] = {BASE: ""}
        self.active = BASE
        self._unmerged: list[tuple[Any, Any]] = []
        """While an adapter is merged: each layer's weight, and a copy of it as it was."""

    @property
    def identity(self) -> str:
        """Base revision and, when one is active, the adapter's hash: what a cached score depends on."""
        merged = "+merged" if self._unmerged else ""
        return f"{self.revision}+{self._hashes[self.active]}{merged}" if self.active else self.revision

    def load_adapter(self, name: str, path: Path, content_hash: str) -> None:
        """Load a LoRA under a name. Raises ModelError when it does not fit the base, or is damaged."""
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

    def use(self, name: str, merge: bool = False) -> None:
        """Make an adapter active, or with ``BASE`` none.

        ``merge`` adds it to the base's weights until the next call, where those are float32: the products of an
        adapter beside its base cost a third of a forward pass on a CPU. Worth its second or so before much work.
        """
        self._unmerge()
        if name == BASE:
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
        longest = max(len(sequence) for sequence in sequences)
        ids = torch.zeros((len(sequences), longest), dtype=torch.long)
        mask = torch.zeros((len(sequences), longest), dtype=torch.long)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : len(sequence)] = 1
        padded = any(len(sequence) != longest for sequence in sequences)
        hidden = self.model.model(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device) if padded else None, use_cache=False
        ).last_hidden_state
        results: list[list[float]] = []
        for row, positions in enumerate(scored):
            if not positions:
                results.append([])
                continue
            index = torch.tensor(positions)
            logits = self.model.lm_head(hidden[row, (index - 1).to(self.device)]).float()
            chosen = torch.log_softmax(logits, dim=-1).cpu().gather(1, ids[row, index].unsqueeze(1)).squeeze(1)
            results.append([float(value) for value in chosen])
        return results

    def generate(
        self, prompts: Sequence[str], max_new_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """Continue each rendered prompt, in one left-padded batch, until the end of the turn."""
        return [each.text for each in self.continuations(prompts, max_new_tokens, temperature, seed)]

    @torch.inference_mode()
    def continuations(
        self, prompts: Sequence[str], max_new_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Continuation]:
        """The same, with how each continuation ended."""
        encoded = [self.tokenizer.encode(prompt) for prompt in prompts]
        longest = max(len(ids) for ids in encoded)
        end = self.model.generation_config.eos_token_id
        padding = (end[0] if isinstance(end, list) else end) or 0
        ids = torch.full((len(encoded), longest), padding, dtype=torch.long)
        mask = torch.zeros((len(encoded), longest), dtype=torch.long)
        for row, tokens in enumerate(encoded):
            ids[row, longest - len(tokens) :] = torch.tensor(tokens)
            mask[row, longest - len(tokens) :] = 1
        torch.manual_seed(seed)
        sampling: dict[str, Any] = {"do_sample": True, "temperature": temperature} if temperature > 0 else {
            "do_sample": False, "temperature": None, "top_p": None, "top_k": None}  # fmt: skip
        output = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=padding,
            **sampling,
        )
        ends = set(end if isinstance(end, list) else [end])
        told = []
        for row in output[:, longest:].tolist():
            stop = next((position for position, token in enumerate(row) if token in ends), len(row))
            told.append(Continuation(self.tokenizer.decode(row[:stop]).strip(), stop, stop < len(row)))
        return told
