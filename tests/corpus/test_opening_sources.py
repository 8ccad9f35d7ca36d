"""What is refused at the door, and how it is said."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from core.corpus.archives import open_zip
from core.corpus.limits import Limits
from core.corpus.opening import expand, open_source
from core.errors import ImportFailed


def refusal(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(ImportFailed) as caught:
        open_source(path, limits or Limits())
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_missing_path_is_named(tmp_path):
    assert refusal(tmp_path / "nowhere.txt") == "nowhere.txt: no such file or folder"


@pytest.mark.parametrize("content", [b"", b"  \n\t\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_refused(write_file, content):
    assert "an empty file" in refusal(write_file("empty.txt", content))


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"%PDF-1.7 words", b"SQLite format 3\x00", b"a\x00b"])
def test_a_binary_file_is_refused(write_file, content):
    assert "a binary file" in refusal(write_file("thing.txt", content))


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(write_file):
    path = write_file("secret.txt", "words")
    path.chmod(0)
    assert "cannot be read" in refusal(path)


def test_an_empty_folder_is_refused(tmp_path):
    assert "an empty folder" in refusal(tmp_path)
    with pytest.raises(ImportFailed, match="an empty folder"):
        expand(tmp_path)


def test_a_file_over_the_limit_is_refused(write_file):
    assert "larger than 10 bytes" in refusal(write_file("long.txt", "x" * 11), Limits(file_bytes=10))


def test_a_file_that_grew_after_opening_is_refused(write_file):
    path = write_file("grows.txt", "short")
    source = open_source(path, Limits(file_bytes=10))
    path.write_text("x" * 11)
    with pytest.raises(ImportFailed, match="larger than"):
        source.read_bytes()


def test_a_file_that_vanished_after_opening_is_refused(write_file):
    path = write_file("goes.txt", "short")
    source = open_source(path)
    path.unlink()
    with pytest.raises(ImportFailed, match="cannot be read"):
        source.read_text()


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up.txt", "a/../../up.txt", "C:/x.txt", "C:\\x.txt", "..\\up.txt", "\\\\host\\x"]
)
def test_an_archive_that_reaches_outside_itself_is_refused(write_zip, name):
    path = write_zip("bad.zip", {"posts.csv": "x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert "refused" in refusal(path)


def test_an_archive_with_a_link_is_refused(tmp_path):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("link.txt")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "is a link" in refusal(path)


def test_a_locked_archive_is_refused(write_zip):
    path = write_zip("locked.zip", {"a.txt": "x"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "locked with a password" in refusal(path)


def test_an_archive_with_too_many_entries_is_refused(write_zip):
    path = write_zip("many.zip", {f"{number}.txt": "x" for number in range(12)})
    assert "more than 10 entries" in refusal(path, Limits(members=10))


def test_an_archive_with_a_huge_directory_is_refused_before_it_is_parsed(write_zip):
    path = write_zip("many.zip", {"a.txt": "x"})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.rindex(b"PK\x05\x06") + 12, 0x7FFFFFFF)
    path.write_bytes(data)
    assert "more than" in refusal(path)


def test_the_ratio_is_measured_on_what_comes_out(write_zip):
    path = write_zip("bomb.zip", {"a.txt": b"0" * 400_000})
    source = open_zip(path, "bomb.zip", Limits(ratio=100, ratio_from=1000))
    with pytest.raises(ImportFailed, match="100 times its size"):
        source.member_bytes("a.txt")


def test_an_archive_that_understates_its_sizes_is_still_stopped(write_zip):
    path = write_zip("liar.zip", {"a.txt": os.urandom(300_000)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 10)
    path.write_bytes(data)
    source = open_zip(path, "liar.zip", Limits(file_bytes=100_000))
    with pytest.raises(ImportFailed):
        source.member_bytes("a.txt")


def test_members_together_may_not_exceed_the_total(write_zip):
    path = write_zip("total.zip", {"a.txt": os.urandom(600), "b.txt": os.urandom(600)})
    source = open_zip(path, "total.zip", Limits(total_bytes=1000))
    assert len(source.member_bytes("a.txt")) == 600
    assert len(source.member_bytes("a.txt")) == 600, "reading one member again costs nothing"
    with pytest.raises(ImportFailed, match="more than 1,000 bytes"):
        source.member_bytes("b.txt")


def test_an_archive_in_an_archive_is_not_opened(write_zip):
    inner = write_zip("inner.zip", {"a.txt": "x"}).read_bytes()
    source = open_source(write_zip("outer.zip", {"inner.zip": inner, "b.txt": "words"}))
    assert source.member_text("b.txt") == "words"
    with pytest.raises(ImportFailed, match="inside an archive"):
        source.member_bytes("inner.zip")


@pytest.mark.parametrize("cut", [5, 30, -10])
def test_a_damaged_archive_is_refused(write_zip, cut):
    path = write_zip("cut.zip", {"a.txt": "words " * 100})
    path.write_bytes(path.read_bytes()[:cut])
    assert "not a readable zip" in refusal(path)


def test_a_damaged_member_is_refused(write_zip):
    path = write_zip("bad.zip", {"a.txt": os.urandom(1000)})
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ImportFailed, match="is damaged"):
        open_source(path).member_bytes("a.txt")


def test_an_empty_archive_is_refused(write_zip):
    assert "an empty archive" in refusal(write_zip("none.zip", {}))


def test_links_in_a_folder_are_not_followed_and_are_reported(tmp_path, write_file):
    write_file("outside/secret.md", "secret")
    write_file("vault/note.md", "note")
    (tmp_path / "vault/link.md").symlink_to(tmp_path / "outside/secret.md")
    (tmp_path / "vault/folder").symlink_to(tmp_path / "outside")
    expansion = expand(tmp_path / "vault")
    assert [source.members() for source in expansion.sources] == [["note.md"]]
    assert {issue.locator for issue in expansion.issues} == {"link.md", "folder"}


def test_a_file_that_becomes_a_link_after_listing_is_not_followed(tmp_path, write_file):
    outside = write_file("outside/secret.md", "secret")
    note = write_file("vault/note.md", "note")
    source = open_source(tmp_path / "vault")
    note.unlink()
    note.symlink_to(outside)
    with pytest.raises(ImportFailed):
        source.member_bytes("note.md")


def test_only_listed_members_of_a_folder_can_be_read(tmp_path, write_file):
    write_file("secret.md", "secret")
    write_file("vault/note.md", "note")
    with pytest.raises(ImportFailed, match="holds no"):
        open_source(tmp_path / "vault").member_bytes("../secret.md")


def test_hidden_files_and_obsidian_settings_are_skipped(tmp_path, write_file):
    for name in (".obsidian/app.md", ".trash/old.md", ".hidden.md", "kept.md", "deep/kept.md"):
        write_file(f"vault/{name}", "words")
    assert open_source(tmp_path / "vault").members() == ["deep/kept.md", "kept.md"]


def test_a_file_name_that_is_no_text_is_shown_with_replacement(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    raw = os.fsencode(folder) + b"/caf\xe9.md"
    Path(os.fsdecode(raw)).write_text("words")
    source = open_source(folder)
    assert source.members() == ["caf\ufffd.md"]
    assert source.member_text("caf\ufffd.md") == "words"


def test_a_mixed_folder_parts_into_vaults_and_files(tmp_path, write_file):
    for name in ("vault/one.md", "vault/deep/two.md", "talks/one.json", "talks/two.txt", "profile.txt"):
        write_file(f"ada/{name}", '{"a": 1}')
    write_file("ada/photo.jpg", b"\xff\xd8\xff\xe0\x00")
    expansion = expand(tmp_path / "ada")
    assert [source.name for source in expansion.sources] == ["vault", "profile.txt", "one.json", "two.txt"]
    assert expansion.sources[0].members() == ["deep/two.md", "one.md"]
    assert [(issue.locator, issue.reason) for issue in expansion.issues] == [("photo.jpg", "a binary file, not text")]


def test_a_folder_marked_by_obsidian_is_one_vault_even_with_few_notes(tmp_path, write_file):
    for name in ("note.md", "a.txt", "b.txt", "c.txt", ".obsidian/app.json"):
        write_file(f"v/{name}", "words")
    expansion = expand(tmp_path / "v")
    assert [source.name for source in expansion.sources] == ["v", "a.txt", "b.txt", "c.txt"]


def test_notes_in_sub_folders_are_one_vault(tmp_path, write_file):
    for name in ("2019/a.md", "2020/b.md", "2020/picture.png"):
        write_file(f"v/{name}", b"\x89PNG" if name.endswith("png") else "words")
    expansion = expand(tmp_path / "v")
    assert [source.members() for source in expansion.sources] == [["2019/a.md", "2020/b.md"]]
    assert [issue.locator for issue in expansion.issues] == ["2020/picture.png"]


def test_an_unpacked_substack_export_is_one_source(tmp_path, write_file):
    for name in ("posts.csv", "posts/1.a.html", "email_list.csv"):
        write_file(f"export/{name}", "post_id")
    assert [source.name for source in expand(tmp_path / "export").sources] == ["export"]


def test_the_probe_of_a_utf16_file_can_be_read(write_file):
    probe = open_source(write_file("x.json", '{"exchanges": [], "participants": {}}'.encode("utf-16"))).probe()
    assert probe.json_keys == ("exchanges", "participants")


def test_the_probe_shows_no_more_than_64_kib(write_file):
    assert len(open_source(write_file("x.txt", "é" * 200_000)).probe().head) <= 64 << 10
