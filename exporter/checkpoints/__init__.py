"""Weights as users have them: readers by format. None runs code from a file."""
