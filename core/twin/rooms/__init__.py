"""The twin as a co-host: a line-based chat on one side, the serving twin on the other, and rules in between."""
