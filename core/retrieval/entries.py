"""Entries of the journal are found at once: by their words when they are kept, by likeness a moment later.

Cutting an entry into passages takes the embedder's tokenizer and no model, so the one who keeps it does it. Vectors,
the folder that the journal is kept in step with, and the questions that entries answer are left to a process of its
own, which nobody waits for: ``python -m core.retrieval.entries WORKSPACE``. What it could not do, the next entry or
``simulee embed`` makes up for; what went wrong stands in ``journal.log``.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.corpus.journal import Saved, save_entry
from core.errors import RunError, SimuleeError
from core.retrieval.launch import QUESTIONS_ENTRY, QUESTIONS_KIND
from core.store.documents import documents_of_kind, get_document
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.corpus.journal_sync import SyncReport
    from core.models.embedder import Embedder

LOG_FILE = "journal.log"
LONGEST_LOG = 65_536
"""Bytes after which the log begins anew."""
_started: list[subprocess.Popen[bytes]] = []
"""Processes that were started here and not yet waited for."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry that is stored, and what else came of it."""

    saved: Saved
    trouble: str = ""
    """Why it is not found yet, or not in its folder, in one line; empty where all went well."""


def keep_entry(workspace: Workspace, text: str, *, embedder: Embedder | None = None, now: bool = True) -> Kept:
    """Store an entry, let its words find it, and start what may take longer.

    With ``now`` off the words, too, are left to that process: for one who must load no tokenizer. Raises UsageError for
    an empty entry; once it is stored, nothing is raised.
    """
    saved = save_entry(workspace, text)
    trouble = ""
    try:
        if now:
            from core.models.roles import embedder_of
            from core.retrieval.embedding import cut_documents

            entry = get_document(workspace.database, saved.id)
            cut_documents(workspace, embedder or embedder_of(workspace.settings), [entry] if entry else [])
        if workspace.settings.journal.sync:
            from core.corpus.journal_sync import check_folder

            check_folder(Path(workspace.settings.journal.sync))
    except SimuleeError as error:
        trouble = error.message
    with suppress(OSError):
        follow_up(workspace)
    return Kept(saved, trouble)


def follow_up(workspace: Workspace) -> None:
    """Start the process that brings entries, index and folder in step, and do not wait for it. Raises OSError."""
    _started[:] = [process for process in _started if process.poll() is None]
    path = workspace.root / LOG_FILE
    log = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(log).st_size > LONGEST_LOG:
            os.truncate(log, 0)
        _started.append(
            subprocess.Popen(
                [sys.executable, "-m", "core.retrieval.entries", str(workspace.root.resolve())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=Path(__file__).parents[2],
            )
        )  # fmt: skip
    finally:
        os.close(log)


def index_entries(workspace: Workspace, embedder: Embedder) -> int:
    """Cut and embed every entry of the journal that is new or changed. Returns how many passages were embedded."""
    from core.retrieval.embedding import cut_documents, embed_chunks
    from core.store.chunks import chunks_without_vector

    cut_documents(workspace, embedder, documents_of_kind(workspace.database, "journal"))
    spec = embedder.spec
    missing = chunks_without_vector(workspace.database, spec.model, spec.revision, "journal")
    for _ in embed_chunks(workspace, embedder, missing):
        pass
    return len(missing)


def ask_about_entries(workspace: Workspace) -> bool:
    """Start the run that asks what new entries answer, where questions are searched and a text model writes.

    Returns whether one was started; where one is at work already, the next entry asks again.
    """
    from core.models.roles import makes_calls
    from core.runs.control import start

    settings = workspace.settings
    if not settings.retrieval.questions or not makes_calls("writer", settings.models.writer):
        return False

    try:
        start(workspace, QUESTIONS_KIND, QUESTIONS_ENTRY, {"kind": "journal"})
    except RunError:
        return False
    return True


def sync_and_index(workspace: Workspace, folder: Path) -> SyncReport:
    """Bring the journal and a folder in step, and let what came from there be found. Raises UsageError."""
    from core.corpus.journal_sync import sync_journal

    report = sync_journal(workspace, folder)
    if report.brought or report.changed or report.conflicts:
        follow_up(workspace)
    return report


def main(root: Path) -> int:
    """What is left to do after an entry. One at a time works, one more waits, and any other may go.

    It does not give way as runs do: it is short, and beside a training run the entry would be found a minute later.
    """
    os.umask(0o077)
    with (root / ".journal-work.lock").open("w") as work, (root / ".journal-next.lock").open("w") as waiting:
        try:
            fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return 0  # Whoever waits has not begun to read, and will see what this one came for.
        fcntl.flock(work, fcntl.LOCK_EX)
        fcntl.flock(waiting, fcntl.LOCK_UN)
        workspace = Workspace.open(root)
        failed = 0
        for step in (_synced, _indexed, ask_about_entries):
            try:
                step(workspace)
            except SimuleeError as error:
                sys.stderr.write(f"{datetime.now().isoformat(timespec='seconds')} {error.message}\n")
                failed = 1
        return failed


def _synced(workspace: Workspace) -> None:
    if workspace.settings.journal.sync:
        from core.corpus.journal_sync import sync_journal

        report = sync_journal(workspace, Path(workspace.settings.journal.sync))
        for issue in report.issues:
            sys.stderr.write(f"{report.folder}: {issue['locator']}: {issue['reason']}\n")


def _indexed(workspace: Workspace) -> None:
    from core.models.roles import embedder_of

    index_entries(workspace, embedder_of(workspace.settings))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
