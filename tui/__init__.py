"""Everything that faces a terminal: the command line and, on top of the same core functions, the workbench."""
