"""Hybrid answers with the real embedded engine: by rule offline, and with writers on loopback, good and bad ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from core.corpus import importing
from core.journey import EMBED
from core.models.packaged import SMOLLM2
from core.prompts.render import PromptTurn
from core.runs.control import run_to_end
from core.store.sessions import find_message
from core.twin.chat import Answer, ChatOptions, Conversation
from core.twin.guard import WITHHELD
from core.twin.hybrid.claims import checked
from core.twin.hybrid.facts import Fact
from core.twin.parts import Parts
from core.twin.speech import LlamaVoice, Manner
from core.twin.statements import never_say, state_fact
from core.twin.transcript import load_transcript
from core.workspace import SETTINGS_FILE, Workspace
from tests.asking import use_server
from tests.fault_server import FaultServer, Mode
from tests.recall.answering import FENCED
from tests.recall.answering import answer as retold

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MERGING = "SIMULATED CHAT"
QUESTION = "Who pays for the paper charts?"
MANNER = Manner(temperature=0.7, seed=3)


@pytest.fixture(scope="module")
def notes(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of six notes, embedded."""
    folder = tmp_path_factory.mktemp("notes")
    for note in sorted((sample / "ada" / "vault").iterdir())[:6]:
        shutil.copy(note, folder)
    workspace = Workspace.create(tmp_path_factory.mktemp("hybrid") / "ws", "Ada Marlow")
    settings = workspace.root / SETTINGS_FILE
    settings.write_text(settings.read_text("utf-8") + "\n[twin]\nsimulation_tokens = 48\n", "utf-8")
    workspace.forget_settings()
    choices, _ = importing.plan([folder], None)
    sources = [asdict(importing.Request(str(choice.source.path), choice.importer.name)) for choice in choices]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    run_to_end(workspace, *EMBED, {})
    return workspace


@pytest.fixture(scope="module")
def offline(notes: Workspace) -> Iterator[Parts]:
    parts = Parts(notes)
    yield parts
    parts.close()


def ask(
    parts: Parts, question: str, options: ChatOptions, told: tuple[PromptTurn, ...] = ()
) -> tuple[list[str], Answer]:
    """The pieces that were shown, and the answer."""
    pieces: list[str] = []
    for event in Conversation(parts, options, None, told).ask(question):
        if isinstance(event, Answer):
            return pieces, event
        pieces.append(event)
    raise AssertionError("no answer")


def test_offline_an_answer_is_merged_or_marked_and_never_states_what_only_the_simulation_does(offline: Parts) -> None:
    words: list[str] = []
    options = ChatOptions(hybrid=True, speaker="Ines Calder", manner=MANNER, tell=words.append)
    pieces, answer = ask(offline, QUESTION, options)
    hybrid = answer.hybrid
    assert hybrid is not None
    assert words[0] == "simulating"
    assert hybrid.simulation[0].name == "Ada Marlow"
    assert hybrid.prompt == f"Ines Calder: {QUESTION}\nAda Marlow:"
    assert hybrid.context
    if hybrid.outcome != "plain":
        assert [piece for piece in pieces if piece] == [answer.text], "it is shown once it is whole"
    assert bool(hybrid.why) == hybrid.fell_back
    stored = find_message(offline.workspace.database, answer.message_id)
    assert stored is not None
    assert stored.settings["hybrid"] == hybrid.stored() | {"prompt": hybrid.prompt}
    said = load_transcript(offline.workspace, answer.session_id).asked[0].answers[0]
    assert said.fell_back == hybrid.why


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_offline_nothing_is_said_that_only_the_simulation_states(offline: Parts, seed: int) -> None:
    options = ChatOptions(hybrid=True, speaker="Ines Calder", manner=Manner(seed=seed))
    answer = ask(offline, "Tell me what you count, and how often.", options)[1]
    hybrid = answer.hybrid
    assert hybrid is not None
    if hybrid.outcome == "plain":
        assert hybrid.why
        return
    facts = [Fact(line) for line in hybrid.context]
    for each in checked(answer.text, facts, offline.recollector.embedder, names=["Ada Marlow", "Ines Calder"]):
        assert each.verdict != "unsupported", each


def test_the_same_seed_gives_the_same_answer_and_a_plain_talk_has_no_mark(offline: Parts) -> None:
    options = ChatOptions(hybrid=True, manner=MANNER)
    assert ask(offline, QUESTION, options)[1].text == ask(offline, QUESTION, options)[1].text
    plain = ask(offline, QUESTION, ChatOptions(manner=Manner(20)))[1]
    assert plain.hybrid is None


def test_what_is_never_to_be_said_is_in_neither_the_answer_nor_the_simulation(offline: Parts) -> None:
    options = ChatOptions(hybrid=True, speaker="Ines Calder", manner=MANNER)
    hybrid = ask(offline, QUESTION, options)[1].hybrid
    assert hybrid is not None
    word = max(re.findall(r"[a-z]{4,}", hybrid.simulation[0].text), key=len)
    never_say(offline.workspace, "a tester", word)
    answer = ask(offline, QUESTION, options)[1]
    assert answer.hybrid is not None
    assert WITHHELD in answer.hybrid.simulation[0].text
    assert not re.search(rf"\b{word}\b", f"{answer.text} {answer.hybrid.simulation}", re.I)


def test_what_a_person_stated_is_context(offline: Parts) -> None:
    state_fact(offline.workspace, "a tester", "The harbor trust pays for the paper charts.", "2010")
    hybrid = ask(offline, QUESTION, ChatOptions(hybrid=True, memories=False, manner=MANNER))[1].hybrid
    assert hybrid is not None
    assert hybrid.context == ("(2010) The harbor trust pays for the paper charts.",)


def test_it_may_be_left_before_it_is_whole(offline: Parts) -> None:
    conversation = Conversation(offline, ChatOptions(hybrid=True, manner=MANNER))
    answering = conversation.ask(QUESTION)
    assert next(answering) == ""
    answering.close()
    assert conversation.session_id is not None
    assert load_transcript(offline.workspace, conversation.session_id).asked[0].answers == ()


def test_with_the_end_banned_the_voice_goes_on_to_its_last_token(notes: Workspace, offline: Parts) -> None:
    prompt = offline.renderer(SMOLLM2).tokenizer.render(
        [{"role": "user", "content": "What is two and two? Answer with one word."}], add_generation_prompt=True
    )
    tokens = offline.renderer(SMOLLM2).tokenizer.encode(prompt)
    voice = LlamaVoice(notes, SMOLLM2, None, 512)
    try:
        ends = {}
        for banned in (False, True):
            speaking = voice.speak(prompt, tokens, Manner(120, 0.0, ban_end=banned))
            text = ""
            while True:
                try:
                    text += next(speaking)
                except StopIteration as end:
                    ends[banned] = (end.value, len(text))
                    break
    finally:
        voice.close()
    assert ends[False][0] == "stop"
    assert ends[True][0] == "length"
    assert ends[True][1] > ends[False][1]


def test_so_it_does_in_transformers() -> None:
    from core.models.causal_lm import CausalLM

    model = CausalLM(SMOLLM2)
    prompt = model.tokenizer.render(
        [{"role": "user", "content": "What is two and two? Answer with one word."}], add_generation_prompt=True
    )
    free, banned = (model.continuations([prompt], most, ban_end=ban)[0] for most, ban in ((40, False), (16, True)))
    assert free.ended
    assert free.tokens < 16
    assert not banned.ended
    assert banned.tokens == 16
    assert not set(model.tokenizer.encode(banned.text)) & set(model.tokenizer.control_ids)


def good(prompt: str) -> str:
    """Facts of CONTEXT, about as long as the simulated turn."""
    context, _, chat = FENCED.findall(prompt)
    words = len(chat.splitlines()[0].partition(": ")[2].split())
    answer = ""
    for line in context.splitlines():
        if len(answer.split()) < words:
            answer = f"{answer} {line.partition(') ')[2]}".strip()
    return json.dumps({"answer": " ".join(answer.split()[: 2 * words + 5])})


WRITERS: dict[str, tuple[Callable[[str], str], str]] = {
    "assistant": (
        lambda prompt: json.dumps({"answer": "As an AI language model, I am happy to help with that."}), "an assistant",
    ),
    "inventing": (
        lambda prompt: json.dumps({"answer": "In 1952 Bartholomew Quill of Valparaiso bought me a parrot for them."}),
        "not in CONTEXT",
    ),
    "endless": (lambda prompt: json.dumps({"answer": " ".join(["well"] * 700)}), "words where the simulation has"),
    "no JSON": (lambda prompt: "Sure! Here it is: the tide.", "the writer gave no merge"),
}  # fmt: skip


@pytest.fixture(scope="module")
def writer(notes: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaultServer, Parts]]:
    """A copy of the workspace whose writer is a server."""
    root = tmp_path_factory.mktemp("writer") / "ws"
    shutil.copytree(notes.root, root)
    workspace = Workspace.open(root)
    with FaultServer(lambda prompt: good(prompt) if MERGING in prompt else retold(prompt)) as server:
        use_server(workspace, server, attempts=1)
        parts = Parts(workspace)
        yield server, parts
        parts.close()


def test_a_good_writer_is_merged(writer: tuple[FaultServer, Parts]) -> None:
    server, parts = writer
    _, answer = ask(parts, "What do you keep in the Chart Room?", ChatOptions(hybrid=True, manner=MANNER))
    assert answer.hybrid is not None
    assert (answer.hybrid.outcome, answer.hybrid.why) == ("merged", "")
    assert answer.hybrid.writer == "endpoint"
    merges = [each for each in server.received if MERGING in each.prompt]
    assert len(merges) == 1
    assert answer.text == json.loads(good(merges[0].prompt))["answer"]
    sent = parts.workspace.database.rows("SELECT purpose FROM model_call WHERE purpose = 'merge'")
    assert len(sent) == 1, "what was asked is in the ledger"


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_that_drifts_is_not_believed_and_the_answer_says_why(
    writer: tuple[FaultServer, Parts], name: str
) -> None:
    server, parts = writer
    content, why = WRITERS[name]
    server.content = lambda prompt: content(prompt) if MERGING in prompt else retold(prompt)
    _, answer = ask(parts, f"What do you keep in the Chart Room, {name}?", ChatOptions(hybrid=True, manner=MANNER))
    assert answer.hybrid is not None
    assert answer.hybrid.outcome in ("simulated", "plain")
    assert why in answer.hybrid.why
    assert "Valparaiso" not in answer.text
    assert "language model" not in answer.text
    assert answer.text


@pytest.mark.parametrize("mode", ["500", "truncated", "length"])
def test_a_writer_that_fails_is_done_without(writer: tuple[FaultServer, Parts], mode: Mode) -> None:
    server, parts = writer
    server.mode_of = lambda prompt, time: mode if MERGING in prompt else "ok"
    _, answer = ask(
        parts, f"What do you keep in the Chart Room after a {mode}?", ChatOptions(hybrid=True, manner=MANNER)
    )
    assert answer.hybrid is not None
    assert answer.hybrid.outcome in ("simulated", "plain")
    assert answer.hybrid.why.startswith("the writer gave no merge: ")
    assert answer.text


def test_the_command_shows_the_simulation_and_says_where_it_fell_back(
    notes: Workspace, simulee: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    command = ["chat", "-w", notes.root, "--once", QUESTION, "--seed", 3, "--speaker", "Ines Calder"]
    refused = simulee(*command, "--show-simulation")
    assert refused.returncode == 2
    assert "needs --hybrid" in refused.stderr
    told = simulee(*command, "--hybrid", "--show-simulation", "--json")
    assert told.returncode == 0, told.stderr
    values = json.loads(told.stdout)
    assert values["simulation"][0]["name"] == "Ada Marlow"
    assert values["hybrid"]["outcome"] in ("merged", "simulated", "plain")
    assert ("fell back to" in told.stderr) == bool(values["hybrid"]["why"])
    assert "simulating…" in told.stderr
