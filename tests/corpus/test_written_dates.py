"""Dates keep the precision they were written with; what has two readings is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.written_dates import date_in_name, read_date


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2014", "2014"),
        ("2014-03", "2014-03"),
        ("2014-03-05", "2014-03-05"),
        ("2014-03-05T23:30:00-08:00", "2014-03-05"),
        ("2014-03-05 12:00:00", "2014-03-05"),
        ("2014/3/5", "2014-03-05"),
        ("5 March 2014", "2014-03-05"),
        ("5th of March, 2014", "2014-03-05"),
        ("March 5, 2014", "2014-03-05"),
        ("Wednesday, March 5, 2014", "2014-03-05"),
        ("Sept. 9, 2014", "2014-09-09"),
        ("March 2014", "2014-03"),
        ("Wed, 05 Mar 2014 10:00:00 +0000", "2014-03-05"),
        ("03/04/2014", ""),
        ("2014-02-30", ""),
        ("30 February 2014", ""),
        ("2014 was a good year", ""),
        ("soon", ""),
        ("", ""),
        ("9" * 5000, ""),
    ],
)
def test_reading_a_date(written, iso):
    assert read_date(written).iso() == iso


@pytest.mark.parametrize(
    ("stem", "iso", "rest"),
    [
        ("2014-03-05 The boat", "2014-03-05", "The boat"),
        ("20140305-the-boat", "2014-03-05", "the-boat"),
        ("2014-03 Notes", "2014-03", "Notes"),
        ("2014", "2014", ""),
        ("1984 and other stories", "", "1984 and other stories"),
        ("2014-13-40 odd", "", "2014-13-40 odd"),
        ("The boat 2014-03-05", "", "The boat 2014-03-05"),
    ],
)
def test_a_date_at_the_start_of_a_name(stem, iso, rest):
    span, title = date_in_name(stem)
    assert (span.iso(), title) == (iso, rest)


@given(st.text(max_size=80))
def test_no_text_is_too_odd_to_be_asked_for_its_date(text):
    read_date(text)
    date_in_name(text)
