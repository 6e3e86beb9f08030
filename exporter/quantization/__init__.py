"""Ranges, integer graphs, and proof that a file is really INT8."""
