"""How fast a large base trains on a GPU beside TRL's defaults: a LoRA on a randomly initialised model of 7B shape.

- ``ours``: the means that a run would choose on this machine, samples packed, only the target's tokens meet the
  vocabulary.
- ``defaults``: TRL's ``SFTTrainer`` as it comes, on the same samples.

The samples are made up in the proportions of a dataset: 128 to 640 tokens, the last quarter of each the target's. What
counts is tokens of samples per second, padding left out, a third of them first to warm up; and the share of operations
that a plain product of matrices does on this device in the same run. A step of a LoRA costs 4 operations for each
weight and token: one product forward, one back to the activations; the vocabulary's two matrices are left out, since
the arms differ in how many tokens meet them. Random weights train no model, at the same price.
Run from the repository: ``python -m bench.large_model``; with ``--small`` a tiny shape, to try it without a GPU.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from core.settings import TrainingSettings
from core.training.amounts import rows_per_step
from core.training.inputs import Sample, rows_of
from core.training.means import Shape, chosen
from core.training.watching import peak_memory_mb

LARGE = {
    "hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 32, "vocab_size": 32_000, "max_position_embeddings": 4096,
}  # fmt: skip
SMALL = LARGE | {
    "hidden_size": 128, "intermediate_size": 344, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 4,
}  # fmt: skip
SAMPLES = 96
"""In all; a third of them warms up."""
BATCH = 8
"""Samples of a step, which is TRL's default."""
SHORTEST, LONGEST = 128, 640
ARMS = ("ours", "defaults")
SIDE = 8192
PRODUCTS = 20


def samples(vocabulary: int) -> list[Sample]:
    """Made-up samples, the same ones every time."""
    chance = random.Random(7)
    made = []
    for _ in range(SAMPLES):
        length = chance.randint(SHORTEST, LONGEST)
        ids = [chance.randrange(3, vocabulary) for _ in range(length)]
        asked = length * 3 // 4
        made.append({"input_ids": ids, "labels": [-100] * asked + ids[asked:]})
    return made


def product_rate(device: str, side: int) -> float:
    """Operations per second of a plain product of two square matrices."""
    import torch

    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    left @ right
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(PRODUCTS):
        left @ right
    if device == "cuda":
        torch.cuda.synchronize()
    return 2 * side**3 * PRODUCTS / (time.perf_counter() - began)


def arm(name: str, small: bool) -> dict[str, Any]:
    """Train one arm in this process."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    from core.models.causal_lm import AUTO
    from core.models.chat_tokenizer import model_folder
    from core.models.packaged import SMOLLM2
    from core.training.means import this_hardware
    from core.training.spoken_loss import SpokenTokensTrainer

    hardware, sizes = this_hardware(), SMALL if small else LARGE
    rate = product_rate(hardware.device, SIDE if hardware.device == "cuda" else SIDE // 8)
    made = samples(sizes["vocab_size"])
    transformers.set_seed(0)
    config = LlamaConfig(**sizes)
    settings = TrainingSettings(method="lora", batch=BATCH)
    with torch.device(hardware.device):
        torch.set_default_dtype(torch.bfloat16 if hardware.bf16 else torch.float32)
        plain = LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    parameters = sum(each.numel() for each in plain.parameters())
    body = parameters - 2 * sizes["vocab_size"] * sizes["hidden_size"]
    wanted = rows_per_step(len(made), len(rows_of(made, LONGEST, packing=True)), BATCH)
    means = chosen(Shape.of(parameters, sizes), hardware, settings, LONGEST, BATCH, wanted)
    plain.set_attn_implementation(means.attention if name == "ours" and means.attention != AUTO else "sdpa")
    lora = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    ours = name == "ours"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model_folder(SMOLLM2))
    tokens = steps = 0
    took = 0.0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shared: dict[str, Any] = {
            "output_dir": folder, "num_train_epochs": 1, "save_strategy": "no", "disable_tqdm": True, "report_to": [],
            "dataset_kwargs": {"skip_prepare_dataset": True}, "logging_strategy": "no",
        }  # fmt: skip
        with_lora = get_peft_model(plain, lora)
        for some in (made[: SAMPLES // 3], made[SAMPLES // 3 :]):
            rows = rows_of(some, LONGEST, packing=ours)
            if ours:
                options = SFTConfig(
                    **shared, per_device_train_batch_size=means.micro_batch, max_length=None, padding_free=True,
                    gradient_accumulation_steps=max(1, rows_per_step(len(some), len(rows), BATCH) // means.micro_batch),
                    gradient_checkpointing=means.gradient_checkpointing, bf16=means.dtype == "bfloat16",
                    remove_unused_columns=False, optim=means.optimizer, use_liger_kernel=means.liger,
                )  # fmt: skip
            else:
                options = SFTConfig(**shared, bf16=hardware.bf16)
                rows = rows.remove_columns("seq_lengths")
            trainer = (SpokenTokensTrainer if ours else SFTTrainer)(
                model=with_lora, args=options, train_dataset=rows, processing_class=tokenizer
            )
            trainer.remove_callback(transformers.PrinterCallback)
            began = time.perf_counter()
            trainer.train()
            if hardware.device == "cuda":
                torch.cuda.synchronize()
            took, steps = time.perf_counter() - began, trainer.state.global_step
            tokens = sum(len(each["input_ids"]) for each in some)
    return {
        "device": hardware.name, "tokens": tokens, "steps": steps, "seconds": took, "peak_mb": peak_memory_mb(),
        "share": 4 * body * tokens / took / rate, "means": means.told() if ours else {},
    }  # fmt: skip


def main(*options: str) -> None:
    import torch

    if not torch.cuda.is_available() and "--small" not in options:
        print("needs a GPU: python -m bench.large_model --small tries it without")
        return
    print("| arm | tokens | steps | seconds | tokens/s | peak MiB | of a plain product's rate |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rates = {}
    for name in ARMS:
        order = [sys.executable, "-m", "bench.large_model", "--arm", name, *options]
        done = subprocess.run(order, stdout=subprocess.PIPE, text=True, check=True, cwd=Path.cwd())
        told = json.loads(done.stdout.splitlines()[-1])
        rates[name] = told["tokens"] / told["seconds"]
        print(
            f"| {name} | {told['tokens']:,} | {told['steps']} | {told['seconds']:.1f} | {rates[name]:,.0f} |"
            f" {told['peak_mb']:,} | {told['share']:.1%} |",
            flush=True,
        )
        if told["means"]:
            print(f"<!-- {told['device']}: {json.dumps(told['means'])} -->")
    print(f"ours {rates['ours'] / rates['defaults']:.2f}x of the defaults")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--arm"]:
        print(json.dumps(arm(sys.argv[2], "--small" in sys.argv)))
    else:
        main(*sys.argv[1:])
