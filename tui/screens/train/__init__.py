"""Train: prepare a run, and watch it learn."""
