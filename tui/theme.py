"""The two themes of our own. Colors carry no state alone: a glyph and a word always say it too."""

from __future__ import annotations

from textual.theme import Theme

DARK = "simulee-dark"
LIGHT = "simulee-light"

THEMES = (
    Theme(
        name=DARK, dark=True, primary="#7fb2d9", secondary="#b9a26a", accent="#d9a35f", foreground="#d8d4cb",
        background="#16181b", surface="#1c1f23", panel="#23272c", success="#8fbf7f", warning="#d9b45f", error="#e07a6a",
        variables={"block-cursor-foreground": "#16181b", "block-cursor-background": "#d9a35f", "quiet": "#8b8f94"},
    ),
    Theme(
        name=LIGHT, dark=False, primary="#1d5b8a", secondary="#6d5a1e", accent="#9a5a00", foreground="#23262a",
        background="#faf8f3", surface="#f3f0e8", panel="#e9e5da", success="#2f6b25", warning="#7d5a00", error="#a8321f",
        variables={"block-cursor-foreground": "#faf8f3", "block-cursor-background": "#9a5a00", "quiet": "#676b70"},
    ),
)  # fmt: skip
