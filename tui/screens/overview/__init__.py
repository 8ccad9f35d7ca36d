"""The overview: the pipeline as one picture."""
