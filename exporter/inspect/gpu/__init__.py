"""What the GPU delegate will make of a file, and what it did make of it."""
