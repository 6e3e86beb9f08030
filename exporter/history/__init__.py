"""Releases over time: what a store keeps of each, what moved between them, and a page that shows it."""
