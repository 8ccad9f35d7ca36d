"""How much one source may hold: enough for a lifetime of writing, too little to fill a disk or the memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on a source, all of them on what is actually read, never on what an archive declares."""

    file_bytes: int = 256 << 20
    """One file, or one member of an archive once unpacked."""
    members: int = 50_000
    """Files in a folder, or entries of an archive."""
    total_bytes: int = 1 << 30
    """All members of an archive together, unpacked."""
    ratio: int = 200
    """Unpacked bytes for each byte of the archive; deflated prose stays under 10."""
    ratio_from: int = 8 << 20
    """Unpacked bytes below which the ratio does not matter."""


DEFAULT_LIMITS = Limits()
PROBE_BYTES = 64 << 10
