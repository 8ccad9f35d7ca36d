"""Calls to text models, and all that guards them: consent, caps, pace, retries, the ledger, the cache."""
