"""What a hosted run has written down, so that a kill at any moment neither sends twice nor pays twice.

``runs/<id>/hosted.json``, replaced whole. Each of the two steps that cannot be taken back, the upload and the start of
the job, is marked before its request leaves and named once the host has named it. What is marked and not named is
looked for at the host before it is done again. It travels with the run, and holds no key.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.atomic import write_atomically
from core.errors import RunError

FILE = "hosted.json"
SUCCEEDED = frozenset(("succeeded", "success", "completed"))
FAILED = frozenset(("failed", "error"))
CANCELLED = frozenset(("cancelled", "canceled"))
OVER = SUCCEEDED | FAILED | CANCELLED
"""Statuses of a job that will not change; hosts spell them differently, and any other is under way."""


class Record(BaseModel):
    """How far a hosted run is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str
    """Ours: in the file's name and the job's metadata."""
    host: str
    """``name:port``."""
    digest: str = ""
    """SHA-256 of the file that is uploaded."""
    samples: int = 0
    tokens: int = 0
    """Of the file, once through."""
    cost: float | None = None
    """As it was reckoned before the start; None without a price."""
    left_out: dict[str, int] = Field(default_factory=dict)
    uploading: bool = False
    """An upload has left, and its answer may not have come."""
    file: str = ""
    """The host's name for the file."""
    starting: bool = False
    """The request for a job has left, and its answer may not have come."""
    row: int = 0
    """The ledger's row for the start of the job; 0 where this machine's ledger has none of that number."""
    job: str = ""
    """The host's name for the job."""
    status: str = ""
    """As the host said last, in lower case."""

    @property
    def may_have_job(self) -> bool:
        return bool(self.job) or self.starting

    @property
    def under_way(self) -> bool:
        """Whether a job may be running, and costing, at the host."""
        return self.may_have_job and self.status not in OVER

    @property
    def told_job(self) -> str:
        """The job, for a person."""
        return self.job or "a job that may have been started"


def joined(own: Record | None, theirs: Record | None) -> Record | None:
    """What is known of a run on two machines: the record that is further with its job, with this machine's ledger."""

    def reached(record: Record | None) -> tuple[bool, ...]:
        return (False,) if record is None else (True, record.status in OVER, bool(record.job), record.starting)

    if theirs is None or reached(own) >= reached(theirs):
        return own
    # Without a job the row is of an attempt that came to nothing.
    return theirs.model_copy(update={"row": own.row if own is not None and own.may_have_job else 0})


def read_record(folder: Path) -> Record | None:
    """The record of a run; None where it has none yet. Raises RunError for one that cannot be read."""
    path = folder / FILE
    try:
        return Record.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError):
        raise RunError(f"{path} cannot be read", "it names the job at the host: mend it, or remove it") from None


def write_record(folder: Path, record: Record) -> None:
    """Replace the record of a run; it is on the disk when this returns."""
    write_atomically(folder / FILE, record.model_dump_json())
