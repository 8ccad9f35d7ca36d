"""The work of a ``join`` run, and the same in the foreground for standard input."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from core.calls.consent import leaves_the_machine
from core.runs.job import Job
from core.twin.client import TwinClient
from core.twin.rooms.asking import RoomTwin
from core.twin.rooms.cohost import CoHost, Tell
from core.twin.rooms.egress import Egress
from core.twin.rooms.irc import IrcLink, channel_of
from core.twin.rooms.launch import JoinParams, token_from
from core.twin.rooms.lines import StdinLink
from core.twin.rooms.link import Backoff, Link
from core.twin.rooms.mute import Mute
from core.twin.rooms.topics import Topics
from core.twin.rooms.websocket import WebsocketLink, checked_url, host_of_websocket
from core.workspace import Workspace

CHARACTERS_PER_TOKEN = 3
"""Few enough that an answer that fills a message is seldom cut before its end."""


def run(job: Job) -> dict[str, Any]:
    """Stay in a room until asked to stop. Raises ConsentError, RunError, UsageError; Interrupted when asked to stop."""
    params = JoinParams.model_validate(job.params)
    mute = Mute.of_run(job.folder)

    def tell(kind: str, payload: dict[str, Any]) -> None:
        job.event(kind, **payload)

    counts = asyncio.run(_stay(job.workspace, params, mute, tell, lambda: job.stop_requested, job.folder.name))
    job.event("counts", **counts)
    job.stop_point()
    return counts


def stay_here(workspace: Workspace, params: JoinParams, mute: Mute, tell: Tell) -> dict[str, int]:
    """Read this process's standard input to its end; returns the counts. Raises as ``run`` does."""
    return asyncio.run(_stay(workspace, params, mute, tell, lambda: False, ""))


def link_of(params: JoinParams, check: Callable[[], None], backoff: Backoff | None = None) -> Link:
    """The chat that the parameters name. Raises UsageError."""
    if params.link == "stdin":
        return StdinLink(params.nick)
    token = token_from(params.token_env)
    if params.link == "websocket":
        url = checked_url(params.url, bool(token))
        return WebsocketLink(url, params.nick, token, check=check, backoff=backoff)
    channel = channel_of(params.server, params.channel, params.nick)
    return IrcLink(channel, token, check=check, backoff=backoff)


def host_to_ask_for(params: JoinParams) -> str:
    """``name:port`` that would receive words, or an empty string. Raises UsageError as ``link_of`` does."""
    if params.link == "stdin":
        return ""
    if params.link == "websocket":
        return host_of_websocket(checked_url(params.url, bool(params.token_env)))
    return channel_of(params.server, params.channel, params.nick).server


async def _stay(
    workspace: Workspace,
    params: JoinParams,
    mute: Mute,
    tell: Tell,
    should_leave: Callable[[], bool],
    run_id: str,
) -> dict[str, int]:
    egress = Egress(workspace, run_id, host_to_ask_for(params), params.link)
    egress.check()
    link = link_of(params, egress.check)
    length = math.ceil(params.how.max_chars * params.how.max_lines / CHARACTERS_PER_TOKEN)
    twin = RoomTwin(TwinClient(workspace.root), params.as_of, params.memories, length)
    topics = None
    if params.how.answer_when == "worth" and params.memories:
        topics = Topics(workspace.root, params.as_of, leaves_the_machine(link.host))
    host = CoHost(
        link, twin, params.how, workspace.settings.target_names or (workspace.target,), egress, mute, tell,
        topics=topics,
    )  # fmt: skip
    try:
        await host.stay(should_leave)
    finally:
        await twin.close()
        if topics is not None:
            await topics.close()
    return dict(host.counts)
