"""Chat: talk with the twin, and say what its answers are worth."""
