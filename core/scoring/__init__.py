"""Scores of texts under models: likelihood and similarity; batched, cached by content."""
