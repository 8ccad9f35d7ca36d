"""Names and slots of the serving run, for those who start one without importing a model."""

from __future__ import annotations

from core.settings import Settings

SERVE_KIND = "serve"
SERVE_ENTRY = "core.twin.serving.app:run"


def slots_of(settings: Settings, asked: int | None) -> int:
    """Answers at once: as many as were asked for, or ``[twin] slots``, and no more than the persona may be asked."""
    slots = asked or settings.twin.slots
    return min(slots, settings.models.persona.concurrency or slots)
