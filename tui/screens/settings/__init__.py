"""The settings: what holds here, where it was said, and what each engine needs."""
