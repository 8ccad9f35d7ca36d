"""Names of the serving run, for those who start one without importing a model."""

from __future__ import annotations

SERVE_KIND = "serve"
SERVE_ENTRY = "core.twin.serving.app:run"
