"""A Substack export gives the published posts, whole and without the platform's furniture."""

from __future__ import annotations

import pytest

from core.corpus.records import Document, Issue
from core.corpus.sniffing import choose
from core.errors import ImportFailed

TABLE = (
    "post_id,post_date,is_published,email_sent_at,type,audience,title,subtitle\n"
    "1.tides,2019-07-26T20:48:19.814Z,TRUE,,newsletter,everyone,Tides &amp; &#x201C;tea&#x201D;,sub\n"
    "2.draft,,FALSE,,newsletter,everyone,Draft,\n"
    "3.thread,2019-08-01T00:00:00Z,TRUE,,thread,everyone,Talk,\n"
    "4.about,2019-08-01T00:00:00Z,TRUE,,page,everyone,About,\n"
    "5.lost,2019-08-01T00:00:00Z,TRUE,,newsletter,everyone,Lost,\n"
    "6.paid,2019-08-02T00:00:00Z,TRUE,,podcast,only_paid,Paid,\n"
    ",2019-08-02T00:00:00Z,TRUE,,newsletter,everyone,Nameless,\n"
)
POST = """<h2>First</h2><p>One <em>two</em>
three&nbsp;four.</p><p>Line<br/>break.</p>
<p class="button-wrapper" data-attrs="{}"><a class="button primary" href="x"><span>Sign up</span></a></p>
<div class="subscription-widget-wrap"><div class="subscription-widget"><p>Thanks for reading!</p>
<form><input/></form></div></div>
<div class="tweet"><p>Someone else's words</p></div>
<div class="captioned-image-container"><figure><img src="x"/><figcaption>caption</figcaption></figure></div>
<ul><li><p>apples</p></li><li>pears</li></ul><script>alert(1)</script><div><hr/></div>
<blockquote><p>Said.</p></blockquote> tail"""


@pytest.fixture
def export(write_zip):
    pages = {f"posts/{post}.html": POST for post in ("1.tides", "2.draft", "3.thread", "4.about", "6.paid")}
    return write_zip("x.zip", {"posts.csv": TABLE, **pages, "email_list.csv": "someone@example.org"})


def test_published_posts_become_documents(parse, export):
    assert choose(export).importer.name == "substack"
    first, paid = [each for each in parse(export, "substack") if isinstance(each, Document)]
    assert (first.uid, first.title, first.date.iso()) == ("substack:1.tides", "Tides & “tea”", "2019-07-26")
    assert (first.kind, first.visibility, paid.title) == ("writing", "public", "Paid")


def test_paragraphs_stay_and_furniture_goes(parse, export):
    first = next(each for each in parse(export, "substack") if isinstance(each, Document))
    assert first.text == ("First\n\nOne two three\u00a0four.\n\nLine\nbreak.\n\n- apples\n\n- pears\n\nSaid.\n\ntail")


def test_everything_else_is_reported(parse, export):
    issues = {each.locator: each.reason for each in parse(export, "substack") if isinstance(each, Issue)}
    assert issues == {
        "2.draft": "draft, skipped",
        "3.thread": "thread, skipped",
        "4.about": "page, skipped",
        "5.lost": "its HTML is missing from the export",
        "posts.csv, row 8": "no post_id",
    }


def test_drafts_come_along_as_private_when_asked_for(parse, export):
    found = [each for each in parse(export, "substack", include_private=True) if isinstance(each, Document)]
    assert [(each.title, each.visibility) for each in found][1] == ("Draft", "private")


def test_an_archive_wrapped_in_a_folder_is_read_too(parse, write_zip):
    path = write_zip("x.zip", {"export/posts.csv": TABLE, "export/posts/1.tides.html": POST})
    assert choose(path).importer.name == "substack"
    assert sum(isinstance(each, Document) for each in parse(path, "substack")) == 1


def test_a_table_without_posts_is_refused(parse, write_zip):
    with pytest.raises(ImportFailed, match="post_id"):
        parse(write_zip("x.zip", {"posts.csv": "a,b\n1,2\n"}), "substack")
    with pytest.raises(ImportFailed, match=r"no posts\.csv"):
        parse(write_zip("y.zip", {"other.csv": "a"}), "substack")


def test_a_repeated_post_is_counted_once(parse, write_zip):
    path = write_zip("x.zip", {"posts.csv": TABLE + TABLE.split("\n")[1] + "\n", "posts/1.tides.html": POST})
    records = parse(path, "substack")
    assert sum(isinstance(each, Document) for each in records) == 1
    assert any(isinstance(each, Issue) and "repeats" in each.reason for each in records)
