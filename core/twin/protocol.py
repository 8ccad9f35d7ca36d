"""What goes over the wire between a client and the serving twin: OpenAI's form, and an extension of it.

A request may carry the extension's fields beside OpenAI's own (``extra_body`` of the ``openai`` client). The first
chunk, the last one and a whole response carry ``simulee``: an object of this module. What OpenAI's form has beside is
passed over; where that changes what a client gets, ``notes`` say so, and what cannot be passed over is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

EXTENSION = "simulee"
TWIN_MODEL = "twin"
"""The model's name that stands for the adapter in use."""
EMBEDDER_MODEL = "embedder"
"""The model's name that stands for the workspace's embedder."""
PARTS = 3
"""Judge, embedder, voice: what is loaded before the server is ready."""
LARGEST_BODY = 1 << 20
"""Bytes of a request."""
MOST_CHOICES = 4
"""Answers to one request (``n``)."""
NO_RECEIPTS = "without receipts"
"""How the line begins among what was missed that tells why an answer has none."""
STOPPING = "stopping"
"""The code of a refusal by a server that is on its way out."""
MOST_STOPS = 32
MOST_BIASES = 1024
MOST_TEXTS = 256
"""Texts of one request for embeddings."""

Line = Annotated[str, StringConstraints(max_length=200)]
Stop = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class ChatMessage(BaseModel):
    """One message of a request. Content is a text, or OpenAI's list of parts, of which the texts are read."""

    model_config = ConfigDict(extra="ignore")
    role: str
    content: str = ""
    name: Line = ""
    """Who says it, in a room of several people."""

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        if value is None:
            return ""
        if isinstance(value, list):
            return "\n".join(str(part["text"]) for part in value if isinstance(part, dict) and "text" in part)
        return value

    @field_validator("name", mode="before")
    @classmethod
    def _unnamed(cls, value: Any) -> Any:
        return "" if value is None else value

    @field_validator("content", "name")
    @classmethod
    def _storable(cls, value: str) -> str:
        return value.replace("\0", "")

    @field_validator("name", mode="before")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        return " ".join(value.replace("\0", "").split()) if isinstance(value, str) else value or ""


class StreamOptions(BaseModel):
    """OpenAI's ``stream_options``."""

    model_config = ConfigDict(extra="ignore")
    include_usage: bool = False


class Speech(BaseModel):
    """How to speak: what both completion requests share."""

    model_config = ConfigDict(extra="ignore")
    model: str = TWIN_MODEL
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None
    """None draws a fresh one; each further choice takes the next one."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    stop: Annotated[tuple[Stop, ...], Field(max_length=MOST_STOPS)] = ()
    logit_bias: Annotated[dict[int, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=MOST_BIASES)] = {}
    """Token ids of the base model; what is none is passed over."""
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None

    @field_validator("stop", mode="before")
    @classmethod
    def _stops(cls, value: Any) -> Any:
        given = (value,) if isinstance(value, str) else value or ()
        # Chat programs send empty ones for what their user left open.
        return tuple(each for each in given if each != "") if isinstance(given, list | tuple) else given

    @field_validator("temperature", "stream", "stream_options", "n", "model", "logit_bias", mode="before")
    @classmethod
    def _default(cls, value: Any, info: Any) -> Any:
        """OpenAI's clients write null for what they leave open."""
        return cls.model_fields[info.field_name].default if value is None else value

    def passed_over(self) -> list[str]:
        """A note for each field that was sent and has no effect here."""
        plain = {"top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
        return [f"{name} is not heeded" for name, value in plain.items() if getattr(self, name) not in (None, value)]


class ChatRequest(Speech):
    """``POST /v1/chat/completions``: what is read of it."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None
    response_format: Any = None
    tools: Any = None
    functions: Any = None
    logprobs: Any = None

    session: Annotated[int | None, Field(ge=1, lt=2**62)] = None
    """The session to go on with; the messages before the last one are then read from the store. None begins one."""
    again: bool = False
    """Answer the session's last question once more, whatever the messages say."""
    as_of: Line = ""
    memories: bool = True
    speaker: Line = ""
    """Who asks, where the messages have no names."""
    adapter: Line | None = None
    """None: the one in use, or the session's; ``base``: none."""
    hybrid: bool = False
    """Merge the answer from facts and a simulated chat; it then comes in one piece."""

    @field_validator("memories", "as_of", "speaker", "again", "hybrid", mode="before")
    @classmethod
    def _open(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value

    def refused(self) -> str:
        """What is asked for that cannot be done, in a line; empty where all can be."""
        if self.response_format and not (
            isinstance(self.response_format, dict) and self.response_format.get("type") == "text"
        ):
            return "response_format: the twin speaks freely and is held to no form; leave it out"
        if self.logprobs:
            return "logprobs: an answer is guarded while it streams, so its tokens are not told; leave it out"
        return ""

    def passed_over(self) -> list[str]:
        notes = super().passed_over()
        if any(each.role not in ("user", "assistant") for each in self.messages):
            notes.append(
                "messages of other roles than user and assistant are not read: who the twin is comes from its workspace"
            )
        if self.tools or self.functions:
            notes.append("tools are not called: the twin answers in words")
        return notes


class CompletionRequest(Speech):
    """``POST /v1/completions``: a raw continuation, without memories, which is stored nowhere."""

    prompt: str
    echo: bool = False
    suffix: str | None = None
    logprobs: int | None = None
    best_of: int | None = None

    @field_validator("prompt", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
            return value[0]
        if isinstance(value, list):
            raise ValueError("one text is continued at a time; tokens and lists of several are not read")
        return value

    @field_validator("echo", mode="before")
    @classmethod
    def _open(cls, value: Any) -> Any:
        return value or False

    def refused(self) -> str:
        """As ``ChatRequest.refused``."""
        if self.logprobs is not None:
            return "logprobs: what is said is guarded while it streams, so its tokens are not told; leave it out"
        if self.suffix:
            return "suffix: a text is only continued at its end; leave it out"
        if self.best_of not in (None, self.n):
            return "best_of: every continuation is returned; leave it out, and set n"
        return ""


class EmbeddingRequest(BaseModel):
    """``POST /v1/embeddings``."""

    model_config = ConfigDict(extra="ignore")
    model: str = EMBEDDER_MODEL
    input: Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, list) and value and not isinstance(value[0], str):
            raise ValueError("texts are read, not tokens")
        return [value] if isinstance(value, str) else value

    @field_validator("encoding_format", mode="before")
    @classmethod
    def _open(cls, value: Any) -> Any:
        return value or "float"


class SentReceipt(BaseModel):
    """What one sentence of an answer rests on; ``chunk`` is null for a sentence without support."""

    sentence: str
    kind: Literal["supported", "style", "unsupported"] = "unsupported"
    """``style``: it claims nothing that could be supported."""
    chunk: str | None
    title: str = ""
    date: str = ""
    score: float = 0.0
    passage: str | None = None
    """Null for a passage that may be recalled and is not shown."""


class SentMemory(BaseModel):
    """A memory that the answer's prompt showed."""

    chunk: str
    title: str
    date: str
    text: str | None
    """Null for one that is not shown."""


class Begun(BaseModel):
    """``simulee`` of the first chunk: the question is stored, the twin is about to speak."""

    session_id: int
    notes: list[str] = []
    """What of the request has no effect here."""


class Finished(Begun):
    """``simulee`` of the last chunk or of a whole response."""

    message_id: int
    receipts: list[SentReceipt] = []
    memories: list[SentMemory] = []
    missed: list[str] = []
    """Why a model gave no memory where it was asked for one; and why there are no receipts."""
    hybrid: bool = False
    """Whether the answer was merged or simulated, as it was asked to be."""
    fell_back: str = ""
    """Why an answer in hybrid mode is not what was merged."""
