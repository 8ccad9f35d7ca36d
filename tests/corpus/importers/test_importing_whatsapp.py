"""WhatsApp chats of any phone, with the order of day and month decided or asked."""

from __future__ import annotations

import pytest

from core.corpus.ambiguity import Ambiguous
from core.corpus.records import Conversation, Issue
from core.corpus.sniffing import choose
from core.errors import ImportFailed

ANDROID = """14/02/2019, 18:31 - Messages and calls are end-to-end encrypted. Tap to learn more.
14/02/2019, 18:31 - Mags Orrin created group "Supper: the second"
14/02/2019, 18:32 - Mags Orrin: right: thats it
nobody leaves
14/02/2019, 18:34 - Ada: <Media omitted>
14/02/2019, 18:35 - Ada: This message was deleted
14/02/2019, 18:36 - Ada: see http://x.example/a
"""


def chat(parse, path, **options) -> Conversation:
    (found,) = [each for each in parse(path, "whatsapp", **options) if isinstance(each, Conversation)]
    return found


def lines(*dates: str) -> str:
    return "".join(f"{date}, 10:00 - Bo: hi\n" for date in dates)


def test_a_chat_becomes_one_private_conversation(parse, write_file):
    found = chat(parse, write_file("chat.txt", ANDROID))
    assert (found.chat, found.visibility, found.date.iso()) == (True, "private", "2019-02-14")
    assert [(turn.speaker, turn.kind, turn.text) for turn in found.turns[1:]] == [
        ("", "system", 'Mags Orrin created group "Supper: the second"'),
        ("Mags Orrin", "said", "right: thats it\nnobody leaves"),
        ("Ada", "media", "<Media omitted>"),
        ("Ada", "deleted", "This message was deleted"),
        ("Ada", "said", "see http://x.example/a"),
    ]
    assert found.turns[2].time.isoformat() == "2019-02-14T18:32:00"


@pytest.mark.parametrize(
    ("line", "iso"),
    [
        ("[14/02/2019, 18:31:05] Bo: hi", "2019-02-14T18:31:05"),
        ("\u200e[14.02.19, 18:31:05] Bo: hi", "2019-02-14T18:31:05"),
        ("2/14/19, 6:31\u202fPM - Bo: hi", "2019-02-14T18:31:00"),
        ("02/14/2019, 12:05 a. m. - Bo: hi", "2019-02-14T00:05:00"),
        ("02/14/2019, 12:05 p.m. - Bo: hi", "2019-02-14T12:05:00"),
        ("2019-02-14, 18.31 - Bo: hi", "2019-02-14T18:31:00"),
        ("14-02-2019 18:31 - Bo: hi", "2019-02-14T18:31:00"),
    ],
)
def test_headers_of_many_phones(parse, write_file, line, iso):
    path = write_file("chat.txt", f"{line}\n{line}\n")
    assert choose(path).importer.name == "whatsapp"
    turn = chat(parse, path).turns[0]
    assert (turn.time.isoformat(), turn.speaker, turn.text) == (iso, "Bo", "hi")


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (("01/02/2019", "13/02/2019"), ["2019-02-01", "2019-02-13"]),
        (("01/02/2019", "01/20/2019"), ["2019-01-02", "2019-01-20"]),
        (("11/01/2019", "12/01/2019", "01/02/2019"), ["2019-01-11", "2019-01-12", "2019-02-01"]),
        (("01/11/2019", "01/12/2019", "02/01/2019"), ["2019-01-11", "2019-01-12", "2019-02-01"]),
        (("05/05/2019", "06/06/2019"), ["2019-05-05", "2019-06-06"]),
    ],
)
def test_the_order_of_day_and_month_is_decided_by_the_dates(parse, write_file, dates, days):
    found = chat(parse, write_file("chat.txt", lines(*dates)))
    assert [turn.time.date().isoformat() for turn in found.turns] == days


@pytest.mark.parametrize("day_first", [None, True, False])
def test_a_year_that_comes_first_is_followed_by_the_month_whatever_the_user_says(parse, write_file, day_first):
    path = write_file("chat.txt", "2019-02-03, 18:31 - Bo: hi\n2019-01-04, 18:31 - Bo: late\n")
    found = chat(parse, path, day_first=day_first)
    assert [turn.time.date().isoformat() for turn in found.turns] == ["2019-02-03", "2019-01-04"]


@pytest.mark.parametrize("dates", [("02/03/2019",), ("01/02/2019", "03/04/2019")])
def test_the_user_is_asked_when_the_dates_do_not_decide(parse, write_file, dates):
    path = write_file("chat.txt", lines(*dates))
    with pytest.raises(Ambiguous, match="day and month") as asked:
        parse(path, "whatsapp")
    assert "--day-first" in asked.value.hint
    assert chat(parse, path, day_first=True).turns[0].time.day == int(dates[0][:2])
    assert chat(parse, path, day_first=False).turns[0].time.month == int(dates[0][:2])


def test_a_day_that_cannot_be_is_an_issue(parse, write_file):
    records = parse(write_file("chat.txt", lines("01/02/2019", "13/02/2019")), "whatsapp", day_first=False)
    assert [each.locator for each in records if isinstance(each, Issue)] == ["line 2"]


def test_a_line_that_only_looks_like_a_header_goes_on_with_the_message(parse, write_file):
    found = chat(
        parse, write_file("chat.txt", lines("14/02/2019") + "99/99/2019, 10:00 - Bo: no\n14/02/2019, 25:00 - x\n")
    )
    assert found.turns[0].text == "hi\n99/99/2019, 10:00 - Bo: no\n14/02/2019, 25:00 - x"


def test_spaces_within_a_message_are_left_as_typed(parse, write_file):
    found = chat(parse, write_file("chat.txt", "14/02/2019,\u00a010:00 - Bo: Vraiment\u202f?\u00a0Oui\n"))
    assert found.turns[0].text == "Vraiment\u202f?\u00a0Oui"


def test_a_later_export_of_the_same_chat_has_the_same_identity(parse, write_file):
    earlier = chat(parse, write_file("WhatsApp Chat with Bo.txt", ANDROID))
    later = chat(parse, write_file("WhatsApp Chat with Bo (1).txt", ANDROID + "15/02/2019, 18:36 - Ada: more\n"))
    assert earlier.uid == later.uid


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("<Media omitted>\nhere at last", "said", "here at last"),
        ("IMG-20190214-WA0001.jpg (file attached)\nand the cake", "said", "and the cake"),
        ("IMG-20190214-WA0001.jpg (tiedosto liitetty)\nkakku", "said", "kakku"),
        ("Rezept Kuchen.pdf (Datei angehängt)", "media", "Rezept Kuchen.pdf (Datei angehängt)"),
        ("\u200eMissed voice call", "system", "Missed voice call"),
        ("\u200ePOLL:\nFriday?\n\u200eOPTION: Yes (2 votes)", "system", "POLL:\nFriday?\n\u200eOPTION: Yes (2 votes)"),
        ("POLL:\nFriday?\nOPTION: Yes (2 votes)", "system", "POLL:\nFriday?\nOPTION: Yes (2 votes)"),
        ("\u200e<attached: 0000.jpg>", "media", "<attached: 0000.jpg>"),
        ("Sunset \u200e<attached: 0000.jpg>", "said", "Sunset"),
        ("Sunset\nand tea \u200e<attached: 0000.jpg>", "said", "Sunset\nand tea"),
        ("Look \u200eimage omitted", "said", "Look"),
        ("Schau \u200eBild weggelassen", "said", "Schau"),
        ("tides.pdf • \u200e3 pages \u200e<attached: 0000-tides.pdf>", "media", None),
        ("all of it omitted", "said", "all of it omitted"),
        ("we were late <This message was edited>", "said", "we were late"),
        ("wir kamen \u200e<Diese Nachricht wurde bearbeitet>", "said", "wir kamen"),
        ("Look \u200eimage omitted \u200e<This message was edited>", "said", "Look"),
        ("<Medien ausgeschlossen>", "media", "<Medien ausgeschlossen>"),
        ("\u200eThis message was deleted.", "deleted", "This message was deleted."),
        ("Diese Nachricht wurde gelöscht.", "deleted", None),
        ("Du hast diese Nachricht gelöscht.", "deleted", None),
        ("Se eliminó este mensaje.", "deleted", None),
        ("Mensagem apagada", "deleted", None),
        ("Ce message a été supprimé", "deleted", None),
        ("Questo messaggio è stato eliminato", "deleted", None),
        ("Dit bericht is verwijderd", "deleted", None),
        ("Messages and calls are end-to-end encrypted. Only people in this chat can read them.", "system", None),
        ("Signal. It is end-to-end encrypted and I trust it", "said", None),
        ("<sigh>", "said", "<sigh>"),
    ],
)
def test_what_whatsapp_writes_is_no_words_and_the_words_beside_it_are_kept(parse, write_file, body, kind, text):
    turn = chat(parse, write_file("chat.txt", f"14/02/2019, 18:31 - Bo: {body}\n14/02/2019, 18:32 - Ada: hi\n")).turns[
        0
    ]
    assert (turn.speaker, turn.kind) == ("Bo", kind)
    assert turn.text == (body if text is None else text)


def test_a_placeholder_of_any_language_is_told_by_coming_back(parse, write_file):
    bodies = [
        "<Без медиафайлов>",
        "<Без медиафайлов>\nвот и мы",
        "<Без медиафайлов>",
        "<sigh>",
        "<sigh>",
        "<one of a kind>",
    ]
    found = chat(parse, write_file("chat.txt", "".join(f"14/02/2019, 18:31 - Bo: {body}\n" for body in bodies)))
    assert [(turn.kind, turn.text) for turn in found.turns] == [
        ("media", "<Без медиафайлов>"),
        ("said", "вот и мы"),
        ("media", "<Без медиафайлов>"),
        ("said", "<sigh>"),
        ("said", "<sigh>"),
        ("said", "<one of a kind>"),
    ]


def test_a_chat_among_thousands_of_pictures_is_found(parse, write_zip):
    pictures: dict[str, str | bytes] = {f"{number:08}-PHOTO.jpg": b"" for number in range(6_000)}
    path = write_zip("WhatsApp Chat - Bo.zip", {**pictures, "_chat.txt": ANDROID})
    assert choose(path).importer.name == "whatsapp"
    assert len(chat(parse, path).turns) == 6


def test_the_zip_that_whatsapp_makes_is_read(parse, write_zip):
    path = write_zip("WhatsApp Chat - Bo.zip", {"_chat.txt": ANDROID, "IMG-1.jpg": b"\xff\xd8"})
    assert choose(path).importer.name == "whatsapp"
    assert len(chat(parse, path).turns) == 6


def test_text_without_messages_is_refused(parse, write_file):
    with pytest.raises(ImportFailed, match="no WhatsApp messages"):
        parse(write_file("chat.txt", "hello\n"), "whatsapp")
