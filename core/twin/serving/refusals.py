"""Requests that are answered with an error of OpenAI's form, and how a failure here becomes one."""

from __future__ import annotations

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from core.errors import ConsentError, SimuleeError, UsageError
from core.twin.protocol import STOPPING

R = TypeVar("R", bound=BaseModel)


class Refusal(Exception):
    """A request that is not granted; ``retry_after`` are seconds to wait before it is sent again."""

    def __init__(
        self, status: int, message: str, code: str, kind: str = "invalid_request_error", retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.kind = status, message, code, kind
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        return {"error": {"message": self.message, "type": self.kind, "param": None, "code": self.code}}

    def response(self) -> web.Response:
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        # What was not read of a refused request must not be taken for the next one.
        response = web.json_response(self.body(), status=self.status, headers=headers)
        if self.status in (401, 403, 408, 413):
            response.force_close()
        return response


def stopping() -> Refusal:
    """The server is on its way out."""
    return Refusal(503, "the server is stopping", STOPPING, "server_error", retry_after=2)


def bad_request(message: str) -> Refusal:
    return Refusal(400, message, "bad_request")


def too_busy(message: str, retry_after: int) -> Refusal:
    return Refusal(429, message, "busy", "rate_limit_error", retry_after)


def too_slow(within: float) -> Refusal:
    """A whole answer did not come in time, its waiting included."""
    return Refusal(504, f"there was no whole answer within {within:.0f} s", "too_slow", "server_error", retry_after=30)


def of_error(error: SimuleeError) -> Refusal:
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    if isinstance(error, UsageError):
        return bad_request(message)
    if isinstance(error, ConsentError):
        return Refusal(403, message, "no_consent", "permission_error")
    return Refusal(503, message, "twin_failed", "server_error")


def of_defect(error: Exception) -> Refusal:
    return Refusal(500, f"{type(error).__name__}: {error}", "defect", "server_error")


def parsed(form: type[R], body: bytes) -> R:
    """A request's body in its form. Raises Refusal with the first thing that is off."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {first['msg']}" if where else str(first["msg"])) from None
