"""Whether a base's tokens see each other through masks alone: told by its layers, before any weight is read.

Samples that share a row are kept apart by a mask, which transformers draws by their places. A layer that hands a state
from token to token (a state space, linear attention, a short convolution) knows of no mask, and some families draw
theirs without the places (GPT-OSS, OPT): there, each sample is read alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, masking_utils

SEEN_THROUGH_A_MASK = {"full_attention", "sliding_attention"}
"""Kinds of layers whose tokens see only what the mask shows them; others hand a state from token to token."""
PLACES = (0, 1, 0, 1)
"""Of two samples that share a row."""


def sees_through_masks(model: Any) -> bool:
    """Whether every layer of a causal language model attends through the mask that it is given."""
    return (
        set(getattr(model.config.get_text_config(), "layer_types", None) or ()) <= SEEN_THROUGH_A_MASK
        # State spaces and short convolutions reach over whatever stands before.
        and not any(isinstance(module, torch.nn.Conv1d) for module in model.modules())
    )


def keeps_samples_apart(folder: Path) -> bool:
    """Whether samples that share a row do not see each other in the base of this folder. One whose layers cannot be
    laid out without their weights is taken to let them."""
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except Exception:  # Whatever it is: a sample that is read alone is read rightly.
        return False
    return sees_through_masks(model) and _masks_by_places(model)


class _Asked(Exception):
    """The places were asked for where a mask is drawn."""


def _masks_by_places(model: Any) -> bool:
    """Whether the masks of a model without weights follow the places that it is given: it is let begin to read."""

    def asked(_: torch.Tensor) -> None:
        raise _Asked

    before = masking_utils.find_packed_sequence_indices
    masking_utils.find_packed_sequence_indices = asked
    places = torch.tensor([PLACES], device="meta")
    try:
        model(input_ids=places, position_ids=places, use_cache=False)
    except _Asked:
        return True
    except Exception:  # Masks are drawn first: what comes after them says nothing.
        return False
    finally:
        masking_utils.find_packed_sequence_indices = before
    return False
