"""The code that a result depends on: Python files by digest, packages by version, found by following imports."""

from exporter.sources.closure import Code, Sources, code_of, edited

__all__ = ["Code", "Sources", "code_of", "edited"]
