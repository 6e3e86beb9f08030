"""Phones that somebody else keeps: a small interface, and the services that speak it."""
