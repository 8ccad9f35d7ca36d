"""A path that a command line or persona.toml names means the same in the run, which begins in another folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from core.errors import UsageError
from core.training.forgetting import paragraphs, text_hash
from core.training.launch import sft_params
from core.training.launch_file import read_launch
from core.training.launching import _order, _read
from core.training.preferences.launch import dpo_params
from core.training.retriever.launch import retriever_params
from core.workspace import Workspace

ZERO_3 = "distributed_type: DEEPSPEED\nnum_processes: 4\ndeepspeed_config:\n  deepspeed_config_file: own.json\n"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds a base."""
    folder = tmp_path / "elsewhere"
    (folder / "m").mkdir(parents=True)
    (folder / "SmolLM2-135M-Instruct").mkdir()
    monkeypatch.chdir(folder)
    return folder


def _settings(workspace: Workspace, text: str) -> Workspace:
    (workspace.root / "persona.toml").write_text(text, "utf-8")
    return Workspace.open(workspace.root)


@pytest.mark.parametrize("name", ["m", "./m", "../elsewhere/m"])
def test_a_base_on_the_command_line_is_from_the_current_folder_on(
    workspace: Workspace, elsewhere: Path, tmp_path: Path, name: str
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "Who?", "chosen": "Pell.", "rejected": "Nobody."}) + "\n", "utf-8")
    base = str(elsewhere / "m")
    assert sft_params(workspace, "hash", name)["base"] == base
    assert retriever_params(workspace, base=name)["base"] == base
    assert dpo_params(workspace, base=name, file=pairs)["base"] == base


@pytest.mark.parametrize("name", ["owner/model", "SmolLM2-135M-Instruct", "/srv/m", "~/m"])
def test_a_name_that_is_the_same_from_anywhere_stays(workspace: Workspace, elsewhere: Path, name: str) -> None:
    assert sft_params(workspace, "hash", name)["base"] == name


@pytest.mark.parametrize("text", ["~nobody-here/x", "../a\0b", "x" * 5000, "../" + "x" * 5000])
def test_what_can_be_no_path_is_left_for_what_reads_it(workspace: Workspace, elsewhere: Path, text: str) -> None:
    assert sft_params(workspace, "hash", text)["base"].endswith(text.removeprefix("../"))
    written = f"[training]\ngeneral_text = {json.dumps(text)}\n"
    assert _settings(workspace, written).settings.training.general_text.endswith(text.removeprefix("../"))


def test_a_base_that_is_not_there_is_looked_for_where_the_command_was_given(
    workspace: Workspace, elsewhere: Path
) -> None:
    assert sft_params(workspace, "hash", "./none")["base"] == str(elsewhere / "none")


def test_what_persona_toml_names_is_from_its_own_folder_on(workspace: Workspace, elsewhere: Path) -> None:
    (workspace.root / "m").mkdir()
    (workspace.root / "mytext.txt").write_text("One.\n\nTwo.\n", "utf-8")
    text = (
        '[models.persona]\nengine = "transformers"\nmodel = "m"\n'
        '[models.judge]\nengine = "transformers"\nmodel = "./m"\n'
        '[models.writer]\nengine = "endpoint"\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[training]\ngeneral_text = "mytext.txt"\n'
    )
    settings = _settings(workspace, text).settings
    assert settings.models.judge.model == str(workspace.root / "m")
    assert settings.models.writer.model == "m"
    params = sft_params(_settings(workspace, text), "hash")
    assert params["base"] == str(workspace.root / "m")
    assert paragraphs(params["settings"]["general_text"]) == ["One.", "Two."]


def test_general_text_may_lie_at_home(
    workspace: Workspace, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mytext.txt").write_text("One.\n\nTwo.\n", "utf-8")
    params = sft_params(_settings(workspace, '[training]\ngeneral_text = "~/mytext.txt"\n'), "hash")
    assert paragraphs(params["settings"]["general_text"]) == ["One.", "Two."]


def test_general_text_is_the_same_where_it_says_the_same(tmp_path: Path) -> None:
    for name, text in (("a", "One.\n\nTwo.\n"), ("b", "One.\n\n\nTwo."), ("c", "One.\n\nThree.\n")):
        (tmp_path / name).write_text(text, "utf-8")
    first, same, other = (text_hash(str(tmp_path / name)) for name in "abc")
    assert (first == same, first == other) == (True, False)


@pytest.mark.parametrize("saves", [True, False])
def test_deepspeeds_own_file_lies_beside_the_launch_file(workspace: Workspace, elsewhere: Path, saves: bool) -> None:
    folder = elsewhere / "launch"
    folder.mkdir()
    (folder / "own.json").write_text(
        json.dumps({"zero_optimization": {"stage": 3, "stage3_gather_16bit_weights_on_model_save": saves}}), "utf-8"
    )
    file = folder / "zero3.yaml"
    file.write_text(ZERO_3, "utf-8")
    if not saves:
        with pytest.raises(UsageError, match="none could be saved"):
            read_launch(file)
        return
    params = sft_params(workspace, "hash", launch="launch/zero3.yaml")
    assert (params["launch"], params["sharded"]) == (str(file), True)
    # The launcher itself would look for it in its own current folder.
    order, _ = _order(_read(file), file)
    told = launch_command_parser().parse_args([*order[3:], "train.py"])
    assert _validate_launch_command(told)[0].deepspeed_config_file == str(folder / "own.json")
