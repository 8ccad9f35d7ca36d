"""Bad input gets one clear line and a hint, the right exit code, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import apsw
import pytest

from core.models.packaged import smollm2_folder
from core.workspace import Workspace

Simulee = Callable[..., CompletedProcess[str]]


def _told(done: CompletedProcess[str], code: int, *words: str) -> None:
    """One line that begins with the program's name and holds the words, at most one hint below it, no traceback."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [index for index, line in enumerate(lines) if line.startswith("simulee: ")]
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(errors) == 1, done.stderr
    assert all(word in lines[errors[0]] for word in words), lines
    assert len(lines) - errors[0] <= 2
    assert "  " not in lines[errors[0]]


def test_no_workspace_here(simulee: Simulee) -> None:
    _told(simulee("corpus", "list"), 1, "no workspace here")


def test_the_doctor_calls_no_workspace_sound_where_none_is(simulee: Simulee, tmp_path: Path) -> None:
    [line] = [line for line in simulee("doctor").stdout.splitlines() if "workspace" in line]
    assert line.startswith("– none")
    assert "no workspace here" in line
    (tmp_path / "persona.toml").write_text('name = "Ada"\n')
    done = simulee("doctor")
    [line] = [line for line in done.stdout.splitlines() if "workspace" in line]
    assert line.startswith("✗ FAIL")
    assert "it has no persona.db" in line
    assert done.returncode == 1


def test_a_folder_that_is_no_workspace(simulee: Simulee, tmp_path: Path) -> None:
    _told(simulee("corpus", "list", "-w", tmp_path), 1, "not a workspace")
    _told(simulee("corpus", "list", "-w", tmp_path / "nowhere"), 1, "does not exist")


def test_a_workspace_made_twice_is_left_as_it_is(simulee: Simulee, tmp_path: Path) -> None:
    assert simulee("new", "Ada", "--dir", "twin").returncode == 0
    before = (tmp_path / "twin" / "persona.toml").read_bytes()
    _told(simulee("new", "Rex", "--dir", "twin"), 1, "not empty")
    assert (tmp_path / "twin" / "persona.toml").read_bytes() == before


def test_a_newer_schema_is_refused(simulee: Simulee, workspace: Workspace) -> None:
    version = workspace.database.schema_version() + 1
    workspace.database.execute(f"PRAGMA user_version = {version}")
    workspace.database.close()
    _told(simulee("corpus", "list", "-w", workspace.root), 1, f"schema {version}")


def test_a_database_that_is_none(simulee: Simulee, workspace: Workspace) -> None:
    (workspace.root / "persona.db").write_bytes(b"not a database at all, and long enough to be read as a header\n" * 99)
    _told(simulee("corpus", "list", "-w", workspace.root), 1, "not a readable database")


@pytest.mark.parametrize(
    ("settings", "words"),
    [("name = ", "not valid TOML"), ("nmae = 'Ada'", "nmae"), ("[retrieval]\nk = 0", "retrieval.k"), ("\xff", "TOML")],
)
def test_settings_that_are_none(simulee: Simulee, workspace: Workspace, settings: str, words: str) -> None:
    (workspace.root / "persona.toml").write_bytes(settings.encode("latin-1"))
    _told(simulee("models", "list", "-w", workspace.root), 2, "persona.toml", words)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", "empty"),
        ("noise.bin", bytes(range(256)) * 40, "noise.bin"),
        ("page.html", b"<html><p>hello</p></html>", "no known format"),
        ("odd.json", b'{"guild": 1}', "no known format"),
    ],
)
def test_a_file_that_cannot_be_imported(
    simulee: Simulee, workspace: Workspace, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    _told(simulee("import", path, "-w", workspace.root), 1, words)


def test_a_file_that_is_not_there(simulee: Simulee, workspace: Workspace, tmp_path: Path) -> None:
    _told(simulee("import", tmp_path / "gone.md", "-w", workspace.root), 1, "gone.md")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(simulee: Simulee, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "secret.md"
    path.write_text("# A\n\nwords")
    path.chmod(0)
    _told(simulee("import", path, "-w", workspace.root), 1, "secret.md")


def test_a_zip_that_reaches_out(simulee: Simulee, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.csv", "post_id,post_date,is_published,type,audience,title,subtitle\n")
        archive.writestr("../../etc/passwd", "x")
    _told(simulee("import", path, "-w", workspace.root), 1, "export.zip")


def test_one_bad_file_leaves_the_others(simulee: Simulee, workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.md").write_text("---\ntitle: A\ndate: 2010-01-01\n---\nThe tide came in.")
    (folder / "b.bin").write_bytes(bytes(range(256)) * 9)
    done = simulee("import", folder, "-w", workspace.root, "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert [source["documents"] for source in told["sources"]] == [1]
    assert [issue["locator"] for issue in told["issues"]] == ["b.bin"]


@pytest.mark.parametrize("more", [["--preview"], []])
def test_one_of_several_that_cannot_be_read_leaves_the_others(
    simulee: Simulee, workspace: Workspace, tmp_path: Path, more: list[str]
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    good, silent, gone = folder / "a.json", folder / "b.srt", folder / "gone.json"
    good.write_text(json.dumps([{"title": "A", "text": "The tide came in.", "tags": ""}]))
    silent.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    for named, bad in (([folder], silent), ([silent, good], silent), ([good, gone], gone)):
        done = simulee("import", *named, "-w", workspace.root, "--json", *more)
        assert done.returncode == 3, done.stderr
        assert 1 in [source["documents"] for source in json.loads(done.stdout)["sources"]]
        assert bad.name in done.stdout
    _told(simulee("import", silent, "-w", workspace.root, *more), 1, "name no speakers")


def test_refused_records_are_told_by_the_exit_code_and_drafts_are_not(
    simulee: Simulee, workspace: Workspace, tmp_path: Path
) -> None:
    wiki = tmp_path / "wiki.json"
    page = {"title": "A", "text": "The tide came in.", "tags": ""}
    wiki.write_text(json.dumps([page, page | {"title": "Draft of 'A'", "draft.of": "A"}]))
    done = simulee("import", wiki, "-w", workspace.root, "--json")
    assert (done.returncode, json.loads(done.stdout)["sources"][0]["skipped"]) == (0, 1)
    wiki.write_text(json.dumps([page, "no tiddler"]))
    for more in (["--preview"], []):
        done = simulee("import", wiki, "-w", workspace.root, "--json", *more)
        assert (done.returncode, json.loads(done.stdout)["sources"][0]["skipped"]) == (3, 1)


def test_what_is_said_to_be_a_conversation_is_read_as_one_or_refused(
    simulee: Simulee, workspace: Workspace, tmp_path: Path, write_interview: Callable[..., Path]
) -> None:
    note = tmp_path / "note.md"
    note.write_text("---\ntitle: A\n---\nThe tide came in.")
    for named in ([note], [tmp_path / "note.md", "--format", "markdown"]):
        _told(simulee("import", *named, "--as", "conversation", "-w", workspace.root), 2, "conversation")
    once = tmp_path / "once.md"
    once.write_text("Ines Calder: Why?\n\nAda Marlow: Because.\n\nOf the tide.\n\nAnd the rain.")
    for path in (once, write_interview("2012-01-01", [("Why?", "Because.")])):
        done = simulee("import", path, "--as", "conversation", "-w", workspace.root, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sources"][0]["conversations"] == 1


@pytest.mark.parametrize("kind", ["writing", "journal", "profile"])
def test_a_conversation_is_no_document_of_any_kind(
    simulee: Simulee, workspace: Workspace, write_interview: Callable[..., Path], kind: str
) -> None:
    path = write_interview("2012-01-01", [("Why?", "Because.")])
    _told(simulee("import", path, "--as", kind, "-w", workspace.root), 2, "is a conversation")
    note = path.with_suffix(".md")
    note.write_text("---\ntitle: A\n---\nThe tide came in.")
    assert simulee("import", path, note, "--as", kind, "-w", workspace.root).returncode == 0
    assert workspace.database.value("SELECT kind FROM document") == kind


def test_a_conversation_without_the_target_is_kept_and_its_speakers_are_named(
    simulee: Simulee, workspace: Workspace, write_interview: Callable[..., Path]
) -> None:
    path = write_interview("2012-01-01", [("Why?", "Because.")])
    path.write_text(path.read_text().replace("Ada Marlow", "A. Marlow"))
    done = simulee("import", path, "-w", workspace.root)
    assert done.returncode == 3
    assert "A. Marlow" in done.stderr
    again = simulee("import", path, "-w", workspace.root, "--alias", "A. Marlow", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["sources"][0]["exchanges"] == 1


def test_nothing_to_recall_for(simulee: Simulee, workspace: Workspace) -> None:
    _told(simulee("recall", "-w", workspace.root), 2, "no exchanges")


def test_nothing_to_train_on(simulee: Simulee, workspace: Workspace) -> None:
    _told(simulee("dataset", "build", "-w", workspace.root), 1, "nothing to train on")
    _told(simulee("train", "sft", "-w", workspace.root), 2, "no dataset")


def test_nothing_to_measure(simulee: Simulee, workspace: Workspace) -> None:
    _told(simulee("evaluate", "show", "-w", workspace.root), 2, "nothing was evaluated")


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace", "m1"), ("trace", "m99999999999999999999"), ("trace", "nonsense"), ("runs", "show", "sft-9"),
        ("runs", "show", "../../etc"), ("review", "--decide", "m²", "accept"), ("corpus", "show", "d7"),
        ("adapters", "use", "sft-1"), ("dataset", "show"), ("dataset", "build", "--heldout", "c7"),
        ("review", "--undo"),
    ],
)  # fmt: skip
def test_an_id_that_is_not_there(simulee: Simulee, workspace: Workspace, arguments: tuple[str, ...]) -> None:
    _told(simulee(*arguments, "-w", workspace.root), 2)


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("search",), ("import",), ("search", "tide", "-k", "0"), ("search", "tide", "--mode", "psychic"),
     ("review", "accept"), ("chat", "--once", " "), ("embed", "--nonsense")],
)  # fmt: skip
def test_wrong_usage(simulee: Simulee, workspace: Workspace, arguments: tuple[str, ...]) -> None:
    _told(simulee(*arguments, cwd=workspace.root), 2)


def test_a_date_that_is_none(simulee: Simulee, workspace: Workspace) -> None:
    _told(simulee("search", "tide", "--as-of", "last spring", "-w", workspace.root), 2, "last spring")


def test_json_stays_alone_on_stdout_in_success_and_failure(simulee: Simulee, workspace: Workspace) -> None:
    for arguments in (("corpus", "stats"), ("corpus", "show", "d7"), ("models", "list"), ("runs", "list")):
        done = simulee(*arguments, "--json", cwd=workspace.root)
        assert len(done.stdout.splitlines()) == 1
        assert isinstance(json.loads(done.stdout), dict)


def _use_base(workspace: Workspace, base: Path | str) -> None:
    with (workspace.root / "persona.toml").open("a") as settings:
        settings.write(f"\n[models.persona]\nengine = 'transformers'\nmodel = '{base}'\n")


def test_a_base_model_without_a_chat_template(
    simulee: Simulee, workspace: Workspace, write_interview: Callable[..., Path], tmp_path: Path
) -> None:
    assert simulee("import", write_interview("2012-01-01", [("Why?", "Because.")]), cwd=workspace.root).returncode == 0
    base = tmp_path / "base"
    base.mkdir()
    shutil.copy(smollm2_folder() / "tokenizer.json", base)
    _use_base(workspace, base)
    _told(simulee("dataset", "build", cwd=workspace.root), 1, "no chat template")


def test_a_model_that_is_not_installed(
    simulee: Simulee, workspace: Workspace, write_interview: Callable[..., Path]
) -> None:
    assert simulee("import", write_interview("2012-01-01", [("Why?", "Because.")]), cwd=workspace.root).returncode == 0
    _use_base(workspace, "nobody/nothing-7B")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    _told(simulee("dataset", "build", cwd=workspace.root, env=environment), 1, "nobody/nothing-7B", "not installed")


def test_two_runs_of_one_kind_exclude_each_other_by_name(simulee: Simulee, workspace: Workspace) -> None:
    from core.runs.journal import create_run, holding

    run = create_run(workspace.runs, "embed", "core.retrieval.embedding:run", {})
    with holding(run.folder / "lock"):
        _told(simulee("embed", "-w", workspace.root), 1, "embed-1", "already running")


def test_two_processes_writing_at_once_both_succeed(workspace: Workspace) -> None:
    script = (
        "import sys; from pathlib import Path; from core.workspace import Workspace; from core.store.call_cache import"
        " remember\ndb = Workspace.open(Path(sys.argv[1])).database\n"
        "for n in range(200):\n    with db.write():\n        remember(db, {f'{sys.argv[2]}{n}': 'x'})"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(workspace.root), name], stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    for writer in writers:
        _, complaint = writer.communicate(timeout=120)
        assert writer.returncode == 0, complaint
    assert workspace.database.value("SELECT count(*) FROM call_cache") == 400


def test_a_full_disk_is_told_and_loses_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """The size limit of a file stands for the disk: SQLite meets both as a write that falls short."""
    workspace.database.close()
    note = tmp_path / "long.md"
    note.write_text("---\ntitle: Long\ndate: 2010-01-01\n---\n" + "The tide came in and went out again. " * 60_000)
    limit = 1_000_000
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from tui.command_line import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "import", str(note), "-w", str(workspace.root)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    _told(done, 1, "persona.db")
    opened = Workspace.open(workspace.root)
    assert opened.database.value("SELECT count(*) FROM document") == 0
    assert opened.database.value("PRAGMA integrity_check") == "ok"
    after = subprocess.run(
        [sys.executable, "-c", "from tui.cli import main; main()", "import", str(note), "-w", str(workspace.root)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert after.returncode == 0, after.stderr
    assert opened.database.value("SELECT count(*) FROM document") == 1


def test_an_sqlite_that_says_full_is_told_as_a_full_disk(workspace: Workspace) -> None:
    from core.errors import StoreError

    database = workspace.database
    database.execute(f"PRAGMA max_page_count = {database.value('PRAGMA page_count') + 4}")
    with pytest.raises(StoreError, match="the disk is full"), database.write():
        database.execute("INSERT INTO call_cache (key, value) VALUES ('big', ?)", ("x" * 1_000_000,))
    assert database.value("SELECT count(*) FROM call_cache") == 0
    assert isinstance(database.connection, apsw.Connection)


def test_it_says_which_version_it_is(simulee: Simulee) -> None:
    done = simulee("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"simulee \d+\.\d+\.\d+\n", done.stdout)
