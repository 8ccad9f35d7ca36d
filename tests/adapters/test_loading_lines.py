"""The lines by which a card says how to load an export do load it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForCausalLM

from core.adapters.export import WRITERS, Export
from core.adapters.files import ADAPTER_FILES, folder_hash
from core.models.packaged import revision
from core.store.adapters import AdapterRow
from core.workspace import Workspace
from tests.adapters.conftest import next_token
from tests.random_lora import random_lora
from tests.training.tiny import tiny_base

PROMPTS = [[1, 500, 40, 7], [9, 8]]


def _code(lines: list[str], base: str) -> str:
    """What stands between the fences, with the base's folder put in as its reader would."""
    return "\n".join(lines[1 : lines.index("```")]).replace('"BASE"', repr(base)).replace('"this folder"', '"."')


def test_on_a_base_that_is_a_folder_they_name_it_and_ask_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.create(tmp_path / "ws", "Ada Marlow")
    base, folder, out = tmp_path / "private" / "a-base", workspace.adapters / "sft-1", tmp_path / "out"
    tiny_base(base)
    adapted = random_lora(AutoModelForCausalLM.from_pretrained(base), folder, 4, 0.5)
    expected = next_token(adapted, PROMPTS)
    out.mkdir()
    row = AdapterRow(
        0, "sft-1", None, "sft-1", str(base), revision(base), 0, "adapters/sft-1", folder_hash(folder, ADAPTER_FILES),
        {}, "2026-11-01T10:00:00+00:00",
    )  # fmt: skip
    lines = WRITERS["safetensors"](Export(workspace, row, folder, out))
    assert "private" not in "\n".join(lines)
    assert any("`a-base`" in line for line in lines)
    monkeypatch.chdir(out)
    said: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(_code(lines, str(base)), said)
    assert np.array_equal(next_token(said["model"].eval(), PROMPTS), expected)
