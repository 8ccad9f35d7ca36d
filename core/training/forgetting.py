"""What the base knew of English at large: measured before and after a training, and mixed into it where asked.

A short text of many kinds comes along (``general.txt``). Every second paragraph is for measuring and never trained on,
the others are the mix; a file of one's own is divided in the same way.
"""

from __future__ import annotations

import hashlib
import math
from importlib import resources
from pathlib import Path

import torch

from core.errors import TrainingError
from core.models.causal_lm import CausalLM
from core.prompts.render import Renderer
from core.training.amounts import GENERAL_TOKENS, general_samples
from core.training.inputs import Sample

MEASURED_TOKENS = 1_600
"""About five seconds of a CPU; the standard error of the mean is a twentieth of a bit."""


def paragraphs(general_text: str) -> list[str]:
    """The paragraphs of a file, or of the text that comes along. Raises TrainingError for a file that has none."""
    if general_text:
        path = Path(general_text)
        try:
            text = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise TrainingError(
                f"general_text {path} cannot be read: {error}", "name a file of plain text, or leave it out"
            ) from None
    else:
        text = resources.files("core.training").joinpath("general.txt").read_text("utf-8")
    found = [" ".join(each.split()) for each in text.split("\n\n") if each.strip()]
    if len(found) < 2:
        raise TrainingError(
            f"general_text {general_text} has {len(found)} paragraphs, of which every second one is for measuring",
            "put an empty line between paragraphs",
        )
    return found


def text_hash(general_text: str) -> str:
    """What its paragraphs are, wherever the file lies; 16 hex digits. Raises TrainingError as ``paragraphs`` does."""
    return hashlib.sha256("\n\n".join(paragraphs(general_text)).encode()).hexdigest()[:16]


def mixed(renderer: Renderer, general_text: str, share: float, samples: int) -> list[Sample]:
    """General paragraphs as samples, so many that they are ``share`` of all; none for a share of 0."""
    wanted = general_samples(samples, share)
    pool = paragraphs(general_text)[1::2] if wanted else []
    ids = [renderer.tokenizer.encode(each)[:GENERAL_TOKENS] for each in pool]
    return [{"input_ids": list(each), "labels": list(each)} for each in (ids[n % len(ids)] for n in range(wanted))]


def bits_per_token(lm: CausalLM, general_text: str) -> float:
    """How many bits a token of general English costs the model as it is now; lower is better."""
    sequences: list[list[int]] = []
    room = MEASURED_TOKENS
    for each in paragraphs(general_text)[::2]:
        ids = lm.tokenizer.encode(each)[:GENERAL_TOKENS]
        if room <= 0:
            break
        sequences.append(ids)
        room -= len(ids)
    training = lm.model.training
    lm.model.eval()
    try:
        with torch.no_grad():
            scores = [
                value for ids in sequences for value in lm.token_log_probabilities([ids], [range(1, len(ids))])[0]
            ]
    finally:
        lm.model.train(training)
    return float(-sum(scores) / len(scores) / math.log(2))
