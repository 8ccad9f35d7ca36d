"""An adapter as vLLM loads it: its folder, the command that serves it, and the settings that point simulee there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from core.adapters.files import ADAPTER_FILES
from core.adapters.launch import plain_name
from core.errors import ModelError
from core.models.lora_gguf import PLAIN_STARTS, UNCARRIED
from core.models.packaged import hub_name
from core.store.adapters import AdapterRow

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for --max-lora-rank (vllm/config/lora.py); its default, 16, refuses larger adapters."""
SERVE = "serve.sh"
SETTINGS = "persona.toml"
URL = "http://127.0.0.1:8000/v1"
"""Where vLLM serves by default; serve.sh keeps it to this machine."""


def max_rank(config: Mapping[str, Any]) -> int:
    """The least rank that vLLM takes and the adapter fits in. Raises ModelError for one that it cannot run."""
    unread = [name for name in ("rank_pattern", "alpha_pattern", *UNCARRIED) if config.get(name)]
    if config.get("bias", "none") != "none":
        unread.append("bias")
    if config.get("init_lora_weights", True) not in PLAIN_STARTS:
        unread.append(f"init_lora_weights={config['init_lora_weights']}")
    if unread:
        raise ModelError(
            f"the adapter was trained with {', '.join(unread)}, which vLLM does not read",
            "serve it merged: simulee adapters export ID --to merged",
        )
    rank = int(config["r"])
    fitting = [each for each in RANKS if each >= rank]
    if not fitting:
        raise ModelError(
            f"the adapter has rank {rank}, and vLLM runs none above {RANKS[-1]}",
            "serve it merged: simulee adapters export ID --to merged",
        )
    return fitting[0]


def serve_words(adapter: AdapterRow, rank: int, path: str) -> list[str]:
    """The command as words: the base with the LoRA at ``path`` beside it, under the adapter's name."""
    base = hub_name(adapter.base) or str(Path(adapter.base).expanduser().absolute())
    return [
        "vllm", "serve", base, "--host", "127.0.0.1", "--enable-lora",
        "--lora-modules", f"{plain_name(adapter.name)}={path}", "--max-lora-rank", str(rank),
    ]  # fmt: skip


def persona_lines(adapter: AdapterRow) -> str:
    """What persona.toml says to let simulee's persona speak through that server."""
    return role_lines(engine="endpoint", model=plain_name(adapter.name), base=adapter.base, base_url=URL)


def role_lines(**role: str) -> str:
    """The persona's section of persona.toml."""
    return tomlkit.dumps({"models": {"persona": role}})


def write_vllm(adapter: AdapterRow, config: Mapping[str, Any], out: Path) -> None:
    """Put ``serve.sh`` and the settings beside the adapter's folder, which lies in ``out`` under its name."""
    name = plain_name(adapter.name)
    # vLLM splits NAME=PATH at "=" and reads "," as JSON: the path is relative, so that no folder's name comes in.
    words = serve_words(adapter, max_rank(config), f"./{name}")
    (out / SERVE).write_text(
        f'#!/bin/sh\n# Run it with: sh serve.sh\ncd "$(dirname "$0")" || exit 1\nexec {shlex.join(words)} "$@"\n',
        "utf-8",
    )
    (out / SETTINGS).write_text(persona_lines(adapter), "utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """An adapter's own settings. The folder's files are known to be whole."""
    config: dict[str, Any] = json.loads((folder / ADAPTER_FILES[0]).read_text("utf-8"))
    return config
