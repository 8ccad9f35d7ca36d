"""What a well server answers to the prompts of recall, by their words alone: it quotes, and compares words."""

from __future__ import annotations

import json
import re

FENCED = re.compile(r"<<<\n(.*?)\n>>>", re.DOTALL)
WORD = re.compile(r"[^\W\d_]{5,}")


def answer(prompt: str) -> str:
    """The retelling of the passage's first long sentence, or yes where memory and question share a longer word."""
    blocks = FENCED.findall(prompt)
    if "remembers:" in prompt:
        shared = set(WORD.findall(blocks[-1].lower())) & set(WORD.findall(blocks[0].lower()))
        return "yes" if shared else "no"
    sentences = [each for each in re.split(r"(?<=[.!?])\s+", blocks[-1]) if len(each.split()) >= 5]
    if not sentences:
        return json.dumps({"quote": "", "memory": ""})
    words = sentences[0].split()[:40]
    return json.dumps({"quote": " ".join(words), "memory": "I once wrote that " + " ".join(words)})
