"""Fetching a model's files from the model hub: the one place that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.errors import ModelError


def fetch(name: str, patterns: Sequence[str] | None = None) -> Path:
    """The folder of a hub model's files, fetched where they are not here yet; ``patterns`` as the hub's own.

    Raises ModelError when they are neither here nor to be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(name, allow_patterns=None if patterns is None else list(patterns)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"the model {name!r} is not installed and could not be fetched: {reason}",
            "check the name and the connection, or use the packaged SmolLM2-135M-Instruct",
        ) from None
