"""What goes over the wire between a face and the serving twin: OpenAI's form, and an extension of it.

A request may carry the extension's fields beside OpenAI's own (``extra_body`` of the ``openai`` client). The first
chunk, the last one and a whole response carry ``simulee``: an object of this module.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

EXTENSION = "simulee"
TWIN_MODEL = "twin"
"""The model's name that stands for the adapter in use."""
PARTS = 3
"""Judge, embedder, voice: what is loaded before the server is ready."""
LARGEST_BODY = 1 << 20
"""Bytes of a request."""

Line = Annotated[str, StringConstraints(max_length=200)]


class ChatMessage(BaseModel):
    """One message of a request. Content is a text, or OpenAI's list of parts, of which the texts are read."""

    model_config = ConfigDict(extra="ignore")
    role: str
    content: str
    name: Line = ""
    """Who says it, in a room of several; of a question it stands before the request's ``speaker``."""

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


class ChatRequest(BaseModel):
    """``POST /v1/chat/completions``: what is read of it. What OpenAI's form has beside is passed over."""

    model_config = ConfigDict(extra="ignore")
    model: str = TWIN_MODEL
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool = False
    n: Literal[1] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None
    """None draws a fresh one."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None

    session: Annotated[int | None, Field(ge=1, lt=2**62)] = None
    """The session to go on with; the messages before the last one are then read from the store. None begins one."""
    again: bool = False
    """Answer the session's last question once more, whatever the messages say."""
    as_of: Line = ""
    memories: bool = True
    speaker: Line = ""
    adapter: Line | None = None
    """None: the one in use, or the session's; ``base``: none."""
    hybrid: bool = False
    """Merge the answer from facts and a simulated chat; it then comes in one piece."""

    @field_validator("temperature", "stream", "n", "memories", "as_of", "speaker", "again", "hybrid", mode="before")
    @classmethod
    def _default(cls, value: Any, info: Any) -> Any:
        """OpenAI's clients write null for what they leave open."""
        return cls.model_fields[info.field_name].default if value is None else value


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
    """``simulee`` of the first chunk: the question is stored, the twin is recalling."""

    session_id: int


class Finished(Begun):
    """``simulee`` of the last chunk or of a whole response."""

    message_id: int
    receipts: list[SentReceipt] = []
    memories: list[SentMemory] = []
    missed: list[str] = []
    """Why a model gave no memory where it was asked for one."""
    hybrid: bool = False
    """Whether the answer was merged or simulated, as it was asked to be."""
    fell_back: str = ""
    """Why an answer in hybrid mode is not what was merged."""
