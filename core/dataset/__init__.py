"""Frozen training sets: packed by the one renderer, split by conversation and time, guarded against leaks."""
