"""Other processes and signals."""
