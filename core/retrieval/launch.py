"""Name of the embedding run, for those who start it without importing numpy or an embedder."""

EMBED_KIND = "embed"
EMBED_ENTRY = "core.retrieval.embedding:run"
