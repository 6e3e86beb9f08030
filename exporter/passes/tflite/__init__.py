"""Rewrites of TFLite graphs."""
