"""Two releases held against each other by running both: the same pictures, the same machine, one run."""
