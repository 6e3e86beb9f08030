"""Runs of a recipe: its stages one after another, in a folder of their own."""
