"""How sources are to be read and used, and the look into them with these answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from core.errors import Interrupted

if TYPE_CHECKING:
    from core.corpus.looking import Sight
    from core.corpus.records import DocumentKind, Issue, Options, Use

KINDS: tuple[str | None, ...] = (None, "writing", "journal", "profile")
USES: tuple[Use | None, ...] = (None, "train", "recall", "none")
KIND_WORDS = ("as found", "writing: by the target", "journal: by the target, private", "profile: about the target")
USE_WORDS = ("as found", "train: learn from it and recall it", "recall: recall it, never learn its words", "none")
DAY_WORDS = {None: "", True: "day first", False: "month first"}


@dataclass(slots=True)
class Asked:
    """How the sources are to be read and used."""

    source: str = ""
    formats: dict[str, str] = field(default_factory=dict)
    """By location, where a person overruled the sniffing."""
    kind: str | None = None
    use: Use | None = None
    private: bool = False
    day_first: bool | None = None
    targets: list[str] = field(default_factory=list)
    """Speakers who were marked as the target; their names are saved when the import starts."""

    def options(self) -> Options:
        from core.corpus.records import Options

        return Options(cast("DocumentKind | None", self.kind), self.day_first, self.private)

    def place(self) -> dict[str, Any]:
        """As JSON values, to come back to."""
        return asdict(self)

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> Asked:
        """As ``place`` said once; what is not of the right kind is as at the beginning."""
        source, kind, use, day_first = (place.get(name) for name in ("source", "kind", "use", "day_first"))
        formats, targets = place.get("formats"), place.get("targets")
        return cls(
            source if isinstance(source, str) else "",
            {str(key): str(value) for key, value in formats.items()} if isinstance(formats, dict) else {},
            kind if kind in KINDS else None,
            use if use in USES else None,
            place.get("private") is True,
            day_first if isinstance(day_first, bool) else None,
            [name for name in targets if isinstance(name, str)] if isinstance(targets, list) else [],
        )


def look_at_line(
    line: str, formats: Mapping[str, str], options: Options, stop: threading.Event, seen: list[int]
) -> Sight:
    """On a thread: look into what a line names. Counts into ``seen``; raises Interrupted once ``stop`` is set."""
    from core.corpus.looking import Look, Sight, look_into
    from core.corpus.typed_paths import typed_paths

    def watch() -> None:
        seen[1] += 1
        if stop.is_set():
            raise Interrupted("stopped looking")

    looks: list[Look] = []
    issues: list[Issue] = []
    for found in look_into(typed_paths(line), formats, options, watch):
        if isinstance(found, Look):
            looks.append(found)
            seen[0] += 1
        else:
            issues.append(found)
        if stop.is_set():
            raise Interrupted("stopped looking")
    sight = Sight(tuple(looks), tuple(issues))
    _ = sight.ready, sight.speakers, sight.skips, sight.dates  # counted here, off the event loop
    return sight
