"""Whole channels out of a network: what can be followed is removed, what cannot is left whole."""
