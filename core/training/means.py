"""By what means a run trains on a machine: method, dtype, attention, and what saves memory or time.

Each is chosen where it helps, each can be set in ``[training]``, and each is named in the run's ``plan`` event. Imports
no torch: an estimate needs the choice before anything is loaded.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import TrainingError
from core.settings import TrainingSettings

Method = Literal["lora", "qlora", "full"]
GIB = 2**30
ROOM = 0.88
"""Share of a device's memory that a plan may fill: fragments and kernels' workspaces take the rest."""
NF4_BYTES = 0.56
"""Per parameter of a base in 4-bit NormalFloat, doubly quantized (QLoRA, Dettmers et al. 2023: 0.5 and constants)."""
ADAM_BYTES = 8
"""Two float32 moments of a trained parameter."""
ACTIVATION_BYTES = 34
"""Per token, layer and hidden unit in 16 bits, attention's matrix never kept (Korthikanti et al. 2022, table 2)."""
CHECKPOINTED_BYTES = 2
"""The same where only each layer's input is kept."""
LORA_SIDES = 19
"""Inputs and outputs of a layer's linear maps, in hidden units: four of attention, three of a gated MLP."""
AMPERE = 8.0
"""The first compute capability with native bfloat16."""
LIGER, BITSANDBYTES, FLASH = "liger_kernel", "bitsandbytes", "flash_attn"
MASKED_LAYERS = {"full_attention", "sliding_attention", "attention"}
"""What a ``config.json`` calls layers whose tokens see only what a mask shows them."""
STATE_KEYS = re.compile(r"mamba|linear_|conv|ssm|lightning|state_size|attn_layer_period|rwkv")
"""Of what else it says: settings of layers that hand a state from token to token."""


class UnavailableError(TrainingError):
    """A means that is set, and cannot be had here or with this base."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a run trains on."""

    device: Literal["cpu", "cuda"]
    name: str
    memory: int
    """Bytes of one device; of the machine for a CPU; 0 where it does not say."""
    devices: int = 1
    bf16: bool = False
    """Whether bfloat16 is native: elsewhere it is emulated, and many times slower than float32."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a base that memory depends on."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    tied: bool = False
    """Whether the head is the embedding once more."""

    @classmethod
    def of(cls, parameters: int, config: Mapping[str, Any] | None = None) -> Shape:
        """From a base's ``config.json`` where it is known, else the usual proportions for so many parameters."""
        config = config or {}
        layers = int(config.get("num_hidden_layers") or max(2, round(32 * (parameters / 7e9) ** (1 / 3))))
        hidden = int(config.get("hidden_size") or max(64, round((parameters / (12 * layers)) ** 0.5)))
        tied = bool(config.get("tie_word_embeddings"))
        return cls(parameters, layers, hidden, int(config.get("vocab_size") or 64_000), tied)

    @property
    def outside(self) -> int:
        """Parameters of the embedding and the head, which no quantization reaches."""
        return min(self.parameters, self.vocabulary * self.hidden * (1 if self.tied else 2))


@dataclass(frozen=True, slots=True)
class Means:
    """What a run uses. Everything here stands in its ``plan`` event."""

    method: Method
    dtype: Literal["float32", "bfloat16"]
    attention: str
    """transformers' name of the implementation; ``auto``: SDPA where the base has it."""
    optimizer: str
    """transformers' name."""
    micro_batch: int
    """Packed rows in memory at once; the rest of a step's batch is accumulated."""
    packing: bool
    gradient_checkpointing: bool
    liger: bool
    compile: bool
    memory: int
    """Bytes that the plan expects at its peak."""
    samples_alone: bool = False
    """Whether every forward pass reads one sample: the base would let several in a row see each other."""

    def told(self) -> dict[str, Any]:
        """For the run's header."""
        values = asdict(self)
        values["planned_memory_mb"] = values.pop("memory") // 2**20
        return values


SHARDED_QLORA = (
    "QLoRA's weights of 4 bits cannot be shared out among processes (FSDP, ZeRO-3)",
    'method = "lora", or launch with whole weights in each process',
)


def installed(module: str) -> bool:
    """Whether an optional library is there; it is not imported."""
    return importlib.util.find_spec(module) is not None


def packs(settings: TrainingSettings, batch: int) -> bool:
    """Whether samples are packed. One sample a step is never padded: there, it would only change what a step is."""
    return settings.packing if settings.packing is not None else batch > 1


def chosen(
    shape: Shape,
    hardware: Hardware,
    settings: TrainingSettings,
    longest: int,
    batch: int,
    rows: int | None = None,
    apart: bool = True,
    sharded: bool = False,
) -> Means:
    """The means for a base on a machine; ``longest`` is the tokens of a row, ``batch`` the samples of a step, ``rows``
    the packed rows that these are on one device, where they are not as many. ``apart``: the base keeps samples of one
    row from seeing each other. ``sharded``: its weights are shared out among processes.

    What the settings name is taken as it is. Raises UnavailableError for what cannot be had.
    """
    cuda = hardware.device == "cuda"
    method = settings.method
    if method == "auto":
        # Weights that are shared out need not fit one device.
        method = "lora" if sharded else _fitting_method(shape, hardware, settings, longest)
    if method == "qlora" and sharded:
        raise UnavailableError(*SHARDED_QLORA)
    if method == "qlora" and not installed(BITSANDBYTES):
        raise UnavailableError(
            "QLoRA needs the library bitsandbytes", "pip install 'simulee[gpu]', or method = \"lora\""
        )
    if settings.packing and not apart:
        raise UnavailableError(
            "samples of this base cannot share rows: its layers hand a state on from one to the next",
            "leave packing out of [training], or --no-packing",
        )
    if settings.liger and not (cuda and installed(LIGER)):
        raise UnavailableError("Liger kernels need a GPU and the library liger-kernel", "leave liger out of [training]")
    attention = settings.attention
    if attention == "auto":
        # Its kernels take 16 bits, and weights that are all trained stay in float32 outside of a step.
        flash = cuda and hardware.bf16 and method != "full" and installed(FLASH)
        attention = "flash_attention_2" if flash else attention
    elif attention == "flash_attention_2" and not (cuda and installed(FLASH)):
        raise UnavailableError("FlashAttention needs a GPU and the library flash-attn", 'attention = "auto"')
    checkpointing = settings.gradient_checkpointing
    if checkpointing is None:
        free = int(hardware.memory * ROOM)
        checkpointing = cuda and 0 < free < needed(shape, hardware, method, longest, False, settings.rank)
    micro = settings.micro_batch or _fitting_micro_batch(
        shape, hardware, method, longest, checkpointing, batch if rows is None else rows, settings.rank
    )
    micro = micro if apart else 1
    return Means(
        method,
        "bfloat16" if cuda and hardware.bf16 else "float32",
        attention,
        # The paged optimizer lets its moments leave the GPU when a long sample needs the room (QLoRA).
        settings.optimizer or ("paged_adamw_8bit" if method == "qlora" and cuda else "adamw_torch_fused"),
        micro,
        apart and packs(settings, batch),
        checkpointing,
        settings.liger if settings.liger is not None else cuda and installed(LIGER),
        settings.compile,
        needed(shape, hardware, method, longest * micro, checkpointing, settings.rank),
        not apart,
    )


def needed(shape: Shape, hardware: Hardware, method: Method, tokens: int, checkpointing: bool, rank: int = 16) -> int:
    """Bytes at the peak of a step over so many tokens at once: weights, gradients, moments, activations, logits."""
    half = hardware.device == "cuda" and hardware.bf16
    width = 2 if half else 4
    if method == "full":
        # Weights stay in float32 where they are trained: updates smaller than bfloat16 can say would be lost.
        weights = float(shape.parameters * (4 + 4 + ADAM_BYTES))
    else:
        base = float(shape.parameters * width)
        if method == "qlora":  # PEFT keeps in float32 what is not quantized.
            base = (shape.parameters - shape.outside) * NF4_BYTES + shape.outside * 4
        weights = base + LORA_SIDES * shape.layers * shape.hidden * rank * (4 + 4 + ADAM_BYTES)
    per_unit = CHECKPOINTED_BYTES if checkpointing else ACTIVATION_BYTES
    activations = tokens * shape.hidden * shape.layers * per_unit * width / 2
    if checkpointing:  # One layer at a time is computed again.
        activations += tokens * shape.hidden * ACTIVATION_BYTES * width / 2
    # The loss projects the target's tokens only, about half of a sample, twice in float32: logits and their gradient.
    logits = tokens / 2 * shape.vocabulary * 8
    return int(weights + activations + logits)


def _fitting_method(shape: Shape, hardware: Hardware, settings: TrainingSettings, longest: int) -> Method:
    """LoRA where it fits with checkpointing, else QLoRA on a GPU; full only when it is asked for."""
    if hardware.device == "cpu" or not hardware.memory or settings.gradient_checkpointing is False:
        return "lora"
    room = int(hardware.memory * ROOM)
    return "lora" if needed(shape, hardware, "lora", longest, True, settings.rank) <= room else "qlora"


def _fitting_micro_batch(
    shape: Shape, hardware: Hardware, method: Method, longest: int, checkpointing: bool, batch: int, rank: int
) -> int:
    """The largest power of two that divides the step's rows and fits; on a CPU one at a time is as fast as several."""
    if hardware.device == "cpu" or not hardware.memory:
        return 1
    micro = 1
    room = int(hardware.memory * ROOM)
    while (
        batch % (micro * 2) == 0 and needed(shape, hardware, method, longest * micro * 2, checkpointing, rank) <= room
    ):
        micro *= 2
    return micro


def config_of(folder: Path) -> dict[str, Any]:
    """A base's ``config.json``, or nothing where there is none to read; of one that sees too, what its text part says
    stands for the whole."""
    try:
        values = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    text = values.get("text_config")
    return values | text if isinstance(text, dict) else values


def seems_apart(config: Mapping[str, Any]) -> bool:
    """Whether a base keeps samples that share a row apart, as far as its ``config.json`` tells."""
    layers = config.get("layer_types")
    if isinstance(layers, list):
        return all(each in MASKED_LAYERS for each in layers)
    return not any(STATE_KEYS.search(key) for key in config)


def total_memory() -> int:
    """Bytes of this machine's memory; 0 where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def seen_hardware() -> Hardware:
    """What this machine seems to train on, without torch: what nvidia-smi lists, else the CPU."""
    if Path("/proc/driver/nvidia/version").exists():
        try:
            told = subprocess.run(
                ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"],  # noqa: S607
                capture_output=True, text=True, timeout=10, check=True,
            ).stdout.splitlines()  # fmt: skip
            name, memory, capability = (each.strip() for each in told[0].split(","))
            return Hardware("cuda", name, int(memory) * 2**20, len(told), float(capability) >= AMPERE)
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            pass
    return Hardware("cpu", "CPU", total_memory())


def this_hardware() -> Hardware:
    """What this process can train on. Imports torch."""
    import torch

    if not torch.cuda.is_available():
        return Hardware("cpu", f"CPU, {torch.get_num_threads()} threads", total_memory())
    found = torch.cuda.get_device_properties(0)
    # Older GPUs only emulate it.
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return Hardware("cuda", str(found.name), int(found.total_memory), torch.cuda.device_count(), native)
