"""The llama.cpp server answers, streams, keeps its deadline, and never outlives the process that started it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import ModelError
from core.models.llamacpp import Completion, LlamaServer, Sampling
from core.models.llamacpp_process import LaunchPlan

pytestmark = pytest.mark.slow

PROMPT = "<|im_start|>user\nName three colors.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def own_server(gguf: Path) -> Iterator[LlamaServer]:
    """A server that the test may kill."""
    with LlamaServer.start(gguf, context=512, threads=1) as running:
        yield running


def streamed(server: LlamaServer, prompt: str, sampling: Sampling) -> tuple[list[str], Completion]:
    pieces: list[str] = []
    stream = server.complete(prompt, sampling)
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def test_an_answer_streams_in_pieces_and_ends_with_its_reason(server: LlamaServer) -> None:
    pieces, cut = streamed(server, PROMPT, Sampling(max_tokens=6))
    assert len(pieces) == 6
    assert cut.text == "".join(pieces)
    assert cut.finish == "length"
    assert server.completion(PROMPT, Sampling(max_tokens=6)).text == cut.text
    ended = server.completion(PROMPT, Sampling(max_tokens=60))
    assert ended.text.startswith(cut.text)
    assert (ended.finish, ended.stop_word) == ("stop", "")


def test_the_same_seed_draws_the_same_answer(server: LlamaServer) -> None:
    drawn = [
        server.completion(PROMPT, Sampling(max_tokens=16, temperature=1.5, seed=seed, cache_prompt=False)).text
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_stop_word_ends_the_answer_and_is_not_part_of_it(server: LlamaServer) -> None:
    answer = server.completion("one, two, three, four, five,", Sampling(max_tokens=30, stop=(" eight",)))
    assert (answer.finish, answer.stop_word) == ("stop", " eight")
    assert answer.text == " six, seven,"


def test_a_whole_answer_reports_every_token_even_of_split_characters(server: LlamaServer) -> None:
    answer = server.completion("😀🎉🚀😀🎉🚀😀🎉🚀", Sampling(max_tokens=9))
    assert "😀" in answer.text
    assert len(answer.tokens) == 9


def test_log_probabilities_come_with_each_token(server: LlamaServer) -> None:
    _, answer = streamed(server, PROMPT, Sampling(max_tokens=5, logprobs=4))
    assert [step.token for step in answer.logprobs] == list(answer.tokens)
    for step in answer.logprobs:
        assert len(step.likeliest) == 4
        assert step.likeliest[0] == (step.token, step.logprob)


def test_token_ids_are_taken_as_a_prompt(server: LlamaServer) -> None:
    ids = server.tokenize(PROMPT)
    assert server.completion(ids, Sampling(max_tokens=8)).text == server.completion(PROMPT, Sampling(max_tokens=8)).text


def test_a_shared_prefix_is_not_computed_again(server: LlamaServer) -> None:
    server.completion(PROMPT, Sampling(max_tokens=2))
    assert server.completion(PROMPT, Sampling(max_tokens=2)).cached_tokens > 0
    assert server.completion(PROMPT, Sampling(max_tokens=2, cache_prompt=False)).cached_tokens == 0


def test_an_answer_is_held_to_a_schema(server: LlamaServer) -> None:
    schema = {
        "type": "object",
        "properties": {"useful": {"type": "boolean"}},
        "required": ["useful"],
        "additionalProperties": False,
    }
    answer = server.completion("Is tea useful? Answer in JSON: ", Sampling(max_tokens=60, schema=schema))
    assert isinstance(json.loads(answer.text)["useful"], bool)


def test_transformers_and_llamacpp_cut_text_into_the_same_tokens(server: LlamaServer, smollm2: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    for text in (
        PROMPT,
        "In 1984, 12345 items; x10=3.14",
        " two  spaces\n\n\ttab",
        "it's été 😀 日本語 Привет",
        "don't I'LL",
    ):
        assert server.tokenize(text) == tokenizer(text)["input_ids"]


def test_a_prompt_longer_than_the_context_is_refused(server: LlamaServer) -> None:
    for ask in (server.completion, lambda *request: list(server.complete(*request))):
        with pytest.raises(ModelError, match="context size") as refused:
            ask("word " * 2000, Sampling(max_tokens=4))
        assert "context" in refused.value.hint


def test_one_deadline_bounds_a_whole_answer_and_frees_the_slot(own_server: LlamaServer) -> None:
    endless = Sampling(max_tokens=480, temperature=1.0, seed=5)
    with pytest.raises(ModelError, match=r"within 0\.4 s"):
        list(own_server.complete("Once upon a time", endless, within=0.4))
    with pytest.raises(ModelError, match=r"within 0\.4 s"):
        own_server.completion("Once upon a time", endless, within=0.4)
    assert own_server.completion(PROMPT, Sampling(max_tokens=2), within=20).text


def test_closing_a_stream_frees_the_slot(own_server: LlamaServer) -> None:
    stream = own_server.complete("Once upon a time", Sampling(max_tokens=480))
    next(stream)
    stream.close()
    assert own_server.completion(PROMPT, Sampling(max_tokens=2), within=20).text


def test_nobody_answers_without_the_key(server: LlamaServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    request = urllib.request.Request(server.url + "/completion", data=b'{"prompt": "hi", "n_predict": 1}')
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request):
        pass
    refused.value.close()
    assert refused.value.code == 401


def test_the_key_is_on_no_command_line(server: LlamaServer) -> None:
    assert server.api_key.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert server.api_key.encode() not in Path(f"/proc/{server.pid}/environ").read_bytes()


def test_a_dead_server_is_a_model_error(own_server: LlamaServer) -> None:
    os.kill(own_server.pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="has stopped"):
        own_server.completion(PROMPT)
    assert not own_server.is_alive()


def test_a_server_that_dies_in_the_middle_never_looks_finished(own_server: LlamaServer) -> None:
    stream = own_server.complete("Once upon a time", Sampling(max_tokens=400, seed=1))
    next(stream)
    os.kill(own_server.pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="has stopped"):
        list(stream)


def test_a_damaged_model_is_refused_in_the_words_of_llamacpp(gguf: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf.read_bytes()[:5_000_000])
    with pytest.raises(ModelError, match="corrupted or incomplete"):
        LlamaServer.start(cut)
    with pytest.raises(ModelError, match="no GGUF file"):
        LlamaServer.start(tmp_path / "nowhere.gguf")


def test_a_model_that_does_not_load_in_time_is_given_up(gguf: Path) -> None:
    with pytest.raises(ModelError, match=r"within 0 s"):
        LlamaServer.start(gguf, ready_within=0.01)


def test_stopping_ends_the_process(gguf: Path, has_ended: Callable[[int, float], bool]) -> None:
    with LlamaServer.start(gguf, context=256) as running:
        pid = running.pid
    assert has_ended(pid, 0)
    running.stop()


def test_a_killed_parent_leaves_no_server(
    gguf: Path, repository: Path, has_ended: Callable[[int, float], bool]
) -> None:
    script = (
        "import sys; from pathlib import Path; from core.models.llamacpp import LlamaServer\n"
        "server = LlamaServer.start(Path(sys.argv[1]), context=256)\n"
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(gguf)],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not has_ended(pid, 0)
        parent.kill()
    assert has_ended(pid, 10)


def test_a_parent_killed_while_the_model_loads_leaves_no_server(
    tmp_path: Path,
    repository: Path,
    has_ended: Callable[[int, float], bool],
    wait_until: Callable[[Callable[[], bool], float], None],
) -> None:
    """A pipe in place of the model: native code waits for a writer for ever, and holds the GIL meanwhile."""
    never = tmp_path / "never.gguf"
    os.mkfifo(never)
    script = (
        "import os, subprocess, sys; from core.models.llamacpp_process import LaunchPlan\n"
        "child = subprocess.Popen([sys.executable, '-m', 'core.models.llamacpp_process'], stdin=subprocess.PIPE)\n"
        "plan = LaunchPlan(sys.argv[1], (), 256, 1, 1, 'key', os.getpid())\n"
        "child.stdin.write(plan.to_line()); child.stdin.flush()\n"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(never)],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # Its own two threads are Python's; with more of them, llama.cpp has begun to load.
        wait_until(lambda: len(list(Path(f"/proc/{pid}/task").iterdir())) > 4, 30)
        parent.kill()
    ended = has_ended(pid, 10)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    assert ended


def test_a_plan_survives_the_pipe() -> None:
    plan = LaunchPlan("/m.gguf", (("/a.gguf", 0.5),), 4096, 2, 4, secrets.token_urlsafe(8), 42)
    assert LaunchPlan.from_line(plan.to_line()) == plan
