"""What WhatsApp itself writes where a message stands: placeholders of media, notices, marks of editing.

An iPhone puts U+200E before each of its own words, in any language. An Android phone writes them bare, in the phone's
language: some are known here, and a placeholder that is not is told by coming back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

TurnKind = Literal["said", "system", "media", "deleted"]

MARKS = "\u200e\u200f\u202a\u202c\ufeff"
"""Marks of direction, which say nothing."""
_OWN = "\u200e"
_LEFT_OUT = (
    "omitted|weggelassen|weggelaten|ausgeschlossen|omitid[oa]s?|ocultad[oa]s?|omis(?:es?)?|absente?s?|omess[oaie]"
)
_OMITTED = re.compile(
    r"^(?:<[^<>\n]*\bomitted>|(?:image|video|audio|GIF|sticker|document|Contact card|voice message) omitted"
    r"|<attached: [^<>\n]+>|<View once [^<>\n]+>"
    r"|<(?:Medien ausgeschlossen|(?:Multimedia|Archivo) omitido|M[ée]dias omis|Media omessi|Media weggelaten"
    r"|Arquivo de mídia oculto|Mídia oculta|Ficheiro não revelado)>)$",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"^(?:[^\n]{1,200}\.\w{1,5} \((?:file attached|Datei angehängt|archivo adjunto|fichier joint|file allegato"
    r"|arquivo anexado|ficheiro anexado|bestand bijgevoegd)\)"
    r"|(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d{4}\.\w{1,5} \([^()\n]{1,40}\))$",
    re.IGNORECASE,
)
_DOCUMENT = re.compile(r"^[^\n]{1,200} • \u200e\d+ [^\n]{1,20}$")
_PLACEHOLDER = re.compile(r"^<(?=[^<>\n]*(?: |[^\x00-\x7f]))[^<>\n]{3,60}>$")
"""``<sigh>`` is somebody's word; no language says in one such word that media were left out."""
_DELETED = re.compile(
    r"^(?:This message was deleted(?: by admin[^\n]*)?|You deleted this message"
    r"|Diese Nachricht wurde gelöscht|Du hast diese Nachricht gelöscht"
    r"|Se eliminó este mensaje|Este mensaje fue eliminado|Eliminaste este mensaje"
    r"|Mensagem apagada|Esta mensagem foi (?:apagada|eliminada)|(?:Você )?apagou esta mensagem"
    r"|Ce message a été supprimé|Vous avez supprimé ce message"
    r"|Questo messaggio è stato eliminato|Hai eliminato questo messaggio"
    r"|Dit bericht (?:is|werd) verwijderd|(?:Je|U) hebt dit bericht verwijderd)\.?$",
    re.IGNORECASE,
)
_TRAILING = re.compile(
    rf"[ \n]?\u200e(?:<[^<>\n\u200e]+>|[^<>\n\u200e]{{1,40}} (?:{_LEFT_OUT}))$"
    r"|[ \n]?<(?:This message was edited|Diese Nachricht wurde bearbeitet|Se editó este mensaje"
    r"|Este mensaje fue editado|Mensagem editada|Esta mensagem foi editada|Ce message a été modifié"
    r"|Questo messaggio è stato modificato|Dit bericht is bewerkt)\.?>$",
    re.IGNORECASE,
)
_MOST_TRAILING = 3
"""A picture and its editing are two; a text of nothing else must not be searched once for each."""
_NOTICE = re.compile(
    r"^Messages (?:and calls|(?:you send )?to this (?:chat|group)(?: and calls)?) are (?:now )?"
    r"(?:end-to-end encrypted|secured with end-to-end encryption)\."
    r"|^POLL:\n(?:[^\n]*\n)+OPTION: "
)


def placeholders(bodies: Iterable[str]) -> frozenset[str]:
    """What stands in this chat where media were left out, in a language that is not known here: a line in angle
    brackets that is the whole of several messages."""
    whole = Counter(body for body in bodies if body.startswith("<") and len(body) <= 80)
    if any(_OMITTED.match(body) for body in whole):
        return frozenset()
    return frozenset(body for body, times in whole.items() if times > 1 and _PLACEHOLDER.match(body))


def read_body(body: str, left_out: frozenset[str]) -> tuple[str, TurnKind]:
    """What someone said in a message, without what WhatsApp wrote to it; or the message as it is, and what it is.

    ``left_out`` are the chat's own ``placeholders``.
    """
    whole = body.lstrip(MARKS).rstrip()
    first, _, caption = whole.partition("\n")
    if _is_media(first.rstrip(MARKS + " "), left_out):
        said = _without_trailing(caption.strip("\n"))
        return (said, "said") if said.strip() else (whole, "media")
    if not whole or whole == "null":
        return whole, "media"
    if _DELETED.match(whole):
        return whole, "deleted"
    if body.startswith(_OWN) or _NOTICE.match(whole):
        return whole, "system"
    said = _without_trailing(whole)
    return (whole, "media") if not said.strip() or _DOCUMENT.match(said) else (said, "said")


def _is_media(line: str, left_out: frozenset[str]) -> bool:
    return line in left_out or bool(_OMITTED.match(line) or _FILE.match(line))


def _without_trailing(said: str) -> str:
    kept = said.rstrip()
    for _ in range(_MOST_TRAILING):
        found = _TRAILING.search(kept)
        if found:
            kept = kept[: found.start()].rstrip()
    return kept.rstrip(MARKS)
