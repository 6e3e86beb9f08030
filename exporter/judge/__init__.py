"""Promises against what was measured."""
