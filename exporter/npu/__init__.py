"""Files for phones' neural processors, compiled ahead of time by their vendors' own compilers."""
