"""How samples are packed, and how weights are trained on them."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from core.settings.hosted import HostedSettings
from core.settings.section import Section

DpoLoss = Literal[
    "sigmoid", "hinge", "ipo", "robust", "nca_pair", "bco_pair", "sppo_hard", "apo_zero", "apo_down", "sigmoid_norm"
]
DPO_LOSSES: tuple[str, ...] = get_args(DpoLoss)
"""By TRL's names, of those that judge a pair alone."""


class DatasetSettings(Section):
    """How training samples are packed."""

    max_tokens: Annotated[int, Field(ge=128)] = 640
    """Longest sample. RAFT uses 4,096 to 8,192; this trains SmolLM2 on a CPU within 3 GB of memory."""
    failed_recall: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    """Share of samples' questions whose memories are withheld or wrong, so that bad recall is survived."""
    memory_form: Literal["question", "thinking"] = "question"
    """Where memories stand: after the question, or in the thinking phase of a model that has one (RAFT)."""
    form: Literal["chat", "completion"] = "chat"
    """``completion``: named logs of many speakers as they were, without a template or memories, for a persona that
    continues a conversation (METHODS 5)."""
    passages: Literal["together", "apart"] = "together"
    """``apart``: each of an exchange's best memories before a copy of its own (RA-DIT, Lin et al. 2023: the top 3)."""
    tools: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of questions with memories whose sample lets the target ask for them (``[recall: words]``)."""
    heldout: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Share of conversations, the latest, that are never trained on."""


class DpoSettings(Section):
    """Training on preferences (DPO, Rafailov et al. 2023; KTO, Ethayarajh et al. 2024), and the guard against collapse.

    What is not said here is as in ``[training]``, but for what only fine-tuning does: dropout, packing, Liger's
    kernels, patience, general text, and measuring what was forgotten.
    """

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """How dear it is to leave the reference; 0.1 in both papers and in APC's published code."""
    loss: DpoLoss = "sigmoid"
    """``sigmoid`` is the DPO paper's. KTO has its own."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Share of pairs believed to be the wrong way round, for the loss ``robust`` (Chowdhury et al. 2024: 0.1)."""
    learning_rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    """Here and for the next two, None takes the preset for the base's size."""
    epochs: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    batch: Annotated[int | None, Field(ge=1)] = None
    """Pairs per optimizer step."""
    rank: Annotated[int, Field(ge=1)] = 32
    """Of a LoRA on the bare base (APC's published code: at least 32); going on from an adapter keeps that one's."""
    alpha: Annotated[int, Field(ge=1)] = 64
    max_tokens: Annotated[int, Field(ge=64)] = 1024
    """Of a prompt and the longer of its answers; a longer pair is left out, never cut."""
    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of questions that are never trained on, and whose answers are watched."""
    evaluations: Annotated[int, Field(ge=1)] = 4
    """How often in a run the validation pairs are measured and the guard looks."""
    guard_questions: Annotated[int, Field(ge=0)] = 4
    """Questions that are answered at each look of the guard; 0 turns it off."""
    guard_tokens: Annotated[int, Field(ge=4)] = 128
    """How far the reference is heard, which is about twice an answer in a chat; later answers are heard as far as
    ``guard_length`` asks. One that the reference does not end in so many tokens says nothing of growth."""
    guard_length: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.5
    """Times the reference's mean length at which a run stops: DPO by itself makes answers up to about twice as long
    (Park et al. 2024). Up to 32 tokens an answer is never too long."""
    guard_distinct: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the reference's distinct-2 (Li et al. 2016) under which a run stops: half of what was said is said
    again."""
    guard_kl: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """Mean nats per token that the answers may be from the reference. With SmolLM2, runs that had won their pairs
    stood at 0.4, one that had lost its words at 7."""


class TrainingSettings(Section):
    """LoRA on all linear layers (RAFT's published code: r 16, alpha 32). None takes the preset for the base's size."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    epochs: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    batch: Annotated[int | None, Field(ge=1)] = None
    """Samples per optimizer step, by gradient accumulation."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    checkpoint_steps: Annotated[int, Field(ge=1)] = 20
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    method: Literal["auto", "lora", "qlora", "full"] = "auto"
    """``auto``: LoRA where it fits the device, else QLoRA (Dettmers et al. 2023). ``full`` trains every weight."""
    packing: bool | None = None
    """Whether samples share a row, kept apart by their positions; None: where a step reads more than one sample."""
    micro_batch: Annotated[int | None, Field(ge=1)] = None
    """Rows in memory at once; None: as many as fit."""
    gradient_checkpointing: bool | None = None
    """Whether activations are computed again instead of kept: slower by a third; None: where they would not fit."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    liger: bool | None = None
    """Whether Liger's fused kernels are used; None: on a GPU where they are installed."""
    compile: bool = False
    """Whether torch compiles the model: minutes at the start, for long runs."""
    optimizer: str = ""
    """A name that transformers knows; empty: fused AdamW, or for QLoRA on a GPU the paged one of 8 bits."""
    evaluations: Annotated[int, Field(ge=1)] = 2
    """Of a whole run, the last one at its end; each reads all of the validation split and answers some of it."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Evaluations without a better loss after which a run stops; what was best is kept. 0: it runs to its end."""
    general_share: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Share of a run's rows that are general text, against forgetting what the base knew."""
    general_text: str = ""
    """A file of plain text, paragraphs apart by empty lines, in place of the one that comes along."""
    measure_forgetting: bool = True
    """Whether bits per token on general text are measured before and after."""
    hosted: Annotated[HostedSettings, Field(exclude=True)] = HostedSettings()
    """Of ``simulee train hosted`` alone: no part of what a run on this machine writes down."""
    dpo: DpoSettings = Field(default=DpoSettings(), exclude=True)
    """What differs for preferences. No part of what a fine-tuning run freezes."""


class RetrieverSettings(Section):
    """How the query's side of retrieval is trained (RA-DIT, Lin et al. 2023)."""

    candidates: Annotated[int, Field(ge=2, le=100)] = 10
    """Best passages of a question that are compared (RA-DIT: 10)."""
    answer_tokens: Annotated[int, Field(ge=1)] = 64
    """Tokens of the real answer whose likelihood is read: most of what scoring costs. In the sample the preference
    by 64 of them differs from that by 96 by .09 of its mass, that by 32 by .16."""
    lsr_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """What the divergence from the language model's preference counts; at 0 nothing is scored."""
    contrastive_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """What accepted against rejected memories count."""
    tau: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    """Temperature of the language model's preference, over geometric-mean token probabilities (RA-DIT: 0.01, over
    those of the whole answer, which underflow)."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """Temperature of the cosines (sentence-transformers: 0.05)."""
    rank: Annotated[int, Field(ge=0)] = 0
    """Of the head's difference from the identity; 0 for a full one."""
    regularization: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """What the head's squared distance from the identity counts, divided by its dimension."""
    learning_rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    """None takes 1e-4 for a head, 1e-5 for a whole encoder (RA-DIT)."""
    steps: Annotated[int | None, Field(ge=1)] = None
    """None takes 200 for a head, 3 epochs for a whole encoder."""
    batch: Annotated[int | None, Field(ge=2)] = None
    """Questions of one step, whose accepted passages are each other's negatives. None takes 256 or 16."""
    patience: Annotated[int, Field(ge=1)] = 5
    """Evaluations without a lower validation loss after which training stops."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if not (self.lsr_weight or self.contrastive_weight):
            raise ValueError("lsr_weight and contrastive_weight cannot both be 0: nothing would be learned")
        return self
