"""Talk with the twin: base model, adapter, recall and the one renderer together, every sentence with its receipt."""
