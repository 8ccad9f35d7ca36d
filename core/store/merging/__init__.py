"""What a copy of the workspace has that this one has not, brought over: SQL alone, within the caller's transaction."""
