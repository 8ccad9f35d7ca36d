"""How fast sources are imported and in how much memory, beside what one would write with the plain libraries.

The plain readers put the same texts into one sqlite3 table: python-frontmatter over the files of a vault,
``json.loads`` over lines, a regular expression over a WhatsApp export. They notice no repeats, derive no exchanges and
import a second time what is there already; simulee's time includes sniffing, all that, its imports and durable commits.
Every reading is a process of its own, the two take turns, the peak is the whole process's, and the median of the rounds
is shown. Run from the repository: ``python -m bench.importing [rounds]``.
"""

from __future__ import annotations

import json
import re
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
TARGET = "Ada Marlow"
SIZES = {"vault": (300, 3_000), "corpus": (2_000, 20_000), "whatsapp": (10_000, 100_000)}
SUFFIXES = {"vault": "", "corpus": ".jsonl", "whatsapp": ".txt"}
UNITS = {"vault": "notes", "corpus": "documents", "whatsapp": "lines"}
WORDS = """
chart tide lamp salt ferry knot ledger storm quay rope bell fog stone jar price wind map boat line sand
""".split()  # noqa: SIM905
WHATSAPP_LINE = re.compile(r"^(\d\d)/(\d\d)/(\d{4}), (\d\d):(\d\d) - ([^:]+): (.*)$")


def prose(random: Random, words: int) -> str:
    """Sentences of twelve words, four to a paragraph."""
    sentences = [" ".join(random.choices(WORDS, k=12)).capitalize() + "." for _ in range(words // 12)]
    return "\n\n".join(" ".join(sentences[start : start + 4]) for start in range(0, len(sentences), 4))


def write_vault(path: Path, count: int) -> None:
    random = Random(count)
    path.mkdir()
    for number in range(count):
        day = date(2001, 1, 1) + timedelta(days=number)
        head = f'---\ntitle: "Note {number}"\ndate: {day}\ntags: [sea, notes]\n---\n\n'
        (path / f"note {number:05}.md").write_text(head + prose(random, 240), "utf-8")


def write_corpus(path: Path, count: int) -> None:
    random = Random(count)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            day = date(1970, 1, 1) + timedelta(days=number)
            link = f"https://example.org/{number}"
            document = {"title": f"Piece {number}", "link": link, "date": str(day), "content": prose(random, 240)}
            file.write(json.dumps(document) + "\n")


def write_whatsapp(path: Path, count: int) -> None:
    random = Random(count)
    moment = datetime(2015, 1, 31, 8, 0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            moment += timedelta(minutes=random.choice((1, 2, 5, 300)))
            speaker = random.choice((TARGET, "Mags Orrin", "Pell Dacre"))
            file.write(f"{moment:%d/%m/%Y, %H:%M} - {speaker}: {' '.join(random.choices(WORDS, k=9))}\n")


WRITERS = {"vault": write_vault, "corpus": write_corpus, "whatsapp": write_whatsapp}


def plain_vault(path: Path) -> Iterator[tuple[str, str, str]]:
    import frontmatter

    for file in sorted(path.glob("**/*.md")):
        note = frontmatter.load(str(file))
        yield str(note["title"]), str(note["date"]), note.content


def plain_corpus(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            yield document["title"], document["date"], document["content"]


def plain_whatsapp(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if match := WHATSAPP_LINE.match(line):
                day, month, year, hour, minute, speaker, text = match.groups()
                yield speaker, f"{year}-{month}-{day}T{hour}:{minute}", text


PLAIN_READERS = {"vault": plain_vault, "corpus": plain_corpus, "whatsapp": plain_whatsapp}


def read_plainly(form: str, path: Path, folder: Path) -> None:
    connection = sqlite3.connect(folder / "plain.db")
    connection.execute("CREATE TABLE record (title TEXT, date TEXT, text TEXT)")
    with connection:
        connection.executemany("INSERT INTO record VALUES (?, ?, ?)", PLAIN_READERS[form](path))


def read_with_simulee(_form: str, path: Path, folder: Path) -> None:
    from core.corpus import importing
    from core.runs.job import Job
    from core.runs.journal import EventLog, create_run
    from core.workspace import Workspace

    workspace = Workspace.create(folder / "workspace", TARGET)
    choices, _ = importing.plan([path], None)
    requests = [importing.Request(str(each.source.path), each.importer.name) for each in choices]
    params = {"sources": [asdict(request) for request in requests], "include_private": True}
    run = create_run(workspace.runs, importing.KIND, importing.ENTRY, params)
    for source in importing.run(Job(workspace, run.folder, params, EventLog(run.folder)))["sources"]:
        if source["issues"]:
            raise RuntimeError(source["issues"][0])


READERS = {"plain": read_plainly, "simulee": read_with_simulee}


def measure(reader: str, form: str, path: Path) -> tuple[float, float]:
    """(seconds, peak MB) of one reading in a process of its own."""
    command = [sys.executable, "-m", "bench.importing", "read", reader, form, str(path)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, peak = finished.stdout.split()
    return float(seconds), float(peak)


def read(reader: str, form: str, path: str) -> None:
    """The measured process: reads once, and prints its seconds and its peak MB."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        READERS[reader](form, Path(path), Path(folder))
        seconds = time.perf_counter() - began
    print(seconds, peak_megabytes())


def peak_megabytes() -> float:
    """The largest resident size of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss begins with the size of the process that started this one.
        return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(rounds: int = 3) -> None:
    print(f"{'':26} {'plain/s':>10} {'simulee/s':>10} {'ratio':>7} {'plain MB':>9} {'simulee MB':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for form, sizes in SIZES.items():
            for size in sizes:
                path = Path(folder) / f"{form}-{size}{SUFFIXES[form]}"
                WRITERS[form](path, size)
                pairs = [(measure("plain", form, path), measure("simulee", form, path)) for _ in range(rounds)]
                plain, ours = (
                    [statistics.median(column) for column in zip(*side, strict=True)]
                    for side in zip(*pairs, strict=True)
                )
                name = f"{form}, {size:,} {UNITS[form]}"
                print(f"{name:26} {size / plain[0]:10,.0f} {size / ours[0]:10,.0f} {plain[0] / ours[0]:7.2f}"
                      f" {plain[1]:9.0f} {ours[1]:11.0f}")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(*sys.argv[2:])
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
