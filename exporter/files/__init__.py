"""Files and file names that come from outside, and files that appear whole or not at all."""
