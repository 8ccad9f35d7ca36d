"""Measure a twin against what the target really said, on interviews that it never saw."""
