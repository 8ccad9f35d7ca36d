"""Hybrid mode (METHODS 5): facts from memory, words from a simulated chat, merged, verified, marked where it fell
back."""
