"""How fast a training is beside what a user would pick instead, on the same answers of the same interviews.

- ``ours``: samples of whole stretches, only the target's tokens meet the vocabulary.
- ``plain``: TRL's ``SFTTrainer`` on the very same samples, tuned by hand for a CPU: float32, nothing computed twice,
  packed.
- ``published``: one sample for each exchange with as much history before it as 4,096 tokens hold, loss on its one
  answer; TRL's trainer tuned likewise.

Every arm trains each answer once, in a process of its own, with the same LoRA, rate and seed; then all are measured on
the same validation samples. Run from the repository: ``python -m bench.training WORKSPACE [interviews]``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from core.dataset.build import renderer_of
from core.dataset.export import find_dataset
from core.prompts.messages import Message
from core.store.datasets import ExampleRow, examples_of
from core.training.inputs import Sample, rows_of, sample_of
from core.training.watching import peak_memory_mb
from core.workspace import Workspace

INTERVIEWS = 2
HISTORY = 4_096
"""Tokens of the published shape (RAFT: 4,096 to 8,192)."""
RATE = 1e-3
ARMS = ("ours", "plain", "published")


def grown(renderer: Any, rows: list[ExampleRow]) -> list[Sample]:
    """The published shape of a conversation's samples: each answer by itself, after everything that fits before it."""
    messages = [Message.of(each) for row in rows for each in row.messages if each["role"] != "system"]
    system = Message.of(rows[0].messages[0])
    samples = []
    for place, message in enumerate(messages):
        if message.role != "assistant":
            continue
        first = 0
        while True:
            told = [system, *(Message(m.role, m.content, False, m.head) for m in messages[first:place]), message]
            ids, labels = renderer.tokens(told)
            if len(ids) <= HISTORY:
                break
            first += 2
        samples.append({"input_ids": ids, "labels": labels})
    return samples


def arm(name: str, root: Path, interviews: int) -> dict[str, float]:
    """Train one arm in this process and measure it."""
    import datasets
    import torch
    import transformers
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from core.models.causal_lm import CausalLM
    from core.settings import TrainingSettings
    from core.training.base_model import trainable
    from core.training.means import Means
    from core.training.spoken_loss import SpokenTokensTrainer

    datasets.disable_progress_bars()
    workspace = Workspace.open(root)
    dataset = find_dataset(workspace, None)
    base = dataset.settings["base"]
    renderer = renderer_of(workspace, base)
    rows = examples_of(workspace.database, dataset.id, "train")
    chosen = list(dict.fromkeys(row.conversation_uid for row in rows))[:interviews]
    rows = [row for row in rows if row.conversation_uid in chosen]
    answers = sum(len(row.parts) for row in rows)
    if name == "published":
        samples = [each for uid in chosen for each in grown(renderer, [r for r in rows if r.conversation_uid == uid])]
    else:
        samples = [sample_of(renderer, row) for row in rows]
    lm = CausalLM(base)
    transformers.set_seed(0)
    means = Means("lora", "float32", "sdpa", "adamw_torch_fused", 1, False, False, False, False, 0)
    model = trainable(lm, means, TrainingSettings(), None)
    longest = max(len(each["input_ids"]) for each in samples)
    ours = name == "ours"
    data = rows_of(samples, longest, packing=not ours)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = SFTConfig(
            output_dir=folder, per_device_train_batch_size=1, learning_rate=RATE, lr_scheduler_type="cosine",
            num_train_epochs=1, seed=0, data_seed=0, logging_steps=1, save_strategy="no", bf16=False,
            gradient_checkpointing=False, max_length=None, padding_free=True, remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True}, disable_tqdm=True, dataloader_pin_memory=False,
            report_to=[],
        )  # fmt: skip
        trainer = (SpokenTokensTrainer if ours else SFTTrainer)(
            model=model, args=config, train_dataset=data, processing_class=AutoTokenizer.from_pretrained(lm.folder)
        )
        trainer.remove_callback(transformers.PrinterCallback)
        began = time.perf_counter()
        trainer.train()
        took = time.perf_counter() - began
    peak = peak_memory_mb()
    lm.model.eval()
    bits, count = 0.0, 0
    with torch.inference_mode():
        for row in examples_of(workspace.database, dataset.id, "validation"):
            ids, labels = renderer.tokens([Message.of(each) for each in row.messages])
            spoken = [place for place, label in enumerate(labels) if label != -100 and place]
            bits -= sum(lm.token_log_probabilities([ids], [spoken])[0])
            count += len(spoken)
    return {
        "answers": answers, "samples": len(samples), "rows": len(data), "seconds": took, "peak_mb": peak,
        "tokens": sum(len(each["input_ids"]) for each in samples), "validation": bits / count,
    }  # fmt: skip


def main(workspace: str = "", interviews: str = str(INTERVIEWS)) -> None:
    if not workspace:
        print("needs a workspace with a dataset: python -m bench.training WORKSPACE")
        return
    heads = ("arm", "answers", "samples", "rows", "tokens", "seconds", "answers/min", "peak MiB", "validation loss")
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    rates = {}
    for name in ARMS:
        order = [sys.executable, "-m", "bench.training", "--arm", name, workspace, interviews]
        done = subprocess.run(order, stdout=subprocess.PIPE, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        rates[name] = told["answers"] * 60 / told["seconds"]
        print(
            f"| {name} | {told['answers']} | {told['samples']} | {told['rows']} | {told['tokens']:,} |"
            f" {told['seconds']:.0f} | {rates[name]:.1f} | {told['peak_mb']:,} | {told['validation']:.4f} |",
            flush=True,
        )
    print(f"ours {rates['ours'] / rates['plain']:.2f}x, published {rates['ours'] / rates['published']:.2f}x")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--arm"]:
        print(json.dumps(arm(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(*sys.argv[1:])
