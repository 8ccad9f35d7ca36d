"""One module for each command: it reads arguments, calls one core function, and tells the result."""
