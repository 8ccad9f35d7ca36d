"""Store what importers yield. Importing the same source again changes nothing; a changed one updates what changed.

Records are committed in short transactions, and a source counts as imported only when its last one is: a killed
import is run again and ends the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast

from core.corpus import exchanges as deriving
from core.corpus.document_rows import document_row
from core.corpus.opening import open_source
from core.corpus.records import (
    Conversation,
    Document,
    DocumentKind,
    Issue,
    Options,
    Record,
    SourceKind,
    Turn,
    Use,
    sort_of,
)
from core.corpus.sniffing import Choice, choose_each, importer_named
from core.corpus.successors import hand_on, heirs_of
from core.corpus.typed_paths import refuse_addresses
from core.corpus.uses import use_of
from core.dates import DateSpan
from core.errors import ImportFailed
from core.runs.job import Job
from core.settings import Settings
from core.store import conversations as store_conversations
from core.store.conversations import ConversationRow, ExchangeRow, TurnRow
from core.store.database import Database
from core.store.documents import put_document, remove_documents_but, same_document_elsewhere
from core.store.identity import content_uid
from core.store.sources import begin_source, find_source, finish_source, use_chosen_for
from core.store.tiddlers import put_tiddler
from core.workspace import Workspace

KIND = "import"
ENTRY = "core.corpus.importing:run"
BATCH = 200
"""Records of one transaction."""


@dataclass(frozen=True, slots=True)
class Request:
    """One source to import, its format settled."""

    path: str
    format: str
    confidence: float = 1.0


@dataclass(slots=True)
class SourceReport:
    """What an import of one source did."""

    location: str
    format: str
    confidence: float
    documents: int = 0
    conversations: int = 0
    turns: int = 0
    exchanges: int = 0
    profiles: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    skipped: int = 0
    refused: int = 0
    """Of what was skipped, what was meant to come in."""
    use: str = ""
    issues: list[dict[str, str]] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)


def plan(
    paths: Iterable[Path], format_name: str | None, kind: SourceKind | None = None
) -> tuple[list[Choice], list[Issue]]:
    """Settle the format of everything under some paths; one of several that cannot be read is an issue.

    Raises as ``choose_each`` does, and for an address.
    """
    paths = list(paths)
    refuse_addresses(paths)
    choices: list[Choice] = []
    issues: list[Issue] = []
    for path in paths:
        try:
            found, troubled = choose_each(path.absolute(), format_name, kind)
        except ImportFailed as error:
            if len(paths) == 1:
                raise
            issues.append(Issue(str(path), error.message.removeprefix(f"{path.name}: ")))
            continue
        choices += found
        issues += troubled
    return choices, issues


def import_params(requests: Iterable[Request], use: Use | None, options: Options) -> dict[str, Any]:
    """What an ``import`` run is asked."""
    return {
        "sources": [asdict(request) for request in requests],
        "use": use,
        "kind": options.kind,
        "day_first": options.day_first,
        "include_private": options.include_private,
    }


def name_target(workspace: Workspace, name: str, aliases: Sequence[str] = ()) -> None:
    """Save the names by which the target speaks, and derive what they answered anew. Raises SettingsError."""
    workspace.add_names(name, aliases)
    rederive_exchanges(workspace)


def run(job: Job) -> dict[str, Any]:
    """The work of an ``import`` run: params ``sources``, ``use``, ``options``. One bad source leaves the rest."""
    requests = [Request(**request) for request in job.params["sources"]]
    options = Options(
        kind=cast("DocumentKind | None", job.params.get("kind")),
        day_first=job.params.get("day_first"),
        include_private=bool(job.params.get("include_private")),
    )
    reports = []
    for position, request in enumerate(requests):
        job.stop_point()
        place = (position, len(requests))
        report = import_source(job, request, options, cast("Use | None", job.params.get("use")), place)
        reports.append(asdict(report))
        job.progress(position + 1, len(requests), Path(request.path).name)
    return {"sources": reports}


def import_source(
    job: Job, request: Request, options: Options, use: Use | None, place: tuple[int, int] = (0, 1)
) -> SourceReport:
    """Import one source whole. A source that cannot be read is a report with an issue.

    ``place`` says how many sources of how many are done, for the progress.
    """
    workspace = job.workspace
    database = workspace.database
    report = SourceReport(request.path, request.format, request.confidence)
    uid = content_uid("source", request.path)
    known = find_source(database, uid)
    chosen = use or (cast(Use, known.use) if known and known.use_chosen else None)
    location = request.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    with database.write():
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        # Nothing may use a source that is only half there and whose use is not settled.
        provisional = chosen or (known.use if known else "none")
        source_id = begin_source(database, uid, location, request.format, provisional, chosen is not None, at)
    sink = _Sink(database, workspace.settings, source_id, uid, report)
    try:
        source = open_source(Path(request.path))
        records = importer_named(request.format).parse(source, options)
        while batch := list(islice(records, BATCH)):
            job.stop_point()
            with database.write():
                sink.store(batch)
            job.progress(*place, f"{Path(location).name}: {sink.seen:,} records")
    except ImportFailed as error:
        report.issues.append({"locator": Path(request.path).name, "reason": error.message, "hint": error.hint})
        return report
    heirs = heirs_of(database, source_id, sink.conversation_uids, sink.fresh_conversations)
    with database.write():
        report.use = use_chosen_for(database, source_id) or sink.default_use()
        report.removed = remove_documents_but(database, source_id, sink.document_uids)
        hand_on(database, heirs)
        report.removed += store_conversations.remove_conversations_but(database, source_id, sink.conversation_uids)
        finish_source(database, source_id, content_uid("content", sorted(sink.hashes)), report.use)
    if report.conversations and not report.exchanges:
        report.speakers = [name for name, _ in sink.speakers.most_common(12)]
        report.issues.append(
            {
                "locator": Path(request.path).name,
                "reason": f"{workspace.target} says nothing in it; it has {', '.join(report.speakers)}",
                "hint": "if one of them is the target, import it again with --target NAME or --alias NAME",
            }
        )
    return report


def import_conversation(
    workspace: Workspace, location: str, format_name: str, conversation: Conversation | None, use: Use
) -> SourceReport:
    """Make one conversation all that a source holds which is no file; None empties it. A person chose the use."""
    database, uid = workspace.database, content_uid("source", location)
    report = SourceReport(location, format_name, 1.0, use=use)
    with database.write():
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        source_id = begin_source(database, uid, location, format_name, use, True, at)
        sink = _Sink(database, workspace.settings, source_id, uid, report)
        sink.store([conversation] if conversation else [])
        report.removed = store_conversations.remove_conversations_but(database, source_id, sink.conversation_uids)
        finish_source(database, source_id, content_uid("content", sorted(sink.hashes)), use)
    return report


class _Sink:
    """Stores the records of one source and counts them."""

    def __init__(
        self, database: Database, settings: Settings, source_id: int, source_uid: str, report: SourceReport
    ) -> None:
        self._database = database
        self._settings = settings
        self._source_id = source_id
        self._source_uid = source_uid
        self._report = report
        self._sorts: set[str] = set()
        self.document_uids: set[str] = set()
        self.conversation_uids: set[str] = set()
        self.fresh_conversations: set[str] = set()
        self.hashes: list[str] = []
        self.speakers: Counter[str] = Counter()
        self.seen = 0

    def store(self, records: Iterable[Record]) -> None:
        for record in records:
            self.seen += 1
            if isinstance(record, Issue):
                self._issue(record)
            elif isinstance(record, Document):
                self._document(record)
            else:
                self._conversation(record)

    def default_use(self) -> Use:
        """The strictest use that any record of the source asks for, when the user did not say."""
        return use_of(self._sorts, self._settings.privacy)

    def _issue(self, issue: Issue) -> None:
        self._report.skipped += 1
        self._report.refused += issue.refused
        self._report.issues.append({"locator": issue.locator, "reason": issue.reason, "hint": ""})

    def _count(self, outcome: str) -> None:
        if outcome == "added":
            self._report.added += 1
        elif outcome == "changed":
            self._report.changed += 1

    def _document(self, document: Document) -> None:
        row = document_row(document, self._source_id, self.seen)
        elsewhere = same_document_elsewhere(self._database, row)
        if elsewhere:
            self._issue(Issue(document.title or document.uid, f"already imported from {elsewhere}", refused=False))
            return
        outcome = put_document(self._database, row)
        if document.original and put_tiddler(self._database, self._source_id, row.uid, document.original):
            outcome = "changed" if outcome == "same" else outcome
        self._count(outcome)
        self.document_uids.add(document.uid)
        self.hashes.append(row.content_hash)
        self._sorts.add(sort_of(document))
        if document.kind == "profile":
            self._report.profiles += 1
        else:
            self._report.documents += 1

    def _conversation(self, conversation: Conversation) -> None:
        turns = [
            TurnRow(
                place, turn.speaker, turn.text, turn.time.isoformat() if turn.time else "", turn.reply_to, turn.kind
            )
            for place, turn in enumerate(conversation.turns)
        ]
        row = _conversation_row(conversation, turns, self._source_id, self.seen)
        elsewhere = store_conversations.same_conversation_elsewhere(self._database, row)
        if elsewhere:
            title = conversation.title or conversation.uid
            self._issue(Issue(title, f"already imported from {elsewhere}", refused=False))
            return
        if not self._goes_on(row, turns):
            return
        outcome = store_conversations.put_conversation(self._database, row, turns)
        self._count(outcome)
        self.conversation_uids.add(conversation.uid)
        if outcome == "added":
            self.fresh_conversations.add(conversation.uid)
        self.hashes.append(row.content_hash)
        self._sorts.add(sort_of(conversation))
        self.speakers.update(turn.speaker for turn in conversation.turns if turn.kind == "said")
        self._report.conversations += 1
        self._report.turns += len(turns)
        conversation_id = store_conversations.conversation_id(self._database, self._source_id, conversation.uid)
        derived = _exchanges(conversation, self._source_uid, conversation_id, self._settings.target_names)
        store_conversations.sync_exchanges(self._database, conversation_id, derived)
        self._report.exchanges += sum(not exchange.initiates for exchange in derived)

    def _goes_on(self, row: ConversationRow, turns: list[TurnRow]) -> bool:
        """Whether no other source's export of the same chat goes as far; those that do not are taken over."""
        others = store_conversations.chat_elsewhere(self._database, row, turns)
        extent = store_conversations.extent_of(turns)
        for chat in others:
            if chat.extent >= extent:
                further = ", which goes further" if chat.extent > extent else ""
                told = f"already imported from {chat.location}{further}"
                self._issue(Issue(row.title or row.uid, told, refused=False))
                return False
        for chat in others:
            store_conversations.take_over(self._database, chat, self._source_id)
            self._report.issues.append(
                {"locator": row.title or row.uid, "reason": f"goes on from {chat.location} and replaces it", "hint": ""}
            )
        return True


def rederive_exchanges(workspace: Workspace) -> int:
    """Derive every conversation's exchanges again, after the target's names changed. Returns how many there are."""
    database = workspace.database
    count = 0
    for row in store_conversations.list_conversations(database):
        turns = store_conversations.turns_of(database, row.id)
        conversation = Conversation(
            row.uid,
            row.title,
            DateSpan(row.first_day, row.last_day, cast(Any, row.date_precision)),
            tuple(_turn(turn) for turn in turns),
            chat=bool(row.chat),
        )
        source_uid = store_conversations.source_uid(database, row.source_id)
        derived = _exchanges(conversation, source_uid, row.id, workspace.settings.target_names)
        with database.write():
            store_conversations.sync_exchanges(database, row.id, derived)
        count += sum(not exchange.initiates for exchange in derived)
    return count


def _exchanges(
    conversation: Conversation, source_uid: str, conversation_id: int, names: Iterable[str]
) -> list[ExchangeRow]:
    rows = []
    seen: Counter[tuple[object, ...]] = Counter()
    for exchange in deriving.derive_exchanges(conversation, names):
        date = exchange.date or conversation.date
        # Not the position: a turn more or less elsewhere in the conversation leaves the others who they are.
        content = (exchange.asker, exchange.question, exchange.answer, date.first, date.last)
        seen[content] += 1
        rows.append(
            ExchangeRow(
                0,
                content_uid("exchange", source_uid, conversation.uid, *content, seen[content]),
                conversation_id,
                exchange.position,
                exchange.segment,
                exchange.asker,
                exchange.question,
                exchange.answer,
                date.first,
                date.last,
                int(exchange.initiates),
            )
        )  # fmt: skip
    return rows


def _turn(row: TurnRow) -> Turn:
    time = datetime.fromisoformat(row.time) if row.time else None
    return Turn(row.speaker, row.text, time, row.reply_to, cast(Any, row.kind))


def _conversation_row(
    conversation: Conversation, turns: list[TurnRow], source_id: int, position: int
) -> ConversationRow:
    content_hash = content_uid(
        conversation.title, conversation.date.iso(), conversation.link, conversation.visibility, conversation.chat,
        [(turn.speaker, turn.text, turn.time, turn.reply_to, turn.kind) for turn in turns],
    )  # fmt: skip
    return ConversationRow(
        0, conversation.uid, source_id, position, conversation.title, conversation.link, conversation.date.iso(),
        conversation.date.precision, conversation.date.first, conversation.date.last, conversation.visibility,
        int(conversation.chat), content_hash,
    )  # fmt: skip
