"""Preparing weights: equalisation, rounding, corrected biases."""
