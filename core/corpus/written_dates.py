"""Dates as people write them in headers, front matter and file names.

Only forms with one reading are read: ``03/04/2014`` is two different days on two sides of an ocean, so it stays
unknown here, and an importer whose format uses it decides from the other dates of the source.
"""

from __future__ import annotations

import email.utils
import re
from datetime import date, datetime

from core.dates import DateSpan

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_YEAR = r"(?P<year>[12][0-9]{3})"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:[A-Za-z]{3,9}day,?\s+|[A-Z][a-z]{2},?\s+)?"

_ISO = re.compile(r"^[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}(?:[T ][0-9:.,]+\s*(?:Z|UTC|GMT|[+-][0-9:]{2,6})?)?)?)?$")
_NUMERIC = re.compile(r"^(?P<year>[0-9]{4})([-/.])(?P<month>[0-9]{1,2})\2(?P<day>[0-9]{1,2})$")
_WORDS = tuple(
    re.compile(f"^{_WEEKDAY}{form}$")
    for form in (rf"{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}", rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}")
)
_MONTH_YEAR = re.compile(rf"^{_MONTH},?\s+{_YEAR}$")
_NAME = re.compile(r"^(?P<year>[12][0-9]{3})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?(?![0-9A-Za-z])")
_COMPACT_NAME = re.compile(r"^(?P<year>(?:19|20)[0-9]{2})(?P<month>[01][0-9])(?P<day>[0-3][0-9])(?![0-9A-Za-z])")
_LONGEST = 64


def read_date(text: str) -> DateSpan:
    """Read an ISO date or timestamp, ``5 March 2014``, ``March 5, 2014``, ``March 2014`` or an e-mail date.

    Anything else is unknown.
    """
    written = text.strip()
    if not written or len(written) > _LONGEST:
        return DateSpan.unknown()
    if _ISO.match(written):
        return DateSpan.parse(written)
    numeric = _NUMERIC.match(written)
    if numeric:
        return span(int(numeric["year"]), int(numeric["month"]), int(numeric["day"]))
    for pattern in _WORDS:
        found = pattern.match(written)
        if found and found["month"].casefold() in _MONTHS:
            return span(int(found["year"]), _MONTHS[found["month"].casefold()], int(found["day"]))
    month_year = _MONTH_YEAR.match(written)
    if month_year and month_year["month"].casefold() in _MONTHS:
        return DateSpan.parse(f"{month_year['year']}-{_MONTHS[month_year['month'].casefold()]:02}")
    return _mail_date(written)


def _mail_date(text: str) -> DateSpan:
    if ":" not in text:
        return DateSpan.unknown()
    try:
        return DateSpan.of_day(email.utils.parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return DateSpan.unknown()


def span(year: int, month: int, day: int) -> DateSpan:
    """The span of one day, or unknown when there is no such day."""
    try:
        return DateSpan.of_day(date(year, month, day))
    except (ValueError, OverflowError):
        return DateSpan.unknown()


def date_in_name(stem: str) -> tuple[DateSpan, str]:
    """The date at the start of a file name, and the name without it; unknown and the whole name when none."""
    found = _NAME.match(stem) or _COMPACT_NAME.match(stem)
    if not found:
        return DateSpan.unknown(), stem
    dated = DateSpan.parse("-".join(part for part in found.groups() if part))
    rest = stem[found.end() :].strip(" -_.")
    if dated.precision == "year" and (rest or not dated.known):
        # "1984 and other stories" is a title; only a bare year is a date.
        return DateSpan.unknown(), stem
    return (dated, rest) if dated.known else (dated, stem)


def stamp(text: str) -> datetime | None:
    """An ISO timestamp with a time of day, or None; naive when it names no zone."""
    if len(text) < 16 or not _ISO.match(text.strip()):
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None
