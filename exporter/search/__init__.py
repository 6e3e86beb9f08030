"""Searching what a recipe can say, under its promises."""
