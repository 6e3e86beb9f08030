"""Trying settings and mixed precision on calibration pictures."""
