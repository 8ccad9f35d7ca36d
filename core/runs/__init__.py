"""Long work as detached processes: they outlive the terminal, log events, and resume where they stopped."""
