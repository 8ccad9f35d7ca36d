"""Whatever the bytes, an importer yields records that the store can hold, or says in one line why it cannot."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.corpus.exchanges import derive_exchanges
from core.corpus.importers import IMPORTERS
from core.corpus.limits import PROBE_BYTES
from core.corpus.opening import open_source
from core.corpus.records import Conversation, Document, Importer, Options
from core.corpus.sniffing import SURE, choose, importer_named, inspect
from core.errors import ImportFailed, UsageError

PIECES = st.sampled_from(
    [
        "---\n",
        "title: x\n",
        "date: 2014-03-05\n",
        "# Head\n",
        "[[a|b]]",
        "%%",
        "```\n",
        "![[",
        "\n\n",
        "\n",
        "Q: ",
        "A: ",
        "**Bo:** ",
        "Ada Marlow: ",
        "[00:01] ",
        "WEBVTT\n\n",
        "00:01.000 --> 00:02.000\n",
        "1\n00:00:01,000 --> 00:00:02,000\n",
        "<v Bo>",
        "NOTE date: 2019\n",
        "14/02/2019, 10:00 - ",
        "[02/03/19, 10:00:00] ",
        "Bo: hi\n",
        "<Media omitted>\n",
        '{"title": "x", "content": "y"}\n',
        '{"exchanges": [["a", "b"]], "participants": {}}',
        '[{"title": "x", "text": "\\ud800"}]',
        "[" * 2000,
        '{"a":',
        "9" * 5000,
        "<rss><channel><item>",
        "<title>x</title>",
        "<description>&lt;p&gt;x",
        "</item>",
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry>',
        "<![CDATA[",
        "&amp;",
        "\u2028",
        "\x0b",
        "\ufeff",
    ]
)
CONTENT = st.lists(PIECES | st.text(st.characters(codec="utf-8"), max_size=8), max_size=12).map(
    lambda pieces: "".join(pieces).encode("utf-8")
) | st.binary(max_size=200)


def check(path: Path, importer: Importer) -> None:
    refusal = None
    try:
        source = open_source(path)
        for record in importer.parse(source, Options()):
            if isinstance(record, Document):
                assert record.text.strip()
                texts = [record.uid, record.title, record.text, record.link, *record.tags]
            elif isinstance(record, Conversation):
                texts = [
                    record.uid,
                    record.title,
                    *(each for turn in record.turns for each in (turn.speaker, turn.text)),
                ]
                derive_exchanges(record, {"Ada Marlow"})
            else:
                texts = [record.locator, record.reason]
            for text in texts:
                text.encode("utf-8")
                assert "\x00" not in text
        inspect(source, importer, Options())
    except ImportFailed as error:
        refusal = error
    if refusal:
        assert "\n" not in refusal.message
        assert len(refusal.message) < 400


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda importer: importer.name)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT)
def test_an_importer_yields_storable_records_or_refuses(tmp_path, importer, content):
    path = tmp_path / "any.txt"
    path.write_bytes(content)
    check(path, importer)


@pytest.mark.parametrize("member", ["posts.csv", "posts/1.x.html", "_chat.txt"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT)
def test_archives_of_anything_are_read_or_refused(write_zip, member, content):
    members = {
        "posts.csv": "post_id,is_published,type\n1.x,TRUE,newsletter\n",
        "posts/1.x.html": "<p>x</p>",
        member: content,
    }
    path = write_zip("any.zip", members)
    for importer in IMPORTERS:
        if importer.name in ("substack", "whatsapp"):
            check(path, importer)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT)
def test_choosing_a_format_never_crashes(tmp_path, content):
    path = tmp_path / "any.md"
    path.write_bytes(content)
    with contextlib.suppress(ImportFailed, UsageError):
        assert choose(path).match.confidence >= SURE


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda importer: importer.name)
@pytest.mark.parametrize(
    "unit", ["[[", "%%", "<v ", "*", "Q: ", "<p>", "`", "a: ", "---\n", "-", "{", " ", "\n", "Bo: x\n"]
)
def test_long_repetitions_take_no_longer_than_their_length(tmp_path, importer, unit):
    path = tmp_path / "long.txt"
    path.write_text("x" + unit * (40_000 // len(unit)) + "\n")
    check(path, importer)


TWO_MEGABYTES = 2 << 20
HOSTILE_NOTES = {
    "a heading of spaces": "# a" + " " * TWO_MEGABYTES + "b",
    "a heading of marks": "# a" + " #" * (TWO_MEGABYTES // 2) + " b",
    "comments that nothing closes": "<!-- " * (TWO_MEGABYTES // 5),
    "code that nothing closes": "```py\n" * (TWO_MEGABYTES // 6),
    "other code that nothing closes": "~~~py\n" * (TWO_MEGABYTES // 6),
    "links that nothing closes": "[a](" * (TWO_MEGABYTES // 4),
    "blank lines": "a" + "\n" * TWO_MEGABYTES + "b",
}


def test_hostile_notes_of_two_megabytes_are_imported_at_all(tmp_path, simulee, workspace):
    vault = tmp_path / "vault"
    vault.mkdir()
    for name, text in HOSTILE_NOTES.items():
        (vault / f"{name}.md").write_text(f"{text}\nIt rained.\n")
    told = simulee("import", vault, "-w", workspace.root, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["sources"][0]["documents"] == len(HOSTILE_NOTES)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("markdown", "x\n" + "[" * PROBE_BYTES),
        ("markdown", "x" + "\n" * PROBE_BYTES + "x"),
        ("transcript", "# a" + " #" * PROBE_BYTES + " b\nBo Tarn: hi\nAda Marlow: hi\n"),
        ("subtitles", "1\n00:00:01,000 --> 00:00:02,000\n" + "<v " * PROBE_BYTES + "\n"),
        ("whatsapp", "14/02/2019, 10:00 - Bo: " + "\u200e<a>" * PROBE_BYTES + "\n14/02/2019, 10:01 - Bo: x\n"),
    ],
    ids=["marks", "blank lines", "a heading", "voices", "marks of WhatsApp"],
)
def test_hostile_files_are_looked_at_and_read_or_refused(tmp_path, form, text):
    path = tmp_path / "long.md"
    path.write_text(text)
    with contextlib.suppress(UsageError):
        choose(path)
    check(path, importer_named(form))
