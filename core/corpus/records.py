"""What an importer yields, before anything is stored: documents, conversations, and issues.

An importer never touches the store; it yields these values in the order of the source, and text in them is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from core.dates import DateSpan

DocumentKind = Literal["writing", "journal", "profile"]
SourceKind = Literal["writing", "journal", "profile", "conversation"]
Use = Literal["train", "recall", "none"]
Visibility = Literal["public", "private"]


@dataclass(frozen=True, slots=True)
class Document:
    """Something the target wrote (``writing``), wrote privately (``journal``), or that was written about them
    (``profile``)."""

    uid: str
    """The source's native id, or a hash that stays the same when the same source is read again."""
    kind: DocumentKind
    title: str
    text: str
    """Plain text; paragraphs are parted by one blank line."""
    date: DateSpan
    link: str = ""
    language: str = ""
    visibility: Visibility = "public"
    reply_to: str = ""
    """What this answers, when the source says so and the asker's words are elsewhere."""
    tags: tuple[str, ...] = ()
    original: str = ""
    """The tiddler it was, as JSON of all its fields (``core.corpus.tiddlers``); empty for every other format."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance as the source holds it."""

    speaker: str
    text: str
    time: datetime | None = None
    """Naive when the source names no zone."""
    reply_to: int | None = None
    """Position, in the conversation, of the turn this one answers explicitly."""
    kind: Literal["said", "system", "media", "deleted"] = "said"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dated dialogue; ``uid`` as for a document."""

    uid: str
    title: str
    date: DateSpan
    turns: tuple[Turn, ...]
    link: str = ""
    visibility: Visibility = "public"
    chat: bool = False
    """A running chat, which silences part into conversations; otherwise one sitting."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One record that could not be used, or something to say of one: counted and shown, never fatal."""

    locator: str
    """Where in the source: a file name, a line, an entry."""
    reason: str
    refused: bool = True
    """Whether words are lost by it that were meant to come in. Not so where nothing is in it, where it is left out on
    purpose, as a draft is, and where it came in and this is said of it."""


Record = Document | Conversation | Issue


def sort_of(record: Document | Conversation) -> str:
    """What decides for which use a record is: its kind, and whether it is private."""
    kind = record.kind if isinstance(record, Document) else "conversation"
    return f"private {kind}" if record.visibility == "private" else kind


@dataclass(frozen=True, slots=True)
class Probe:
    """What a sniffer may look at. Content decides, never the extension alone."""

    name: str
    """File or folder name, without its path."""
    head: bytes
    """The first 64 KiB of a file; empty for a folder."""
    members: tuple[str, ...] = ()
    """Names inside a zip archive or a folder, relative and ``/``-separated."""
    is_folder: bool = False
    json_keys: tuple[str, ...] = ()
    """The top-level keys of a JSON object, or of the first object of a JSON array or JSON-lines file."""

    @property
    def text(self) -> str:
        """The head as text, for looking at only: UTF-8 with replacement, byte-order mark removed."""
        return self.head.decode("utf-8", "replace").removeprefix("\ufeff")


@dataclass(frozen=True, slots=True)
class Match:
    """A sniffer's claim: ``confidence`` from 0 to 1; under 0.8, or a tie, the user is asked."""

    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class SpeakerSummary:
    """One speaker of a previewed source: how many turns, and a few of them."""

    name: str
    turns: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What ``inspect`` found, before anything is stored."""

    documents: int = 0
    conversations: int = 0
    speakers: tuple[SpeakerSummary, ...] = ()
    first_date: str = ""
    last_date: str = ""
    samples: tuple[str, ...] = ()
    ambiguities: tuple[str, ...] = ()
    private: bool = False
    skipped: int = 0
    """Records that could not be used, or are left out."""
    sorts: tuple[str, ...] = ()
    """What its records are, as ``sort_of`` says."""
    issues: tuple[Issue, ...] = ()
    """The first of what is skipped, each with its reason."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to read an ambiguous source."""

    kind: DocumentKind | None = None
    """What the documents are, when the user says so; else the importer's own word."""
    day_first: bool | None = None
    """Day before month in numeric dates; None lets the importer decide from the values, or report an ambiguity."""
    include_private: bool = False


class Importer(Protocol):
    """One source format. Implementations are stateless module-level singletons."""

    name: str
    library: str
    """What reads the format: a library's name, or ``own``."""
    sniff_rule: str
    """One line for ``simulee formats``: how the format is told."""

    def sniff(self, probe: Probe) -> Match | None:
        """Claim a source, or None."""

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield the records of a source in its own order; one bad record is an ``Issue``.

        Raises ``ImportFailed`` only when the source as a whole cannot be read.
        """


class SourceFile(Protocol):
    """A source on disk, read safely: see ``core.corpus.opening``."""

    name: str

    def read_bytes(self) -> bytes:
        """The whole file. Raises ``ImportFailed`` when it is unreadable or over the size limit."""

    def read_text(self) -> str:
        """The whole file decoded: byte-order mark, else UTF-8, else detected."""

    def members(self) -> list[str]:
        """Names of the files inside a folder or zip archive, sorted."""

    def member_bytes(self, name: str) -> bytes:
        """One file of a folder or zip archive. Raises ``ImportFailed``."""

    def member_text(self, name: str) -> str:
        """One file of a folder or zip archive, decoded as ``read_text`` does."""
