"""Words that shape a sentence and say nothing of its subject."""

from __future__ import annotations

import re

FUNCTION_WORDS = frozenset(
    """
    a about after again against all am an and any are aren as at be because been before being below between both but
    by can could couldn d did didn do does doesn doing don down during each every few for from further had hadn has
    hasn have haven having he her here hers him his how i if in into is isn it its itself just let ll m me more most my
    no nor not now of off on once one only or other our out over own re s same shall she should shouldn so some still
    such t than that the their them then there these they this those through to too under until up us ve very was wasn
    we were weren what when where which while who whom whose why will with would wouldn you your yours
    """.split()  # noqa: SIM905
)
"""English ones. The lexical search leaves them out; a name does not begin with one."""


def telling_words(text: str) -> list[str]:
    """The words of a text that say something of its subject, each once, in their order."""
    return [word for word in dict.fromkeys(re.findall(r"\w+", text.casefold())) if word not in FUNCTION_WORDS]
