"""Typed settings of a workspace: ``persona.toml``, every default with its source.

Everything is optional; the defaults are the embedded engines, which need no account, no key and no hub.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import SettingsError

Use = Literal["train", "recall", "none"]
_TABLE = re.compile(r"\s*\[+([^\]]+)\]")
_KEY = re.compile(r"\s*([^=#]+?)\s*=")
EngineName = Literal["sentence-transformers", "extractive", "llama.cpp", "transformers", "endpoint"]
_BASE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#\\]*)?"
)
"""Nothing before the host and nothing after the path: no address that two readers could take for two hosts."""
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "nebius": ("https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY"),
}
"""Hosts that fine-tune by OpenAI's interface (platform.openai.com/docs/guides/supervised-fine-tuning,
docs.tokenfactory.nebius.com/post-training): where, and the variable that their own examples keep the key in."""
CALLS_AT_ONCE: Mapping[str, int] = {"endpoint": 32, "llama.cpp": 4, "transformers": 16}
"""Calls that an engine is given at once where ``concurrency`` says nothing. For ``transformers`` it is the batch."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceSettings(_Section):
    """What a server charges for a million tokens, in any currency; 0 is free."""

    prompt: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    answer: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class RoleSettings(_Section):
    """One role's engine. ``model`` is a packaged name, a hub name, a path, or a name that the endpoint knows."""

    engine: EngineName
    model: str = ""
    base: str = ""
    """For a persona behind an endpoint: the base model whose tokenizer and chat template render its prompts, where
    ``model`` is only what the endpoint calls it. Empty: ``model``."""
    base_url: str = ""
    """Where an endpoint answers, up to what stands before ``/chat/completions``."""
    api_key_env: str = ""
    """The name of the variable that holds the key, never the key; empty for a server that asks for none."""
    concurrency: Annotated[int | None, Field(ge=1, le=1024)] = None
    """Calls at once, at the most; None takes ``CALLS_AT_ONCE``."""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    """Seconds for one whole call."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often one thing is asked before it is parked."""
    max_calls: Annotated[int | None, Field(ge=0)] = None
    """Calls of one run; None is no cap, here and below."""
    max_tokens: Annotated[int | None, Field(ge=0)] = None
    """Tokens of one run's prompts and answers together."""
    max_cost: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    """What one run may cost, in the currency of ``price``."""
    price: PriceSettings = PriceSettings()
    batch: bool = False
    """Many asks go as one file to the server's batch interface: cheaper, and answered within a day."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.engine == "endpoint":
            if not self.base_url or not self.model:
                raise ValueError("the engine endpoint needs base_url and model")
            if not _BASE_URL.fullmatch(self.base_url):
                raise ValueError("base_url must read like http://127.0.0.1:8000/v1, without user, query or fragment")
        if self.batch and self.engine != "endpoint":
            raise ValueError("batch needs the engine endpoint")
        if self.max_cost is not None and not (self.price.prompt or self.price.answer):
            raise ValueError(
                "max_cost needs a price: [models.<role>.price] prompt = ..., answer = ... per million tokens"
            )
        return self

    @property
    def slots(self) -> int:
        """Calls at once, at the most."""
        return self.concurrency or CALLS_AT_ONCE.get(self.engine, 1)


class ModelSettings(_Section):
    """The four roles."""

    embedder: RoleSettings = RoleSettings(engine="sentence-transformers", model="all-MiniLM-L6-v2")
    writer: RoleSettings = RoleSettings(engine="extractive")
    judge: RoleSettings = RoleSettings(engine="transformers", model="SmolLM2-135M-Instruct")
    persona: RoleSettings = RoleSettings(engine="llama.cpp", model="SmolLM2-135M-Instruct")

    @property
    def base(self) -> str:
        """The base model of training, rendering and talking: the persona's, by its name on this machine."""
        return self.persona.base or self.persona.model


class RetrievalSettings(_Section):
    """How passages are cut and found."""

    mode: Literal["hybrid", "vector", "lexical"] = "hybrid"
    k: Annotated[int, Field(ge=1, le=100)] = 5
    """Passages that a search shows (RAFT: 5)."""
    chunk_tokens: Annotated[int, Field(ge=32)] = 240
    """Largest chunk, in the embedder's tokens; never more than it can read."""
    overlap: Annotated[int, Field(ge=0)] = 40
    include_undated: bool = True
    questions: bool = False
    """Whether what the ``questions`` run wrote about passages is searched beside them (doc2query--, Gospodinov et al.
    2023)."""
    question_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.3
    """Least cosine of a question and its passage where no model judges."""
    second_hop: bool = True
    """Whether passages that share a rare name, tag, title or thread with the best ones are found too (HippoRAG,
    Gutiérrez et al. 2024, in its simplest form)."""
    mmr_lambda: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What nearness to the query counts against likeness to what is found already (MMR, Carbonell and Goldstein 1998);
    1 counts nearness alone."""
    per_document: Annotated[int, Field(ge=0)] = 0
    """Passages of one document, or of one conversation, before the others had their turn; 0 for any number."""
    query_head: bool = True
    """Whether the query is read by the trained retriever in use, where there is one (RA-DIT, Lin et al. 2023)."""


class RecallSettings(_Section):
    """How candidate memories are made and judged."""

    candidates: Annotated[int, Field(ge=1, le=20)] = 5
    """Best candidates of an exchange that are retold and judged (RAFT: 5). Fewer cost less and help less
    (bench/README.md, recall_pays)."""
    sentences: Annotated[int, Field(ge=1, le=6)] = 2
    """Sentences that the extractive writer quotes (RAFT: 1 to 2)."""
    answer_tokens: Annotated[int, Field(ge=16)] = 96
    """Tokens of the real answer that the second opinion reads; on a CPU they are most of what recall costs."""
    judgement: Literal["auto", "likelihood", "model"] = "auto"
    """How usefulness is judged: by likelihoods under a model in this process, or by asking the judge, yes or no.
    ``auto`` asks, unless the judge's engine is ``transformers``."""
    second_opinion: bool = True
    """Whether a judge that is asked is asked once more, with the real answer; its verdict orders the review only."""
    threshold: float = 0.0
    """Bits that must speak for a memory to count as useful: by likelihood, bits per question token saved over an
    unrelated passage; of a judge that is asked, the log-odds of its yes."""


class DatasetSettings(_Section):
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


class HostedSettings(_Section):
    """Fine-tuning at a host that speaks OpenAI's interface: ``/files`` and ``/fine_tuning/jobs``."""

    provider: Literal["", "openai", "nebius"] = ""
    """Whose address and key variable are taken (``PROVIDERS``); empty where ``base_url`` names the host."""
    base_url: str = ""
    """Where another host answers, up to what stands before ``/files``."""
    api_key_env: str = ""
    """The name of the variable that holds the key, never the key; empty takes the provider's, or none."""
    model: str = ""
    """What is fine-tuned, by the host's name for it."""
    suffix: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """Part of the new model's name at the host (OpenAI: up to 64 characters); empty leaves it to the host."""
    epochs: Annotated[int, Field(ge=1, le=50)] = 3
    """Times through the file; hosts charge for each."""
    price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """What the host charges for a million trained tokens, in any currency; 0 is not known, or free."""
    max_cost: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    """A job that would cost more is not started; in the currency of ``price``. None is no cap."""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    """Seconds for one whole request, the upload among them; the job itself may take days."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often one request is made before the run stops; it can be resumed."""
    poll: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """Seconds between two looks at the job."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.provider and self.base_url:
            raise ValueError("name a provider or a base_url, not both")
        if self.base_url and not _BASE_URL.fullmatch(self.base_url):
            raise ValueError("base_url must read like https://host.example/v1, without user, query or fragment")
        if self.max_cost is not None and not self.price:
            raise ValueError("max_cost needs a price per million trained tokens")
        return self

    @property
    def address(self) -> str:
        """Where the host answers; empty where none is named."""
        return self.base_url or PROVIDERS.get(self.provider, ("", ""))[0]

    @property
    def key_variable(self) -> str:
        """The variable that holds the key; empty for a host that asks for none."""
        return self.api_key_env or PROVIDERS.get(self.provider, ("", ""))[1]


class DpoSettings(_Section):
    """Training on preferences (DPO, Rafailov et al. 2023; KTO, Ethayarajh et al. 2024), and the guard against collapse.

    What is not said here is as in ``[training]``.
    """

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """How dear it is to leave the reference; 0.1 in both papers and in APC's published code."""
    loss: Literal[
        "sigmoid", "hinge", "ipo", "robust", "nca_pair", "bco_pair", "sppo_hard", "apo_zero", "apo_down", "sigmoid_norm"
    ] = "sigmoid"
    """By TRL's names, of those that judge a pair alone; ``sigmoid`` is the DPO paper's. KTO has its own."""
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
    guard_tokens: Annotated[int, Field(ge=4)] = 64
    """Longest of these answers."""
    guard_length: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.5
    """Times the reference's mean length at which a run stops: DPO by itself makes answers up to about twice as long
    (Park et al. 2024)."""
    guard_distinct: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the reference's distinct-2 (Li et al. 2016) under which a run stops: half of what was said is said
    again."""
    guard_kl: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """Mean nats per token that the answers may be from the reference. With SmolLM2, runs that had won their pairs
    stood at 0.4, one that had lost its words at 7."""


class TrainingSettings(_Section):
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


class RetrieverSettings(_Section):
    """How the query's side of retrieval is trained (RA-DIT, Lin et al. 2023)."""

    candidates: Annotated[int, Field(ge=2, le=100)] = 10
    """Best passages of a question that are compared (RA-DIT: 10)."""
    answer_tokens: Annotated[int, Field(ge=1)] = 96
    """Tokens of the real answer whose likelihood is read; on a CPU they are a third of what scoring costs."""
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


class PrivacySettings(_Section):
    """What may be used for what, by default."""

    journal: Use = "recall"
    direct_messages: Use = "none"
    verbatim_words: Annotated[int, Field(ge=2)] = 8
    """A run of so many words from a recall-only document is never shown."""
    consent: tuple[str, ...] = ()
    """Hosts beside this machine that may receive text, with or without a port."""
    send_recall_only: bool = False
    """Whether journals and other words that are for recall only may go to such a host."""


class TwinSettings(_Section):
    """How the twin talks."""

    judgement: Literal["nearness", "recall"] = "nearness"
    """Which memories it is shown: those near enough to the question, or those that the judge of ``[recall]`` lets
    through, which takes a second or two more on a CPU."""
    nearness: Annotated[float, Field(ge=-1, le=1)] = 0.2
    """Least cosine of a question and a memory."""
    tools: Literal["auto", "on", "off"] = "auto"
    """Whether the twin asks for its memories itself; ``auto``: where its adapter was trained to."""
    abstain: bool = True
    """Whether a question about the target that nothing supports is answered with "I don't know", in their words
    (``prompts/unknown.j2``)."""
    support: Annotated[float, Field(ge=-1, le=1)] = 0.3
    """Least cosine of such a question and its best memory for an answer to be tried."""
    simulation: str = ""
    """The adapter that continues the log in hybrid mode; empty takes the newest one trained on logs, else the one in
    use, else the base."""
    target_turns: Annotated[int, Field(ge=1, le=20)] = 2
    """Turns of the target after which a simulation ends (METHODS 5)."""
    simulation_tokens: Annotated[int, Field(ge=16, le=1024)] = 160
    """Tokens after which it ends all the same."""
    style_drift: Annotated[float, Field(ge=0, le=1)] = 0.04
    """How much farther from the target's own style a merge may be than the simulated turn (cosine distance of
    character 3- to 5-grams); farther, the turn is said instead. Of two of the sample target's own held-out answers,
    one is farther off than the other by more than 0.035 in 5 of 100."""
    inference: str = ""
    """A cross-encoder for natural-language inference, a folder or a hub's name, that says which passages support a
    sentence; empty: features alone (``bench/receipts.py``)."""
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    """Answers that are spoken at once. With more than one, the same question with the same seed need not give the same
    words: answers that share a step of the engine change its last bits. Each slot of llama.cpp takes memory for a whole
    context."""
    queue: Annotated[int, Field(ge=0, le=4096)] = 32
    """Questions that may wait for a slot; the next one is refused with 429."""
    requests_per_minute: Annotated[int, Field(ge=0)] = 1200
    """Of the server, from all clients together; 0 is no cap."""
    max_tokens: Annotated[int, Field(ge=1, le=1024)] = 1024
    """Of one answer at the most, whatever a request asks for."""


class RoomSettings(_Section):
    """How the twin behaves as a co-host (``simulee join``). No method's figures: chosen so that it seldom intrudes."""

    answer_when: Literal["addressed", "worth", "always"] = "addressed"
    """``worth`` adds open questions, its own topics and silences; ``always`` answers whatever is said."""
    names: tuple[str, ...] = ()
    """What it is called beside its nick; empty: the target's name and aliases."""
    per_minute: Annotated[int, Field(ge=0, le=600)] = 6
    """Answers in any sixty seconds; 0 is no limit."""
    min_gap: Annotated[float, Field(ge=0, le=3600)] = 4.0
    """Seconds between two answers."""
    max_chars: Annotated[int, Field(ge=20, le=2000)] = 400
    """Of one message; Twitch takes 500."""
    max_lines: Annotated[int, Field(ge=1, le=10)] = 1
    """Messages of one answer."""
    lines: Annotated[int, Field(ge=1, le=200)] = 20
    """Lines since the last answer that the next question holds."""
    person_lines: Annotated[int, Field(ge=1, le=1000)] = 8
    """Lines of one person in ten seconds that are heard."""
    in_a_row: Annotated[int, Field(ge=0)] = 12
    """Answers to one person while nobody else speaks, so that two programs cannot talk for ever; 0 is no limit."""
    open_question: Annotated[float, Field(ge=0)] = 20.0
    """Seconds for which a question to the room stays unanswered before the twin takes it; 0 never."""
    open_question_chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    topic_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.6
    """Least cosine of a line and the best passage; MiniLM puts near paraphrases above it."""
    topic_chance: Annotated[float, Field(ge=0, le=1)] = 0.5
    silence: Annotated[float, Field(ge=0)] = 180.0
    """Seconds of silence after which the twin may go on about what was said last; 0 never."""
    silence_chance: Annotated[float, Field(ge=0, le=1)] = 0.3
    ignore: tuple[str, ...] = ()
    """Who is never heard."""
    owners: tuple[str, ...] = ()
    """Who may say ``!mute`` and ``!unmute``; on Twitch the broadcaster may too."""


class JournalSettings(_Section):
    """Where the journal is kept beside the workspace."""

    sync: str = ""
    """A folder of TiddlyWiki's ``.tid`` files that is kept in step with the journal; empty for none."""


class SpeakerSettings(_Section):
    """Who else speaks, and what they are to the target."""

    relation: str = ""


class Settings(_Section):
    """All of ``persona.toml``."""

    name: str = ""
    aliases: tuple[str, ...] = ()
    about: str = ""
    """One or two timeless sentences for every prompt; empty by default, since facts change with the date."""
    models: ModelSettings = ModelSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    recall: RecallSettings = RecallSettings()
    dataset: DatasetSettings = DatasetSettings()
    training: TrainingSettings = TrainingSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    privacy: PrivacySettings = PrivacySettings()
    twin: TwinSettings = TwinSettings()
    room: RoomSettings = RoomSettings()
    journal: JournalSettings = JournalSettings()
    speakers: dict[str, SpeakerSettings] = Field(default_factory=dict)

    @property
    def judges_by_likelihood(self) -> bool:
        """Whether the judge compares likelihoods, rather than being asked."""
        method = self.recall.judgement
        return method == "likelihood" or (method == "auto" and self.models.judge.engine == "transformers")

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.name, *self.aliases) if name)


def training_settings(base: TrainingSettings, overrides: Mapping[str, object]) -> TrainingSettings:
    """The settings with some overruled. Raises SettingsError for a value that cannot be."""
    try:
        return TrainingSettings.model_validate(base.model_dump() | dict(overrides))
    except ValidationError as error:
        raise SettingsError(_first_problem(error), "`simulee train sft -h` shows what it takes") from None


def dataset_settings(base: DatasetSettings, overrides: Mapping[str, object]) -> DatasetSettings:
    """The settings with some overruled where they are not None. Raises SettingsError for a value that cannot be."""
    named = {key: value for key, value in overrides.items() if value is not None}
    try:
        return DatasetSettings.model_validate(base.model_dump() | named)
    except ValidationError as error:
        raise SettingsError(_first_problem(error), "`simulee dataset build -h` shows what it takes") from None


def retriever_settings(base: RetrieverSettings, overrides: Mapping[str, object]) -> RetrieverSettings:
    """The settings with some overruled. Raises SettingsError for a value that cannot be."""
    try:
        return RetrieverSettings.model_validate(base.model_dump() | dict(overrides))
    except ValidationError as error:
        problem = _first_problem(error).removeprefix(": ")
        raise SettingsError(problem, "`simulee train retriever -h` shows what it takes") from None


def room_settings(base: RoomSettings, overrides: Mapping[str, object]) -> RoomSettings:
    """The settings with some overruled where they are not None. Raises SettingsError for a value that cannot be."""
    named = {key: value for key, value in overrides.items() if value is not None}
    try:
        return RoomSettings.model_validate(base.model_dump() | named)
    except ValidationError as error:
        raise SettingsError(_first_problem(error), "`simulee join irc -h` shows what it takes") from None


def dpo_settings(base: DpoSettings, overrides: Mapping[str, object]) -> DpoSettings:
    """The same for training on preferences. Raises SettingsError for a value that cannot be."""
    try:
        return DpoSettings.model_validate(base.model_dump() | dict(overrides))
    except ValidationError as error:
        raise SettingsError(_first_problem(error), "`simulee train dpo -h` shows what it takes") from None


def role_settings(role: str, values: Mapping[str, object]) -> RoleSettings:
    """One role's settings from bare values. Raises SettingsError for values that cannot be."""
    try:
        return RoleSettings.model_validate(values)
    except ValidationError as error:
        # A problem of the role as a whole is at no key of it, and begins with the colon that would follow one.
        problem = _first_problem(error).removeprefix(": ")
        raise SettingsError(f"{role}: {problem}", f"see [models.{role}] in persona.toml") from None


def hosted_settings(values: Mapping[str, object]) -> HostedSettings:
    """Settings of hosted fine-tuning from bare values. Raises SettingsError for values that cannot be."""
    try:
        return HostedSettings.model_validate(values)
    except ValidationError as error:
        problem = _first_problem(error).removeprefix(": ")
        raise SettingsError(f"hosted: {problem}", "see [training.hosted] in persona.toml") from None


def load_settings(path: Path) -> Settings:
    """Read ``persona.toml``. Raises SettingsError with the line or the key that is off."""
    return parse_settings(_read(path), str(path))


def parse_settings(text: str, name: str) -> Settings:
    """Settings from the text of a ``persona.toml``. Raises SettingsError with the line and the key that are off."""
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not valid TOML: {error}", "mend that line") from None
    except ValidationError as error:
        number = _line_of(text, [str(part) for part in error.errors()[0]["loc"]])
        where = f"{name}, line {number}" if number else name
        raise SettingsError(f"{where}: {_first_problem(error)}", "see the settings in the README") from None


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting as it holds here."""

    section: str
    """``models``, ``retrieval``, …; empty for the target's own keys."""
    key: str
    value: str
    """As TOML would write it; empty for what a preset or nothing decides."""
    said: bool
    """Whether ``persona.toml`` says so; otherwise it is the default."""


def effective_settings(path: Path) -> list[EffectiveSetting]:
    """Every setting with its value and whether the file says it, section by section. Raises SettingsError.

    What guards the calls of a role is told for an endpoint, and elsewhere where the file says it.
    """
    text = _read(path)
    settings, said = parse_settings(text, str(path)), tomllib.loads(text)
    rows = []
    for name, value in settings:
        if not isinstance(value, BaseModel):
            parts = {f"{name}.{each}": value[each].relation for each in value} if name == "speakers" else {name: value}
            section = "speakers" if name == "speakers" else ""
            rows += [
                EffectiveSetting(section, key.removeprefix("speakers."), _written(part), name in said)
                for key, part in parts.items()
            ]
            continue
        for key, part in value:
            told = said.get(name, {}).get(key)
            if isinstance(part, RoleSettings):
                rows += _role_rows(name, key, part, told or {})
            elif isinstance(part, HostedSettings):
                # Of nothing but the host that somebody named: without one it has nothing to say.
                rows += [
                    EffectiveSetting(name, f"{key}.{field}", _written(each), field in told)
                    for field, each in (part if told else ())
                ]
            elif isinstance(part, DpoSettings):
                rows += [
                    EffectiveSetting(name, f"{key}.{field}", _written(each), field in (told or {}))
                    for field, each in part
                ]
            else:
                rows.append(EffectiveSetting(name, key, _written(part), told is not None))
    return rows


def _role_rows(section: str, role: str, settings: RoleSettings, said: Mapping[str, object]) -> list[EffectiveSetting]:
    rows = []
    for field, value in settings:
        if not (settings.engine == "endpoint" or field in ("engine", "model") or field in said):
            continue
        if isinstance(value, PriceSettings):
            told = said.get(field)
            within: Mapping[str, object] = told if isinstance(told, dict) else {}
            rows += [
                EffectiveSetting(section, f"{role}.{field}.{name}", _written(each), name in within)
                for name, each in value
            ]
        else:
            rows.append(EffectiveSetting(section, f"{role}.{field}", _written(value), field in said))
    return rows


def _written(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", "check that you may read it") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", "mend that line") from None


def _line_of(text: str, names: list[str]) -> int:
    """The line on which a key, or else the nearest table around it, is written; 0 when neither is found."""
    table: list[str] = []
    nearest = 0
    for number, line in enumerate(text.splitlines(), start=1):
        head = _TABLE.match(line)
        key = _KEY.match(line)
        if head:
            table = [part.strip(" \"'") for part in head[1].split(".")]
            nearest = number if table == names[: len(table)] else nearest
        elif key:
            written = table + [part.strip(" \"'") for part in key[1].split(".")]
            if written == names[: len(written)]:
                return number
    return nearest


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    # What this module raises itself names keys and addresses, whose letters count.
    said = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else first["msg"].lower()
    return f"{'.'.join(str(part) for part in first['loc'])}: {said}"
