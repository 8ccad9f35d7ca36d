"""What serving costs: 16 clients at the twin's server, and at the bare engine with the same rendered prompts.

Both run llama.cpp with 16 slots on the packaged model. Each round has fresh questions, for the twin without memories,
so that no receipt is made, and as the twin's own prompts for the engine, with the same seeds and limits; that they are
the same is checked afterwards against what the twin stored. Which of the two goes first changes from round to round.
What counts is answered tokens per second. Then one talk with memories, and how long its first words took.
Run from the repository: ``python -m bench.serving [rounds] [requests of each client]``.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.models.chat_tokenizer import ChatTokenizer, load_tokenizer
from core.models.llamacpp import LlamaServer
from core.models.packaged import SMOLLM2, smollm2_gguf
from core.runs import control
from core.store.sessions import session_messages
from core.twin.client import Serving, serving_of
from core.twin.launch import SERVE_ENTRY, SERVE_KIND
from core.twin.parts import CONTEXT_TOKENS, LONGEST_ANSWER
from core.workspace import Workspace
from tests.embedded_sample import embedded_sample

CLIENTS = 16
ROUNDS = 4
REQUESTS = 4
TOKENS = 32
FEW_CANDIDATES = 2
READING = 8
"""Seconds in which a person reads an answer and types the next question."""
TALK = (
    "Who pays for the paper charts?", "Why do you keep them?", "What did the harbor look like when you were a child?",
    "Who taught you to sail?", "What do you do on a Sunday?", "And in winter?",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what was asked, its seed, and the prompt that the twin made of it."""

    question: str
    seed: int
    prompt: str = ""


def events(url: str, path: str, token: str, body: dict[str, Any]) -> tuple[list[dict[str, Any]], float]:
    """Every event of one stream, and seconds until the first that holds words."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=900)
    began, first = time.monotonic(), 0.0
    found: list[dict[str, Any]] = []
    connection.request("POST", path, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"})
    with connection.getresponse() as response:
        if response.status != http.client.OK:
            sys.exit(f"{path}: {response.status} {response.read().decode()[:300]}")
        for line in response:
            if line.startswith(b"data: {"):
                event = json.loads(line[6:])
                words = event.get("content") or (event.get("choices") or [{}])[0].get("delta", {}).get("content")
                if words and not first:
                    first = time.monotonic() - began
                found.append(event)
    connection.close()
    if not found:
        sys.exit(f"{path}: the stream broke off before its first event")
    return found, first


def at_twin(serving: Serving, asked: Asked) -> tuple[int, int]:
    """Ask the twin; its answer's tokens and its session."""
    body = {
        "messages": [{"role": "user", "content": asked.question}], "memories": False, "stream": True,
        "seed": asked.seed, "max_tokens": TOKENS, "stream_options": {"include_usage": True},
    }  # fmt: skip
    found, _ = events(serving.url, "/v1/chat/completions", serving.token, body)
    session = next(each["simulee"]["session_id"] for each in found if "simulee" in each)
    return found[-1]["usage"]["completion_tokens"], session


def at_engine(server: LlamaServer, tokens: list[int], seed: int) -> int:
    """Ask the bare engine to continue a prompt, as the twin asks it; the answer's tokens."""
    body = {
        "prompt": tokens, "n_predict": TOKENS, "temperature": 0.7, "top_k": 0, "top_p": 0.95, "min_p": 0.05,
        "seed": seed, "cache_prompt": True, "stream": True, "stop": [], "n_probs": 0,
    }  # fmt: skip
    found, _ = events(server.url, "/completion", server.api_key, body)
    return int(found[-1]["tokens_predicted"])


def questions(number: int, count: int, sample: Asked | None = None) -> list[Asked]:
    """Fresh questions for one round; with a sample that was asked, the prompts that the twin will make of them."""
    found = []
    for place in range(count):
        seed = number * 1000 + place
        question = f"Question {seed}: what do you see from your window today?"
        found.append(Asked(question, seed, sample.prompt.replace(sample.question, question) if sample else ""))
    return found


def twin_round(workspace: Workspace, serving: Serving, asked: list[Asked]) -> tuple[float, list[str]]:
    """Tokens per second of one round, and the prompts that were made of it."""
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(lambda one: at_twin(serving, one), asked))
    seconds = time.monotonic() - began
    prompts = [session_messages(workspace.database, session)[-1].prompt for _, session in told]
    return sum(count for count, _ in told) / seconds, prompts


def engine_round(server: LlamaServer, tokenizer: ChatTokenizer, asked: list[Asked]) -> float:
    """Tokens per second for the same prompts."""
    prompts = [(tokenizer.encode(one.prompt), one.seed) for one in asked]
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(lambda one: at_engine(server, *one), prompts))
    return sum(told) / (time.monotonic() - began)


def started(workspace: Workspace, slots: int) -> tuple[str, Serving]:
    run = control.start(workspace, SERVE_KIND, SERVE_ENTRY, {"idle_minutes": 0, "slots": slots})
    for event in control.follow(workspace, run.id):
        if event.kind == "ready":
            serving = serving_of(run)
            assert serving is not None
            return run.id, serving
    sys.exit("the server did not become ready")


def stopped(workspace: Workspace, run_id: str) -> None:
    control.cancel(workspace, run_id)
    for _ in control.follow(workspace, run_id):
        pass


def throughput(root: Path, rounds: int, each: int) -> None:
    gguf = smollm2_gguf()
    assert gguf is not None
    workspace = Workspace.create(root / "bare", "Ada Marlow")
    settings = 'name = "Ada Marlow"\n[twin]\nrequests_per_minute = 0\n'
    (workspace.root / "persona.toml").write_text(settings)
    workspace.forget_settings()
    tokenizer = load_tokenizer(SMOLLM2)
    context = max(CONTEXT_TOKENS, workspace.settings.dataset.max_tokens + LONGEST_ANSWER)
    run_id, serving = started(workspace, CLIENTS)
    try:
        with LlamaServer.start(gguf, context=context, slots=CLIENTS) as server:
            (sample,) = questions(0, 1)
            _, (prompt,) = twin_round(workspace, serving, [sample])
            sample = Asked(sample.question, sample.seed, prompt)
            warm = questions(9, CLIENTS, sample)
            twin_round(workspace, serving, warm)
            engine_round(server, tokenizer, warm)
            ratios = []
            print(
                f"{'round':>5} {'first':>6} {'twin tok/s':>11} {'engine tok/s':>13} {'twin of engine':>15} {'load':>6}"
            )
            for number in range(10, 10 + rounds):
                asked = questions(number, CLIENTS * each, sample)
                if number % 2:
                    engine = engine_round(server, tokenizer, asked)
                twin, prompts = twin_round(workspace, serving, asked)
                if not number % 2:
                    engine = engine_round(server, tokenizer, asked)
                if prompts != [one.prompt for one in asked]:
                    sys.exit("the prompts were not the same")
                ratios.append(twin / engine)
                first = "engine" if number % 2 else "twin"
                load = os.getloadavg()[0]
                print(
                    f"{number - 9:5} {first:>6} {twin:11.1f} {engine:13.1f} {ratios[-1]:15.3f} {load:6.1f}", flush=True
                )
            print(f"median of the rounds: {statistics.median(ratios):.3f} of the bare engine's throughput")
    finally:
        stopped(workspace, run_id)


def first_words(root: Path) -> None:
    workspace = embedded_sample(root / "sample").workspace
    for candidates in (workspace.settings.recall.candidates, FEW_CANDIDATES):
        settings = f'name = "Ada Marlow"\n[recall]\ncandidates = {candidates}\n'
        (workspace.root / "persona.toml").write_text(settings)
        workspace.forget_settings()
        print(f"a talk with at most {candidates} memories a turn")
        talk(workspace)


def talk(workspace: Workspace) -> None:
    tokenizer = load_tokenizer(SMOLLM2)
    run_id, serving = started(workspace, 1)
    try:
        session: int | None = None
        cached: list[int] = []
        print(f"{'turn':>4} {'prompt tokens':>14} {'not seen before':>16} {'first words s':>14} {'load':>6}")
        for turn, question in enumerate(TALK, 1):
            body = {
                "messages": [{"role": "user", "content": question}], "stream": True, "session": session,
                "max_tokens": 40, "seed": turn,
            }  # fmt: skip
            found, first = events(serving.url, "/v1/chat/completions", serving.token, body)
            session = found[0]["simulee"]["session_id"]
            last = session_messages(workspace.database, session)[-1]
            prompt = tokenizer.encode(last.prompt)
            common = next(
                (at for at, pair in enumerate(zip(prompt, cached, strict=False)) if pair[0] != pair[1]),
                min(len(prompt), len(cached)),
            )
            print(f"{turn:4} {len(prompt):14} {len(prompt) - common:16} {first:14.2f} {os.getloadavg()[0]:6.1f}")
            cached = prompt + tokenizer.encode(last.text)
            time.sleep(READING)
    finally:
        stopped(workspace, run_id)


def main(rounds: str = str(ROUNDS), requests: str = str(REQUESTS)) -> None:
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder), int(rounds), int(requests))
        first_words(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
