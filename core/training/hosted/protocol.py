"""What a host answers, read strictly: a file, a job, a page of jobs or events, or the reason why it is none of them.

The form is OpenAI's. As with answers of a chat, a web page or an empty object that comes with 200 must not look like
one; so the bytes are validated here, and the client's lenient objects are never made. Only what hosts are known to
spell differently is read in either spelling: null for what is empty, 4.0 for 4, an error as its bare message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.models.endpoint_answers import described
from core.models.generation import CallFailed

LONGEST_TOLD = 300
"""Characters of a host's own words that are passed on."""

GONE = frozenset(("error", "failed", "deleted", "deleting", "expired"))
"""Statuses of a file that no job can be started on."""


def _or(empty: object) -> BeforeValidator:
    """Hosts send null for what they have nothing in."""
    return BeforeValidator(lambda value: empty if value is None else value)


def _whole(value: Any) -> Any:
    """Hosts written in a language without integers send 4.0 for 4."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_error(value: Any) -> Any:
    return {"message": value} if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=512)]
Count = Annotated[int | None, BeforeValidator(_whole)]
Filled = Annotated[Mapping[str, Any], _or({})]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class RemoteFile(_Part):
    """An uploaded file."""

    id: Name
    filename: str | None = None
    bytes: Count = None
    status: str | None = None
    status_details: str | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the host has refused it or removed it since."""
        return (self.status or "").lower() in GONE


class RemoteError(_Part):
    """Why a job failed, in the host's words."""

    code: str | None = None
    message: str | None = None
    param: str | None = None


class RemoteJob(_Part):
    """A job as it stands."""

    id: Name
    status: Name
    fine_tuned_model: str | None = None
    training_file: str | None = None
    trained_tokens: Count = None
    error: Annotated[RemoteError | None, BeforeValidator(_as_error)] = None
    metadata: Filled = Field(default_factory=dict)

    @property
    def state(self) -> str:
        return self.status.lower()

    @property
    def told_error(self) -> str:
        """One line; empty where the host says nothing."""
        error = self.error or RemoteError()
        said = " ".join((error.message or error.code or "").split())[:LONGEST_TOLD]
        return f"{said} ({error.param})" if said and error.param else said


class RemoteEvent(_Part):
    """One line of a job's log at the host."""

    id: Name
    created_at: Annotated[float, _or(0.0)] = 0.0
    message: str | None = None
    type: str | None = None
    data: Filled = Field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """The numbers of a metrics event: step, train_loss, valid_loss …"""
        return {
            name: value
            for name, value in self.data.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }


class _Page(_Part):
    has_more: bool | None = None


class FilePage(_Page):
    """Files, newest first."""

    data: tuple[RemoteFile, ...] | None


class JobPage(_Page):
    """Jobs, newest first."""

    data: tuple[RemoteJob, ...] | None


class EventPage(_Page):
    """Events, newest first."""

    data: tuple[RemoteEvent, ...] | None


T = TypeVar("T", bound=BaseModel)


def read(content: bytes, what: type[T], server: str) -> T:
    """A response's body as what was asked for. Raises CallFailed for everything else."""
    try:
        return what.model_validate_json(content)
    except ValidationError as error:
        raise CallFailed(
            "not an answer", f"{server} answered with {described(content, error)}", retryable=True
        ) from None
