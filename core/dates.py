"""Dates that carry their precision: ``2014`` is the interval of that year, unknown is unknown.

Days are proleptic-Gregorian ordinals (``datetime.date.toordinal``), so that SQL can compare them as integers.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Precision = Literal["day", "month", "year", "unknown"]

UNDATED_DAY = -1
"""The sentinel day of undated passages in an index: before every real day, never NULL."""

_ISO = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:[T ]+[0-9]{1,2}:[0-9]{2}.*)?)?)?")


@dataclass(frozen=True, slots=True)
class DateSpan:
    """The closed interval of days that a written date may mean.

    ``first`` and ``last`` are ordinals, both ``UNDATED_DAY`` when the date is unknown.
    """

    first: int
    last: int
    precision: Precision

    @property
    def known(self) -> bool:
        return self.precision != "unknown"

    def iso(self) -> str:
        """The date as written to its precision: ``2014``, ``2014-03``, ``2014-03-01``, or an empty string."""
        if not self.known:
            return ""
        day = date.fromordinal(self.first)
        return day.isoformat()[: {"year": 4, "month": 7, "day": 10}[self.precision]]

    @classmethod
    def unknown(cls) -> DateSpan:
        return cls(UNDATED_DAY, UNDATED_DAY, "unknown")

    @classmethod
    def of_day(cls, day: date | datetime) -> DateSpan:
        ordinal = day.toordinal()
        return cls(ordinal, ordinal, "day")

    @classmethod
    def parse(cls, text: str) -> DateSpan:
        """Read ``YYYY``, ``YYYY-MM``, ``YYYY-MM-DD`` or an ISO timestamp; anything else is unknown."""
        found = _ISO.fullmatch(text.strip())
        if not found:
            return cls.unknown()
        year, month, day = (int(part) if part else None for part in found.groups())
        try:
            if year is None:
                return cls.unknown()
            if month is None:
                return cls(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal(), "year")
            if day is None:
                end = calendar.monthrange(year, month)[1]
                return cls(date(year, month, 1).toordinal(), date(year, month, end).toordinal(), "month")
            return cls.of_day(date(year, month, day))
        except ValueError:
            return cls.unknown()


def as_of_request(text: str) -> int | None:
    """The day before which passages are visible to a chat set at ``text``: ``2019`` means the end of that year.

    Returns None when ``text`` is not a date.
    """
    span = DateSpan.parse(text)
    return span.last + 1 if span.known else None
