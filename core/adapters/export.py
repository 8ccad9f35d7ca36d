"""The ``export`` run: an adapter leaves the workspace in a form that other programs load, with its model card.

Every form is a folder that appears whole or not at all. torch is imported only for the one that needs it.
"""

from __future__ import annotations

import errno
import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.adapters.bases import base_of
from core.adapters.card import CARD, card_text, is_export, quoted
from core.adapters.choice import adapter_named
from core.adapters.facts import facts_of
from core.adapters.files import ADAPTER_FILES, FULL_FILES, check_base, is_lora, require_lora, whole_folder
from core.adapters.folders import replacing
from core.adapters.gguf import write_gguf
from core.adapters.launch import plain_name
from core.adapters.vllm import SERVE, max_rank, persona_lines, read_config, role_lines, serve_words, write_vllm
from core.errors import RunError
from core.models.chat_tokenizer import model_folder
from core.models.packaged import SMOLLM2, SMOLLM2_HUB, hub_name, public_name, smollm2_gguf
from core.runs.job import Job
from core.store.adapters import AdapterRow
from core.workspace import Workspace

_SHORT = re.compile(r"\d+ requested and \d+ written")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Export:
    """What is written from, and the folder that is filled."""

    workspace: Workspace
    adapter: AdapterRow
    folder: Path
    """Of the adapter, its files known to be whole."""
    out: Path


def run(job: Job) -> dict[str, Any]:
    """The work of an ``export`` run; its params are those of ``export_params``.

    Raises UsageError, ModelError, or RunError when it cannot be written.
    """
    workspace, to = job.workspace, job.params["to"]
    adapter = adapter_named(workspace, job.params["adapter"])
    if to != "merged":
        require_lora(adapter, f"the format {to}")
    folder = whole_folder(workspace, adapter)
    adapter = replace(adapter, base=base_of(workspace, adapter))
    facts = facts_of(workspace, adapter)
    target = Path(job.params["out"]) / f"{plain_name(adapter.name)}-{to}"
    job.progress(0, 1, f"{adapter.name} as {to}")
    try:
        with replacing(target, lambda folder: _is_ours(folder, adapter)) as making:
            loading = WRITERS[to](Export(workspace, adapter, folder, making))
            (making / CARD).write_text(card_text(facts, to, loading), "utf-8")
            job.stop_point()
    except (OSError, SafetensorError) as error:
        raise _unwritten(target, error) from None
    job.progress(1, 1, target.name)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return {
        "adapter": adapter.name,
        "to": to,
        "path": str(target),
        "files": [str(path.relative_to(target)) for path in files],
        "bytes": sum(path.stat().st_size for path in files),
        "loading": loading_command(adapter, to, folder, target),
        "tainted": facts.taint.reasons(),
    }


def loading_command(adapter: AdapterRow, to: str, folder: Path, target: Path) -> list[str]:
    """Lines to copy: a command, or settings, that use the export where it lies."""
    if to == "vllm":
        rank = max_rank(read_config(folder))
        path = target / plain_name(adapter.name)
        # vLLM splits the path at these; the script names it from within its folder.
        odd = any(sign in str(path) for sign in "=,")
        words = ["sh", str(target / SERVE)] if odd else serve_words(adapter, rank, str(path))
        return [shlex.join(words), *persona_lines(adapter).splitlines()]
    if to == "gguf":
        gguf = target / _gguf_name(adapter)
        return [shlex.join(["llama-server", "-m", _llama_base(adapter), "--lora", str(gguf)])]
    if to == "merged":
        return [
            *role_lines(engine="transformers", model=str(target)).splitlines(),
            "# and no adapter on top of it: simulee adapters revert",
        ]
    return []


def _write_safetensors(export: Export) -> list[str]:
    _copy_adapter(export, export.out)
    base = export.adapter.base
    if hub_name(base):
        return _code(
            "python",
            "from peft import AutoPeftModelForCausalLM",
            'model = AutoPeftModelForCausalLM.from_pretrained("this folder")',
        ) + _approximate(export.adapter)
    # By its name alone PEFT would ask the hub for it, where it may be another's.
    return [
        *_code(
            "python",
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM",
            'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("BASE"), "this folder")',
        ),
        "",
        f"BASE is the folder of {quoted(public_name(base))}, the base that it was trained on.",
    ]


def _write_merged(export: Export) -> list[str]:
    base = model_folder(export.adapter.base)
    check_base(export.workspace, export.adapter, base)
    if is_lora(export.adapter):
        # Imported when nothing is left that could be refused without torch.
        from core.adapters.merged import write_merged

        write_merged(export.adapter, export.folder, base, export.out)
    else:
        for file in base.iterdir():
            if file.is_file() and file.suffix != ".safetensors" and not file.name.endswith(".index.json"):
                shutil.copyfile(file, export.out / file.name)
        for name in FULL_FILES:
            shutil.copyfile(export.folder / name, export.out / name)
    return _code(
        "python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        'model = AutoModelForCausalLM.from_pretrained("this folder", dtype="auto")',
        'tokenizer = AutoTokenizer.from_pretrained("this folder")',
    )


def _write_gguf(export: Export) -> list[str]:
    name = _gguf_name(export.adapter)
    write_gguf(export.workspace, export.adapter, export.out / name)
    return _code("sh", f"llama-server -m BASE.gguf --lora {name}") + _approximate(export.adapter)


def _write_vllm(export: Export) -> list[str]:
    adapter, config = export.adapter, read_config(export.folder)
    rank = max_rank(config)
    inner = export.out / plain_name(adapter.name)
    inner.mkdir()
    _copy_adapter(export, inner)
    write_vllm(adapter, config, export.out)
    return [
        *_code("sh", f"sh {SERVE}"),
        "",
        f"It serves the adapter as {plain_name(adapter.name)}, with `--max-lora-rank {rank}`, to this machine alone."
        f" The lines in `persona.toml` point simulee at it.",
        *_approximate(adapter),
    ]


WRITERS: dict[str, Callable[[Export], list[str]]] = {
    "safetensors": _write_safetensors,
    "merged": _write_merged,
    "gguf": _write_gguf,
    "vllm": _write_vllm,
}
"""What fills the folder of each format, and says how to load it."""


def _copy_adapter(export: Export, out: Path) -> None:
    """The adapter's files; its base is named so that PEFT finds it on any machine where the hub has it, and of a folder
    only what it is called."""
    for name in ADAPTER_FILES:
        shutil.copyfile(export.folder / name, out / name)
    base = public_name(export.adapter.base)
    config = read_config(export.folder)
    if config.get("base_model_name_or_path") != base:
        config["base_model_name_or_path"] = base
        (out / ADAPTER_FILES[0]).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def _approximate(adapter: AdapterRow) -> list[str]:
    """What to know of a base that was trained on in another form than the hub's."""
    if adapter.base not in (SMOLLM2, SMOLLM2_HUB) or smollm2_gguf() is None:
        return []
    return [
        "",
        "It was trained on the packaged base: the hub's weights rounded to 4 bits (Q4_1). How it speaks on the hub's"
        " own was not measured.",
    ]


def _gguf_name(adapter: AdapterRow) -> str:
    return f"{plain_name(adapter.name)}.gguf"


def _llama_base(adapter: AdapterRow) -> str:
    packaged = smollm2_gguf() if adapter.base in (SMOLLM2, SMOLLM2_HUB) else None
    return str(packaged) if packaged else "BASE.gguf"


def _code(language: str, *lines: str) -> list[str]:
    return [f"```{language}", *lines, "```"]


def _is_ours(folder: Path, adapter: AdapterRow) -> bool:
    """Whether a folder holds an export of this adapter: another twin's may go by the same name."""
    try:
        return is_export((folder / CARD).read_text("utf-8"), adapter.hash)
    except (OSError, ValueError):
        return False


def _unwritten(target: Path, error: OSError | SafetensorError) -> RunError:
    number = error.errno if isinstance(error, OSError) else None
    # safetensors tells the system's own error in words only, and numpy a write that fell short.
    full = number in FULL or any(f"os error {each})" in str(error) for each in FULL) or bool(_SHORT.search(str(error)))
    reason = "the disk is full" if full else (getattr(error, "strerror", None) or str(error).splitlines()[0])
    hint = "free some space, or name another folder: --out DIR" if full else "name a folder you can write to: --out DIR"
    return RunError(f"{target} could not be written: {reason}", hint)
