"""One folder for each screen: its Python, its style sheet, and nothing of the engine's logic."""
