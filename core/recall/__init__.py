"""Memories: retrieve passages for a question, retell them, judge whether they help."""
