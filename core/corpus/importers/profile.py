"""A profile: text about the target, such as a wiki page or ``Key: value`` lines. Never the target's voice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from core.corpus.decoding import tidy_paragraphs
from core.corpus.identity import opening_words, uid_of
from core.corpus.records import Document, Issue, Match, Options, Probe, Record, SourceFile
from core.dates import DateSpan

_NAMED = re.compile(r"^(?:profile|about)(?![a-z])", re.IGNORECASE)


class Profile:
    """Reads a whole text as one profile."""

    name = "profile"
    library = "own"
    sniff_rule = "text in a file named profile… or about…; any text on request"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim text by its name; other text only as a possibility."""
        if not is_prose(probe):
            return None
        if _NAMED.match(probe.name):
            return Match(0.9, f"a text named {PurePosixPath(probe.name).stem}")
        return Match(0.4, "any text may be about the target")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield the whole file as one document."""
        text = tidy_paragraphs(source.read_text())
        if not text.strip():
            yield Issue(source.name, "no text in it, skipped", refused=False)
            return
        title = PurePosixPath(source.name).stem
        uid = uid_of(self.name, source.name, opening_words(text))
        yield Document(uid, options.kind or "profile", title, text, DateSpan.unknown())


def is_prose(probe: Probe) -> bool:
    """Whether a probe shows text that is neither JSON nor markup."""
    head = probe.text.lstrip()
    return not (
        probe.is_folder
        or probe.members
        or probe.json_keys
        or b"\x00" in probe.head
        or not head
        or re.match(r"<(?:[!?]|[A-Za-z][\w:-]*[\s/>])|[\[{]\s*[\"{\[\]}]", head)
    )
