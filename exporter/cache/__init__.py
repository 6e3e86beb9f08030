"""What is kept of one run for the next, under a key of all it was made from."""
