"""Exact graph rewrites, each with a numeric proof in its test."""
