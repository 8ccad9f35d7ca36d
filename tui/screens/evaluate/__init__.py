"""Evaluate: scorecards, and each held-out question behind them."""
