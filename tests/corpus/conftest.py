"""Samples written by the tests themselves, and the shortest way from a text to its records."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.corpus.opening import open_source
from core.corpus.records import Options, Record
from core.corpus.sniffing import importer_named

WriteFile = Callable[[str, str | bytes], Path]
WriteZip = Callable[[str, dict[str, str | bytes]], Path]
Parse = Callable[..., list[Record]]


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Write a file under the test's folder and return its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def write_zip(tmp_path: Path) -> WriteZip:
    """Write a zip archive under the test's folder and return its path."""

    def write(name: str, members: dict[str, str | bytes]) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return path

    return write


@pytest.fixture
def parse() -> Parse:
    """Read a path as a format and return all its records."""

    def read(path: Path, form: str, **options: object) -> list[Record]:
        importer = importer_named(form)
        return list(importer.parse(open_source(path), Options(**options)))  # type: ignore[arg-type]

    return read
