"""What training made: which adapter the twin uses, whether its files are whole, and how it leaves the workspace."""
