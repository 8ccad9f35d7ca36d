"""The mouse while the workbench runs: on for clicks, off to leave it to the terminal's own marking and copying."""

from __future__ import annotations

from typing import Any

from textual.driver import Driver


def has_mouse(driver: Driver | None) -> bool:
    """Whether clicks come to the workbench."""
    return bool(driver is not None and driver._mouse)


def use_mouse(driver: Driver | None, on: bool) -> None:
    """Take the mouse, or leave it to the terminal."""
    if driver is None or driver._mouse == on:
        return
    terminal: Any = driver
    if on:
        driver._mouse = True
        getattr(terminal, "_enable_mouse_support", lambda: None)()
    else:
        getattr(terminal, "_disable_mouse_support", lambda: None)()
        driver._mouse = False
