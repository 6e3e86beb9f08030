"""Parity, quality, latency, lint, ladder and the budget they are judged by."""
