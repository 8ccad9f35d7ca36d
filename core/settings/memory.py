"""How passages are found, and how candidate memories are made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.settings.section import Section


class RetrievalSettings(Section):
    """How passages are cut and found."""

    mode: Literal["hybrid", "vector", "lexical"] = "hybrid"
    k: Annotated[int, Field(ge=1, le=100)] = 5
    """Passages that a search shows (RAFT: 5)."""
    chunk_tokens: Annotated[int, Field(ge=32)] = 240
    """Largest chunk, in the embedder's tokens; never more than it can read."""
    overlap: Annotated[int, Field(ge=0)] = 40
    include_undated: bool = True
    questions: bool = False
    """Whether what the ``questions`` run wrote about passages is searched beside them (doc2query--, Gospodinov et al.
    2023)."""
    question_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.3
    """Least cosine of a question and its passage where no model judges."""
    second_hop: bool = True
    """Whether passages that share a rare name, tag, title or thread with the best ones are found too (HippoRAG,
    Gutiérrez et al. 2024, in its simplest form)."""
    mmr_lambda: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What nearness to the query counts against likeness to what is found already (MMR, Carbonell and Goldstein 1998);
    1 counts nearness alone."""
    per_document: Annotated[int, Field(ge=0)] = 0
    """Passages of one document, or of one conversation, before the others had their turn; 0 for any number."""
    query_head: bool = True
    """Whether the query is read by the trained retriever in use, where there is one (RA-DIT, Lin et al. 2023)."""


class RecallSettings(Section):
    """How candidate memories are made and judged."""

    candidates: Annotated[int, Field(ge=1, le=20)] = 5
    """Best candidates of an exchange that are retold and judged (RAFT: 5). Fewer cost less and help less
    (bench/README.md, recall_pays)."""
    sentences: Annotated[int, Field(ge=1, le=6)] = 2
    """Sentences that the extractive writer quotes (RAFT: 1 to 2)."""
    answer_tokens: Annotated[int, Field(ge=16)] = 96
    """Tokens of the real answer that the second opinion reads; on a CPU they are most of what recall costs."""
    judgement: Literal["auto", "likelihood", "model"] = "auto"
    """How usefulness is judged: by likelihoods under a model in this process, or by asking the judge, yes or no.
    ``auto`` asks, unless the judge's engine is ``transformers``."""
    second_opinion: bool = True
    """Whether a judge that is asked is asked once more, with the real answer; its verdict orders the review only."""
    threshold: float = 0.0
    """Bits that must speak for a memory to count as useful: by likelihood, bits per question token saved over an
    unrelated passage; of a judge that is asked, the log-odds of its yes."""
