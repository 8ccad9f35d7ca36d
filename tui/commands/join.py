"""``simulee join``: the twin as a co-host in a chat."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from core.calls.consent import check_host
from core.errors import Interrupted, RunError, SimuleeError, UsageError
from core.runs import control
from core.runs.journal import Event, Run, list_runs
from core.settings import room_settings
from core.twin.rooms.launch import JOIN_ENTRY, JOIN_KIND, JoinParams, checked_as_of, token_from
from core.twin.rooms.mute import Mute
from core.workspace import Workspace
from tui.face import Face, command, group
from tui.key_presses import on_keys
from tui.safe_text import safe_line

app = group("The twin as a co-host in a chat.")

MUTE_KEY = "m"

_When = Annotated[
    str | None, typer.Option("--answer-when", metavar="W", help="addressed, worth or always; default: addressed.")
]
_PerMinute = Annotated[int | None, typer.Option("--per-minute", help="Answers in a minute; 0 is no limit.")]
_MinGap = Annotated[float | None, typer.Option("--min-gap", metavar="S", help="Seconds between two answers.")]
_MaxChars = Annotated[int | None, typer.Option("--max-chars", help="Characters of one message.")]
_MaxLines = Annotated[int | None, typer.Option("--max-lines", help="Messages of one answer; default: 1.")]
_AsOf = Annotated[str, typer.Option("--as-of", metavar="D", help="The person of that date.")]
_NoMemories = Annotated[bool, typer.Option("--no-memories", help="Recall nothing.")]
_Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="NAME", help="Never heard; repeatable.")]
_Owner = Annotated[
    list[str] | None, typer.Option("--owner", metavar="NAME", help="May say !mute and !unmute; repeatable.")
]
_TokenEnv = Annotated[str, typer.Option("--token-env", metavar="NAME", help="The variable that holds the token.")]
_Detach = Annotated[bool, typer.Option("--detach", help="Print the run's id and return; it stays in the room.")]


@app.callback()
def join() -> None:
    """The twin as a co-host in a chat."""


@command(app)
def irc(
    face: Face,
    channel: Annotated[str, typer.Option("--channel", metavar="C", help="As in '#name'; the mark may be left out.")],
    nick: Annotated[str, typer.Option("--nick", metavar="N", help="Of the account that speaks.")],
    server: Annotated[
        str, typer.Option("--server", metavar="HOST:PORT", help="Default: Twitch. TLS everywhere but on loopback.")
    ] = "",
    token_env: _TokenEnv = "",
    answer_when: _When = None,
    per_minute: _PerMinute = None,
    min_gap: _MinGap = None,
    max_chars: _MaxChars = None,
    max_lines: _MaxLines = None,
    as_of: _AsOf = "",
    no_memories: _NoMemories = False,
    ignore: _Ignore = None,
    owner: _Owner = None,
    detach: _Detach = False,
) -> None:
    """Join an IRC channel, Twitch's by default. Answers go to that server, with your consent for it.

    In the foreground m mutes and unmutes, Ctrl+C leaves the room; a lost terminal does not. The rest stands in [room]
    of persona.toml.

    Example: simulee join irc --channel ada --nick ada_twin --token-env TWITCH_TOKEN --owner ada
    """
    how = _how(answer_when, per_minute, min_gap, max_chars, max_lines, ignore, owner)
    params = _params(face.workspace(), how, link="irc", nick=nick, server=server, channel=channel,
                     token_env=token_env, as_of=as_of, memories=not no_memories)  # fmt: skip
    _join(face, params, detach)


@command(app)
def websocket(
    face: Face,
    url: Annotated[str, typer.Argument(metavar="URL", help="ws:// or wss://")],
    nick: Annotated[str, typer.Option("--nick", metavar="N", help="Default: the target's name.")] = "",
    token_env: _TokenEnv = "",
    answer_when: _When = None,
    per_minute: _PerMinute = None,
    min_gap: _MinGap = None,
    max_chars: _MaxChars = None,
    max_lines: _MaxLines = None,
    as_of: _AsOf = "",
    no_memories: _NoMemories = False,
    ignore: _Ignore = None,
    owner: _Owner = None,
    detach: _Detach = False,
) -> None:
    """Join a chat behind a websocket: JSON messages {"name", "text", "id", "reply_to"}, the same out; id may be absent.

    Example: simulee join websocket ws://127.0.0.1:9000/chat --answer-when worth
    """
    how = _how(answer_when, per_minute, min_gap, max_chars, max_lines, ignore, owner)
    params = _params(face.workspace(), how, link="websocket", nick=nick, url=url,
                     token_env=token_env, as_of=as_of, memories=not no_memories)  # fmt: skip
    _join(face, params, detach)


@command(app)
def stdin(
    face: Face,
    nick: Annotated[str, typer.Option("--nick", metavar="N", help="Default: the target's name.")] = "",
    answer_when: _When = None,
    per_minute: _PerMinute = None,
    min_gap: _MinGap = None,
    max_chars: _MaxChars = None,
    max_lines: _MaxLines = None,
    as_of: _AsOf = "",
    no_memories: _NoMemories = False,
    ignore: _Ignore = None,
    owner: _Owner = None,
) -> None:
    """Read a chat from standard input, to its end: lines "name: text", or JSON. Events come out as JSON lines.

    Each line waits until the one before it is answered; without a limit of answers unless you set one.

    Example: printf 'Joe: Ada, who pays for the charts?' | simulee join stdin
    """
    how = _how(answer_when, per_minute or 0, min_gap or 0.0, max_chars, max_lines, ignore, owner) | {"in_a_row": 0}
    workspace = face.workspace()
    params = _params(workspace, how, link="stdin", nick=nick, as_of=as_of, memories=not no_memories)
    # Here, not above: it brings what a co-host needs.
    from core.twin.rooms.run import stay_here

    face.note(f"{workspace.target} reads standard input")
    seq = 0

    def tell(kind: str, payload: dict[str, Any]) -> None:
        nonlocal seq
        seq += 1
        _print_json(Event(seq, datetime.now(UTC).isoformat(timespec="seconds"), kind, payload))

    tell("counts", stay_here(workspace, params, Mute(), tell))


@command(app)
def mute(face: Face) -> None:
    """Let the co-host that runs here be silent, from any terminal. It goes on hearing.

    Example: simulee join mute
    """
    _set_mute(face, True)


@command(app)
def unmute(face: Face) -> None:
    """Let it speak again.

    Example: simulee join unmute
    """
    _set_mute(face, False)


@command(app)
def watch(face: Face) -> None:
    """Follow the co-host that runs here, from now on. m mutes it, Ctrl+C leaves it in the room.

    Example: simulee join watch
    """
    workspace = face.workspace()
    run = _running(workspace)
    face.note(f"{run.id}: m mutes and unmutes, Ctrl+C stops watching")
    with on_keys(lambda key: _key(run, key)):
        _follow(face, control.follow(workspace, run.id, from_start=False))


def _how(
    answer_when: str | None,
    per_minute: int | None,
    min_gap: float | None,
    max_chars: int | None,
    max_lines: int | None,
    ignore: list[str] | None,
    owner: list[str] | None,
) -> dict[str, Any]:
    return {
        "answer_when": answer_when,
        "per_minute": per_minute,
        "min_gap": min_gap,
        "max_chars": max_chars,
        "max_lines": max_lines,
        "ignore": tuple(ignore) if ignore else None,
        "owners": tuple(owner) if owner else None,
    }


def _params(workspace: Workspace, how: dict[str, Any], *, nick: str, as_of: str, **place: Any) -> JoinParams:
    """Everything that decides what a co-host does, checked as far as it can be before anything is connected."""
    settings = room_settings(workspace.settings.room, how)
    name = safe_line(nick or workspace.target)
    if not name or len(name) > 64:
        raise UsageError(f"{nick!r} is no name", "--nick NAME")
    return JoinParams(nick=name, how=settings, as_of=checked_as_of(as_of), **place)


def _join(face: Face, params: JoinParams, detach: bool) -> None:
    from core.twin.rooms.run import host_to_ask_for

    workspace = face.workspace()
    host = host_to_ask_for(params)
    token_from(params.token_env)
    check_host(host, workspace.settings.privacy, workspace.database)
    run = control.start(workspace, JOIN_KIND, JOIN_ENTRY, params.model_dump(mode="json"))
    if detach:
        face.result(
            {"run": run.id},
            [f"{run.id} is joining; simulee join watch follows it, simulee runs cancel {run.id} lets it leave"],
        )
        return
    asked = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            raise Interrupted(f"detached: {run.id} goes on leaving", f"simulee runs show {run.id}")
        asked = True
        try:
            control.cancel(workspace, run.id)
        except SimuleeError:
            return

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with on_keys(lambda key: _key(run, key)) as keys:
            face.note(f"{run.id}: {'m mutes and unmutes, ' if keys else ''}Ctrl+C leaves the room")
            _follow(face, control.follow(workspace, run.id))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise typer.Exit(Interrupted.exit_code)
    control.result_of(workspace, run.id)


def _follow(face: Face, events: Iterator[Event]) -> None:
    for event in events:
        if face.json:
            _print_json(event)
        else:
            line = _line(event)
            if line:
                sys.stdout.write(safe_line(line) + "\n")
                sys.stdout.flush()


def _print_json(event: Event) -> None:
    row = {"seq": event.seq, "at": event.at, **event.payload, "kind": event.kind}
    sys.stdout.write(json.dumps(row, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def _line(event: Event) -> str:
    """An event for a person; empty for one that is of no interest."""
    told = event.payload
    match event.kind:
        case "joined":
            return f"in {told['place']} as {told['nick']}"
        case "left":
            return f"out: {told['why']}; again in {told['again_in']:.0f} s"
        case "asked":
            return f"{told['name']}: {told['text']}  ({told['why']})"
        case "said":
            return f"  → {told['text']}"
        case "held":
            return f"  not said: {told['why']}" + (f"; {told['hint']}" if told["hint"] else "")
        case "again":
            return f"  asked once more without memories: {told['why']}"
        case "muted" | "unmuted":
            return f"{event.kind} by {told['by']}"
        case "notice" | "no topics":
            return f"{event.kind}: {told.get('text') or told.get('why')}"
        case "lost":
            return "its process is gone; simulee runs resume brings it back"
        case _:
            return ""


def _key(run: Run, key: str) -> None:
    if key == MUTE_KEY:
        switch = Mute.of_run(run.folder)
        switch.set(not switch.on)


def _set_mute(face: Face, on: bool) -> None:
    run = _running(face.workspace())
    changed = Mute.of_run(run.folder).set(on)
    state = "silent" if on else "speaking"
    face.result({"run": run.id, "muted": on}, [f"{run.id} is {state}" if changed else f"{run.id} was {state} already"])


def _running(workspace: Workspace) -> Run:
    for run in reversed(list_runs(workspace.runs)):
        if run.kind == JOIN_KIND and run.state == "running":
            return run
    raise RunError("no co-host is in a room here", "simulee join irc -h")
