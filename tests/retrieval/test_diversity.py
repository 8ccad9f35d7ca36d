"""Variety among the results: likeness counts against a passage, a document has its share, and ties are settled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.retrieval.diversity import capped_order, marginal_order
from core.retrieval.search import Query, Searcher
from core.workspace import Workspace

Embedded = Callable[..., Workspace]
"""Imports notes and embeds."""


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, dtype=np.float32)
    return vector / np.linalg.norm(vector)


TWINS = {1: unit(1, 0, 0), 2: unit(1, 0.01, 0), 3: unit(0, 1, 0), 4: unit(0, 0, 1)}


def test_a_twin_of_what_is_taken_waits() -> None:
    scores = {1: 1.0, 2: 0.99, 3: 0.6, 4: 0.5}
    assert marginal_order(scores, TWINS, 0.5, 4) == [1, 3, 4, 2]
    assert marginal_order(scores, TWINS, 1.0, 4) == [1, 2, 3, 4]


def test_ties_go_to_the_lower_id() -> None:
    same = dict.fromkeys((9, 4, 7), unit(1, 1, 1))
    assert marginal_order(dict.fromkeys((9, 4, 7), 0.5), same, 0.7, 3) == [4, 7, 9]


def test_what_has_no_vector_is_like_nothing_and_is_not_lost() -> None:
    assert sorted(marginal_order({1: 1.0, 2: 0.9, 5: 0.1}, TWINS, 0.5, 3)) == [1, 2, 5]
    assert marginal_order({5: 0.1}, {}, 0.5, 3) == [5]
    assert marginal_order({}, {}, 0.5, 3) == []


@given(
    st.dictionaries(st.integers(1, 50), st.integers(0, 4), min_size=1),
    st.integers(1, 4),
)
def test_a_cap_keeps_everything_and_the_order_within_it(owners: dict[int, int], most: int) -> None:
    ids = list(owners)
    order = capped_order(ids, owners, most)
    assert sorted(order) == sorted(ids)
    within = [each for each in ids if sum(owners[other] == owners[each] for other in ids[: ids.index(each)]) < most]
    assert order[: len(within)] == within


ONE = "2011-01-01 Charts.md"
LONG = "\n\n".join(
    f"Chart number {n} of the harbor hangs above the chandlery, and its soundings of the harbor are wrong. " * 9
    for n in range(5)
)
CHARTS = {
    ONE: LONG,
    "2012-01-01 Harbor.md": "The harbor charts are wrong about the sandbar.",
    "2013-01-01 Pilot.md": "No pilot trusts a harbor chart.",
    "2014-01-01 Plotter.md": "A plotter shows the chart of a harbor that was.",
}


def titles(searcher: Searcher, k: int) -> list[str]:
    return [each.passage.title for each in searcher.search(Query("the soundings of the harbor on the charts", k))]


def test_a_document_has_its_share_before_the_others_had_their_turn(
    embedded: Embedded, searcher: Callable[..., Searcher]
) -> None:
    workspace = embedded(CHARTS)
    assert titles(searcher(workspace), 4).count("Charts") > 1
    capped = titles(searcher(workspace, per_document=1), 4)
    assert sorted(capped) == ["Charts", "Harbor", "Pilot", "Plotter"]
    # Where there is nothing else, the rest of it comes after all.
    assert titles(searcher(workspace, per_document=1), 5)[4] == "Charts"


@pytest.mark.parametrize("weight", [0.3, 0.7])
def test_the_first_stays_the_first_and_all_come_in_the_end(
    embedded: Embedded, searcher: Callable[..., Searcher], weight: float
) -> None:
    workspace = embedded(CHARTS)
    plain, spread = titles(searcher(workspace), 20), titles(searcher(workspace, mmr_lambda=weight), 20)
    assert spread[0] == plain[0]
    assert sorted(spread) == sorted(plain)
    assert titles(searcher(workspace, mmr_lambda=weight), 20) == spread
