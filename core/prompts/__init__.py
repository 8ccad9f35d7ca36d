"""Prompt files and the one renderer that turns a scene into messages, text and a loss mask."""
