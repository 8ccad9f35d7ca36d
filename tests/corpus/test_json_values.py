"""Hostile JSON ends in a refusal, never in a crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.json_values import load_json, text_field, top_level_keys
from core.errors import ImportFailed

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5000, '{"a": ' + "9" * 5000 + "}", "", "{"])
def test_hostile_json_is_refused(text):
    with pytest.raises(ImportFailed):
        load_json(text, "x")
    top_level_keys(text)


def test_lone_surrogates_become_visible():
    assert text_field(json.loads('{"a": "x\\ud800y\\u0000"}'), "a") == "x\ufffdy\ufffd"


@pytest.mark.parametrize("value", [None, True, [], {}, "9"])
def test_only_texts_and_numbers_are_text(value):
    assert text_field({"a": value}, "a") in ("", "9")


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), JSON))
def test_the_keys_of_an_object_an_array_and_lines_are_seen(value):
    text = json.dumps(value)
    assert top_level_keys(text) == tuple(value)
    assert top_level_keys(f"[{text}, 1]") == tuple(value)
    assert top_level_keys(f"{text}\n{text}\n") == tuple(value)


@given(JSON, st.integers(0, 60))
def test_json_cut_anywhere_gives_the_keys_up_to_there(value, cut):
    text = json.dumps({"first": value, "second": value})
    assert top_level_keys(text[:cut]) in ((), ("first",), ("first", "second"))
