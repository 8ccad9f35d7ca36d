"""Names of the runs of retrieval, for those who start them without importing numpy or an embedder."""

EMBED_KIND = "embed"
EMBED_ENTRY = "core.retrieval.embedding:run"
QUESTIONS_KIND = "questions"
QUESTIONS_ENTRY = "core.retrieval.questions:run"
