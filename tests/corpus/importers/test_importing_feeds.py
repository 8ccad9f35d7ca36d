"""Feeds: content before summary, dates in UTC, and nothing fetched or expanded."""

from __future__ import annotations

import pytest

from core.corpus.records import Document, Issue
from core.errors import ImportFailed

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Soundings</title>
<language>en</language>
<item><title>Salt &amp; tin</title><link>https://x.example/salt</link><guid>g1</guid>
<pubDate>Sun, 02 Nov 2014 23:30:00 -0500</pubDate><category>garden</category>
<description>teaser</description>
<content:encoded><![CDATA[<p>One.</p><p>Two <b>three</b>.</p>]]></content:encoded></item>
<item><title>Undated</title><guid>g2</guid><description>Only a beginning [...]</description></item>
<item><title>Empty</title><guid>g3</guid></item>
<item><title>Again</title><guid>g1</guid><description>repeat</description></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>urn:1</id><title>A</title>
<updated>2015-01-02T03:04:05Z</updated><summary>short</summary>
<content type="html">&lt;p&gt;Long &lt;i&gt;text&lt;/i&gt;.&lt;/p&gt;</content></entry>
<entry><id>urn:2</id><title>B</title><published>2014-05-06T00:00:00Z</published><updated>2019-01-01T00:00:00Z</updated>
<content type="text">a &lt; b</content></entry></feed>"""


def test_rss_entries_become_documents(parse, write_file):
    records = parse(write_file("f.xml", RSS), "feed")
    salt, undated = [each for each in records if isinstance(each, Document)]
    assert (salt.title, salt.text, salt.link) == ("Salt & tin", "One.\n\nTwo three.", "https://x.example/salt")
    assert (salt.date.iso(), salt.language, salt.tags) == ("2014-11-03", "en", ("garden",))
    assert not undated.date.known


def test_what_is_odd_about_an_entry_is_reported(parse, write_file):
    issues = [
        (each.locator, each.reason) for each in parse(write_file("f.xml", RSS), "feed") if isinstance(each, Issue)
    ]
    assert ("Empty", "no text in it, skipped") in issues
    assert ("Again", "repeats an earlier entry, skipped") in issues
    assert any(locator == "Undated" and "teaser" in reason for locator, reason in issues)


def test_atom_entries_become_documents(parse, write_file):
    first, second = parse(write_file("f.xml", ATOM), "feed")
    assert (first.text, first.date.iso()) == ("Long text.", "2015-01-02")
    assert (second.text, second.date.iso()) == ("a < b", "2014-05-06")


def test_a_damaged_feed_gives_what_can_be_read(parse, write_file):
    records = parse(write_file("f.xml", RSS[: RSS.index("<item><title>Empty")]), "feed")
    assert sum(isinstance(each, Document) for each in records) == 2


@pytest.mark.parametrize("entity", ['<!ENTITY a "b">', '<!entity x SYSTEM "file:///etc/passwd">'])
def test_entities_are_refused(parse, write_file, entity):
    with pytest.raises(ImportFailed, match="entities"):
        parse(write_file("f.xml", f"<!DOCTYPE rss [{entity}]>{RSS}"), "feed")


def test_a_page_is_no_feed(parse, write_file):
    with pytest.raises(ImportFailed, match="no feed"):
        parse(write_file("f.xml", "<html><body>hello</body></html>"), "feed")


def test_a_file_name_in_the_file_is_not_opened(parse, write_file):
    secret = write_file("secret.xml", RSS)
    with pytest.raises(ImportFailed):
        parse(write_file("f.xml", str(secret)), "feed")


WORDPRESS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel><title>Soundings</title><wp:wxr_version>1.2</wp:wxr_version>{items}</channel></rss>"""


def wordpress_item(number: int, kind: str, status: str, words: str, password: str = "") -> str:
    return (
        f'<item><title>{words}</title><guid isPermaLink="false">https://x.example/?p={number}</guid>'
        "<pubDate>Sun, 02 Nov 2014 10:00:00 +0000</pubDate>"
        f"<content:encoded><![CDATA[<p>{words}</p>]]></content:encoded><excerpt:encoded><![CDATA[]]></excerpt:encoded>"
        f"<wp:post_id>{number}</wp:post_id><wp:status><![CDATA[{status}]]></wp:status>"
        f"<wp:post_password><![CDATA[{password}]]></wp:post_password>"
        f"<wp:post_type><![CDATA[{kind}]]></wp:post_type>"
        "<wp:comment><wp:comment_author>Bo</wp:comment_author><wp:comment_content>Nice.</wp:comment_content></wp:comment>"
        "</item>"
    )


@pytest.fixture
def wordpress(write_file):
    items = [
        wordpress_item(1, "post", "publish", "Out in the world"),
        wordpress_item(2, "post", "draft", "Not finished"),
        wordpress_item(3, "post", "private", "For me alone"),
        wordpress_item(9, "post", "publish", "For those who know the word", "sesame"),
        wordpress_item(4, "post", "trash", "Thrown away"),
        wordpress_item(5, "page", "publish", "About"),
        wordpress_item(6, "nav_menu_item", "publish", "Home"),
        wordpress_item(7, "nav_menu_item", "publish", "Contact"),
        wordpress_item(8, "wp_global_styles", "publish", "Styles"),
    ]
    return write_file("site.xml", WORDPRESS.format(items="".join(items)))


def test_only_the_published_posts_of_a_wordpress_export_are_public_writing(parse, wordpress):
    document, issue = parse(wordpress, "feed")
    assert (document.text, document.visibility) == ("Out in the world", "public")
    assert issue.reason == (
        "no published posts, left out: 2 private, 2 nav_menu_item, 1 draft, 1 trash, 1 page, 1 wp_global_styles"
    )


def test_drafts_of_a_wordpress_export_come_along_as_private_when_asked_for(parse, wordpress):
    *documents, issue = parse(wordpress, "feed", include_private=True)
    assert [(each.text, each.visibility) for each in documents] == [
        ("Out in the world", "public"),
        ("Not finished", "private"),
        ("For me alone", "private"),
        ("For those who know the word", "private"),
    ]
    assert issue.reason == "no published posts, left out: 2 nav_menu_item, 1 trash, 1 page, 1 wp_global_styles"
