"""``simulee`` without a command: where the workspace here stands."""

from __future__ import annotations

import sys
from pathlib import Path

from tui.safe_text import safe_line


def show_overview(folder: Path | None = None) -> None:
    """Print the pipeline and the next step; outside a workspace, the three ways in. Raises what opening raises."""
    from core.workspace import SETTINGS_FILE, Workspace

    here = Path.cwd()
    if folder is None and not any((folder / SETTINGS_FILE).is_file() for folder in (here, *here.parents)):
        sys.stdout.write(
            "There is no workspace here. Three ways in:\n"
            "  simulee demo              the whole journey on a sample, offline\n"
            "  simulee go FOLDER         the whole journey on your own words\n"
            "  simulee new NAME          an empty workspace\n"
            "simulee -h lists every command.\n"
        )
        return
    from core.overview import overview

    seen = overview(Workspace.open(folder) if folder else Workspace.find(here))
    sys.stdout.write(f"simulee · {safe_line(seen.target)}\n\n")
    for row in seen.rows:
        sys.stdout.write(f"  {row.stage:<10} {safe_line(row.text)}\n")
    sys.stdout.write(f"\n  next       {safe_line(seen.next_command)}\n")
