"""The one registry of actions: bindings, footer, help, palette and the README's key table are all read from it.

An action's id is ``<where>.<name>``. ``where`` is a screen's name or ``app`` for everywhere; the screen (or the
app) has a method ``action_<name>``. ``keys.toml`` overrides keys by id: ``"review.accept" = "enter"``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import SettingsError

EVERYWHERE = "app"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key does. ``keys`` are Textual's names, by commas; the first one is shown."""

    id: str
    label: str
    keys: str
    footer: bool = True
    """Whether the footer names it; help and palette name every action."""

    @property
    def where(self) -> str:
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        return self.id.partition(".")[2]

    @property
    def shown_key(self) -> str:
        """The first key as a person writes it."""
        return shown(self.keys.split(",")[0])


REASONS = (
    "off topic", "wrong time", "too vague", "repeats another", "misquotes", "too private", "not my words",
    "contradicts me", "other",
)  # fmt: skip
"""Why a card is rejected, by the keys 1 to 9."""

ACTIONS: tuple[Action, ...] = (
    Action("app.help", "help", "f1"),
    Action("app.overview", "Overview", "f2", footer=False),
    Action("app.import", "Import", "f3", footer=False),
    Action("app.review", "Review", "f4", footer=False),
    Action("app.dataset", "Dataset", "f5", footer=False),
    Action("app.train", "Train", "f6", footer=False),
    Action("app.evaluate", "Evaluate", "f7", footer=False),
    Action("app.chat", "Chat", "f8", footer=False),
    Action("app.journal", "Journal", "f9", footer=False),
    Action("app.runs", "Runs", "f11", footer=False),
    Action("app.settings", "Settings", "f12", footer=False),
    Action("app.go", "go to", "g"),
    Action("app.keys", "keys", "question_mark"),
    Action("app.palette", "every action", "colon,ctrl+p", footer=False),
    Action("app.back", "back", "q"),
    Action("app.leave", "leave", "escape", footer=False),
    Action("app.quit", "quit", "ctrl+q,f10", footer=False),
    # Overview
    Action("overview.next_step", "do the next step", "enter"),
    Action("overview.sample", "try the sample", "d"),
    Action("overview.new", "empty workspace", "n"),
    Action("overview.open", "open a workspace", "o"),
    Action("overview.refresh", "look again", "r", footer=False),
    # Import
    Action("import.address", "file or folder", "slash"),
    Action("import.start", "import", "s"),
    Action("import.target", "target", "t"),
    Action("import.format", "format", "f"),
    Action("import.use", "use", "u"),
    Action("import.private", "private", "p"),
    Action("import.kind", "kind", "a", footer=False),
    Action("import.dates", "day or month first", "d", footer=False),
    Action("import.issues", "issues", "e"),
    Action("import.embed", "embed", "b"),
    Action("import.cancel", "stop", "c"),
    Action("import.inspect", "look again", "i", footer=False),
    # Review
    Action("review.accept", "accept", "a"),
    Action("review.reject", "reject", "x"),
    *(
        Action(f"review.reject_{number}", f"reject: {reason}", str(number), footer=False)
        for number, reason in enumerate(REASONS, start=1)
    ),
    Action("review.neither", "both bad", "0"),
    Action("review.left", "the left one", "left"),
    Action("review.right", "the right one", "right"),
    Action("review.edit", "edit", "e"),
    Action("review.editor", "edit in $EDITOR", "E", footer=False),
    Action("review.defer", "later", "space"),
    Action("review.flag", "flag", "f", footer=False),
    Action("review.undo", "undo", "u"),
    Action("review.redo", "redo", "U", footer=False),
    Action("review.next", "next", "j,down", footer=False),
    Action("review.previous", "previous", "k,up", footer=False),
    Action("review.first", "first", "home", footer=False),
    Action("review.last", "last", "end", footer=False),
    Action("review.next_exchange", "next exchange", "right_square_bracket", footer=False),
    Action("review.previous_exchange", "previous exchange", "left_square_bracket", footer=False),
    Action("review.filter", "filter", "slash"),
    Action("review.next_waiting", "next that waits", "n", footer=False),
    Action("review.previous_waiting", "previous that waits", "N", footer=False),
    Action("review.range", "range", "v", footer=False),
    Action("review.accept_all", "accept the exchange, or the filter", "A", footer=False),
    Action("review.reject_all", "reject the exchange, or the filter", "X", footer=False),
    Action("review.repeat", "repeat the last decision", "full_stop", footer=False),
    Action("review.copy", "copy", "y", footer=False),
    Action("review.auto_advance", "auto-advance", "t", footer=False),
    Action("review.order", "order", "s", footer=False),
    Action("review.answer", "real answer", "o"),
    Action("review.queue", "which queue", "m", footer=False),
    Action("review.list", "list", "l", footer=False),
    Action("review.trust_link", "do not wait for the terminal", "w", footer=False),
    Action("review.recall", "recall", "r"),
    Action("review.blind", "blind sample", "b", footer=False),
    Action("review.figures", "figures of the review", "i", footer=False),
    Action("review.contradictions", "contradictions", "c", footer=False),
    # Dataset
    Action("dataset.build", "build", "b"),
    Action("dataset.verify", "verify", "v"),
    Action("dataset.sample", "sample", "enter", footer=False),
    Action("dataset.mask", "exact text", "m"),
    Action("dataset.composition", "figures", "c"),
    Action("dataset.split", "split", "s"),
    Action("dataset.version", "version", "d"),
    Action("dataset.export", "export", "x"),
    Action("dataset.next", "next sample", "right_square_bracket"),
    Action("dataset.previous", "previous sample", "left_square_bracket", footer=False),
    # Train
    Action("train.start", "start", "s"),
    Action("train.method", "method", "m"),
    Action("train.dataset", "dataset", "d"),
    Action("train.base", "base", "b", footer=False),
    Action("train.preset", "preset", "p"),
    Action("train.loss", "loss", "f"),
    Action("train.cancel", "stop", "c"),
    Action("train.resume", "resume", "r"),
    Action("train.overlay", "overlay", "o"),
    Action("train.samples", "samples", "a"),
    Action("train.log", "log", "l"),
    Action("train.pick", "run", "n"),
    Action("train.use", "adapter", "u"),
    # Evaluate
    Action("evaluate.start", "measure", "s"),
    Action("evaluate.question", "questions", "enter"),
    Action("evaluate.next", "next", "right_square_bracket,right"),
    Action("evaluate.previous", "previous question", "left_square_bracket,left", footer=False),
    Action("evaluate.interviews", "by interview", "i"),
    Action("evaluate.scorecard", "scorecard", "d"),
    Action("evaluate.compare", "beside", "b"),
    Action("evaluate.cancel", "stop", "c"),
    Action("evaluate.resume", "resume", "r"),
    # Chat
    Action("chat.write", "write", "i"),
    Action("chat.stop", "stop", "x"),
    Action("chat.receipt", "receipt", "enter"),
    Action("chat.good", "good", "plus"),
    Action("chat.bad", "bad", "minus"),
    Action("chat.correct", "correct", "c"),
    Action("chat.compare", "two answers", "ctrl+r"),
    Action("chat.retry", "again", "r", footer=False),
    Action("chat.sessions", "sessions", "s"),
    Action("chat.new", "new session", "n", footer=False),
    Action("chat.copy", "copy", "y", footer=False),
    # Journal
    Action("journal.save", "save", "ctrl+s"),
    Action("journal.editor", "$EDITOR", "ctrl+o"),
    # Runs
    Action("runs.show", "log", "enter"),
    Action("runs.cancel", "cancel", "c"),
    Action("runs.resume", "resume", "r"),
    Action("runs.copy", "copy its id", "y", footer=False),
    # Settings
    Action("settings.edit", "edit persona.toml", "e"),
    Action("settings.theme", "theme", "t"),
    Action("settings.motion", "reduced motion", "m", footer=False),
    Action("settings.mouse", "mouse", "u", footer=False),
    Action("settings.doctor", "check everything", "c"),
    # Help
    Action("help.next", "next part", "right_square_bracket,n"),
    Action("help.previous", "part before", "left_square_bracket,p"),
)

KEPT = {"ctrl+p": "app.palette", "ctrl+q": "app.quit"}
"""Keys of Textual's own that mean the same whatever ``keys.toml`` says: nothing else may have them."""
MOVING = "moving in a list"
MOVING_KEYS = frozenset({"down", "j", "up", "k", "pagedown", "pageup", "home", "end"})
SCREENS_WITH_LISTS = frozenset({"import", "dataset", "train", "evaluate", "chat", "runs", "settings", "help"})
"""Where a list takes the keys that move before the screen does; the review moves by actions of its own."""

GO_KEYS = {
    "o": "overview", "i": "import", "r": "review", "d": "dataset", "t": "train", "e": "evaluate", "c": "chat",
    "j": "journal", "u": "runs", "s": "settings", "h": "help",
}  # fmt: skip
"""The second key after ``g``."""

_WRITTEN = {
    "question_mark": "?", "colon": ":", "slash": "/", "full_stop": ".", "plus": "+", "minus": "-",
    "left_square_bracket": "[", "right_square_bracket": "]", "escape": "esc", "pageup": "pgup", "pagedown": "pgdn",
}  # fmt: skip
_NAMED = {written: name for name, written in _WRITTEN.items() if len(written) == 1}


def shown(key: str) -> str:
    """A key's name as a person writes it: ``ctrl+s`` is ``^s``."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    return _WRITTEN.get(key, key)


class Keymap:
    """The actions with the keys they have here. Raises SettingsError for a clash, naming both actions."""

    def __init__(self, overrides: Mapping[str, str] | None = None, source: str = "keys.toml") -> None:
        overrides = dict(overrides or {})
        known = {action.id for action in ACTIONS}
        unknown = sorted(overrides.keys() - known)
        if unknown:
            raise SettingsError(f"{source}: there is no action {unknown[0]!r}", "`simulee keys` lists the ids")
        self.actions = tuple(
            replace(action, keys=_normal(overrides[action.id])) if action.id in overrides else action
            for action in ACTIONS
        )
        self._by_id = {action.id: action for action in self.actions}
        self.overrides = {name: self._by_id[name].keys for name in overrides}
        _refuse_clashes(self.actions, source)

    def __getitem__(self, action_id: str) -> Action:
        return self._by_id[action_id]

    @property
    def quit_keys(self) -> frozenset[str]:
        """The keys that end the workbench, by Textual's names."""
        kept = {key for key, action in KEPT.items() if action == "app.quit"}
        return frozenset(kept.union(self["app.quit"].keys.split(",")))

    def of(self, where: str) -> list[Action]:
        """What applies on one screen, its own actions first."""
        own = [action for action in self.actions if action.where == where]
        return own + [action for action in self.actions if action.where == EVERYWHERE and where != EVERYWHERE]


def keys_file() -> Path:
    """Where a person keeps their keys: ``$SIMULEE_KEYS``, or ``simulee/keys.toml`` in the configuration folder."""
    named = os.environ.get("SIMULEE_KEYS")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "simulee" / "keys.toml"


def load_keymap(path: Path | None = None) -> Keymap:
    """The keymap with the person's overrides, where there are any. Raises SettingsError."""
    path = path or keys_file()
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Keymap()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", "mend that line") from None
    import tomllib  # Most people have no such file, and the first paint waits for this module.

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", "mend that line") from None
    wrong = [name for name, value in values.items() if not isinstance(value, str) or not value.strip()]
    if wrong:
        raise SettingsError(f"{path}: {wrong[0]}: keys are a text", f'write "{wrong[0]}" = "ctrl+s"')
    return Keymap(values, str(path))


def _normal(keys: str) -> str:
    return ",".join(_NAMED.get(key.strip(), key.strip()) for key in keys.split(",") if key.strip())


def _refuse_clashes(actions: Iterable[Action], source: str) -> None:
    taken: dict[tuple[str, str], str] = {}
    everywhere = dict(KEPT)
    listed = sorted(actions, key=lambda action: action.where != EVERYWHERE)
    for action in listed:
        for key in action.keys.split(","):
            moves = MOVING if key in MOVING_KEYS and action.where in SCREENS_WITH_LISTS else ""
            other = taken.get((action.where, key)) or everywhere.get(key) or moves
            if other and other != action.id:
                raise SettingsError(
                    f"{source}: {shown(key)!r} is the key of both {other} and {action.id}",
                    "give one of them another key",
                )
            taken[action.where, key] = action.id
            if action.where == EVERYWHERE:
                everywhere[key] = action.id


def key_table(actions: Iterable[Action] = ACTIONS) -> str:
    """Every action with its keys as a table in Markdown: what holds everywhere first, then screen by screen."""
    rows = ["| where | key | what it does | id |", "| --- | --- | --- | --- |"]
    before = ""
    for action in actions:
        where = "everywhere" if action.where == EVERYWHERE else action.where.capitalize()
        keys = ", ".join(f"`{shown(key)}`" for key in action.keys.split(","))
        rows.append(f"| {where if where != before else ''} | {keys} | {action.label} | `{action.id}` |")
        before = where
    return "\n".join(rows) + "\n"
