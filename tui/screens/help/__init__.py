"""The help: keys, glyphs, and where things are."""
