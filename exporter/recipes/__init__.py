"""Recipes: read, checked, planned. Nothing of them is run here."""
