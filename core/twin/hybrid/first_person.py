"""A fact about the target, told by the target: "Ada Marlow lives with her sister" is "I live with my sister".

A rule for English sentences that begin with the target's name; a sentence that does not, or is in the first person
already, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.retrieval.function_words import FUNCTION_WORDS

_BE = {
    "is": "am",
    "was": "was",
    "has": "have",
    "does": "do",
    "isn't": "am not",
    "hasn't": "haven't",
    "doesn't": "don't",
}
_POSSESSIVE = {
    "her": "my",
    "his": "my",
    "their": "my",
    "herself": "myself",
    "himself": "myself",
    "themselves": "myself",
}
_KEPT = frozenset(("always", "plus", "thus", "perhaps", "sometimes", "besides", "afterwards", "this", "across", "as"))
"""Words in s that are no verbs."""
_NAME = re.compile(r"\b[A-Z][\w'’]+")
_ADVERBS = re.compile(r"(?:always|sometimes|often|once|still|never|also|usually|\w+ly)$", re.I)


def in_first_person(sentence: str, names: Sequence[str]) -> str:
    """The sentence as the one who goes by ``names`` would say it."""
    for name in sorted((each for each in names if each), key=len, reverse=True):
        match = re.match(rf"{re.escape(name)}(?P<own>['’]s)?\s+(?=\w)", sentence, re.I)
        if match is None:
            continue
        rest = sentence[match.end() :]
        if match["own"]:
            return f"My {_with_possessives(rest)}"
        return f"I {_with_possessives(_verb(rest))}"
    return sentence


def _verb(rest: str) -> str:
    """The first verb without its third person."""
    words = rest.split(" ")
    place = 0
    while place < len(words) - 1 and _ADVERBS.match(words[place]):
        place += 1
    words[place] = _first_form(words[place])
    return " ".join(words)


def _first_form(verb: str) -> str:
    bare = re.match(r"[\w'’]+", verb)
    if bare is None:
        return verb
    word, after = bare[0].replace("’", "'"), verb[bare.end() :]
    folded = word.casefold()
    if folded in _BE:
        return _BE[folded] + after
    if folded in _KEPT or not folded.endswith("s") or folded.endswith("ss") or len(folded) < 4:
        return verb
    if folded.endswith("ies") and len(folded) > 4:
        return word[:-3] + "y" + after
    if re.search(r"(?:ss|sh|ch|x|zz|o)es$", folded):
        return word[:-2] + after
    return word[:-1] + after


def _with_possessives(text: str) -> str:
    """Her own is mine, where the sentence began with her. Past another name, or where it may be nobody's own, "her" is
    left as it was."""

    def mine(found: re.Match[str]) -> str:
        following = re.match(r"\s+([\w'’]+)", text[found.end() :])
        owned = following is not None and following[1].casefold() not in FUNCTION_WORDS
        reflexive = found[0].casefold().endswith(("self", "selves"))
        if not (owned or reflexive) or _NAME.search(text[: found.start()]):
            return found[0]
        return _POSSESSIVE[found[0].casefold()]

    return re.sub(r"\b(?:her|his|their|herself|himself|themselves)\b", mine, text, flags=re.I)
