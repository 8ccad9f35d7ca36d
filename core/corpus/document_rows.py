"""Documents as the store keeps them, for whoever stores one: an import of many, or a journal of one entry."""

from __future__ import annotations

from core.corpus.records import Document
from core.store.documents import DocumentRow
from core.store.identity import content_uid


def document_row(document: Document, source_id: int, position: int) -> DocumentRow:
    """A document as the store keeps it; its hash is over everything that is told of it."""
    content_hash = content_uid(
        document.kind, document.title, document.text, document.date.iso(), document.link, document.language,
        document.visibility, document.reply_to, list(document.tags),
    )  # fmt: skip
    return DocumentRow(
        0, document.uid, source_id, position, document.kind, document.title, document.link, document.date.iso(),
        document.date.precision, document.date.first, document.date.last, document.text, document.language,
        document.visibility, document.reply_to, document.tags, content_hash,
    )  # fmt: skip
