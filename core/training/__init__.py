"""From a frozen dataset to an adapter: resumable, watched by events, never continued from a damaged checkpoint."""
