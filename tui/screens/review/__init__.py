"""Review: one card at a time, one key for each decision, every decision committed before the card moves."""
