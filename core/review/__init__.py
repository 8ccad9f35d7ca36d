"""The queue and the decisions, for any kind of card: append-only, by a named actor, undone and redone without end."""
