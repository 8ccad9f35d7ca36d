"""The runs: every long work of this workspace, with its log."""
