"""Dataset: what it is made of, its guard's verdict, and its samples with the loss mask."""
