"""Pages of docs/reference, made of the code that they are about: `python -m tools.reference` writes them anew."""
