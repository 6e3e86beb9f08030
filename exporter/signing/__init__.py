"""Signatures that anybody can check without this project: DSSE envelopes, and PEM keys."""
