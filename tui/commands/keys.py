"""``simulee keys``: the workbench's keys, and how to change them."""

from __future__ import annotations

import typer

from tui.face import Face, command, table
from tui.keys import keys_file, load_keymap, shown

app = typer.Typer(rich_markup_mode=None)


@command(app)
def keys(face: Face) -> None:
    """Every action of the workbench: its id, its keys as they are here, and what it does.

    A file keys.toml overrides keys by id, such as: "review.accept" = "enter"

    Example: simulee keys --json
    """
    keymap, path = load_keymap(), keys_file()
    rows = [
        {"id": each.id, "keys": each.keys.split(","), "label": each.label, "changed": each.id in keymap.overrides}
        for each in keymap.actions
    ]
    lines = table(
        [
            [each.id, ", ".join(map(shown, each.keys.split(","))), each.label, "yours" * (each.id in keymap.overrides)]
            for each in keymap.actions
        ],
        ("id", "keys", "what it does", ""),
    )
    face.result({"file": str(path), "keys": rows}, [*lines, "", f'Your own: {path}, lines such as "app.go" = "g"'])
