"""One module per source format, and the list of them all, most specific first."""

from __future__ import annotations

from core.corpus.importers.feed import Feed
from core.corpus.importers.markdown import MarkdownNotes
from core.corpus.importers.profile import Profile
from core.corpus.importers.raft import RaftCorpus, RaftTranscript
from core.corpus.importers.substack import SubstackExport
from core.corpus.importers.subtitles import Subtitles
from core.corpus.importers.text import PlainText
from core.corpus.importers.tiddlywiki import TiddlyWiki
from core.corpus.importers.transcript import LabelledTranscript
from core.corpus.importers.whatsapp import WhatsApp
from core.corpus.records import Importer

CONVERSATIONS = frozenset({"raft-transcript", "subtitles", "whatsapp", "transcript"})
"""Formats of conversations; all others are of documents."""

IMPORTERS: tuple[Importer, ...] = (
    SubstackExport(),
    Subtitles(),
    Feed(),
    RaftTranscript(),
    RaftCorpus(),
    TiddlyWiki(),
    WhatsApp(),
    LabelledTranscript(),
    MarkdownNotes(),
    Profile(),
    PlainText(),
)
