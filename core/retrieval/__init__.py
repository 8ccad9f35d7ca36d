"""From documents to passages one can find: chunk, embed, index, search, always as of a date."""
