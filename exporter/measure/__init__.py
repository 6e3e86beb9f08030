"""Measuring what files do: parity, quality, latency, tiles, the accuracy after each stage."""
