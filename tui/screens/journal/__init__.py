"""The journal: an empty page."""
